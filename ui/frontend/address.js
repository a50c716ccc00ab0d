// Part of the document itself, see ui/document.py. A page's new address replaces the one before it: Streamlit would add it to the history,
// and Back would lead through all that a page ever showed, on entry already to the page itself.
{
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) =>
    new URL(url, location.href).pathname === location.pathname ? history.replaceState(state, title, url) : push(state, title, url);
}

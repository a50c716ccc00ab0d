r"""A variant as papers write it: its formula in LaTeX and its graph in DOT, both read off the variant's row."""

from __future__ import annotations

__all__ = ["HUES", "INDEX_SIZE", "INK", "TEXT_SIZE", "diagram", "formula"]

from collections.abc import Iterable, Sequence
from html import escape

from .modalities import Modality
from .palettes import BLOCKS
from .variants import FIRST, PAIR, SECOND, Contrast, Cycle, Elbo, ImportanceBound, Match, Term, Variant

#: Colours of what is private to the first modality, shared, and private to the second; legible on light and on dark.
HUES = BLOCKS["dark"]
#: Colour of edges and labels; legible on light and on dark.
INK = "#8b949e"
#: Sizes of the letters in a graph and of their indices, in points.
TEXT_SIZE, INDEX_SIZE = 14, 10


def formula(variant: Variant, modalities: Sequence[Modality]) -> list[str]:
    r"""The model and its loss as lines of LaTeX without delimiters: generative model, posterior, loss, the loss's terms.

    Arguments:
        variant: The row.
        modalities: The two modalities; their symbols, such as ``x_I``, name images and blocks.
    """
    write = _Notation(variant, modalities)
    return [write.generative(), *write.posteriors(), write.loss(), *write.definitions()]


def diagram(variant: Variant, modalities: Sequence[Modality], *, hues: Sequence[str] = HUES, ink: str = INK) -> str:
    """The graph of a variant in DOT: images, encoders, fusion, blocks, decoders, from left to right.

    Solid edges make the posterior of the pair; dashed ones take part only where a modality is alone.

    Arguments:
        variant: The row.
        modalities: The two modalities.
        hues: Colours as in `HUES`.
        ink: Colour of edges and labels.
    """
    return _Graph(variant, modalities, hues, ink).dot()


_THIN = r"\,"  # LaTeX's narrow space


class _Notation:
    """The symbols of one variant over one pair of modalities, and the lines written with them."""

    def __init__(self, variant: Variant, modalities: Sequence[Modality]) -> None:
        self.variant = variant
        self.x = [m.symbol for m in modalities]
        self.marks = [symbol.partition("_")[2] or str(i + 1) for i, symbol in enumerate(self.x)]
        self.shared = "z_S" if variant.private else "z"
        self.private = [f"z_{mark}" for mark in self.marks] if variant.private else []

    # ---- the model

    def generative(self) -> str:
        blocks = [*self.private[:1], self.shared, *self.private[1:]]
        prior = _THIN.join(f"p({block})" for block in blocks)
        if self.variant.joint_decoder:
            likelihood = f"p({self.images(PAIR)} | {self.shared})"
        else:
            likelihood = _THIN.join(f"p({self.x[m]} | {self.read(m)})" for m in (0, 1))
        line = rf"p({self.images(PAIR)}, {', '.join(blocks)}) = {prior}\,{likelihood}"
        if self.variant.family == "laplace":
            line += rf", \qquad p({self.shared}) = \mathrm{{Laplace}}(0, {'b' if self.variant.learned_prior else '1'})"
        if self.variant.prior_clusters:
            line += rf", \qquad p({self.shared}) = \sum_{{k=1}}^{{{self.variant.prior_clusters}}} w_k\, \mathcal{{N}}(\mu_k, \operatorname{{diag}} \sigma_k^2)"
        return line

    def posteriors(self) -> list[str]:
        """The shared posterior of the pair and of one modality; the private ones."""
        of_pair = rf"q({self.shared} | {self.images(PAIR)})"
        single = [self.expert(m) for m in (0, 1)]
        always, several, full = (self.variant.prior_expert == when for when in ("always", "several", "full"))
        prior = rf"p({self.shared})\," if always or several or full else ""
        product = rf"{prior}{_THIN.join(single)}"
        if self.variant.fusion == "product":
            lines = [rf"{of_pair} \propto {product}"]
        elif self.variant.fusion == "mixture":
            lines = [rf"{of_pair} = \tfrac{{1}}{{2}} \left( {' + '.join(single)} \right)"]
        elif self.variant.fusion == "mixture of products":
            lines = [rf"{of_pair} = \tfrac{{1}}{{3}} \left( {' + '.join(single)} + \tilde q \right), \qquad \tilde q \propto {product}"]
        elif self.variant.private:
            arguments = rf"({self.private[0]}, {self.shared}, {self.private[1]} | {self.images(PAIR)})"
            lines = [rf"q{arguments} = q_{{{''.join(self.marks)}}}{arguments}"]
        else:
            lines = [rf"{of_pair} = q_{{{''.join(self.marks)}}}({self.shared} | {self.images(PAIR)})"]
        lines.append(self.alone(always))
        if self.variant.private:
            lines.append(self.of_private())
        return lines

    def alone(self, with_prior: bool) -> str:
        """The shared posterior given one modality."""
        if not self.variant.infers_from(FIRST):
            return rf"q({self.shared} | x_m) \;\text{{is not defined for one modality alone}}"
        relation = rf"\propto p({self.shared})\," if with_prior else "="
        return rf"q({self.shared} | x_m) {relation} q_m({self.shared} | x_m), \qquad m \in \{{{', '.join(self.marks)}\}}"

    def of_private(self) -> str:
        pair = rf"q(z_m | {self.images(PAIR)}) = " if self.variant.fusion != "pair encoder" else ""
        return rf"{pair}q(z_m | x_m) = q_m(z_m | x_m), \qquad q(z_m | x_n) = p(z_m) \;\text{{for}}\; n \ne m"

    # ---- the loss

    def loss(self) -> str:
        return r"\mathcal{L} = " + " + ".join(self.term(term) for term in self.variant.terms)

    def term(self, term: Term) -> str:
        if isinstance(term, Elbo):
            arguments = rf"({self.images(term.given)} \to {self.images(term.rebuild)}{self.aside(term)})"
            if term.reconstruction == term.kl:
                return rf"{_factor(term.weight * term.kl)}\mathcal{{E}}{arguments}"
            parts = ((term.reconstruction, "R"), (term.kl, "K"))
            return " + ".join(rf"{_factor(term.weight * factor)}\mathcal{{{letter}}}{arguments}" for factor, letter in parts)
        if isinstance(term, Match):
            divergence = rf"\mathrm{{KL}}\!\left(q({self.shared} | {self.images(term.more)}) \,\|\, q({self.shared} | {self.images(term.less)})\right)"
            return _factor(term.weight) + divergence
        if isinstance(term, ImportanceBound):
            return rf"\mathcal{{B}}_{{{term.samples}}}({self.images(PAIR)})"
        if isinstance(term, Cycle):
            return rf"{_factor(term.weight)}\mathcal{{S}}"
        return rf"{_factor(term.weight)}\mathcal{{C}}(\mu_{{{self.marks[0]}}}, \mu_{{{self.marks[1]}}})"

    def aside(self, term: Elbo) -> str:
        """Where the private codes come from that the term's own posterior does not give."""
        strange = [m for m in sorted(term.rebuild - term.given)] if self.private else []
        if not strange:
            return ""
        codes = ", ".join(self.private[m] for m in strange)
        if term.private is not None and set(strange) <= term.private:
            return rf";\; {codes} \sim q(\cdot | {', '.join(self.x[m] for m in strange)})"
        return rf";\; {codes} \sim {'r' if term.alien == 'auxiliary' else 'p'}"

    def definitions(self) -> list[str]:
        """What the letters of the loss stand for."""
        lines = []
        elbos = [term for term in self.variant.terms if isinstance(term, Elbo)]
        if elbos:
            components = {"mixture": 2, "mixture of products": 3}.get(self.variant.fusion, 1) if any(term.given == PAIR for term in elbos) else 1
            average = rf"\tfrac{{1}}{{{components}}} \sum_{{k=1}}^{{{components}}} " if components > 1 else ""
            posterior = "q_k" if average else "q"
            rebuild = rf"- \mathbb{{E}}_{{{posterior}(z|x_g)}} \sum_{{m \in r}} \lambda_m \log p(x_m | z)"
            divergence = rf"\mathrm{{KL}}({posterior}(z | x_g) \,\|\, p(z))"
            if any(term.reconstruction != term.kl for term in elbos):
                lines += [rf"\mathcal{{R}}(x_g \to x_r) = {average}{rebuild}", rf"\mathcal{{K}}(x_g \to x_r) = {average}{divergence}"]
            elif average:
                lines.append(rf"\mathcal{{E}}(x_g \to x_r) = {average}\Big[ {rebuild} + {divergence} \Big]")
            else:
                lines.append(rf"\mathcal{{E}}(x_g \to x_r) = {rebuild} + {divergence}")
            if average:
                lines.append(rf"{average}\mathrm{{KL}}(q_k(z | x_g) \,\|\, p(z)) \ge \mathrm{{KL}}(q(z | x_g) \,\|\, p(z)) \;\text{{, which has no closed form}}")
        if self.variant.prior_clusters:
            posterior, component = rf"q({self.shared} | \cdot)", rf"p_k({self.shared})"
            lines.append(rf"\mathrm{{KL}}({posterior} \,\|\, p({self.shared})) \;\text{{by its upper bound}}\; -\log \sum_k w_k\, "
                         rf"e^{{-\mathrm{{KL}}({posterior} \,\|\, {component})}}, \qquad {component} = \mathcal{{N}}(\mu_k, \operatorname{{diag}} \sigma_k^2)")
        if self.private and elbos:
            lines.append(r"z \;\text{in}\; (x_g \to x_r) \text{: the blocks that the decoders of } x_r \text{ read}")
        if self.variant.auxiliary_prior:
            lines.append(r"r(z_m) = \mathcal{N}(0, \operatorname{diag}(s_m^2)), \qquad s_m \text{ learned; in training alone, without a KL}")
        for term in self.variant.terms:
            if isinstance(term, ImportanceBound):
                lines.append(rf"\mathcal{{B}}_K = -\tfrac{{1}}{{2}} \sum_{{m}} \mathbb{{E}}_{{z^{{1:K}} \sim q_m}} \log \frac{{1}}{{K}} \sum_{{k=1}}^{{K}} "
                             rf"\frac{{p(z^k)\, \prod_n p(x_n | z^k)^{{\lambda_n}}}}{{q(z^k | {self.images(PAIR)})}}")
            elif isinstance(term, Contrast):
                lines.append(rf"\mathcal{{C}}(a, b) = -\tfrac{{1}}{{2N}} \sum_i \Big[ \log \frac{{e^{{s_{{ii}}}}}}{{\sum_j e^{{s_{{ij}}}}}} "
                             rf"+ \log \frac{{e^{{s_{{ii}}}}}}{{\sum_j e^{{s_{{ji}}}}}} \Big], \qquad s_{{ij}} = \cos(a_i, b_j) / {term.temperature:g}")
            elif isinstance(term, Cycle):
                lines.append(rf"\mathcal{{S}} = -\tfrac{{1}}{{2}} \sum_m \sum_k \phi_k({self.shared}) \log \phi_k\big(q_m({self.shared} | \hat x_m)\big), "
                             rf"\qquad \phi_k(q) \propto w_k \!\int\! q\, p_k")
                given = ", ".join(rf"q({self.shared} | {self.images(g)})" for g in (PAIR, FIRST, SECOND))
                lines.append(rf"\hat x_m = \mathbb{{E}}[x_m | z_m, {self.shared}], \qquad {self.shared} \text{{ in turn of }} {given}, p({self.shared}), \qquad "
                             rf"z_m \text{{ in turn of another pair and of }} p(z_m)\text{{; }} q_m, p_k \text{{ held fixed}}")
        return lines

    # ---- symbols

    def images(self, positions: Iterable[int]) -> str:
        return ", ".join(self.x[m] for m in sorted(positions))

    def read(self, m: int) -> str:
        """What the decoder of modality m reads."""
        return f"{self.private[m]}, {self.shared}" if self.private else self.shared

    def expert(self, m: int) -> str:
        return f"q_{self.marks[m]}({self.shared} | {self.x[m]})"


def _factor(weight: float) -> str:
    """A factor before a term; nothing where it is 1."""
    return "" if abs(weight - 1) < 1e-9 else rf"{weight:.3g}\,"


class _Graph:
    """The nodes and edges of one variant's graph."""

    def __init__(self, variant: Variant, modalities: Sequence[Modality], hues: Sequence[str], ink: str) -> None:
        self.variant, self.ink = variant, ink
        self.notation = _Notation(variant, modalities)
        self.hue = {FIRST: hues[0], PAIR: hues[1], SECOND: hues[2]}
        self.lines: list[str] = []

    def dot(self) -> str:
        self.images("x", "x")
        self.encoders()
        self.blocks()
        self.decoders()
        head = (f'rankdir=LR bgcolor="transparent" nodesep=0.25 ranksep=0.45\n  node [fontname="Helvetica" fontsize={TEXT_SIZE} color="{self.ink}" '
                f'fontcolor="{self.ink}" penwidth=1.3]\n  edge [color="{self.ink}" arrowsize=0.7]')
        return "digraph variant {\n  " + head + "\n  " + "\n  ".join(self.lines) + "\n}"

    def images(self, key: str, letter: str, **style: str) -> None:
        for m, symbol in enumerate(self.notation.x):
            mark = symbol.partition("_")[2]
            self.node(f"{key}{m}", _label(letter, mark) if mark else _label(symbol, ""), shape="box", width="0.5", height="0.4", **style)

    def encoders(self) -> None:
        """An encoder for each of the row's, and what becomes of what it says of each block."""
        fused = self.variant.fusion != "pair encoder"
        experts = [reads for reads in self.variant.encoders if len(reads) == 1]
        if fused:
            self.fusion()
        for reads in self.variant.encoders:
            name = f"q{_key(reads)}"
            marks = "".join(self.notation.marks[m] for m in sorted(reads))
            self.node(name, _label("q", marks), shape="trapezium", orientation="270", width="0.45", height="0.5")
            # beside a pair encoder, single ones serve where the other modality is missing
            style = "dashed" if reads in experts and not fused else "solid"
            for m in sorted(reads):
                self.edge(f"x{m}", name, style)
                if self.variant.private:
                    self.edge(name, f"z{m}", style)
            self.edge(name, "fusion" if fused else "z", style)

    def fusion(self) -> None:
        label = {"product": "×", "mixture": "½ +", "mixture of products": "⅓ + ×"}[self.variant.fusion]
        self.node("fusion", f'"{label}"', shape="circle", width="0.35", margin="0.02")
        self.edge("fusion", "z", "solid")
        if self.variant.prior_expert != "never":
            self.node("prior", "<p(z)>", shape="plain")
            self.edge("prior", "fusion", "solid")

    def blocks(self) -> None:
        names = {"z": PAIR} | ({"z0": FIRST, "z1": SECOND} if self.variant.private else {})
        for name, owner in names.items():
            symbol = self.notation.shared if name == "z" else self.notation.private[min(owner)]
            letter, _, mark = symbol.partition("_")
            hue = self.hue[owner]
            self.node(name, _label(letter, mark), shape="circle", style="filled", fillcolor=hue, color=hue, fontcolor=_legible_on(hue), width="0.5", margin="0.02")

    def decoders(self) -> None:
        self.images("y", "x̂", **{"class": "hatted"})
        writers = (PAIR,) if self.variant.joint_decoder else (FIRST, SECOND)
        for writes in writers:
            name = f"p{_key(writes)}"
            marks = "".join(self.notation.marks[m] for m in sorted(writes))
            self.node(name, _label("p", marks), shape="trapezium", orientation="90", width="0.45", height="0.5")
            self.edge("z", name, "solid", self.hue[PAIR])
            for m in sorted(writes):
                if self.variant.private:
                    self.edge(f"z{m}", name, "solid", self.hue[frozenset({m})])
                self.edge(name, f"y{m}", "solid")

    def node(self, name: str, label: str, **attributes: str) -> None:
        listed = " ".join(f'{key}="{value}"' for key, value in attributes.items())
        self.lines.append(f"{name} [label={label} {listed}]")

    def edge(self, tail: str, head: str, style: str, colour: str | None = None) -> None:
        self.lines.append(f'{tail} -> {head} [style="{style}"' + (f' color="{colour}"]' if colour else "]"))


def _label(letter: str, mark: str) -> str:
    """A letter with its index, as a label in DOT: of a kind that may hold links, while a modality's symbol is whatever its checkpoint says."""
    return f'<{escape(letter)}<SUB><FONT POINT-SIZE="{INDEX_SIZE}">{escape(mark)}</FONT></SUB>>' if mark else f"<{escape(letter)}>"


def _legible_on(hue: str) -> str:
    """White or near black, whichever contrasts more with a colour ``#rrggbb`` (relative luminance as in WCAG 2)."""
    channels = (int(hue[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.056 else "#0e1117"


def _key(positions: Iterable[int]) -> str:
    return "".join(str(m) for m in sorted(positions))

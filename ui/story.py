"""The story of the faces experiment: a question for each variant, the answer that our own figures give, and what the experiment's author saw."""

from __future__ import annotations

__all__ = ["STORY", "Answer", "Known", "Step", "figures_of"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mmvae.comparison import Entry, Line, Matrix, columns, findings, lines, matrix, pairs_seen, trainings_of
from mmvae.latents import SHARED
from mmvae.matching import CARRIES, Effect, change_both

#: Figures that stand beside a step's matrix: what becomes of a face that is drawn from one view alone, with another's private codes, or from the prior.
FIGURES = ("identity_kept", "preserved_error", "swap_error", "joint_coherence")
#: From this share on, what is kept is kept in most cases.
MOSTLY = 0.75
#: From this many times as many pairs seen in training on, two models are not compared without saying so.
MORE = 1.5


@dataclass(frozen=True)
class Known:
    """What a step's answer can be taken from.

    Arguments:
        entry: The model of the step, measured.
        others: The measured models that stand for the other variants, {variant: entry}.
        effects: What each dimension of a variant's model does to its pictures; empty where none is here.
    """

    entry: Entry
    others: Mapping[str, Entry]
    effects: Callable[[str], Sequence[Effect]]

    @property
    def matrix(self) -> Matrix:
        return matrix(self.entry)

    def both(self, variant: str) -> tuple[int, int] | None:
        """How many dimensions visibly change both pictures, and how many there are."""
        found = self.effects(variant)
        return (change_both(found), len(found)) if found else None

    def drawn(self, variant: str, factor: str) -> tuple[int, float] | None:
        """The dimension of the shared code that moves a factor most when it is swept, and by what share of the factor's range."""
        found = [effect for effect in self.effects(variant) if effect.block == SHARED and factor in effect.factors]
        most = max(found, key=lambda effect: effect.factors[factor], default=None)
        return (most.dimension + 1, most.factors[factor]) if most else None

    def percent(self, metric: str, of: str = "") -> str:
        """A share in each direction: ``"58 and 53%"``; empty where a figure is missing."""
        found = _values(self.others.get(of) if of else self.entry, metric)
        return f"{' and '.join(f'{100 * value:.0f}' for value in found)}%" if found else ""

    def degrees(self, of: str = "") -> str:
        """By how much the azimuth is off in each direction."""
        found = _values(self.others.get(of) if of else self.entry, "preserved_error")
        return " and ".join(f"{value:.1f}°" for value in found)

    def times(self, of: str = "") -> str:
        """How many times a picture's error is with another pair's private codes what it is with its own."""
        entry = self.others.get(of) if of else self.entry
        found = [line.cells[0] for line in figures_of([entry]) if line.metric.name == "swap_error"] if entry else []
        return " and ".join(f"{cell.value / cell.reference:.1f}" for cell in found if cell.value and cell.reference)


@dataclass(frozen=True)
class Answer:
    """What our figures say to a step's question.

    Arguments:
        text: In words; every number in it was measured.
        agrees: Whether what the experiment's author saw is seen here: ``"agrees"``, ``"agrees in part"``, ``"differs"``; empty
            where there is nothing to agree with.
    """

    text: str
    agrees: str = ""


def _agreement(*seen: bool) -> str:
    return "agrees" if all(seen) else "agrees in part" if any(seen) else "differs"


@dataclass(frozen=True)
class Step:
    """A step of the story.

    Arguments:
        variant: Its name.
        asks: What to look for.
        answer: What the figures say to that.
        tries: What to do with the panel beside it.
        seen: What the experiment's author saw; empty where the experiment had none like it.
        options: Of the command that trains one, beyond variant and data set.
    """

    variant: str
    asks: str
    answer: Callable[[Known], Answer]
    tries: str
    seen: str = ""
    options: str = ""


def figures_of(entries: Sequence[Entry]) -> list[Line]:
    """The lines of the table that tell the story, over these models."""
    return [line for line in lines(columns(entries)) if line.metric.name in FIGURES
            and (line.metric.name != "preserved_error" or "→" in line.key and line.key.endswith("/azimuth")) and "/fitted/" not in line.key]


def _values(entry: Entry | None, metric: str) -> list[float]:
    """A metric's values in both directions, or none where one is missing."""
    found = [line.cells[0].value for line in figures_of([entry]) if line.metric.name == metric] if entry else []
    return [] if None in found else found


def _beside(text: str, other: str) -> str:
    return f"{text} ({other})" if text and other else text


def _closed(entry: Entry) -> str:
    """What is to be said of a model whose private dimensions were closed in training, as the experiment's were not."""
    kept = next((training.settings["private_open"] for training in trainings_of(entry) if training.settings.get("private_open")), 0)
    return f" Unlike the experiment's, its private dimensions past the first {f'{kept} were' if kept > 1 else 'were'} closed once it had separated." if kept else ""


def _separates(known: Known) -> Answer:
    said = findings(known.matrix)
    text = ("Yes: each factor is read from its own part of the code, and from no other" if said.separated else "Not wholly")
    text += f"; the most in a wrong place is {said.worst.value:.2f}." if said.worst else "."
    if kept := known.percent("identity_kept"):
        same = f"of the faces that it draws from the other picture alone {kept} are the same person"
        mostly = min(_values(known.entry, "identity_kept"), default=0.0) >= MOSTLY
        text += f" And {same}." if mostly else f" Yet {same}: what a probe does not find is not all that there is."
    text += _closed(known.entry)
    price = known.others.get("mmpoe-v2")
    if price:
        text += f" The price: {known.entry.card['parameters'] / 1e6:.1f} million parameters, {price.card['parameters'] / 1e6:.1f} with two encoders."
    return Answer(text, _agreement(not said.leaks, not said.lost))


def _mixes(known: Known) -> Answer:
    both, of = known.both("vanilla")
    beside = known.both("mumo")
    text = f"{'No' if both == of else 'Hardly' if both > of / 2 else 'Partly'}: swept over their range, {both} of {of} dimensions visibly change both pictures"
    text += f", {beside[0]} of {beside[1]} in MuMo." if beside else "."
    return Answer(text + " Nor can it draw one picture from the other: its one encoder needs both.", _agreement(both > 0))


def _leaks(known: Known) -> Answer:
    cell = next(cell for cell in known.matrix.cells if cell.block == SHARED and cell.factor == "elevation")
    swept, least = known.drawn("mmpoe-v1", "elevation"), known.drawn("mumo", "elevation")
    draws = swept is not None and swept[1] >= CARRIES and (least is None or swept[1] > least[1])
    text = (f"No: the shared code has learned elevation, R² {cell.value:.2f}." if cell.leaks else
            f"{'As a probe reads it' if draws else 'Of elevation'}, yes: the shared code of a pair tells {'nothing' if cell.value < 0.005 else 'little'} of elevation, R² {cell.value:.2f}.")
    if swept:
        beside = _of("MuMo's at most", f"{100 * least[1]:.0f}%") if least else ""
        text += f" {'But swept' if draws and not cell.leaks else 'Swept'} over its range, its dimension {swept[0]} moves elevation by {_beside(f'{100 * swept[1]:.0f}%', beside)} of all there is."
    if kept := known.percent("identity_kept"):
        text += (f" Each encoder alone, which was never trained so: drawn from one picture, {_beside(kept, _of('MuMo', known.percent('identity_kept', 'mumo')))} are the same person, "
                 f"and the head is off by {_beside(known.degrees(), _of('MuMo', known.degrees('mumo')))}.")
    own, better = _values(known.entry, "joint_coherence"), _values(known.others.get("mumo"), "joint_coherence")
    if own:
        text += f" Of its samples {_beside(known.percent('joint_coherence'), _of('MuMo', known.percent('joint_coherence', 'mumo')))} show one person in both pictures."
    return Answer(text, _agreement(cell.leaks, draws or cell.leaks, bool(own and better) and own < better))


def _mends(known: Known) -> Answer:
    before = known.others.get("mmpoe-v1")
    if before is None or matrix(before) is None:
        return Answer("There is no v1 here to hold it against.")
    kept, less = _values(known.entry, "identity_kept"), _values(before, "identity_kept")
    better = bool(kept) and bool(less) and min(kept) > max(less)
    worst = [findings(each).worst.value for each in (matrix(before), known.matrix)]
    text = (f"{'Yes' if better else 'No'}: drawn from one picture alone, {known.percent('identity_kept')} are the same person instead of {known.percent('identity_kept', 'mmpoe-v1')}, "
            f"and the head is off by {known.degrees()} instead of {known.degrees('mmpoe-v1')}. "
            f"The most in a wrong place is {worst[1]:.2f} instead of {worst[0]:.2f}; of the samples {known.percent('joint_coherence')} instead of "
            f"{known.percent('joint_coherence', 'mmpoe-v1')} show one person in both pictures." + _closed(known.entry))
    saw, had = pairs_seen(known.entry), pairs_seen(before)
    if had and saw > MORE * had:
        text += f" Not all of that is the losses' doing: this model saw {saw / had:.0f} times as many pairs as v1's."
    swept, was = known.drawn("mmpoe-v2", "elevation"), known.drawn("mmpoe-v1", "elevation")
    if swept and was:
        text += f" Swept, a dimension of its shared code moves elevation by {100 * swept[1]:.0f}% of all there is, v1's by {100 * was[1]:.0f}%."
    return Answer(text, _agreement(better))


def _survives(known: Known) -> Answer:
    text = ""
    if kept := known.percent("identity_kept"):
        text = f"In {_beside(kept, _of('MuMo', known.percent('identity_kept', 'mumo')))} of the faces that it draws from the other picture alone, yes."
    if times := known.times():
        text += f" With another pair's private codes a picture's error is {_beside(times, _of('MuMo', known.times('mumo')))} times what it is with its own."
    return Answer(text.strip() or "Not measured.")


def _of(name: str, text: str) -> str:
    return f"{name} {text}" if text else ""


STORY = (
    Step("mumo", "Three encoders without a shared weight, three losses. Does each part of the code keep to its own?", _separates,
         "Drag a slider of each hue: the first is the elevation view's alone, the last the lighting view's, and between them both pictures go together.",
         "private and shared factors identified accurately, at the price of the third encoder."),
    Step("vanilla", "One encoder and one decoder for both pictures. Does anything come apart by itself?", _mixes,
         "Look for a slider that leaves one of Vanilla's pictures as it is.", "it mixes: some dimensions change both pictures."),
    Step("mmpoe-v1", "Two encoders, multiplied; one loss, for the pair. Is that enough to keep the shared code clean?", _leaks,
         "Have codes inferred from *elevation alone*: the lower picture then has to be drawn from the upper one. Whose face is it?",
         "“problematic”: a shared dimension learns elevation, and samples are poor."),
    Step("mmpoe-v2", "The same two encoders, with a loss for each picture alone. Does that mend it?", _mends,
         "Go on with codes inferred from *elevation alone*, and step from pair to pair.", "better than v1: the marginal losses seem necessary."),
    Step("dmvae", "Two encoders, each drawing both pictures; one private dimension for the one private factor. "
         "Is it still the same person under another's private code?", _survives,
         "With codes inferred from *elevation alone*, drag the lighting view's private slider: the light should move, and the person stay.", options=" --private 1 1 --shared 7"),
)

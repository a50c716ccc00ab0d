"""Models held against each other, from their cards: the leakage matrix with what it should be, and the table of figures.

Nothing is measured here; `mmvae.evaluation` writes cards, and `mmvae.report` shows what this module makes of them.
"""

from __future__ import annotations

__all__ = ["BOLD", "KEY_GROUP", "LEAK", "RESULTS", "PUBLISHED", "UNMEASURED", "WORST", "Cell", "Column", "Entry", "Findings", "Line", "Matrix", "MatrixCell", "Published", "columns", "entry_of",
           "findings", "key_lines", "length_of", "lines", "matrix", "measured_on", "pairs_seen", "sentence", "trainings_of"]

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

from .checkpoints import CARD, CONFIG, ORIGINS, CheckpointError, catalogue, check_card, described, home_folder, read_json
from .data import DATASETS, Factor
from .latents import SHARED, Block
from .metrics import METRICS, Metric
from .presets import Settings, modalities_for
from .variants import VARIANTS, variant_to_json

#: The folder that holds cards of models that were measured and not shipped.
RESULTS = "results"
#: From here on a block knows of a factor that is not its own; below, it is within what a probe finds in noise.
LEAK = 0.1
#: A block has lost a factor of its own where it reads less than this share of what the reference code gives.
LOST = 0.5
#: Standard errors of a difference beyond which the better of two figures is called better, and a leak a leak.
BOLD = 1.96

#: Settings in which trainings may differ that count as one: what does not bear on the weights, and what is compared by itself.
SAME = ("seed", "steps", "device", "precision", "snapshot")

#: Why a figure is missing where its model has no card.
UNMEASURED = "not measured yet"

#: The table's parts, in order, and the metrics in each.
GROUPS = {
    "How well pairs are modelled": ("elbo", "log_likelihood", "bits_per_dim", "reconstruction", "kl"),
    "From one modality to the other, and from the prior": ("cross_coherence", "blurred_coherence", "identity_kept", "preserved_error", "preserved_within", "swap_error", "joint_coherence", "frechet"),
    "Structure of the code": ("leakage_r2", "leakage_accuracy", "mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "factor_vae",
                              "modularity", "explicitness", "irs"),
    "Classes and modalities in the code": ("linear_probe", "knn_accuracy", "silhouette", "modality_gap"),
}


@dataclass(frozen=True)
class Published:
    """A figure that someone else measured, in another setting."""

    key: str
    model: str
    value: float
    source: str


SHI, LEE, RERUN = "Shi et al. 2019, arXiv:1911.03393", "Lee & Pavlovic 2021, arXiv:2012.13024", "MultiVae's rerun of DMVAE"
#: Coherence on MNIST–SVHN as published, measured elsewhere: on 1.68 million training pairs, with other classifiers.
PUBLISHED = tuple(
    Published(key, model, value, source)
    for model, source, values in (("MMVAE", SHI, (0.86, 0.69, 0.42)), ("DMVAE", LEE, (0.881, 0.837, 0.447)), ("DMVAE", RERUN, (0.892, 0.813, 0.460)))
    for key, value in zip(("cross_coherence/mnist→svhn/digit", "cross_coherence/svhn→mnist/digit", "joint_coherence/prior/digit"), values, strict=True)
)


@dataclass(frozen=True)
class Entry:
    """A checkpoint as a comparison sees it.

    Arguments:
        name: Of its folder.
        config: The content of its configuration.
        card: Its measured figures; empty where it was not evaluated.
    """

    name: str
    config: dict
    card: dict

    @property
    def title(self) -> str:
        return self.config["variant"]["title"]

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(Block(**row) for row in self.config["blocks"])

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors of its leakage matrix: as its card says, else as its data set does."""
        found = self.card.get("leakage") or {"factors": [], "measures": []}
        row = DATASETS.get(self.config["dataset"])
        known = {factor.name: factor for factor in row.factors} if row else {}
        known |= {each["name"]: Factor(each["name"], each["kind"], (), each["unit"], each["owner"]) for each in self.card.get("factors", ())}
        return tuple(known.get(name) or Factor(name, "ordered" if measure == "R²" else "categorical", ())
                     for name, measure in zip(found["factors"], found["measures"], strict=True))

    @property
    def declared(self) -> bool:
        """Whether it is known which factors are whose; of a person's own pairs it is where they say so."""
        return self.card.get("owners", self.config["dataset"] in DATASETS)

    @property
    def sizes(self) -> str:
        """The dimensions of its blocks: ``"2 + 5 + 2"``."""
        return " + ".join(str(block.dim) for block in self.blocks)


def entry_of(folder: Path, name: str = "") -> Entry:
    """The entry of a checkpoint's or a run's folder, or of one that holds a card alone; no weights are read.

    Arguments:
        name: What it is called; its folder's name where nothing is given.

    Raises:
        CheckpointError: Where a file is malformed.
    """
    if not (folder / CONFIG).is_file() and (folder / CARD).is_file():
        card = read_json(folder / CARD)
        entry = Entry(name or folder.name, _config_from(card, folder / CARD), card)
        check_card(card, folder / CARD, [block.name for block in entry.blocks], [modality["name"] for modality in entry.config["modalities"]])
        return entry
    config, _, card = described(folder)
    return Entry(name or folder.name, config, card)


def _config_from(card: dict, where: Path) -> dict:
    """What a configuration says, as far as a card tells."""
    try:
        variant, row = VARIANTS[card["variant"]], DATASETS[card["dataset"]]
        modalities = modalities_for(variant, row)
        owners = {f"z_{modality.name}": modality.name for modality in modalities}
        blocks = [asdict(Block(name, len(values), owners.get(name))) for name, values in card["kl"].items()]
        if not blocks:
            raise ValueError("no block has a KL")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{where}: without a {CONFIG} beside it, it does not say what was measured ({type(error).__name__}: {error})") from None
    return {"variant": variant_to_json(variant), "dataset": row.name, "modalities": [asdict(modality) for modality in modalities], "blocks": blocks,
            "training": card.get("training") or {"trained_pairs": card.get("trained_pairs")}}


@dataclass(frozen=True)
class Training:
    """One of the trainings by which a model's weights came to be.

    Arguments:
        how: What it began from: ``""`` for nothing, ``"encoders"`` where it fitted decoders to the codes of the training before
            (`mmvae.training.refit`), ``"began_with"`` where it went on with that one's weights (`mmvae.training.begin`).
        settings: As its run's configuration has them.
        record: Steps, seconds, machine and validation.
    """

    how: str
    settings: dict
    record: dict


def trainings_of(entry: Entry) -> list[Training]:
    """How a model's weights came to be: each training, the first one first."""
    def before(told: dict) -> list[Training]:
        how = next((key for key in ORIGINS if told.get(key)), "")
        return [*(before(told[how]) if how else []), Training(how, told.get("training") or {}, told.get("trained") or {})]

    return before({**entry.config, "trained": entry.config.get("trained") or entry.card.get("trained")})


def length_of(entry: Entry) -> str:
    """Updates × pairs in each, ``"16,000 × 16"``, of decoders fitted anew ``", decoders 45,000 × 16"``, of weights trained on ``", on 8,000 × 16"``;
    empty where it is not known."""
    found, length = _updates(entry), ""
    if not all(steps and pairs for steps, pairs in found):
        return f"{entry.card['trained_pairs']:,} pairs" if entry.card.get("trained_pairs") else ""
    for training, (steps, pairs) in zip(trainings_of(entry), found):
        length += {"": "", "encoders": ", decoders ", "began_with": ", on "}[training.how] + f"{steps:,} × {pairs}"
    return length


def pairs_seen(entry: Entry) -> int:
    """Pairs that a model saw in training, each as often as it saw it; 0 where it is not known."""
    found = _updates(entry)
    return sum(steps * pairs for steps, pairs in found) if all(steps and pairs for steps, pairs in found) else entry.card.get("trained_pairs") or 0


def _updates(entry: Entry) -> list[tuple[int | None, int | None]]:
    """Of each training its updates and the pairs in each."""
    return [(training.record.get("steps", training.settings.get("steps")), training.settings.get("batch_size")) for training in trainings_of(entry)]


def measured_on(dataset: str, home: Path | None = None) -> list[Entry]:
    """Every measured model of a data set: those that can be opened, then those of which ``results/`` holds the card alone.

    One that repeats another to its seed, as a run does of which a checkpoint was shipped, is left out; so is a file that
    cannot be read.

    Arguments:
        home: As in `mmvae.checkpoints.catalogue`.
    """
    folders = catalogue(home) | {f"{RESULTS}/{card.parent.name}": card.parent for card in sorted(((home or home_folder()) / RESULTS).glob(f"*/{CARD}"))}
    found: dict[object, Entry] = {}
    for name, folder in folders.items():
        if (folder / CARD).is_file():
            try:
                entry = entry_of(folder, name)
                if entry.config["dataset"] == dataset and entry.card.get("figures"):
                    found.setdefault((_alike(entry), _seed(entry)), entry)
            except (CheckpointError, KeyError, TypeError):
                continue
    order = list(VARIANTS)
    return sorted(found.values(), key=lambda entry: order.index(entry.config["variant"]["name"]) if entry.config["variant"]["name"] in order else len(order))


# ---- the leakage matrix


@dataclass(frozen=True)
class MatrixCell:
    """What one block knows of one factor.

    Arguments:
        block: Name.
        factor: Name.
        value: From 0, a guess, to 1; raw values below 0 are a guess too.
        ceiling: What the reference code of this shape, which holds each factor in its place and nothing else, scores there with
            the same probe on the same items, an estimate too; None where there is no such code, or nobody said whose a factor is.
        home: Whether the factor belongs into the block: its value should be high, and 0 elsewhere. None where nobody said
            whose it is.
        measure: ``"R²"`` or ``"accuracy above chance"``.
        error: Standard error of the value; None where its card has none.
    """

    block: str
    factor: str
    value: float
    ceiling: float | None
    home: bool | None
    measure: str
    error: float | None = None

    @property
    def leaks(self) -> bool:
        """Whether the block knows more of a strange factor than `LEAK`, beyond the error."""
        return self.home is False and self.value - BOLD * (self.error or 0.0) > LEAK

    @property
    def doubtful(self) -> bool:
        """Whether the error leaves open if it leaks."""
        return self.home is False and not self.leaks and self.value + BOLD * (self.error or 0.0) > LEAK

    @property
    def lost(self) -> bool:
        """Whether the block that should know the factor hardly does."""
        return bool(self.home) and self.value < LOST * (1.0 if self.ceiling is None else self.ceiling)


@dataclass(frozen=True)
class Matrix:
    """The cells of a model, in an order in which a separated code lies along the diagonal.

    Arguments:
        blocks: The rows, private of the first modality, shared, private of the second.
        factors: The columns, in the same order.
        rows: The cells.
        items: Pairs that it was measured on.
    """

    blocks: tuple[Block, ...]
    factors: tuple[Factor, ...]
    rows: tuple[tuple[MatrixCell, ...], ...]
    items: int

    @property
    def cells(self) -> tuple[MatrixCell, ...]:
        return tuple(cell for row in self.rows for cell in row)


def matrix(entry: Entry) -> Matrix | None:
    """The leakage matrix of a model, or None where its card has none."""
    found = entry.card.get("leakage")
    if not found:
        return None
    blocks = entry.blocks
    order = [modality["name"] for modality in entry.config["modalities"]]
    places = {order[0]: 0, None: 1, order[1]: 2}
    factors = tuple(sorted(entry.factors, key=lambda factor: places[factor.owner]))
    declared = entry.declared or len(blocks) == 1  # the one block there is holds what there is
    rows = tuple(tuple(_cell(found, block, factor, _home(factor, blocks) == block.name if declared else None) for factor in factors) for block in blocks)
    return Matrix(blocks, factors, rows, found["items"])


def _cell(found: dict, block: Block, factor: Factor, home: bool | None) -> MatrixCell:
    row, column = found["blocks"].index(block.name), found["factors"].index(factor.name)
    ceiling, errors = found["ceiling"], found.get("errors")
    return MatrixCell(block.name, factor.name, min(max(found["values"][row][column], 0.0), 1.0),
                      min(max(ceiling[row][column], 0.0), 1.0) if ceiling and home is not None else None, home, found["measures"][column],
                      errors[row][column] if errors else None)


def _home(factor: Factor, blocks: Sequence[Block]) -> str:
    """The block that a factor belongs into: its owner's, else the shared one."""
    return next((block.name for block in blocks if factor.owner is not None and block.owner == factor.owner), SHARED)


@dataclass(frozen=True)
class Findings:
    """What a leakage matrix says.

    Arguments:
        kept: Factors read from the block they belong into, the best first.
        lost: Factors hardly read from the block they belong into.
        leaks: Cells that should be 0 and are not, the worst first.
        doubtful: Cells that should be 0 and of which the error does not tell whether they are.
        worst: The greatest cell that should be 0; None where there is one block alone.
    """

    kept: tuple[MatrixCell, ...]
    lost: tuple[MatrixCell, ...]
    leaks: tuple[MatrixCell, ...]
    doubtful: tuple[MatrixCell, ...]
    worst: MatrixCell | None

    @property
    def separated(self) -> bool:
        """Whether every factor is where it belongs, and nowhere else."""
        return self.worst is not None and not self.leaks and not self.doubtful and not self.lost


def findings(of: Matrix) -> Findings:
    """What a matrix says, cell by cell."""
    ranked = sorted(of.cells, key=lambda cell: -cell.value)
    strangers = [cell for cell in ranked if cell.home is False]
    return Findings(tuple(cell for cell in ranked if cell.home and not cell.lost), tuple(cell for cell in ranked if cell.lost),
                    tuple(cell for cell in strangers if cell.leaks), tuple(cell for cell in strangers if cell.doubtful), strangers[0] if strangers else None)


def sentence(entry: Entry) -> str:
    """What the card says of private and shared, in words; every number in it was measured."""
    found = matrix(entry)
    if found is None:
        return "Not measured yet."
    said = findings(found)
    known = ", ".join(f"{cell.factor} {_measured(cell)}" for cell in said.kept)
    if any(cell.home is None for cell in found.cells):
        best = [max(column, key=lambda cell: cell.value) for column in zip(*found.rows, strict=True)]
        return ("Nothing says whose the factors are, so that nothing is called a leak. Best read: "
                + ", ".join(f"{cell.factor} from {_called(cell.block)}, {_measured(cell)}" for cell in best) + ".")
    if said.worst is None:
        text = f"One code of {found.blocks[0].dim} dimensions holds all it knows: {known or 'hardly anything'}; no part of it is private."
        figure = entry.card.get("figures", {}).get("dci_disentanglement", {})
        judged, best = figure.get("value"), _reference(figure)
        if judged is not None:
            text += f" Dimensions keep to one factor with DCI {judged:.2f}" + (f", where the reference code scores {best:.2f}." if best is not None else ".")
        return text
    parts = [f"In its place: {known}." if known else "No factor is in its place."]
    parts += [f"Missing: {_called(cell.block)} reads {cell.factor} with {_measured(cell)} only." for cell in said.lost]
    if said.leaks:
        parts.append("Leaks: " + "; ".join(f"{_called(cell.block)} knows {cell.factor}, {_measured(cell)}" for cell in said.leaks) + ".")
    if said.doubtful:
        parts.append("Perhaps: " + "; ".join(f"{_called(cell.block)} knows {cell.factor}, {_measured(cell)}" for cell in said.doubtful)
                     + f", where {LEAK:g} is within {BOLD} standard errors.")
    if not said.leaks and not said.doubtful:
        parts.append(f"Nothing leaks: the most is {_called(said.worst.block)} with {said.worst.factor}, {_measured(said.worst)}.")
    return " ".join(parts)


def _measured(cell: MatrixCell) -> str:
    value = f"{cell.value:.2f}" + (f" ± {cell.error:.2f}" if cell.error is not None and not cell.home else "")
    return f"R² {value}" if cell.measure == "R²" else f"{value} above chance"


def _called(block: str) -> str:
    return "the shared code" if block == SHARED else f"the private code of {block.removeprefix('z_')}"


# ---- the table


#: What is said of a line of nats over models whose likelihoods differ.
UNLIKE = "the models' likelihoods differ, so that their nats are not to be compared"


@dataclass(frozen=True)
class Cell:
    """One figure of one column.

    Arguments:
        value: None where it is missing.
        error: Its standard error, of the sample or over seeds; None where none is stated.
        reference: What is shown beside it, see `mmvae.metrics.Metric.beside`.
        reason: Why it is missing.
        best: Whether it is better than every other column beyond their errors.
    """

    value: float | None
    error: float | None = None
    reference: float | None = None
    reason: str = ""
    best: bool = False


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Arguments:
        key: As in the cards.
        group: The part of the table it stands in.
        metric: Its metric's row.
        of: What it is of: ``"mnist → svhn, digit"``.
        unit: ``"nats"``, ``"°"`` or empty.
        note: What belongs to the figure in every column.
        cells: One for each column.
        published: What others measured.
    """

    key: str
    group: str
    metric: Metric
    of: str
    unit: str
    note: str
    cells: tuple[Cell, ...]
    published: tuple[Published, ...] = ()


@dataclass(frozen=True)
class Column:
    """One model, or several that differ in nothing but the seed they were trained with."""

    entries: tuple[Entry, ...]

    @property
    def title(self) -> str:
        several = f", {len(self.entries)} seeds" if len(self.entries) > 1 else ""
        return self.entries[0].title + several

    @property
    def pairs(self) -> tuple[int, ...]:
        """How many pairs its cards are of; more than one number where they differ."""
        return tuple(sorted({entry.card["pairs"] for entry in self.entries if entry.card.get("pairs")}))


def columns(entries: Sequence[Entry]) -> list[Column]:
    """The columns of a table over these entries, in order; those that differ in the training's seed alone share one."""
    groups: dict[object, dict[object, Entry]] = {}
    for entry in entries:
        alike = _alike(entry)
        if _seed(entry) in groups.get(alike, {}):
            alike = (alike, entry.name)  # the same training again is no other seed
        groups.setdefault(alike, {})[_seed(entry)] = entry
    return [Column(tuple(seeds.values())) for seeds in groups.values()]


def _alike(entry: Entry) -> str:
    """The same for entries that differ in nothing but the seed of their training, and in what does not bear on the weights."""
    variant = entry.config["variant"]
    usual = {"optimizer": Settings.optimizer, "private_open": Settings.private_open, "beta": Settings.beta}  # as those say that were trained before one could choose
    trainings = [(training.how, training.record.get("steps", training.settings.get("steps")),
                  sorted((k, v) for k, v in {**usual, **training.settings}.items() if k not in SAME)) for training in trainings_of(entry)]
    sizes = [(block["name"], block["dim"]) for block in entry.config["blocks"]]
    views = [tuple(modality.get(key) for key in ("name", "network", "likelihood", "scale", "weight")) for modality in entry.config["modalities"]]
    return repr((variant["name"], variant.get("terms"), sizes, views, entry.config["dataset"], trainings))


def _seed(entry: Entry) -> object:
    """Of its trainings; its name where none is known, which no other has."""
    seeds = tuple(training.settings["seed"] for training in trainings_of(entry) if "seed" in training.settings)
    return seeds or entry.name


def lines(over: Sequence[Column]) -> list[Line]:
    """The rows of the table over columns that were measured, part by part; a metric unknown to this program is left out."""
    keys = list(dict.fromkeys(key for column in over for entry in column.entries for key in entry.card.get("figures", {})))
    home = {name: group for group, names in GROUPS.items() for name in names}
    rank = {name: place for place, name in enumerate(home)}
    known = [(key, _metric_of(over, key)) for key in keys]
    ordered = sorted(((key, METRICS[name]) for key, name in known if name in METRICS), key=lambda pair: rank.get(pair[1].name, len(rank)))
    return [_line(over, key, metric, home.get(metric.name, "Other")) for key, metric in ordered]


#: The figures that a table of many models begins with.
KEY = ("leakage_r2", "leakage_accuracy", "cross_coherence", "identity_kept", "preserved_error", "joint_coherence", "reconstruction", "log_likelihood")
KEY_GROUP = "Key figures"


def key_lines(over: Sequence[Column]) -> list[Line]:
    """What tells models apart at first sight: each factor read from the block it belongs into, the most that is read from
    another, the shared factors that survive from one modality to the other, and how well pairs are rebuilt."""
    known: dict[str, list[list[dict | None]]] = {}
    measures: dict[str, str] = {}
    for place, column in enumerate(over):
        for at, entry in enumerate(column.entries):
            for key, figure in _of_matrix(entry).items():
                known.setdefault(key, [[None] * len(each.entries) for each in over])[place][at] = figure
                measures.setdefault(key, figure["measure"])
    first = []
    for key, figures in known.items():
        metric = replace(METRICS[measures[key]], better="lower" if key == WORST else "higher")
        first.append(Line(key, KEY_GROUP, metric, key.replace("/", ": "), "", "", _with_best([_pooled(row, True) for row in figures], metric, {})))
    shared = {factor.name for column in over for entry in column.entries for factor in entry.factors if factor.owner is None}
    rest = [line for line in lines(over) if line.metric.name in KEY
            and ("→" not in line.key or line.metric.name != "preserved_error" or line.key.split("/")[-1] in shared)
            and not line.key.startswith(("preserved_error/prior", "preserved_error/fitted", "joint_coherence/fitted"))]
    return first + sorted(rest, key=lambda line: KEY.index(line.metric.name))


WORST = "elsewhere at most"


def _of_matrix(entry: Entry) -> dict[str, dict]:
    """Figures that sum up a leakage matrix, by key."""
    found = matrix(entry)
    if found is None:
        return {}
    names = {"R²": "leakage_r2", "accuracy above chance": "leakage_accuracy"}
    owner = {factor.name: factor.owner for factor in found.factors}
    private = {block.owner for block in found.blocks}
    figures = {f"in place/{cell.factor}": ({"value": cell.value, "stderr": cell.error, "reference": cell.ceiling} if owner[cell.factor] in private else
                                           {"value": None, "reason": "one code: no part of it is private"}) | {"measure": names[cell.measure]}
               for cell in found.cells if cell.home}
    if any(cell.home is None for cell in found.cells):
        return figures
    worst = findings(found).worst
    said = {"value": worst.value, "stderr": worst.error} if worst else {"value": None, "reason": "one block alone: nothing is elsewhere"}
    return figures | {WORST: said | {"measure": names[worst.measure] if worst else "leakage_r2"}}


def _metric_of(over: Sequence[Column], key: str) -> str:
    return next(entry.card["figures"][key]["metric"] for column in over for entry in column.entries if key in entry.card.get("figures", {}))


def _judged(metric: Metric, key: str, over: Sequence[Column]) -> Metric:
    """A probe's metric as it is judged on the block that it reads: to know a class is no merit of a block that it does not belong into."""
    if metric.name != "linear_probe":
        return metric
    of, _, factor = key.removeprefix(metric.name).strip("/").rpartition("/")
    block = of.partition(" given ")[0]
    wanted = {_belongs(entry, block, factor) for column in over for entry in column.entries if key in entry.card.get("figures", {})}
    if wanted == {False}:
        return replace(metric, better="lower", against="guessing, which scores the share of the commonest class: nothing of it should be known here")
    return metric if wanted == {True} else replace(metric, better="neither")


#: What an error of a factor is where a translation need not keep the factor, by what the note of a figure begins with.
_INSTEAD = {
    ("preserved_error", "should be neutral"): (
        "Off neutral", "Mean absolute error, as a reader sees it, from a factor's neutral value: the factor is private to the other modality, and a translation should show it neutral."),
    ("preserved_within", "should be neutral"): (
        "Neutral within a step", "Share of translated images in which a factor that is private to the other modality is read at most one grid step off its neutral value."),
    ("preserved_error", "of the two pictures from each other"): (
        "Disagreement on a factor", "Mean absolute difference between what readers see of a shared factor in the two pictures of one drawn pair."),
}


def _meant(metric: Metric, note: str) -> Metric:
    """A metric by the title and explanation of what it is of, where that is not what its row of `METRICS` says."""
    title, explanation = next((said for (name, begins), said in _INSTEAD.items() if metric.name == name and note.startswith(begins)), (metric.title, metric.explanation))
    return replace(metric, title=title, explanation=explanation)


def _belongs(entry: Entry, block: str, factor: str) -> bool | None:
    """Whether a factor belongs into a block of a model; None where nobody said whose it is."""
    known = next((each for each in entry.factors if each.name == factor), None)
    if len(entry.blocks) == 1:
        return True
    return _home(known, entry.blocks) == block if known and entry.declared else None


def _line(over: Sequence[Column], key: str, metric: Metric, group: str) -> Line:
    metric = _judged(metric, key, over)
    figures = [[entry.card.get("figures", {}).get(key) for entry in column.entries] for column in over]
    cells = [_pooled(row, bool(column.entries[0].card)) for row, column in zip(figures, over, strict=True)]
    present = [figure for row in figures for figure in row if figure is not None]
    # a figure that is missing says only why
    notes = [(figure.get("note") or "").split("; ") for figure in present if figure["value"] is not None] or [[]]
    note = "; ".join(part for part in notes[0] if all(part in other for other in notes))
    metric = _meant(metric, note)
    of = ", ".join(part.replace("→", " → ") for part in key.removeprefix(metric.name).strip("/").split("/") if part)
    pair = {entry.config["dataset"] for column in over for entry in column.entries}
    unit = next((figure["unit"] for figure in present if figure.get("unit")), "")
    if unit == "nats" and metric.better != "neither" and _unlike(cells, over):
        note = UNLIKE
    else:
        cells = _with_best(cells, metric, _paired_errors(figures, over))
    return Line(key, group, metric, of, unit, note, tuple(cells), tuple(row for row in PUBLISHED if row.key == key) if pair == {"mnist-svhn"} else ())


def _unlike(cells: Sequence[Cell], over: Sequence[Column]) -> bool:
    """Whether models with a figure have unlike likelihoods: nats of a density and of a probability are no more or less of one thing."""
    return len({tuple(m.get("likelihood") for m in column.entries[0].config["modalities"]) for cell, column in zip(cells, over, strict=True) if cell.value is not None}) > 1


def _pooled(figures: Sequence[dict | None], measured: bool) -> Cell:
    """A figure, or the mean of several seeds with its standard error."""
    values = [figure["value"] for figure in figures if figure is not None and figure["value"] is not None]
    if not values:
        reasons = [figure["reason"] for figure in figures if figure is not None and figure.get("reason")]
        return Cell(None, reason=reasons[0] if reasons else "does not apply to this model" if measured else UNMEASURED)
    stated = [beside for figure in figures if figure is not None and (beside := _reference(figure)) is not None]
    reference = sum(stated) / len(stated) if stated else None
    if len(values) == 1:
        return Cell(values[0], next(figure.get("stderr") for figure in figures if figure is not None and figure["value"] is not None), reference)
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return Cell(mean, spread / math.sqrt(len(values)), reference)


def _reference(figure: dict) -> float | None:
    """What stands beside a figure; older cards call all of it a ceiling."""
    return figure.get("reference", figure.get("ceiling"))


def _paired_errors(figures: Sequence[Sequence[dict | None]], over: Sequence[Column]) -> dict[tuple[int, int], float]:
    """The standard error of the difference of two columns, by their places, where both are of one model and the same pairs.

    What is hard in a pair is hard for both, so that the difference is known far better than either figure.
    """
    found = {}
    single = [(place, row[0], column.entries[0].card) for place, (row, column) in enumerate(zip(figures, over, strict=True)) if len(row) == 1 and row[0] is not None]
    for (one, first, card), (other, second, their) in combinations(single, 2):
        batches, others = first.get("batches"), second.get("batches")
        if batches and others and batches["of"] == others["of"] and (counts := card["batches"][batches["of"]]) == their["batches"][others["of"]]:
            found[one, other] = found[other, one] = _error_between(batches["means"], others["means"], counts)
    return found


def _error_between(first: Sequence[float], second: Sequence[float], counts: Sequence[int]) -> float:
    """The standard error of the difference of two means over the same batches of so many pairs, as `mmvae.metrics.codes.standard_error`."""
    apart = [a - b for a, b in zip(first, second, strict=True)]
    mean = sum(n * d for n, d in zip(counts, apart, strict=True)) / sum(counts)
    squares = sum((n * (d - mean)) ** 2 for n, d in zip(counts, apart, strict=True))
    return math.sqrt(len(counts) / (len(counts) - 1) * squares) / sum(counts) if len(counts) > 1 else math.inf


def _with_best(cells: Sequence[Cell], metric: Metric, paired: dict[tuple[int, int], float]) -> tuple[Cell, ...]:
    """The cells, the best of them marked where its lead over each other one is beyond the error of their difference.

    Arguments:
        paired: The error of a difference where it is known of the two together; elsewhere it is that of independent figures.
    """
    present = [place for place, cell in enumerate(cells) if cell.value is not None]
    if len(present) < 2 or metric.better == "neither":
        return tuple(cells)
    best = (max if metric.better == "higher" else min)(present, key=lambda place: cells[place].value)

    def ahead(other: int) -> bool:
        error = paired.get((best, other))
        if error is None:
            errors = cells[best].error, cells[other].error
            error = math.inf if None in errors else math.hypot(*errors)
        return abs(cells[best].value - cells[other].value) > BOLD * error

    clear = all(ahead(other) for other in present if other != best)
    return tuple(replace(cell, best=True) if clear and place == best else cell for place, cell in enumerate(cells))

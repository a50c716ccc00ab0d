"""Every figure of a checkpoint: measured once, with what to read it against, and kept as the checkpoint's card.

A card is plain JSON: ``figures`` is {key: {"metric", "value", ...}}, where the key is the row of `mmvae.metrics.METRICS`
followed by what it is of (``"cross_coherence/mnist→svhn/digit"``). A figure may carry its ``reference`` (what is shown
beside it, see `mmvae.metrics.Metric.beside`), its standard error (``stderr``), and a ``note``; where a variant cannot be
measured its value is None and ``reason`` says why.

A mean over pairs also carries ``batches``: its means over some dozens of batches of these pairs. ``batches`` of the card has
the numbers of pairs in them. Models that were measured on the same pairs have the same batches, so that the error of their
difference is that of the batches' differences: what is hard in a pair is hard for both.
"""

from __future__ import annotations

__all__ = ["PAIRS", "Figures", "code_digest", "evaluate", "key_of", "table"]

import ast
import hashlib
import io
import math
import os
import time
import tokenize
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.mixture import GaussianMixture
from torch import Tensor

from .checkpoints import CARD, SCHEMA, WEIGHTS, Checkpoint, write_json
from .data import DATASETS
from .data.base import Factor, PairedDataset
from .gaussian import Mixture
from .history import record_of
from .latents import SHARED
from .machine import processor
from .metrics import ALL_SPLITS, METRICS
from .metrics.clusters import linear_probe, modality_gap, silhouette
from .metrics.codes import reference, standard_error
from .metrics.coherence import agreement, preserved
from .metrics.disentanglement import mig, sap, scores
from .metrics.frechet import frechet_distance
from .metrics.leakage import leakage, perfect_blocks
from .metrics.likelihood import importance_weighted
from .model import CannotInfer, MultimodalVAE
from .objective import log_likelihood, loss
from .readers import Readers

IMPORTANCE_SAMPLES = 50
SAMPLES = 4  # translations of one item
COHERENCE, BLURRED = "cross_coherence", "blurred_coherence"
BLUR = 1 / 16  # of a picture's side, the width under which coherence is measured again
COMPONENTS = 40  # of the mixture fitted to the aggregate shared posterior
CHUNK = 250
PAIRS = 1000  # measured on unless another number is asked for
BATCHES = 50  # of pairs: enough to know an error to a tenth, few enough to keep
CELLS = 30  # from here on cells of shared factors are enough to take an error over them
Figures = dict[str, dict]


@dataclass(frozen=True)
class Sample:
    """Pairs that figures are means over, and which of them may err together.

    Arguments:
        ids: Of the pairs, [N].
        groups: The group of each, [N]: pairs of one group are alike, and count as one where an error is taken.
        about: What else tells these pairs from others, such as their data set's name.
    """

    ids: Tensor
    groups: NDArray
    about: str

    @cached_property
    def batch(self) -> NDArray:
        """The batch of each pair, [N]; groups stay together."""
        return np.unique(self.groups, return_inverse=True)[1] % BATCHES

    @cached_property
    def name(self) -> str:
        """The same for the same pairs in the same batches."""
        return hashlib.sha256(self.about.encode() + self.ids.numpy().tobytes() + self.batch.tobytes()).hexdigest()[:12]

    @property
    def counts(self) -> list[int]:
        return np.bincount(self.batch).tolist()

    def batches(self, values: NDArray) -> dict:
        """The means over batches of a figure with these values, [N], as a card holds them."""
        return {"of": self.name, "means": (np.bincount(self.batch, weights=values) / self.counts).tolist()}


@dataclass(frozen=True)
class Subject:
    """What is measured, with what, on how many pairs."""

    model: MultimodalVAE
    data: PairedDataset
    readers: Readers | None
    seed: int
    n: int

    def some(self, ids: Tensor, n: int) -> Tensor:
        """At most n of some ids, at random, in their order; the same ones every time."""
        return ids[np.sort(np.random.default_rng(self.seed).permutation(len(ids))[:n])]

    def split(self, n: int, name: str = "test") -> Tensor:
        """The ids of at most n random pairs of a split."""
        return self.some(self.data.split(name), n)

    @property
    def several(self) -> bool:
        """Whether there are several factors, whose codes must be judged where these are independent of each other."""
        return len(self.data.factors) > 1

    def anywhere(self, n: int) -> Tensor:
        """As `split`, from where factors are independent of each other.

        A split of faces holds out whole (identity, azimuth) cells: within it who is shown nearly tells the azimuth, and
        a code of the one would seem to know the other. So codes of several factors are judged on pairs of all splits.
        """
        if not self.several:
            return self.split(n)
        return self.some(torch.cat([self.data.split(name) for name in ("train", "validation", "test")]), n)

    @property
    def where(self) -> str:
        """What a figure of `anywhere` says of its pairs."""
        return ALL_SPLITS if self.several else ""

    def items(self, ids: Tensor) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
        """Images and labels of pairs, in chunks."""
        return (self.data.items(chunk) for chunk in ids.split(CHUNK))

    def sample(self, ids: Tensor, groups: NDArray | None = None) -> Sample:
        """Pairs with their groups; by default `_groups`."""
        about = f"{self.data.name} {getattr(self.data, 'source', '')}"
        return Sample(ids, _groups(self.data, self.items(ids)) if groups is None else groups, about)

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


def evaluate(
    checkpoint: Checkpoint,
    data: PairedDataset,
    readers: Readers | None = None,
    seed: int = 0,
    n: int = PAIRS,
    *,
    again: bool = False,
    tell: Callable[[str], None] | None = None,
) -> dict:
    """Measures a checkpoint on its data set's test split and writes the card into its folder.

    Arguments:
        readers: What judges drawn pictures; without them coherence and preserved factors are left out.
        seed: Of the pairs, the samples and the probes.
        n: Pairs to measure on, at most.
        again: Measure even where a card of the same weights, data, readers, settings and code is there, or one of more pairs.
        tell: Called with a line about each part as it begins.

    Returns:
        The card.

    Raises:
        ValueError: Where a card of more pairs is there.
    """
    key = key_of(checkpoint, data, readers, seed, n)
    if checkpoint.card.get("key") == key and not again:
        return checkpoint.card
    pairs = min(n, len(data.split("test")))
    if checkpoint.card.get("pairs", 0) > pairs and not again:
        raise ValueError(
            f"{checkpoint.path / CARD} is of {checkpoint.card['pairs']:,} pairs, and this would be one of {pairs:,}: "
            "--again replaces it"
        )
    subject = Subject(checkpoint.model, data, readers, seed, n)
    figures: Figures = {}
    details: dict = {}
    seconds: dict[str, float] = {}
    for name, part in _PARTS.items():
        if tell:
            tell(f"measuring {name}")
        began = time.perf_counter()
        with torch.inference_mode():
            part(subject, figures, details)
        seconds[name] = round(time.perf_counter() - began, 1)
    training, record = checkpoint.config.get("training", {}), checkpoint.config.get("trained") or record_of(checkpoint.path)
    card = {
        "schema": SCHEMA,
        "key": key,
        "code": code_digest(),
        "measured": time.strftime("%Y-%m-%d", time.gmtime()),
        "variant": checkpoint.model.variant.name,
        "dataset": data.title if Path(data.name).exists() else data.name,
        "source": getattr(data, "source", None),
        "split": "test",
        "pairs": pairs,
        "seed": seed,
        "trained_pairs": record.get("steps", training.get("steps", 0)) * training.get("batch_size", 0),
        "training": training,
        "trained": record,
        "parameters": sum(p.numel() for p in checkpoint.model.parameters()),
        "readers": dict(readers.accuracy) if readers else None,
        "factors": [{"name": f.name, "kind": f.kind, "unit": f.unit, "owner": f.owner} for f in data.factors],
        # of a person's own pairs nobody knows whose a factor is unless they say so of one at least
        "owners": data.name in DATASETS or any(f.owner for f in data.factors),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
        "seconds": round(sum(seconds.values()), 1),
        "seconds_by_part": seconds,
        "figures": figures,
        **details,
    }
    card = _plain(card)
    write_json(checkpoint.path / CARD, card)
    return card


def table(card: dict) -> str:
    """The card as text: a line a figure, then the leakage matrix."""
    source = f" ({card['source']})" if card["source"] else ""
    lines = [
        f"{card['variant']} on {card['dataset']}{source}: {card['pairs']:,} test pairs, seed {card['seed']}, "
        f"{card['seconds']:.0f} s on {card['machine']['processor']}",
        "",
    ]
    for key, figure in card["figures"].items():
        metric = METRICS[figure["metric"]]
        of = key.removeprefix(figure["metric"]).strip("/")
        name = f"{metric.title}  {of}".strip()
        if figure["value"] is None:
            lines.append(f"{name:60} {'—':>10}  {figure['reason']}")
            continue
        spread = f" ±{_short(figure['stderr'])}" if figure.get("stderr") else ""
        best = f"{metric.beside} {_short(figure['reference'])}" if figure.get("reference") is not None else ""
        about = "  ".join(text for text in (figure.get("unit", ""), best, figure.get("note", "")) if text)
        lines.append(f"{name:60} {_short(figure['value']) + spread:>10}  {about}".rstrip())
    matrix = card.get("leakage")
    if matrix:
        where = f", on {ALL_SPLITS}" if matrix["split"] == "all" else ""
        lines += [
            "",
            f"What each block knows of each factor{where} (R², accuracy above chance; in brackets the reference code):",
            f"{'':14}" + "".join(f"{name:>18}" for name in matrix["factors"]),
        ]
        for row, (block, values) in enumerate(zip(matrix["blocks"], matrix["values"])):
            best = matrix["ceiling"][row] if matrix["ceiling"] else [None] * len(values)
            cells = (f"{max(v, 0):.2f} ({max(b, 0):.2f})" if b is not None else f"{max(v, 0):.2f}" for v, b in zip(values, best))
            lines.append(f"{block:14}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


# ---- the parts


def _bound(subject: Subject, figures: Figures, details: dict) -> None:
    """The ELBO, the log-likelihood, the variant's own loss, reconstruction and KL."""
    model, generator = subject.model, subject.generator()
    errors: dict[str, list[Tensor]] = {name: [] for name in model.names}
    divergence: dict[str, list[Tensor]] = {block.name: [] for block in model.blocks}
    objective, sample = 0.0, subject.sample(subject.split(subject.n))
    for images, _ in subject.items(sample.ids):
        posterior, size = model.posterior(images), len(next(iter(images.values())))
        rebuilt = model.decode({name: belief.mean for name, belief in posterior.items()})
        prior = model.prior(size)
        for name in model.names:
            errors[name].append(_squared(rebuilt[name], images[name]))
        for name, belief in posterior.items():
            divergence[name].append(belief.kl(prior[name]))
        objective += loss(model, images, generator=generator).total.item() * size
    for name, parts in errors.items():
        figures[f"reconstruction/{name}"] = _mean("reconstruction", torch.cat(parts), sample, details)
    details["kl"] = {name: torch.cat(parts).mean(0).tolist() for name, parts in divergence.items()}
    details["objective"] = objective / len(sample.ids)
    for name, parts in divergence.items():
        each = torch.cat(parts).sum(1).double().numpy()
        figures[f"kl/{name}"] = _figure(
            "kl",
            each.mean(),
            stderr=standard_error(each, sample.groups),
            unit="nats",
            count=len(each),
            note=_bounded(posterior[name], prior[name]),
        )
    _likelihood(subject, generator, figures, details)


def _squared(drawn: Tensor, images: Tensor) -> Tensor:
    """The mean squared error of each picture, [N]."""
    return (drawn - images).square().flatten(1).mean(1)


def _bounded(belief: object, prior: object) -> str:
    """Which bound stands for a divergence that has no closed form."""
    if isinstance(prior, Mixture):
        return f"the bound −log Σ w e^(−KL) over the {len(prior.components)} components of the prior"
    return "the mean of the posterior's components, an upper bound" if isinstance(belief, Mixture) else ""


def _likelihood(subject: Subject, generator: torch.Generator, figures: Figures, details: dict) -> None:
    """The ELBO and the log-likelihood, on a tenth of the pairs."""
    model, sample = subject.model, subject.sample(subject.split(min(subject.n, max(20, subject.n // 10))))
    weights = [_log_weights(model, images, generator) for images, _ in subject.items(sample.ids)]
    log_weights = torch.cat(weights).double().numpy()
    likelihood = importance_weighted(log_weights, sample.groups)
    density = {m.likelihood for m in model.modalities} != {"bernoulli"}
    kind = f"{' and '.join(m.likelihood for m in model.modalities)}, unit weights" + (
        "; a density of pixels in 0…1" if density else ""
    )
    figures["elbo"] = _mean("elbo", log_weights.mean(1), sample, details, unit="nats", note=kind)
    figures["log_likelihood"] = _mean(
        "log_likelihood",
        likelihood.per_item,
        sample,
        details,
        unit="nats",
        samples=likelihood.samples,
        note=f"K = {likelihood.samples}; effective {likelihood.effective:.1f}; {kind}",
    )


def _log_weights(model: MultimodalVAE, images: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    """log p(x, z)/q(z|x) for K samples of each pair's posterior, [N, K]."""
    posterior, size = model.posterior(images), len(next(iter(images.values())))
    prior, columns = model.prior(size), []
    for _ in range(IMPORTANCE_SAMPLES):
        z = {name: belief.sample(generator) for name, belief in posterior.items()}
        total = sum(prior[name].log_prob(z[name]) - posterior[name].log_prob(z[name]) for name in z)
        for modality, logits in zip(model.modalities, model.logits(z).values(), strict=True):
            total = total + log_likelihood(modality, logits, images[modality.name], normalised=True)
        columns.append(total)
    return torch.stack(columns, 1)


def _translation(subject: Subject, figures: Figures, details: dict) -> None:
    """What readers see in pictures of one modality drawn from the other."""
    model, readers = subject.model, subject.readers
    sample = subject.sample(subject.split(subject.n // 2)) if readers else None
    for source in model.names:
        target = next(name for name in model.names if name != source)
        seen: dict[str, list[Tensor]] = {f.name: [] for f in subject.data.factors}
        expected: dict[str, list[Tensor]] = {f.name: [] for f in subject.data.factors}
        classes = [f.name for f in subject.data.factors if f.owner is None and _kept_by(f) == COHERENCE]
        blurred: dict[str, list[Tensor]] = {name: [] for name in classes}
        real: dict[str, list[Tensor]] = {name: [] for name in classes}
        reason = None if readers else "no readers for this data set"
        try:
            for number, (images, labels) in enumerate(subject.items(sample.ids) if readers else ()):
                drawn = model.translate({source: images[source]}, target, samples=SAMPLES, seed=1000 * subject.seed + number)
                for name, reading in readers.read({target: drawn.flatten(0, 1)})[target].items():
                    seen[name].append(reading.value.view(-1, SAMPLES))
                    expected[name].append(labels[name])
                if classes:
                    for pictures, kept in ((drawn.flatten(0, 1), blurred), (images[target], real)):
                        for name, reading in readers.read({target: _blurred(pictures)})[target].items():
                            if name in kept:
                                kept[name].append(reading.value)
        except CannotInfer as error:
            reason = str(error)
        for factor in subject.data.factors:
            way = f"{source}→{target}/{factor.name}"
            # In the target a factor private to the source has nothing to show but its neutral value.
            if factor.owner == source and factor.neutral is None:
                continue
            metric = _kept_by(factor)
            if reason:
                if factor.owner != target:
                    figures[f"{metric}/{way}"] = _missing(metric, reason)
                continue
            predicted = torch.cat(seen[factor.name]).numpy()
            true = torch.cat(expected[factor.name]).numpy()
            true = np.full_like(true, factor.neutral) if factor.owner == source else true
            found = preserved(predicted, true, factor, groups=sample.groups)
            best = readers.accuracy[target][factor.name]
            if factor.owner == target:  # drawn from its prior: it should vary, and nothing says to what
                details.setdefault("spread", {})[way] = found.spread
                continue
            note = "should be neutral" if factor.owner == source else ""
            within = metric if factor.kind == "categorical" else "preserved_within"
            share = best["accuracy" if factor.kind == "categorical" else "within_step"]
            if factor.kind == "ordered":
                figures[f"{metric}/{way}"] = _mean(
                    metric, found.per_item, sample, details, reference=best["error"], unit=factor.unit, note=note
                )
            figures[f"{within}/{way}"] = _mean(within, found.kept.per_item, sample, details, reference=share, note=note)
            if factor.name in classes:
                through = preserved(torch.cat(blurred[factor.name]).view(-1, SAMPLES).numpy(), true, factor, groups=sample.groups)
                best = (torch.cat(real[factor.name]).numpy() == true).mean()
                figures[f"{BLURRED}/{way}"] = _mean(BLURRED, through.kept.per_item, sample, details, reference=float(best))


def _blurred(pictures: Tensor) -> Tensor:
    """Pictures [N, C, H, W] under a Gaussian blur of `BLUR` of their side."""
    from torchvision.transforms.functional import gaussian_blur  # slow to import

    sigma = BLUR * pictures.shape[-1]
    return gaussian_blur(pictures, 2 * math.ceil(3 * sigma) + 1, sigma)


def _swapping(subject: Subject, figures: Figures, details: dict) -> None:
    """Pairs drawn with the private codes of other pairs, against what they should then look like."""
    model, data = subject.model, subject.data
    ids = subject.split(subject.n)
    donors = ids[np.random.default_rng(subject.seed).permutation(len(ids))]
    wanted = data.with_private_of(ids, donors)
    if wanted is None or not model.variant.private:
        return
    swapped, own = ({name: [] for name in model.names} for _ in range(2))
    for chunk in torch.stack([ids, donors, wanted]).split(CHUNK, 1):
        (_, z), (_, alien), (images, fitting) = (_seen_and_read(subject, part) for part in chunk)
        for total, codes in ((swapped, {**alien, SHARED: z[SHARED]}), (own, fitting)):
            for name, drawn in model.decode(codes).items():
                total[name].append(_squared(drawn, images[name]))
    sample = subject.sample(ids)
    for name in model.names:
        figures[f"swap_error/{name}"] = _mean(
            "swap_error", torch.cat(swapped[name]), sample, details, reference=torch.cat(own[name]).mean().item()
        )


def _seen_and_read(subject: Subject, ids: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The pictures of some pairs and the means of their posteriors, by block."""
    images, _ = subject.data.items(ids)
    return images, {name: belief.mean for name, belief in subject.model.posterior(images).items()}


def _generation(subject: Subject, figures: Figures, details: dict) -> None:
    """Pairs from the prior, and from a mixture fitted to the aggregate shared posterior: do they agree and look real?"""
    model, readers = subject.model, subject.readers
    shared = [f for f in subject.data.factors if f.owner is None]
    if readers is None:
        for factor in shared:
            figures[f"joint_coherence/prior/{factor.name}"] = _missing("joint_coherence", "no readers for this data set")
        return
    generator = subject.generator()
    fitted = _fitted_codes(subject, subject.n)
    drawn: dict[str, list[dict[str, Tensor]]] = {"prior": [], "fitted": []}
    for start in range(0, subject.n, CHUNK):
        z = {name: belief.sample(generator) for name, belief in model.prior(min(CHUNK, subject.n - start)).items()}
        drawn["prior"].append(model.decode(z))
        drawn["fitted"].append(model.decode({**z, SHARED: fitted[start : start + CHUNK]}))
    notes = {
        "prior": "",
        "fitted": f"shared code from a mixture of {COMPONENTS} Gaussians fitted to the aggregate posterior, not from the prior",
    }
    first, second = model.names
    for how, parts in drawn.items():
        readings = [readers.read(part) for part in parts]
        for factor in shared:
            a, b = (torch.cat([part[name][factor.name].value for part in readings]).numpy() for name in (first, second))
            if factor.kind == "categorical":
                found = agreement(a, b)
                best = readers.accuracy[first][factor.name]["accuracy"] * readers.accuracy[second][factor.name]["accuracy"]
                # a model that draws one picture for ever agrees with itself: so say how many classes it draws
                share = np.bincount(a, minlength=1) / len(a)
                drawn_classes = math.exp(-(share[share > 0] * np.log(share[share > 0])).sum())
                varied = f"{drawn_classes:.1f} of {len(factor.values)} classes drawn"
                figures[f"joint_coherence/{how}/{factor.name}"] = _figure(
                    "joint_coherence",
                    found.value,
                    stderr=found.stderr,
                    reference=best,
                    count=found.count,
                    note="; ".join(text for text in (varied, notes[how]) if text),
                )
            else:
                note = "; ".join(text for text in ("of the two pictures from each other", notes[how]) if text)
                apart = np.abs(a - b)
                figures[f"preserved_error/{how}/{factor.name}"] = _figure(
                    "preserved_error", apart.mean(), stderr=standard_error(apart), unit=factor.unit, count=len(a), note=note
                )
    real, others = (_features(subject, split) for split in ("test", "train"))
    for name in model.names:
        made = torch.cat([readers.features(name, part[name]) for part in drawn["prior"]]).numpy()
        figures[f"frechet/{name}"] = _figure(
            "frechet",
            frechet_distance(made, real[name]),
            reference=frechet_distance(others[name], real[name]),
            count=len(made),
            note="of pictures from the prior",
        )


def _features(subject: Subject, split: str) -> dict[str, NDArray]:
    """What readers make of real pictures, {modality: [N, 64]}."""
    parts = [{name: subject.readers.features(name, x) for name, x in images.items()}
             for images, _ in subject.items(subject.split(subject.n, split))]  # fmt: skip
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in subject.model.names}


def _fitted_codes(subject: Subject, n: int) -> Tensor:
    """Shared codes from a Gaussian mixture fitted to samples of the training pairs' posterior, [n, dim]."""
    generator = subject.generator()
    ids = subject.split(2 * subject.n, "train")
    codes = torch.cat([subject.model.posterior(images)[SHARED].sample(generator) for images, _ in subject.items(ids)])
    components = min(COMPONENTS, max(1, len(codes) // 20))
    mixture = GaussianMixture(components, reg_covar=1e-4, max_iter=60, random_state=subject.seed).fit(codes.double().numpy())
    return torch.from_numpy(mixture.sample(n)[0][np.random.default_rng(subject.seed).permutation(n)]).float()


def _structure(subject: Subject, figures: Figures, details: dict) -> None:
    """Which block and which dimension knows which factor."""
    model, factors = subject.model, _varying(subject)
    if not factors:
        details["leakage"] = None
        return
    generator, ids = subject.generator(), subject.anywhere(subject.n)
    # Samples, not means: what a decoder reads. A dead dimension's mean may still whisper what its noise drowns.
    codes: dict[str, list[Tensor]] = {block.name: [] for block in model.blocks}
    for images, _ in subject.items(ids):
        for name, belief in model.posterior(images).items():
            codes[name].append(belief.sample(generator))
    z = {name: torch.cat(parts).double().numpy() for name, parts in codes.items()}
    labels = {f.name: torch.cat([truth[f.name] for _, truth in subject.items(ids)]).numpy() for f in factors}
    pictures = _pictures(subject.items(ids))
    alike = _joined(*pictures.values())
    # what a private block is read from, and for the shared one the two together
    groups = {block.name: pictures[block.owner] if block.owner else alike for block in model.blocks}
    details["leakage"] = _leakage(subject, figures, z, labels, factors, groups)
    _disentangled(subject, figures, np.concatenate(list(z.values()), 1), labels, factors, alike)
    for factor in factors:
        if factor.kind != "categorical":
            continue
        for name, block in z.items():
            sample = subject.sample(ids, groups[name])
            _probe(subject, figures, details, f"linear_probe/{name}/{factor.name}", block, labels[factor.name], sample)
        with _recorded(figures, f"silhouette/{SHARED}/{factor.name}"):
            value = silhouette(z[SHARED], labels[factor.name], seed=subject.seed)
            figures[f"silhouette/{SHARED}/{factor.name}"] = _figure("silhouette", value, count=len(ids), note=subject.where)


def _disentangled(
    subject: Subject, figures: Figures, whole: NDArray, labels: dict[str, NDArray], factors: list[Factor], groups: NDArray
) -> None:
    """The scores of single dimensions, judged by the ordered factors where there are several, and by each class apart."""

    def measure(codes: NDArray, labels: dict[str, NDArray], judged: list[Factor]) -> dict[str, float]:
        return scores(codes, labels, judged, subject.seed, groups)

    ordered = [f for f in factors if f.kind == "ordered"]
    judged = ordered if len(ordered) > 1 else factors
    about = _listed("on " + ", ".join(f.name for f in judged), subject.where)
    with _recorded(figures, "mig"):
        best = reference(measure, labels, factors, whole.shape[1], judged) if whole.shape[1] >= len(factors) else {}
        for metric, ours in measure(whole, labels, judged).items():
            if len(judged) > 1 or judged[0].kind == "ordered" or metric in ("dci_informativeness", "explicitness"):
                beside = best.get(metric) if METRICS[metric].beside else None
                figures[metric] = _figure(metric, ours, reference=beside, count=len(whole), note=about)
            else:
                figures[metric] = _missing(
                    metric, f"asks for few dimensions a factor; no good code lays the classes of {judged[0].name} out on one"
                )
    note = _listed("near 0 for any code that spreads classes over several dimensions", subject.where)
    for factor in factors:
        for name, gap in (("mig", mig), ("sap", sap)) if factor.kind == "categorical" and factor not in judged else ():
            with _recorded(figures, f"{name}/{factor.name}"):
                figures[f"{name}/{factor.name}"] = _figure(
                    name, gap(whole, labels, [factor]).score, count=len(whole), note=note
                )


def _leakage(
    subject: Subject,
    figures: Figures,
    z: dict[str, NDArray],
    labels: dict[str, NDArray],
    factors: list[Factor],
    groups: dict[str, NDArray],
) -> dict | None:
    """The matrix with that of the reference code, as the card holds it; None and a figure that says why without."""
    blocks = subject.model.blocks
    found = None
    with _recorded(figures, "leakage_accuracy"):
        found = leakage(z, labels, factors, groups, seed=subject.seed)
    if found is None:
        return None
    try:
        perfect = perfect_blocks(
            labels, factors, {b.name: b.owner for b in blocks}, {b.name: b.dim for b in blocks}, subject.seed
        )
        best = leakage(perfect, labels, factors, groups, seed=subject.seed).values.tolist()
    except ValueError:  # fewer dimensions than factors: no code of this shape is perfect
        best = None
    return {
        "blocks": list(found.blocks),
        "factors": list(found.factors),
        "values": found.values.tolist(),
        "errors": found.errors.tolist(),
        "ceiling": best,
        "measures": list(found.measures),
        "chance": list(found.chance),
        "items": len(labels[factors[0].name]),
        "split": "all" if subject.several else "test",
    }


def _meeting(subject: Subject, figures: Figures, details: dict) -> None:
    """Do the two modalities of a pair land at one place of the shared code, and what does each alone tell of a class?"""
    names = subject.model.names
    try:
        gap = modality_gap(*_alone(subject, subject.split(subject.n)).values(), seed=subject.seed)
    except CannotInfer as error:
        figures["modality_gap"] = _missing("modality_gap", str(error))
        return
    figures["modality_gap"] = _figure("modality_gap", gap.ratio, count=min(subject.n, len(subject.data.split("test"))))
    classes = [f for f in _varying(subject) if f.kind == "categorical" and f.owner is None]
    if not classes:
        return
    ids = subject.anywhere(subject.n)
    codes, pictures = _alone(subject, ids), _pictures(subject.items(ids))
    for factor in classes:
        shown = torch.cat([labels[factor.name] for _, labels in subject.items(ids)]).numpy()
        for name in names:
            sample = subject.sample(ids, pictures[name])
            _probe(subject, figures, details, f"linear_probe/{SHARED} given {name}/{factor.name}", codes[name], shown, sample)


def _alone(subject: Subject, ids: Tensor) -> dict[str, NDArray]:
    """The mean shared code of each modality alone, {modality: [N, dim]}.

    Raises:
        CannotInfer: Where the variant has no posterior given one modality.
    """
    model = subject.model
    parts = [
        {name: model.posterior({name: images[name]})[SHARED].mean for name in model.names} for images, _ in subject.items(ids)
    ]
    return {name: torch.cat([part[name] for part in parts]).double().numpy() for name in model.names}


_PARTS = {
    "the bound": _bound,
    "translation": _translation,
    "swapping": _swapping,
    "generation": _generation,
    "structure": _structure,
    "meeting": _meeting,
}


# ---- what parts share


def _kept_by(factor: Factor) -> str:
    """The metric that says whether a translation keeps a factor."""
    if factor.kind == "ordered":
        return "preserved_error"
    return "identity_kept" if factor.name == "identity" else COHERENCE


def _varying(subject: Subject) -> list[Factor]:
    """The factors with more than one value among the test pairs."""
    _, labels = subject.data.items(subject.data.split("test")[:2000])
    return [f for f in subject.data.factors if len(labels[f.name].unique()) > 1]


def _pictures(items: Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]) -> dict[str, NDArray]:
    """Which picture of each modality every pair shows, {modality: [N]}: the same number where it is the same."""
    seen: dict[str, list[bytes]] = {}
    for images, _ in items:
        for name, batch in images.items():
            seen.setdefault(name, []).extend(hashlib.sha1(x.tobytes()).digest() for x in batch.numpy())
    return {name: np.unique(np.array(digests), return_inverse=True)[1] for name, digests in seen.items()}


def _joined(first: NDArray, second: NDArray) -> NDArray:
    """The group of each pair, [N], where pairs that have a picture of either modality in common are of one."""
    n, items = len(first), np.arange(len(first))
    nodes = n + np.concatenate([first, second + first.max() + 1])
    size = int(nodes.max()) + 1
    links = coo_array((np.ones(2 * n), (np.concatenate([items, items]), nodes)), shape=(size, size))
    return connected_components(links, directed=False)[1][:n]


def _groups(data: PairedDataset, items: Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]) -> NDArray:
    """The group of each pair, [N]: pairs of one group are alike, and a model's errors in them too.

    These are the cells of shared factors, where there are dozens: a split of faces holds out whole cells, so that the next test
    would be on other cells. Where shared factors have few values, as ten digits, pairs of one picture are one group.
    """
    items = list(items)
    shared = [f.name for f in data.factors if f.owner is None]
    if shared:
        columns = np.stack([torch.cat([labels[name] for _, labels in items]).double().numpy() for name in shared], 1)
        cells = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
        if cells.max() + 1 >= CELLS:
            return cells
    return _joined(*_pictures(items).values())


def _probe(
    subject: Subject, figures: Figures, details: dict, key: str, codes: NDArray, classes: NDArray, sample: Sample
) -> None:
    with _recorded(figures, key):
        probe = linear_probe(codes, classes, sample.groups, subject.seed)
        note = _listed(f"chance {probe.chance:.3f}", subject.where)
        figures[key] = _mean("linear_probe", probe.hits, sample, details, note=note)


def _listed(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


@contextmanager
def _recorded(figures: Figures, key: str) -> Iterator[None]:
    """A metric that these items do not allow (a person's own few, all of one class) is recorded as missing, with its reason."""
    try:
        yield
    except ValueError as error:
        *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
        library = innermost.f_globals["__name__"].startswith("sklearn")  # which speaks of its own arguments
        figures[key] = _missing(key.split("/")[0], "too few pairs to learn from and be tested on" if library else str(error))


def _figure(metric: str, value: float, **more) -> dict:
    return {"metric": metric, "value": float(value), **{key: extra for key, extra in more.items() if extra not in (None, "")}}


def _mean(metric: str, values: Tensor | NDArray, sample: Sample, details: dict, **more) -> dict:
    """A mean over pairs, with its error over their groups and its means over their batches."""
    values = np.asarray(values, dtype=np.float64)
    details.setdefault("batches", {})[sample.name] = sample.counts
    stderr, batches = standard_error(values, sample.groups), sample.batches(values)
    return _figure(metric, values.mean(), stderr=stderr, **more, count=len(values), batches=batches)


def _missing(metric: str, reason: str) -> dict:
    return {"metric": metric, "value": None, "reason": reason}


def key_of(checkpoint: Checkpoint, data: PairedDataset, readers: Readers | None, seed: int = 0, n: int = PAIRS) -> str:
    """A digest of all that a card depends on: weights, data, readers, settings, and the code that measures."""
    digest = hashlib.sha256(f"{data.name} {seed} {n} {getattr(data, 'source', '')}".encode())
    digest.update((checkpoint.path / WEIGHTS).read_bytes())
    ids = data.split("test")
    digest.update(ids.numpy().tobytes())
    for image in data.items(ids[:64])[0].values():
        digest.update(image.numpy().tobytes())
    for network in (readers.networks if readers else {}).values():
        for tensor in network.state_dict().values():
            digest.update(tensor.numpy().tobytes())
    digest.update(code_digest().encode())
    return digest.hexdigest()[:16]


def code_digest() -> str:
    """A digest of the code that measures, as it runs: what is said in comments and docstrings changes no figure."""
    here = Path(__file__).parent
    measuring = [file for file in sorted((here / "metrics").glob("*.py")) if file.name != "__init__.py"]
    digest = hashlib.sha256()
    for file in (Path(__file__), *(here / name for name in ("gaussian.py", "model.py", "objective.py")), *measuring):
        digest.update(_stripped(file.read_text("utf-8")).encode())
    return digest.hexdigest()[:16]


def _stripped(source: str) -> str:
    """The lines of a program without comments, docstrings and blank ones."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _plain(value):
    """JSON's values alone: numbers rounded to five digits, None where they are not finite."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def _short(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"

"""Every figure of a checkpoint: measured once, with its ceiling, and kept as the checkpoint's card.

A card is plain JSON: ``figures`` is {key: {"metric", "value", ...}}, where the key is the row of `mmvae.metrics.METRICS`
followed by what it is of (``"cross_coherence/mnist→svhn/digit"``). A figure may carry its ``ceiling``, its standard error
(``stderr``), and a ``note``; where a variant cannot be measured its value is None and ``reason`` says why.
"""

from __future__ import annotations

__all__ = ["Figures", "evaluate", "table"]

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from .checkpoints import CARD, SCHEMA, WEIGHTS, Checkpoint, write_json
from .data.base import Factor, PairedDataset
from .history import record_of
from .latents import SHARED
from .machine import processor
from .metrics import METRICS
from .metrics.clusters import linear_probe, modality_gap, silhouette
from .metrics.codes import ceiling
from .metrics.coherence import agreement, preserved
from .metrics.disentanglement import mig, sap, scores
from .metrics.frechet import frechet_distance, frechet_floor
from .metrics.leakage import leakage, perfect_blocks
from .metrics.likelihood import importance_weighted
from .model import CannotInfer, MultimodalVAE
from .objective import log_likelihood, loss
from .readers import Readers

IMPORTANCE_SAMPLES = 50
SAMPLES = 4  # translations of one item
COMPONENTS = 40  # of the mixture fitted to the aggregate shared posterior
CHUNK = 250
Figures = dict[str, dict]


@dataclass(frozen=True)
class Subject:
    """What is measured, with what, on how many pairs."""

    model: MultimodalVAE
    data: PairedDataset
    readers: Readers | None
    seed: int
    n: int

    def pairs(self, n: int, split: str = "test") -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
        """Images and labels of at most n random pairs of a split, in chunks; the same ones every time."""
        return self._chunks(self.data.split(split), n)

    def anywhere(self, n: int) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
        """As `pairs`, from where factors are independent of each other.

        A split of faces holds out whole (identity, azimuth) cells: within it who is shown nearly tells the azimuth, and
        a code of the one would seem to know the other. So codes of several factors are judged on pairs of all splits.
        """
        several = len(self.data.factors) > 1
        ids = (
            torch.cat([self.data.split(name) for name in ("train", "validation", "test")]) if several else self.data.split("test")
        )
        return self._chunks(ids, n)

    def some(self, ids: Tensor, n: int) -> Tensor:
        """At most n of some ids, at random, in their order; the same ones every time."""
        return ids[np.sort(np.random.default_rng(self.seed).permutation(len(ids))[:n])]

    def _chunks(self, ids: Tensor, n: int) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
        return (self.data.items(chunk) for chunk in self.some(ids, n).split(CHUNK))

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


def evaluate(
    checkpoint: Checkpoint,
    data: PairedDataset,
    readers: Readers | None = None,
    seed: int = 0,
    n: int = 2000,
    *,
    again: bool = False,
    tell: Callable[[str], None] | None = None,
) -> dict:
    """Measures a checkpoint on its data set's test split and writes the card into its folder.

    Arguments:
        readers: What judges drawn pictures; without them coherence and preserved factors are left out.
        seed: Of the pairs, the samples and the probes.
        n: Pairs to measure on, at most.
        again: Measure even where a card of the same weights, data, readers, settings and code is there.
        tell: Called with a line about each part as it begins.

    Returns:
        The card.
    """
    key = _key(checkpoint, data, readers, seed, n)
    if checkpoint.card.get("key") == key and not again:
        return checkpoint.card
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
        "measured": time.strftime("%Y-%m-%d", time.gmtime()),
        "variant": checkpoint.model.variant.name,
        "dataset": data.title if Path(data.name).exists() else data.name,
        "source": getattr(data, "source", None),
        "split": "test",
        "pairs": min(n, len(data.split("test"))),
        "seed": seed,
        "trained_pairs": record.get("steps", training.get("steps", 0)) * training.get("batch_size", 0),
        "training": training,
        "trained": record,
        "parameters": sum(p.numel() for p in checkpoint.model.parameters()),
        "readers": dict(readers.accuracy) if readers else None,
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
        best = f"ceiling {_short(figure['ceiling'])}" if figure.get("ceiling") is not None else ""
        about = "  ".join(text for text in (figure.get("unit", ""), best, figure.get("note", "")) if text)
        lines.append(f"{name:60} {_short(figure['value']) + spread:>10}  {about}".rstrip())
    matrix = card.get("leakage")
    if matrix:
        lines += [
            "",
            "What each block knows of each factor (R², accuracy above chance; in brackets the perfect code):",
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
    weights, errors, divergence, objective, counted = (
        [],
        {name: 0.0 for name in model.names},
        {b.name: 0.0 for b in model.blocks},
        0.0,
        0,
    )
    for images, _ in subject.pairs(subject.n):
        posterior, size = model.posterior(images), len(next(iter(images.values())))
        rebuilt = model.decode({name: belief.mean for name, belief in posterior.items()})
        prior = model.prior(size)
        for name in model.names:
            errors[name] += (rebuilt[name] - images[name]).square().flatten(1).mean(1).sum().item()
        for name, belief in posterior.items():
            divergence[name] = divergence[name] + belief.kl(prior[name]).sum(0)
        objective += loss(model, images, generator=generator).total.item() * size
        counted += size
    for images, _ in subject.pairs(min(subject.n, max(20, subject.n // 10))):
        weights.append(_log_weights(model, images, generator))
    log_weights = torch.cat(weights).double().numpy()
    likelihood = importance_weighted(log_weights)
    elbo = log_weights.mean(1)
    density = {m.likelihood for m in model.modalities} != {"bernoulli"}
    kind = f"{' and '.join(m.likelihood for m in model.modalities)}, unit weights" + (
        "; a density of pixels in 0…1" if density else ""
    )
    figures["elbo"] = _figure(
        "elbo", elbo.mean(), stderr=elbo.std(ddof=1) / math.sqrt(len(elbo)), unit="nats", count=len(elbo), note=kind
    )
    figures["log_likelihood"] = _figure(
        "log_likelihood",
        likelihood.mean,
        stderr=likelihood.stderr,
        unit="nats",
        count=len(elbo),
        samples=likelihood.samples,
        note=f"K = {likelihood.samples}, effective {likelihood.effective:.1f}; {kind}",
    )
    for name, total in errors.items():
        figures[f"reconstruction/{name}"] = _figure("reconstruction", total / counted, count=counted)
    for name, total in divergence.items():
        figures[f"kl/{name}"] = _figure("kl", (total / counted).sum().item(), unit="nats", count=counted)
    details["kl"] = {name: (total / counted).tolist() for name, total in divergence.items()}
    details["objective"] = objective / counted


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
    for source in model.names:
        target = next(name for name in model.names if name != source)
        seen: dict[str, list[Tensor]] = {f.name: [] for f in subject.data.factors}
        expected: dict[str, list[Tensor]] = {f.name: [] for f in subject.data.factors}
        reason = None if readers else "no readers for this data set"
        try:
            for number, (images, labels) in enumerate(subject.pairs(subject.n // 2) if readers else ()):
                drawn = model.translate({source: images[source]}, target, samples=SAMPLES, seed=subject.seed + number)
                for name, reading in readers.read({target: drawn.flatten(0, 1)})[target].items():
                    seen[name].append(reading.value.view(-1, SAMPLES))
                    expected[name].append(labels[name])
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
            found = preserved(predicted, true, factor)
            best = readers.accuracy[target][factor.name]
            if factor.owner == target:  # drawn from its prior: it should vary, and nothing says to what
                details.setdefault("spread", {})[way] = found.spread
            elif factor.kind == "categorical":
                figures[f"{metric}/{way}"] = _figure(
                    metric, found.kept.value, stderr=found.kept.stderr, ceiling=best["accuracy"], count=found.kept.count
                )
            else:
                note = "should be neutral" if factor.owner == source else ""
                figures[f"{metric}/{way}"] = _figure(
                    metric, found.error, ceiling=best["error"], unit=factor.unit, count=found.kept.count, note=note
                )
                figures[f"preserved_within/{way}"] = _figure(
                    "preserved_within",
                    found.kept.value,
                    stderr=found.kept.stderr,
                    ceiling=best["within_step"],
                    count=found.kept.count,
                    note=note,
                )


def _swapping(subject: Subject, figures: Figures, details: dict) -> None:
    """Pairs drawn with the private codes of other pairs, against what they should then look like."""
    model, data = subject.model, subject.data
    ids = subject.some(data.split("test"), subject.n)
    donors = ids[np.random.default_rng(subject.seed).permutation(len(ids))]
    wanted = data.with_private_of(ids, donors)
    if wanted is None or not model.variant.private:
        return
    swapped, own = ({name: 0.0 for name in model.names} for _ in range(2))
    for chunk in torch.stack([ids, donors, wanted]).split(CHUNK, 1):
        (_, z), (_, alien), (images, fitting) = (_seen_and_read(subject, part) for part in chunk)
        for total, codes in ((swapped, {**alien, SHARED: z[SHARED]}), (own, fitting)):
            for name, drawn in model.decode(codes).items():
                total[name] += (drawn - images[name]).square().flatten(1).mean(1).sum().item()
    for name in model.names:
        figures[f"swap_error/{name}"] = _figure(
            "swap_error", swapped[name] / len(ids), ceiling=own[name] / len(ids), count=len(ids), note="ceiling: from its own codes"
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
                    ceiling=best,
                    count=found.count,
                    note="; ".join(text for text in (varied, notes[how]) if text),
                )
            else:
                note = "; ".join(text for text in ("of the two pictures from each other", notes[how]) if text)
                figures[f"preserved_error/{how}/{factor.name}"] = _figure(
                    "preserved_error", float(np.abs(a - b).mean()), unit=factor.unit, count=len(a), note=note
                )
    for name in model.names:
        real = torch.cat([readers.features(name, images[name]) for images, _ in subject.pairs(subject.n)]).numpy()
        made = torch.cat([readers.features(name, part[name]) for part in drawn["prior"]]).numpy()
        figures[f"frechet/{name}"] = _figure(
            "frechet",
            frechet_distance(made, real),
            ceiling=frechet_floor(real, subject.seed),
            count=len(made),
            note="of pictures from the prior; ceiling: two halves of the real ones",
        )


def _fitted_codes(subject: Subject, n: int) -> Tensor:
    """Shared codes from a Gaussian mixture fitted to samples of the training pairs' posterior, [n, dim]."""
    generator = subject.generator()
    codes = torch.cat(
        [subject.model.posterior(images)[SHARED].sample(generator) for images, _ in subject.pairs(2 * subject.n, "train")]
    )
    components = min(COMPONENTS, max(1, len(codes) // 20))
    mixture = GaussianMixture(components, reg_covar=1e-4, max_iter=60, random_state=subject.seed).fit(codes.double().numpy())
    return torch.from_numpy(mixture.sample(n)[0][np.random.default_rng(subject.seed).permutation(n)]).float()


def _structure(subject: Subject, figures: Figures, details: dict) -> None:
    """Which block and which dimension knows which factor."""
    model, factors = subject.model, _varying(subject)
    if not factors:
        details["leakage"] = None
        return
    generator = subject.generator()
    # Samples, not means: what a decoder reads. A dead dimension's mean may still whisper what its noise drowns.
    codes: dict[str, list[Tensor]] = {block.name: [] for block in model.blocks}
    seen: dict[str, list[bytes]] = {block.name: [] for block in model.blocks if block.owner}
    shown: dict[str, list[Tensor]] = {factor.name: [] for factor in factors}
    for images, truth in subject.anywhere(subject.n):
        for name, belief in model.posterior(images).items():
            codes[name].append(belief.sample(generator))
        for block in model.blocks:
            if block.owner:
                seen[block.name] += [hashlib.sha1(x.tobytes()).digest() for x in images[block.owner].numpy()]
        for factor in factors:
            shown[factor.name].append(truth[factor.name])
    z = {name: torch.cat(parts).double().numpy() for name, parts in codes.items()}
    labels = {name: torch.cat(parts).numpy() for name, parts in shown.items()}
    whole = np.concatenate(list(z.values()), 1)
    groups = {name: np.unique(np.array(digests), return_inverse=True)[1] for name, digests in seen.items()}
    details["leakage"] = _leakage(subject, figures, z, labels, factors, groups)
    ordered = [f for f in factors if f.kind == "ordered"]
    judged = ordered if len(ordered) > 1 else factors
    about = "on " + ", ".join(f.name for f in judged)
    with _recorded(figures, "mig"):
        for metric, ours, limit in _with_ceilings(partial(scores, seed=subject.seed), whole, labels, factors, judged):
            if len(judged) > 1 or judged[0].kind == "ordered" or metric in ("dci_informativeness", "explicitness"):
                figures[metric] = _figure(metric, ours, ceiling=limit, count=len(whole), note=about)
            else:
                figures[metric] = _missing(
                    metric, f"asks for few dimensions a factor; no good code lays the classes of {judged[0].name} out on one"
                )
    for factor in factors:
        if factor.kind != "categorical":
            continue
        for name, measure in (("mig", mig), ("sap", sap)) if factor not in judged else ():
            with _recorded(figures, f"{name}/{factor.name}"):
                limit = (
                    ceiling(measure, labels, factors, whole.shape[1], [factor]).score if whole.shape[1] >= len(factors) else None
                )
                note = "the perfect code spreads classes over several dimensions"
                figures[f"{name}/{factor.name}"] = _figure(
                    name, measure(whole, labels, [factor]).score, ceiling=limit, count=len(whole), note=note
                )
        for name, block in z.items():
            _probe(subject, figures, f"linear_probe/{name}/{factor.name}", block, labels[factor.name])
        with _recorded(figures, f"silhouette/{SHARED}/{factor.name}"):
            value = silhouette(z[SHARED], labels[factor.name], seed=subject.seed)
            figures[f"silhouette/{SHARED}/{factor.name}"] = _figure("silhouette", value, count=len(whole))


def _leakage(
    subject: Subject,
    figures: Figures,
    z: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    factors: list[Factor],
    groups: dict[str, np.ndarray],
) -> dict | None:
    """The matrix with its ceiling, as the card holds it; None, and a figure that says why, where it cannot be measured."""
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
        "ceiling": best,
        "measures": list(found.measures),
        "chance": list(found.chance),
        "items": len(labels[factors[0].name]),
        "split": "all" if len(subject.data.factors) > 1 else "test",
    }


def _meeting(subject: Subject, figures: Figures, details: dict) -> None:
    """Do the two modalities of a pair land at one place of the shared code, and what does each alone tell of a class?"""
    model = subject.model
    alone: dict[str, list[Tensor]] = {name: [] for name in model.names}
    classes = [f for f in _varying(subject) if f.kind == "categorical" and f.owner is None]
    shown: dict[str, list[Tensor]] = {f.name: [] for f in classes}
    try:
        for images, labels in subject.pairs(subject.n):
            for name in model.names:
                alone[name].append(model.posterior({name: images[name]})[SHARED].mean)
            for factor in classes:
                shown[factor.name].append(labels[factor.name])
    except CannotInfer as error:
        figures["modality_gap"] = _missing("modality_gap", str(error))
        return
    codes = {name: torch.cat(parts).double().numpy() for name, parts in alone.items()}
    gap = modality_gap(*codes.values(), seed=subject.seed)
    figures["modality_gap"] = _figure("modality_gap", gap.ratio, count=len(codes[model.names[0]]))
    for factor in classes:
        for name, block in codes.items():
            _probe(
                subject,
                figures,
                f"linear_probe/{SHARED} given {name}/{factor.name}",
                block,
                torch.cat(shown[factor.name]).numpy(),
            )


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
    return "identity_kept" if factor.name == "identity" else "cross_coherence"


def _varying(subject: Subject) -> list[Factor]:
    """The factors with more than one value among the test pairs."""
    _, labels = subject.data.items(subject.data.split("test")[:2000])
    return [f for f in subject.data.factors if len(labels[f.name].unique()) > 1]


def _with_ceilings(
    measure: Callable[..., dict[str, float]],
    codes: np.ndarray,
    labels: dict[str, np.ndarray],
    factors: list[Factor],
    judged: list[Factor],
) -> Iterator[tuple[str, float, float | None]]:
    """Each score by name, with that of the perfect code of the same items and width."""
    ours = measure(codes, labels, judged)
    best = ceiling(measure, labels, factors, codes.shape[1], judged) if codes.shape[1] >= len(factors) else {}
    return ((name, value, best.get(name)) for name, value in ours.items())


def _probe(subject: Subject, figures: Figures, key: str, codes: np.ndarray, classes: np.ndarray) -> None:
    with _recorded(figures, key):
        probe = linear_probe(codes, classes, subject.seed)
        figures[key] = _figure("linear_probe", probe.accuracy, count=len(codes), note=f"chance {probe.chance:.3f}")


@contextmanager
def _recorded(figures: Figures, key: str) -> Iterator[None]:
    """A metric that these items do not allow (a person's own few, all of one class) is recorded as missing, with its reason."""
    try:
        yield
    except ValueError as error:
        figures[key] = _missing(key.split("/")[0], str(error))


def _figure(metric: str, value: float, **more) -> dict:
    return {"metric": metric, "value": float(value), **{key: extra for key, extra in more.items() if extra not in (None, "")}}


def _missing(metric: str, reason: str) -> dict:
    return {"metric": metric, "value": None, "reason": reason}


def _key(checkpoint: Checkpoint, data: PairedDataset, readers: Readers | None, seed: int, n: int) -> str:
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
    here = Path(__file__).parent
    for file in (Path(__file__), here / "model.py", here / "objective.py", *sorted((here / "metrics").glob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


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

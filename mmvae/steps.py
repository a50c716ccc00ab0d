"""One step of a training: draw a batch, take the loss, move the parameters."""

from __future__ import annotations

__all__ = ["Captured", "Diverged", "RunError", "autocast", "precision_of", "spare_kl", "update", "warmth"]

import contextlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from .data.base import PairedDataset
from .model import MultimodalVAE
from .objective import Loss, loss
from .presets import Settings
from .variants import Elbo


class RunError(Exception):
    """A run that cannot be started or resumed: one line that says why."""


class Diverged(RunError):
    """A loss or gradient that is not finite: names the step and the term."""


def update(model: MultimodalVAE, optimizer: torch.optim.Optimizer, data: PairedDataset, settings: Settings, step: int, device: torch.device,
           *, beta: float | None = None, closed: float = 1.0) -> Loss:
    """One step: draw a batch, take the loss, move the parameters. Everything random follows from the seed and the step.

    Arguments:
        beta: How far the settings' factor of every KL has risen, 0 to 1; default: as the warm-up has it.
        closed: Factor of the KL of private dimensions that are being closed, see `closing`.
    """
    images, seed = batch_of(data, settings, step)
    images = {name: x.to(device, non_blocking=True) for name, x in images.items()}
    beta = settings.beta * (warmth(settings, step) if beta is None else beta)
    optimizer.zero_grad(set_to_none=True)
    result, norm = gradient(model, images, settings, torch.Generator(device).manual_seed(seed), beta, closed if closed > 1 else None)
    finite_or_diverged(step, result, result.total.item(), norm.item())
    if norm > settings.clip:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), settings.clip, norm)
    optimizer.step()
    return result


def batch_of(data: PairedDataset, settings: Settings, step: int) -> tuple[dict[str, Tensor], int]:
    """The images of a step, {modality: [N, C, H, W]}, and the seed of its noise."""
    rng = np.random.default_rng([settings.seed, step])
    images, _ = data.items(data.draw("train", settings.batch_size, rng))
    if settings.augment:
        images = data.augment(images, rng)
    return images, int(rng.integers(2**62))


def gradient(model: MultimodalVAE, images: Mapping[str, Tensor], settings: Settings, generator: torch.Generator,
             beta: float | Tensor, closed: float | Tensor | None) -> tuple[Loss, Tensor]:
    """The loss on these images, with its gradient left in the parameters, which had none before, and the gradient's norm.

    Arguments:
        beta: Factor of every KL.
        closed: As of `update`; None where nothing is being closed.
    """
    with autocast(settings, model.device):
        result = loss(model, images, beta=beta, generator=generator)
        if closed is not None:
            result.total = result.total + beta * (closed - 1) * spare_kl(model, images, settings.private_open)
    result.total.backward()
    return result, torch.nn.utils.get_total_norm(p.grad for p in model.parameters() if p.grad is not None)


def finite_or_diverged(step: int, result: Loss, total: float, norm: float) -> None:
    """Raises `Diverged` where a step's loss, or its gradient's norm, is not finite."""
    if not math.isfinite(total):
        raise Diverged(f"step {step + 1}: the loss is not finite; {_culprit(result)}")
    if not math.isfinite(norm):
        raise Diverged(f"step {step + 1}: the gradient's norm is not finite while the loss is {total:.4g}")


class Captured:
    """`update` for CUDA: everything from the images to the gradient is recorded once, as a graph, and then replayed.

    A step of these small networks is more than a thousand kernels of a few microseconds, and launching them one by one from Python
    takes several times as long as running them. The optimizer's step stays outside, so that a gradient that is not finite moves
    nothing. While a step is computed, the batch of the next one is drawn.

    Arguments:
        stages: The model, or what its steps take in turn, see `mmvae.training.refitting`.
        optimizer, data, settings, device: As of `update`.
    """

    def __init__(self, stages: Sequence[MultimodalVAE], optimizer: torch.optim.Optimizer, data: PairedDataset, settings: Settings,
                 device: torch.device) -> None:
        self.stages, self.optimizer, self.data, self.settings, self.device = stages, optimizer, data, settings, device
        self.drawn: dict[int, tuple[dict[str, Tensor], int]] = {}  # batches by their step
        self.recorded: dict[int, _Recording] = {}  # by stage

    def __call__(self, step: int, *, beta: float | None = None, closed: float = 1.0) -> Loss:
        """One step; its result is overwritten by the next of the same stage."""
        images, seed = self.drawn.pop(step) if step in self.drawn else batch_of(self.data, self.settings, step)
        beta = self.settings.beta * (warmth(self.settings, step) if beta is None else beta)
        stage = step % len(self.stages)
        if stage not in self.recorded:
            self.recorded[stage] = _Recording(self.stages[stage], images, self.settings, self.device)
        recorded = self.recorded[stage]
        recorded.replay(images, seed, beta, closed)
        self.drawn = {step + 1: batch_of(self.data, self.settings, step + 1)}
        finite_or_diverged(step, recorded.result, *recorded.told.tolist())
        self.optimizer.step()
        return recorded.result


class _Recording:
    """The gradient of one stage as a graph: `replay` leaves it, clipped, in the parameters."""

    def __init__(self, model: MultimodalVAE, images: Mapping[str, Tensor], settings: Settings, device: torch.device) -> None:
        self.images = {name: x.to(device) for name, x in images.items()}
        self.factors = torch.ones(2, device=device)
        self.generator = torch.Generator(device)
        self.parameters = list(model.parameters())

        def clipped() -> tuple[Loss, Tensor]:
            for p in self.parameters:
                p.grad = None
            beta, closed = self.factors
            result, norm = gradient(model, self.images, settings, self.generator, beta, closed if settings.private_open else None)
            torch.nn.utils.clip_grads_with_norm_(self.parameters, settings.clip, norm)
            return result, torch.stack([result.total.detach(), norm])

        # libraries choose and set up their kernels in the first passes, which cannot be recorded
        aside = torch.cuda.Stream(device)
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(3):
                clipped()
        torch.cuda.current_stream(device).wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        with torch.cuda.graph(self.graph):
            self.result, self.told = clipped()
        self.result.total = self.result.total.detach()
        self.gradients = [p.grad for p in self.parameters]

    def replay(self, images: Mapping[str, Tensor], seed: int, beta: float, closed: float) -> None:
        for name, x in images.items():
            self.images[name].copy_(x, non_blocking=True)
        self.factors.copy_(torch.tensor([beta, closed]))
        self.generator.manual_seed(seed)
        for p, own in zip(self.parameters, self.gradients, strict=True):
            p.grad = own  # another stage's recording has gradients of its own
        self.graph.replay()


def spare_kl(model: MultimodalVAE, images: Mapping[str, Tensor], keep: int) -> Tensor:
    """The KL, as it stands in the loss, of private dimensions past the first `keep` of each block: nats per pair.

    Arguments:
        images: Both modalities, {name: [N, C, H, W]}.
    """
    n = len(next(iter(images.values())))
    experts, prior, total = model.experts(images), model.prior(n), torch.zeros((), device=model.device)
    for term in (term for term in model.variant.terms if isinstance(term, Elbo)):
        source = term.given if term.private is None else term.private
        for block in model.blocks:
            if block.owner is not None and model.positions([block.owner]) <= source & term.rebuild:
                divergence = model.fuse_block(experts, source, block, n).kl(prior[block.name])
                total = total + term.weight * term.kl * divergence[:, keep:].sum(1).mean()
    return total


def warmth(settings: Settings, step: int) -> float:
    """How far a run is warmed up at this step, 0 to 1."""
    return min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0


def autocast(settings: Settings, device: torch.device):
    """bfloat16 where it is chosen, else nothing."""
    return torch.autocast(device.type, torch.bfloat16) if precision_of(settings, device) == "bfloat16" else contextlib.nullcontext()


def precision_of(settings: Settings, device: torch.device) -> str:
    """``"bfloat16"`` or ``"float32"``: what these settings come to on this device."""
    if settings.precision != "auto":
        return settings.precision
    # On a CPU bfloat16 pays where it has matrix tiles (AMX); with vector instructions alone it was measured 1.6 times slower.
    quick = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_amx_tile_supported()
    return "bfloat16" if quick else "float32"


def _culprit(result: Loss) -> str:
    names = [name for name, value in result.parts.items() if not torch.isfinite(value)]
    return f"its term {names[0]!r} is {result.parts[names[0]].item()}" if names else "each term is finite, their weighted sum is not"

"""SOAP: Adam in the eigenvectors of Shampoo's preconditioner (Vyas et al. 2024, arXiv 2409.11321).

A weight's gradients are turned into the eigenvectors of their running second moments, over rows and over columns, and Adam
is run there. It is ahead early, see `mmvae.presets.first_look_for`, and where decoders are fitted to codes that stay as they are,
see `mmvae.presets.REFIT`; in long trainings of whole models little of that is left.

Written here because training must be resumed to the bit from flat tensors, and PyTorch has no optimizer of this kind.
"""

from __future__ import annotations

__all__ = ["Soap"]

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

#: Longest side of a weight, seen as a matrix of its first axis by all others, that gets a preconditioner.
LARGEST_SIDE = 256
#: Steps between two updates of the eigenvectors, and between two gradients that their moments see.
TURN_EVERY, SEE_EVERY = 20, 4


class Soap(Optimizer):
    """The optimizer; vectors, and sides longer than `LARGEST_SIDE`, are left to plain Adam.

    Arguments:
        params: As for any optimizer of PyTorch.
        lr: Learning rate.
        betas: Decay of the running mean of gradients and of their squares, a step.
        eps: Added to the root of the squares.
    """

    def __init__(self, params: Iterable, lr: float = 3e-3, betas: tuple[float, float] = (0.9, 0.95), eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Moves every parameter that has a gradient; `closure` computes them anew first, where it is given."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return value

    def _move(self, parameter: Tensor, group: dict) -> None:
        gradient = _matrix(parameter.grad)
        state = self.state[parameter]
        first, second = group["betas"]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
            if parameter.dim() > 1 and _begin(state, gradient):
                return  # in its own eigenvectors a gradient is diagonal, and Adam would make whole steps of the rounding beside it
        step = int(state["step"])
        state["step"] += 1
        if parameter.dim() > 1:
            _see(state, gradient, step, second)
        left, right = state.get("left"), state.get("right")
        gradient = _turned(gradient, left, right)
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].lerp_(gradient.square(), 1 - second)
        rate = group["lr"] * (1 - second ** (step + 1)) ** 0.5 / (1 - first ** (step + 1))
        change = _turned(state["mean"] / (state["square"].sqrt() + group["eps"]), *(None if q is None else q.T for q in (left, right)))
        parameter.sub_(change.view(parameter.shape), alpha=rate)


def _matrix(x: Tensor) -> Tensor:
    """A weight's first axis by all others; a vector as one column."""
    return x.flatten(1).contiguous() if x.dim() > 1 else x.reshape(-1, 1)


def _turned(x: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
    """x [R, C] in the basis of the columns of `left` [R, R] and `right` [C, C]."""
    if left is not None:
        x = left.T @ x
    return x if right is None else x @ right


def _begin(state: dict[str, Tensor], gradient: Tensor) -> bool:
    """Takes the first gradient's moments and eigenvectors over the sides that are short enough; False where none is."""
    for side, rows in (("left", gradient), ("right", gradient.T)):
        if len(rows) <= LARGEST_SIDE:
            state[f"{side}_moment"] = rows @ rows.T
            # The strongest first: orthogonal iteration keeps its columns in that order, and would turn any other around at once.
            state[side] = torch.linalg.eigh(state[f"{side}_moment"])[1].flip(1)
    return "left" in state or "right" in state


def _see(state: dict[str, Tensor], gradient: Tensor, step: int, decay: float) -> None:
    """Adds a gradient to the moments over rows and columns, and turns the eigenvectors to them when it is time."""
    for side, rows in (("left", gradient), ("right", gradient.T)):
        if side not in state:
            continue
        moment, basis = f"{side}_moment", state[side]
        if step % SEE_EVERY == 0:
            state[moment].lerp_(rows @ rows.T, 1 - decay**SEE_EVERY)
        if step and step % TURN_EVERY == 0:
            # One power iteration from the last basis, its columns sorted by how strong they are now: cheaper than the eigenvectors
            # themselves, and as good (the paper's section 4). The running squares belong to the columns and are sorted with them.
            order = (basis * (state[moment] @ basis)).sum(0).argsort(descending=True)
            state["square"] = state["square"].index_select(0 if side == "left" else 1, order)
            state[side] = torch.linalg.qr(state[moment] @ basis[:, order])[0]
            turn = basis.T @ state[side]
            state["mean"] = turn.T @ state["mean"] if side == "left" else state["mean"] @ turn

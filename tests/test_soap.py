"""SOAP is Adam in another basis: where there is no basis it is Adam, and a rotation of the problem is a rotation of its path."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmvae.soap import LARGEST_SIDE, SEE_EVERY, TURN_EVERY, Soap

BETAS = (0.9, 0.95)


def descended(optimizer: type, start: Tensor, gradients: list[Tensor]) -> Tensor:
    """Where these gradients, the same wherever the weight is, lead to."""
    weight = torch.nn.Parameter(start.clone())
    made = optimizer([weight], lr=0.01, betas=BETAS)
    for gradient in gradients:
        weight.grad = gradient.clone()
        made.step()
    return weight.detach()


def drawn(*shape: int, n: int = 30) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator), [torch.randn(shape, generator=generator) for _ in range(n)]


@pytest.mark.parametrize("shape", [(7,), (LARGEST_SIDE + 1, 1, LARGEST_SIDE + 1)])
def test_vectors_and_weights_of_long_sides_move_as_under_adam(shape):
    start, gradients = drawn(*shape)
    torch.testing.assert_close(descended(Soap, start, gradients), descended(torch.optim.Adam, start, gradients), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [(6, 6), (5, 2, 3, 1), (3, LARGEST_SIDE + 1)])
def test_steps_are_those_of_a_straight_line_computation(shape):
    start, gradients = drawn(*shape, n=2 * TURN_EVERY + 5)
    weight, gradients = start.flatten(1).double(), [g.flatten(1).double() for g in gradients]
    sides = [side for side, length in enumerate(weight.shape) if length <= LARGEST_SIDE]
    moments, bases = {}, {side: torch.eye(weight.shape[side], dtype=torch.float64) for side in (0, 1)}
    # The running mean is kept here as it is, and turned when it is used; the running squares stay in the basis they were made in.
    mean, square = torch.zeros_like(weight), torch.zeros_like(weight)
    for t, gradient in enumerate(gradients, start=-1):  # the first only begins the bases
        for side in sides:
            outer = gradient @ gradient.T if side == 0 else gradient.T @ gradient
            if t < 0:
                moments[side] = outer
                bases[side] = torch.linalg.eigh(outer.float())[1].double().flip(1)
                continue
            if t % SEE_EVERY == 0:
                moments[side] = 0.95**SEE_EVERY * moments[side] + (1 - 0.95**SEE_EVERY) * outer
            if t and t % TURN_EVERY == 0:
                order = torch.diag(bases[side].T @ moments[side] @ bases[side]).argsort(descending=True)
                square = square[order] if side == 0 else square[:, order]
                bases[side] = torch.linalg.qr(moments[side] @ bases[side][:, order])[0]
        if t < 0:
            continue
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.95 * square + 0.05 * (bases[0].T @ gradient @ bases[1]) ** 2
        corrected = (bases[0].T @ mean @ bases[1]) / (1 - 0.9 ** (t + 1))
        weight = weight - 0.01 * bases[0] @ (corrected / (square / (1 - 0.95 ** (t + 1))).sqrt()) @ bases[1].T
    gradients = [g.float().view(shape) for g in gradients]
    torch.testing.assert_close(descended(Soap, start, gradients), weight.float().view(shape), atol=2e-4, rtol=1e-3)


def test_a_rotated_problem_is_descended_along_the_rotated_path():
    start, gradients = drawn(5, 5, n=15)
    left, right = (torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(s)))[0] for s in (1, 2))
    turned = [left @ g @ right for g in gradients]
    for optimizer, same in ((Soap, True), (torch.optim.Adam, False)):
        path, other = descended(optimizer, start, gradients), descended(optimizer, left @ start @ right, turned)
        assert torch.allclose(left @ path @ right, other, atol=1e-4) == same


def test_squares_stay_with_their_directions_when_the_eigenvectors_turn():
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(8, 8, generator=generator))[0] for _ in range(2))
    scales = torch.logspace(0, -3, 8)
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer, sizes = Soap([weight], lr=1.0), []
    for _ in range(3 * TURN_EVERY):
        before = weight.detach().clone()
        weight.grad = left @ (scales[:, None] * torch.randn(8, 8, generator=generator) * scales) @ right
        optimizer.step()
        sizes.append((weight.detach() - before).square().mean().sqrt().item())
    # Each direction has its own scale, so noise moves all of them alike: a jump would be a direction divided by another's scale.
    assert max(sizes[TURN_EVERY:]) < 1.5 * sorted(sizes[5:TURN_EVERY])[-1]


def test_a_weight_without_a_gradient_stays_where_it_is():
    idle, moved = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2, 2))
    optimizer = Soap([idle, moved])
    for _ in range(2):  # the first only begins the bases
        assert optimizer.step(lambda: moved.square().sum().backward() or 3.0) == 3.0
    assert torch.equal(idle, torch.ones(2, 2)) and not torch.equal(moved, torch.ones(2, 2))

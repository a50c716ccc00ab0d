"""Beliefs are checked against what they mean: densities on a grid, averages over samples, torch's own distributions."""

import math

import pytest
import torch
from torch.distributions import Laplace, Normal

from mmvae.gaussian import DiagonalGaussian, DiagonalLaplace, Mixture, keyed_sample, precision_shares, product_of_experts

DOUBLE = torch.float64
GRID = torch.linspace(-15, 15, 300_001, dtype=DOUBLE)
EXPERTS = [(-1.0, 0.3), (0.5, -1.2), (2.0, 0.0)]


def double(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=DOUBLE)


def gaussian(mean: float, logvar: float, *, n: int = 1) -> DiagonalGaussian:
    return DiagonalGaussian(torch.full((n, 1), mean, dtype=DOUBLE), torch.full((n, 1), logvar, dtype=DOUBLE))


def laplace(mean: float, logscale: float, *, n: int = 1) -> DiagonalLaplace:
    return DiagonalLaplace(torch.full((n, 1), mean, dtype=DOUBLE), torch.full((n, 1), logscale, dtype=DOUBLE))


def density_on_grid(belief) -> torch.Tensor:
    return belief.log_prob(GRID[:, None]).exp()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_product_is_the_normalised_product_of_densities(count):
    pointwise = torch.stack([Normal(double(m), math.exp(v / 2)).log_prob(GRID).exp() for m, v in EXPERTS[:count]]).prod(0)
    expected = pointwise / torch.trapezoid(pointwise, GRID)
    torch.testing.assert_close(density_on_grid(product_of_experts([gaussian(*e) for e in EXPERTS[:count]])), expected, atol=1e-9, rtol=1e-7)


def test_product_adds_precisions_and_weighs_means_by_them():
    precision = sum(math.exp(-v) for _, v in EXPERTS)
    fused = product_of_experts([gaussian(*e) for e in EXPERTS])
    assert fused.mean.item() == pytest.approx(sum(m * math.exp(-v) for m, v in EXPERTS) / precision)
    assert fused.logvar.item() == pytest.approx(-math.log(precision))


def test_two_experts_collapsed_to_the_prior_times_the_prior_cost_a_fifth_of_a_nat():
    dead = product_of_experts([DiagonalGaussian.standard(1, 1)] * 3)
    assert dead.stddev.item() ** 2 == pytest.approx(1 / 3)
    assert dead.kl(DiagonalGaussian.standard(1, 1)).item() == pytest.approx(0.216, abs=5e-4)


def test_a_sure_expert_decides_and_an_unsure_one_is_ignored():
    sure, unsure = (DiagonalGaussian(torch.tensor([m]), torch.tensor([v])) for m, v in [(3.0, -40.0), (-100.0, 40.0)])
    fused = product_of_experts([unsure, sure])
    torch.testing.assert_close(fused.mean, sure.mean)
    torch.testing.assert_close(fused.logvar, sure.logvar)
    torch.testing.assert_close(precision_shares([unsure, sure]), torch.tensor([[0.0], [1.0]]))


def test_precision_shares_are_the_weights_of_the_means():
    experts = [gaussian(*e) for e in EXPERTS]
    shares = precision_shares(experts)
    torch.testing.assert_close(shares.sum(0), torch.ones_like(shares[0]))
    torch.testing.assert_close(sum(s * e.mean for s, e in zip(shares, experts)), product_of_experts(experts).mean)


def test_a_product_without_an_expert_is_an_error():
    with pytest.raises(ValueError, match="at least one expert"):
        product_of_experts([])


@pytest.mark.parametrize(("kind", "reference"), [(gaussian, lambda m, s: Normal(double(m), math.exp(s / 2))), (laplace, lambda m, s: Laplace(double(m), math.exp(s)))])
def test_density_and_deviation_are_those_of_the_distribution(kind, reference):
    belief, expected = kind(0.7, -0.4), reference(0.7, -0.4)
    torch.testing.assert_close(belief.log_prob(GRID[:, None]), expected.log_prob(GRID))
    assert belief.stddev.item() == pytest.approx(expected.stddev.item())


def test_log_density_sums_over_dimensions():
    mean, spread, z = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).unbind(0)
    torch.testing.assert_close(DiagonalGaussian(mean, spread).log_prob(z), Normal(mean, (spread / 2).exp()).log_prob(z).sum(-1))
    torch.testing.assert_close(DiagonalLaplace(mean, spread).log_prob(z), Laplace(mean, spread.exp()).log_prob(z).sum(-1))


@pytest.mark.parametrize("kind", [gaussian, laplace])
@pytest.mark.parametrize(("p", "q"), [((0.4, -0.5), (-0.3, 0.7)), ((-1.0, 0.6), (1.5, -0.2))])
def test_kl_is_the_average_log_ratio_over_samples(kind, p, q):
    p, q = kind(*p, n=400_000), kind(*q, n=400_000)
    z = p.sample(torch.Generator().manual_seed(0))
    assert p.kl(q)[0].item() == pytest.approx((p.log_prob(z) - q.log_prob(z)).mean().item(), rel=0.02)


@pytest.mark.parametrize("kind", [gaussian, laplace])
def test_kl_is_the_integral_of_the_log_ratio_and_zero_from_itself(kind):
    p, q = kind(0.4, -0.5), kind(-0.3, 0.7)
    integrand = density_on_grid(p) * (p.log_prob(GRID[:, None]) - q.log_prob(GRID[:, None]))
    assert p.kl(q).item() == pytest.approx(torch.trapezoid(integrand, GRID).item(), abs=1e-5)
    assert p.kl(p).item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kind", [gaussian, laplace])
def test_samples_have_the_belief_s_moments_and_quantiles(kind):
    belief = kind(1.5, -0.8, n=400_000)
    z = belief.sample(torch.Generator().manual_seed(0))[:, 0]
    assert z.mean().item() == pytest.approx(1.5, abs=5e-3)
    assert z.std().item() == pytest.approx(belief.stddev[0].item(), rel=1e-2)
    reference = Normal(double(1.5), math.exp(-0.4)) if kind is gaussian else Laplace(double(1.5), math.exp(-0.8))
    for share in (0.05, 0.25, 0.9):
        assert (z <= reference.icdf(double(share))).double().mean().item() == pytest.approx(share, abs=3e-3)


@pytest.mark.parametrize("kind", [gaussian, laplace])
def test_samples_carry_gradients_to_both_parameters_and_repeat_with_a_seed(kind):
    belief = kind(0.0, 0.0, n=3).map(lambda t: t.clone().requires_grad_())
    z = belief.sample(torch.Generator().manual_seed(5))
    spread = belief.logvar if kind is gaussian else belief.logscale
    to_mean, to_spread = torch.autograd.grad(z.sum(), (belief.mean, spread))
    torch.testing.assert_close(to_mean, torch.ones_like(to_mean))
    torch.testing.assert_close(to_spread, (0.5 if kind is gaussian else 1.0) * z.detach())  # d(sigma eps)/d log sigma
    assert torch.equal(z, belief.sample(torch.Generator().manual_seed(5)))
    assert not torch.equal(z, belief.sample(torch.Generator().manual_seed(6)))


def test_extreme_uniform_noise_gives_a_finite_laplace_sample(monkeypatch):
    for uniform in (0.0, 1.0 - 2**-24, 0.5):
        monkeypatch.setattr("mmvae.gaussian._noise", lambda draw, like, generator, u=uniform: torch.full(like.shape, u))
        assert torch.isfinite(DiagonalLaplace.standard(2, 3).sample()).all()


MIXTURES = [Mixture((gaussian(-1.0, 0.3), gaussian(2.0, -1.0), gaussian(0.0, 1.0))), Mixture((laplace(-1.0, 0.3), laplace(2.0, -1.0)))]


@pytest.mark.parametrize("mixture", MIXTURES)
def test_mixture_density_is_the_components_average_and_integrates_to_one(mixture):
    expected = torch.stack([density_on_grid(c) for c in mixture.components]).mean(0)
    torch.testing.assert_close(density_on_grid(mixture), expected)
    assert torch.trapezoid(density_on_grid(mixture), GRID).item() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_mixture_moments_are_integrals_of_its_density(mixture):
    density = density_on_grid(mixture)
    mean = torch.trapezoid(density * GRID, GRID).item()
    assert mixture.mean.item() == pytest.approx(mean, abs=1e-3)
    assert mixture.stddev.item() ** 2 == pytest.approx(torch.trapezoid(density * (GRID - mean) ** 2, GRID).item(), rel=5e-3)


def test_mixture_samples_choose_one_component_per_item_with_equal_chances():
    far = Mixture((DiagonalGaussian(torch.full((30_000, 2), -50.0), torch.zeros(30_000, 2)),
                   DiagonalGaussian(torch.full((30_000, 2), 50.0), torch.zeros(30_000, 2))))
    z = far.sample(torch.Generator().manual_seed(0))
    right = z > 0
    assert torch.equal(right[:, 0], right[:, 1])  # an item's dimensions come from the same component
    assert right[:, 0].double().mean().item() == pytest.approx(0.5, abs=0.02)
    assert z[right].std().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_mixture_kl_is_the_components_mean_and_bounds_the_mixture_s_own(mixture):
    prior = type(mixture.components[0])(torch.zeros(1, 1, dtype=DOUBLE), torch.zeros(1, 1, dtype=DOUBLE))
    assert mixture.kl(prior).item() == pytest.approx(sum(c.kl(prior).item() for c in mixture.components) / len(mixture.components))
    density = density_on_grid(mixture)
    own = torch.trapezoid(density * (mixture.log_prob(GRID[:, None]) - prior.log_prob(GRID[:, None])), GRID).item()
    assert own < mixture.kl(prior).item()


WEIGHTED = Mixture((gaussian(-1.0, 0.3), gaussian(2.0, -1.0), gaussian(0.0, 1.0)), torch.tensor([0.5, -1.0, 0.2], dtype=DOUBLE))


def test_weights_of_a_mixture_are_those_of_its_density_moments_and_samples():
    weights = torch.softmax(WEIGHTED.logits, 0)
    expected = sum(w * density_on_grid(c) for w, c in zip(weights, WEIGHTED.components))
    torch.testing.assert_close(density_on_grid(WEIGHTED), expected)
    mean = torch.trapezoid(expected * GRID, GRID).item()
    assert WEIGHTED.mean.item() == pytest.approx(mean, abs=1e-3)
    assert WEIGHTED.stddev.item() ** 2 == pytest.approx(torch.trapezoid(expected * (GRID - mean) ** 2, GRID).item(), rel=5e-3)
    many = Mixture(tuple(DiagonalGaussian(c.mean.expand(200_000, 1), c.logvar.expand(200_000, 1)) for c in WEIGHTED.components), WEIGHTED.logits)
    z = many.sample(torch.Generator().manual_seed(0))
    assert z.mean().item() == pytest.approx(mean, abs=0.02)


@pytest.mark.parametrize("belief", [(-1.1, -3.0), (0.7, 0.2), (2.0, -4.0)])
def test_kl_from_a_mixture_bounds_the_integral_closely_where_the_belief_lies_in_one_cluster(belief):
    q = gaussian(*belief)
    own = torch.trapezoid(density_on_grid(q) * (q.log_prob(GRID[:, None]) - WEIGHTED.log_prob(GRID[:, None])), GRID).item()
    assert own <= q.kl(WEIGHTED).item() < own + 0.4


def test_kl_from_clusters_far_apart_is_the_nearest_one_s_and_the_nats_to_name_it():
    clusters = Mixture((gaussian(-20.0, 0.0), gaussian(20.0, 0.0)), torch.tensor([0.8, 0.2], dtype=DOUBLE).log())
    near = gaussian(19.0, -1.0)
    assert near.kl(clusters).item() == pytest.approx(near.kl(clusters.components[1]).item() - math.log(0.2))


def test_map_reaches_every_tensor_of_a_mixture():
    flipped = MIXTURES[0].map(lambda t: t + 1)
    torch.testing.assert_close(flipped.mean, MIXTURES[0].mean + 1)
    assert [c.logvar.item() for c in flipped.components] == pytest.approx([1.3, 0.0, 2.0])


@pytest.mark.parametrize("family", [DiagonalGaussian, DiagonalLaplace])
def test_keyed_noise_is_the_beliefs_own_and_goes_on_where_a_smaller_belief_ends(family):
    large = family(torch.full((2000, 20), 3.0), torch.full((2000, 20), 0.5))
    drawn = keyed_sample(large, 7, "z", 0)
    assert drawn.mean().item() == pytest.approx(3, abs=0.05) and drawn.std().item() == pytest.approx(large.stddev[0, 0].item(), rel=0.03)
    one, few = (large.map(lambda tensor, dim=dim: tensor[:1, :dim]) for dim in (20, 3))
    assert torch.equal(keyed_sample(one, 7, "z", 0)[:, :3], keyed_sample(few, 7, "z", 0))
    assert torch.equal(keyed_sample(one, 7, "z", 0), drawn[:1])
    assert not torch.equal(keyed_sample(one, 7, "z", 1), drawn[:1]) and not torch.equal(keyed_sample(one, 7, "y", 0), drawn[:1])


def test_keyed_noise_chooses_a_mixture_s_components_too():
    mixture = Mixture((gaussian(-40, 0, n=500), gaussian(40, 0, n=500)))
    drawn = keyed_sample(mixture, 0)
    assert drawn.shape == (500, 1) and 0.4 < (drawn > 0).double().mean() < 0.6

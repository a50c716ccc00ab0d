"""Each variant's loss is recomputed from its paper's formula in a straight line, on the same noise.

The references below use the networks' raw outputs and torch's distributions; nothing of mmvae's beliefs, fusion or terms.
"""

import copy
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny import A, B, tiny_images, tiny_model
from torch.distributions import Laplace, Normal, kl_divergence
from torchvision.transforms.functional import gaussian_blur

from mmvae.gaussian import Mixture
from mmvae.modalities import Modality
from mmvae.objective import log_likelihood, loss
from mmvae.variants import VARIANTS, Cycle, Elbo, ImportanceBound

SPLITS = {"a": {"z_a": 2, "z_shared": 4}, "b": {"z_shared": 4, "z_b": 3}, "a+b": {"z_a": 2, "z_shared": 4, "z_b": 3}}


class Noise:
    """Stands in for the source of noise; what the k-th draw of a shape is anyone can ask for. Fixed: the same at every draw."""

    def __init__(self, monkeypatch, fixed: bool = True, scale: float = 1.0) -> None:
        self.fixed, self.scale, self.draws = fixed, scale, 0
        monkeypatch.setattr("mmvae.gaussian._noise", self.draw)

    def draw(self, kind, like, generator) -> torch.Tensor:
        value = self.at(like.shape, 0 if self.fixed else self.draws, kind)
        self.draws += 1
        return value

    def at(self, shape, k: int = 0, kind=torch.randn) -> torch.Tensor:
        noise = kind(tuple(shape), generator=torch.Generator().manual_seed(100 + k))
        return noise * self.scale if kind is torch.randn else 0.5 + (noise - 0.5) * self.scale


@pytest.fixture
def noise(monkeypatch) -> Noise:
    return Noise(monkeypatch)


# ---- straight-line pieces

def encode(model, key: str, images) -> dict[str, Normal]:
    """The raw word of an encoder, block by block."""
    sizes = SPLITS[key] if model.variant.private else {"z_shared": 4}
    return split(model.encoders[key](images), sizes)


def split(word: torch.Tensor, sizes: dict[str, int]) -> dict[str, Normal]:
    mean, logvar = word.chunk(2, 1)
    return {name: Normal(m, (s / 2).exp()) for name, m, s in zip(sizes, mean.split(list(sizes.values()), 1), logvar.split(list(sizes.values()), 1))}


def standard(q: Normal) -> Normal:
    return Normal(torch.zeros_like(q.mean), torch.ones_like(q.mean))


def product(*experts: Normal) -> Normal:
    precision = sum(1 / q.variance for q in experts)
    return Normal(sum(q.mean / q.variance for q in experts) / precision, precision.rsqrt())


def kl(*beliefs: Normal) -> torch.Tensor:
    return sum(kl_divergence(q, standard(q)).sum(1).mean() for q in beliefs)


def draw(noise: Noise, q: Normal) -> torch.Tensor:
    return q.mean + q.stddev * noise.at(q.mean.shape)


def pixels(name: str, logits: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Weighted negative log-likelihood per item: Bernoulli of weight 2 for a, summed squared error for b."""
    if name == "a":
        return -2 * (x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).flatten(1).sum(1)
    return (logits.sigmoid() - x).pow(2).flatten(1).sum(1)


def rebuild(model, name: str, images, *codes: torch.Tensor) -> torch.Tensor:
    return pixels(name, model.decoders[name](torch.cat(codes, 1))[name], images[name]).mean()


def rebuild_both(model, images, z: torch.Tensor) -> torch.Tensor:
    return rebuild(model, "a", images, z) + rebuild(model, "b", images, z)


# ---- the papers

def joint_poe(model, x, noise):
    qa, qb = (encode(model, key, x)["z_shared"] for key in "ab")
    q = product(qa, qb, standard(qa))
    return rebuild_both(model, x, draw(noise, q)) + kl(q)


def mvae(model, x, noise):
    total = joint_poe(model, x, noise)
    for name in "ab":
        expert = encode(model, name, x)["z_shared"]
        q = product(expert, standard(expert))
        total = total + rebuild(model, name, x, draw(noise, q)) + kl(q)
    return total


def mumo(model, x, noise):
    q = encode(model, "a+b", x)
    za, zs, zb = (draw(noise, q[name]) for name in ("z_a", "z_shared", "z_b"))
    total = rebuild(model, "a", x, za, zs) + rebuild(model, "b", x, zs, zb) + kl(*q.values())
    return total + alone(model, x, noise)


def alone(model, x, noise):
    """Both marginal VAE losses from the raw single posteriors."""
    qa, qb = encode(model, "a", x), encode(model, "b", x)
    return (rebuild(model, "a", x, draw(noise, qa["z_a"]), draw(noise, qa["z_shared"])) + kl(*qa.values())
            + rebuild(model, "b", x, draw(noise, qb["z_shared"]), draw(noise, qb["z_b"])) + kl(*qb.values()))


def vanilla(model, x, noise):
    q = encode(model, "a+b", x)["z_shared"]
    out = model.decoders["a+b"](draw(noise, q))
    return sum(pixels(name, out[name], x[name]).mean() for name in "ab") + kl(q)


def mmpoe_v1(model, x, noise):
    qa, qb = encode(model, "a", x), encode(model, "b", x)
    shared = product(qa["z_shared"], qb["z_shared"], standard(qa["z_shared"]))
    zs = draw(noise, shared)
    return (rebuild(model, "a", x, draw(noise, qa["z_a"]), zs) + rebuild(model, "b", x, zs, draw(noise, qb["z_b"]))
            + kl(shared, qa["z_a"], qb["z_b"]))


def mmpoe_v2(model, x, noise):
    return mmpoe_v1(model, x, noise) + alone(model, x, noise)


def dmvae(model, x, noise):
    qa, qb = encode(model, "a", x), encode(model, "b", x)
    za, zb = draw(noise, qa["z_a"]), draw(noise, qb["z_b"])
    total = 0
    for shared in (product(qa["z_shared"], qb["z_shared"], standard(qa["z_shared"])), qa["z_shared"], qb["z_shared"]):
        zs = draw(noise, shared)
        total = total + rebuild(model, "a", x, za, zs) + rebuild(model, "b", x, zs, zb) + kl(shared, qa["z_a"], qb["z_b"])
    return total


def dmvae_contrast(model, x, noise):
    first, second = (encode(model, key, x)["z_shared"].mean for key in "ab")
    n, info = len(first), 0
    for i in range(n):
        ahead = torch.stack([F.cosine_similarity(first[i], second[j], dim=0) / 0.1 for j in range(n)])
        back = torch.stack([F.cosine_similarity(first[j], second[i], dim=0) / 0.1 for j in range(n)])
        info = info - (ahead[i] - ahead.logsumexp(0) + back[i] - back.logsumexp(0)) / (2 * n)
    return dmvae(model, x, noise) + 300 * info


def strange_pictures(model, x, noise, shared: Normal, prior: torch.Tensor):
    """Shared codes of five items, in turn of the pair, either view and the prior, and what encoders believe of their pictures
    drawn with the private codes of the pair before, the fifth with the prior's."""
    qa, qb = encode(model, "a", x), encode(model, "b", x)
    codes = [draw(noise, q) for q in (shared, qa["z_shared"], qb["z_shared"])]
    code = torch.stack([codes[0][0], codes[1][1], codes[2][2], prior[3], codes[0][4]]).detach()
    beliefs = []
    for key, q in (("a", qa["z_a"]), ("b", qb["z_b"])):
        own, fresh = draw(noise, q), noise.at(q.mean.shape)
        private = torch.stack([own[4], own[0], own[1], own[2], fresh[4]])
        drawn = model.decoders[key](torch.cat([private, code] if key == "a" else [code, private], 1))[key].sigmoid()
        reader = copy.deepcopy(model.encoders[key])  # its own parameters get no gradient
        beliefs.append(split(reader({key: drawn}), SPLITS[key])["z_shared"])
    return code, beliefs


def cluster_cycle(model, x, noise):
    qa, qb = (encode(model, key, x)["z_shared"] for key in "ab")
    means, variances = model.prior_means.detach(), model.prior_logvars.detach().exp()
    weights = model.prior_weights.detach().exp() / model.prior_weights.detach().exp().sum()
    chosen = torch.multinomial(weights, 5, replacement=True, generator=torch.Generator().manual_seed(7))
    prior = means[chosen] + variances[chosen].sqrt() * noise.at(qa.mean.shape)

    def shares(mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Of each cluster in a belief: the integral of their product, for Gaussians one of the difference of means."""
        rows = [[w * Normal(c, (v + s).sqrt()).log_prob(m).sum().exp() for w, c, v in zip(weights, means, variances)] for m, s in zip(mean, variance)]
        table = torch.stack([torch.stack(row) for row in rows])
        return table / table.sum(1, keepdim=True)

    code, beliefs = strange_pictures(model, x, noise, product(qa, qb), prior)
    meant = shares(code, torch.zeros_like(code))
    return -sum((meant * shares(q.mean, q.variance).log()).sum(1).mean() for q in beliefs) / 2


def dmvae_clusters(model, x, noise):
    qa, qb = encode(model, "a", x), encode(model, "b", x)
    za, zb = draw(noise, qa["z_a"]), draw(noise, qb["z_b"])
    clusters = [Normal(m, (v / 2).exp()) for m, v in zip(model.prior_means, model.prior_logvars)]
    weights = model.prior_weights.exp() / model.prior_weights.exp().sum()
    total = dmvae_contrast(model, x, noise) - dmvae(model, x, noise) + 300 * cluster_cycle(model, x, noise)  # the contrast alone, and the cycle
    for shared in (product(qa["z_shared"], qb["z_shared"]), qa["z_shared"], qb["z_shared"]):
        zs = draw(noise, shared)
        near = sum(w * (-kl_divergence(shared, c).sum(1)).exp() for w, c in zip(weights, clusters))
        total = total + rebuild(model, "a", x, za, zs) + rebuild(model, "b", x, zs, zb) + kl(qa["z_a"], qb["z_b"]) - near.log().mean()
    return total


def mopoe(model, x, noise):
    qa, qb = (encode(model, key, x)["z_shared"] for key in "ab")
    return sum(rebuild_both(model, x, draw(noise, q)) + kl(q) for q in (qa, qb, product(qa, qb, standard(qa)))) / 3


def mmvae_plus(model, x, noise):
    qa, qb = encode(model, "a", x), encode(model, "b", x)
    ra, rb = (noise.at((5, d)) * (model.auxiliary_logvar[name] / 2).exp() for name, d in (("z_a", 2), ("z_b", 3)))
    sa, sb, za, zb = (draw(noise, q) for q in (qa["z_shared"], qb["z_shared"], qa["z_a"], qb["z_b"]))
    from_a = rebuild(model, "a", x, za, sa) + rebuild(model, "b", x, sa, rb) + kl(*qa.values())
    from_b = rebuild(model, "a", x, ra, sb) + rebuild(model, "b", x, sb, zb) + kl(*qb.values())
    return (from_a + from_b) / 2


def mvtcae(model, x, noise, alpha=0.9, beta=1.0):
    qa, qb = (encode(model, key, x)["z_shared"] for key in "ab")
    q = product(qa, qb)
    conditional = sum(kl_divergence(q, single).sum(1).mean() for single in (qa, qb))
    return (2 - alpha) / 2 * rebuild_both(model, x, draw(noise, q)) + beta * (alpha / 2 * conditional + (1 - alpha) * kl(q))


def jmvae(model, x, noise):
    q = encode(model, "a+b", x)["z_shared"]
    matches = sum(kl_divergence(q, encode(model, key, x)["z_shared"]).sum(1).mean() for key in "ab")
    return rebuild_both(model, x, draw(noise, q)) + kl(q) + 0.1 * matches


PAPERS = {"joint-poe": joint_poe, "wg-v1": joint_poe, "wg-v2": mvae, "mvae": mvae, "mumo": mumo, "vanilla": vanilla, "mmpoe-v1": mmpoe_v1,
          "mmpoe-v2": mmpoe_v2, "dmvae": dmvae, "dmvae-contrast": dmvae_contrast, "dmvae-clusters": dmvae_clusters, "mopoe": mopoe, "mmvae-plus": mmvae_plus, "mvtcae": mvtcae, "jmvae": jmvae}


def gradients(value: torch.Tensor, model) -> dict[str, torch.Tensor]:
    grads = torch.autograd.grad(value, list(model.parameters()), allow_unused=True, retain_graph=True)
    return {name: g if g is not None else torch.zeros_like(p) for (name, p), g in zip(model.named_parameters(), grads)}


def assert_same_gradients(got: dict, expected: dict) -> None:
    for name in expected:
        torch.testing.assert_close(got[name], expected[name], atol=1e-3 * max(1.0, expected[name].abs().max().item()), rtol=1e-3, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("variant", PAPERS)
def test_a_variant_s_loss_and_gradient_are_its_paper_s(variant, noise):
    model, images = tiny_model(variant), tiny_images()
    if model.variant.auxiliary_prior:
        with torch.no_grad():
            for parameter in model.auxiliary_logvar.values():
                parameter.add_(0.7)
    expected, result = PAPERS[variant](model, images, noise), loss(model, images, generator=torch.Generator().manual_seed(7)).total
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-3)
    assert_same_gradients(gradients(result, model), gradients(expected, model))


def test_every_variant_is_recomputed_here():
    assert set(PAPERS) | {"mmvae"} == set(VARIANTS)


# ---- mmvae: the K-sample bound and its doubly reparameterised gradient

def importance_weights(model, images, noise, experts, samples: int):
    """Per component: codes z [K, N, D] and log-weights [K, N], with the density of the mixture held constant."""
    scale = model.prior_logits.softmax(0) * 4
    fixed = [Laplace(q.mean.detach(), q.scale.detach()) for q in experts]
    for c, q in enumerate(experts):
        uniform = torch.stack([noise.at(q.mean.shape, c * samples + k, torch.rand) for k in range(samples)]) - 0.5
        z = q.mean - q.scale * uniform.sign() * (1 - 2 * uniform.abs()).log()
        z.retain_grad()
        density = torch.stack([f.log_prob(z).sum(-1) for f in fixed]).exp().mean(0).log()
        prior = Laplace(torch.zeros(4), scale).log_prob(z).sum(-1)
        images_of = [{name: model.decoders[name](zk)[name] for name in "ab"} for zk in z]
        likelihood = torch.stack([-sum(pixels(name, out[name], images[name]) for name in "ab") for out in images_of])
        yield z, prior + likelihood - density


def laplace_experts(model, images):
    for key in "ab":
        mean, logscale = model.encoders[key](images).chunk(2, 1)
        yield Laplace(mean, logscale.exp())


def test_mmvae_s_loss_is_the_k_sample_bound_with_its_doubly_reparameterised_gradient(monkeypatch):
    noise, samples = Noise(monkeypatch, fixed=False), 3
    model, images = tiny_model("mmvae"), tiny_images()
    model.variant = replace(model.variant, terms=(ImportanceBound(samples),))
    with torch.no_grad():
        model.prior_logits.copy_(torch.tensor([0.5, -0.5, 0.2, 0.0]))
    result = loss(model, images).total
    got = gradients(result, model)

    bounds, encoder_side, other_side = [], 0, 0
    for z, log_weight in importance_weights(model, images, noise, list(laplace_experts(model, images)), samples):
        bounds.append((log_weight.logsumexp(0) - math.log(samples)).mean())
        share = log_weight.detach().softmax(0)
        # Tucker et al. (2019): decoders and prior get the weights, the encoders their squares through the codes alone
        other_side = other_side - (share * log_weight).sum(0).mean() / 2
        slope = torch.autograd.grad(log_weight.sum(), z, retain_graph=True)[0]
        encoder_side = encoder_side - ((share**2).unsqueeze(-1) * slope.detach() * z).sum((0, 2)).mean() / 2
    torch.testing.assert_close(result, -sum(bounds) / 2, rtol=1e-5, atol=1e-3)
    by_code, direct = gradients(encoder_side, model), gradients(other_side, model)
    expected = {name: by_code[name] if name.startswith("encoders") else direct[name] for name in got}
    assert_same_gradients(got, expected)


def test_more_samples_tighten_mmvae_s_bound():
    model, images = tiny_model("mmvae"), tiny_images(16)
    values = []
    for samples in (1, 10):
        model.variant = replace(model.variant, terms=(ImportanceBound(samples),))
        values.append(sum(loss(model, images, generator=torch.Generator().manual_seed(s)).total.item() for s in range(3)))
    assert values[1] < values[0]


# ---- gradients reach exactly the networks that a term names

#: {variant: one "encoders > decoders" per term, in the order of the row}
REACHED = {
    "joint-poe": ["a b > a b"], "wg-v1": ["a b > a b"], "mmpoe-v1": ["a b > a b"], "mopoe": ["a b > a b"], "mmvae": ["a b > a b"], "vanilla": ["a+b > a+b"],
    "wg-v2": ["a b > a b", "a > a", "b > b"], "mvae": ["a b > a b", "a > a", "b > b"], "mmpoe-v2": ["a b > a b", "a > a", "b > b"],
    "mumo": ["a+b > a b", "a > a", "b > b"], "dmvae": ["a b > a b"] * 3, "dmvae-contrast": ["a b > a b"] * 3 + ["a b >"],
    "dmvae-clusters": ["a b > a b"] * 3 + ["a b >", "a b > a b"],
    "mmvae-plus": ["a > a b", "b > a b"], "mvtcae": ["a b > a b", "a b >", "a b >"], "jmvae": ["a+b > a b", "a a+b >", "a+b b >"],
}


@pytest.mark.parametrize(("variant", "index", "expected"), [(name, i, text) for name, texts in REACHED.items() for i, text in enumerate(texts)])
def test_a_term_s_gradient_reaches_the_networks_it_names_and_no_other(variant, index, expected):
    model = tiny_model(variant)
    assert len(model.variant.terms) == len(REACHED[variant])
    model.variant = replace(model.variant, terms=model.variant.terms[index:index + 1])
    result = loss(model, tiny_images(16), generator=torch.Generator().manual_seed(0)).total
    reached = {name for name, g in gradients(result, model).items() if g.any()}
    networks = [sorted({name.split(".")[1] for name in reached if name.startswith(kind)}) for kind in ("encoders", "decoders")]
    assert networks == [side.split() for side in expected.split(">")]
    whole = {name for name, _ in model.named_parameters() for kind, keys in zip(("encoders", "decoders"), networks)
             for key in keys if name.startswith(f"{kind}.{key}.")}
    assert {name for name in reached if name.startswith(("encoders", "decoders"))} == whole


def test_every_variant_s_gradients_are_told_here():
    assert set(REACHED) == set(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_whole_loss_gives_every_parameter_a_gradient(variant):
    model = tiny_model(variant)
    reached = gradients(loss(model, tiny_images(16), generator=torch.Generator().manual_seed(0)).total, model)
    assert [name for name, g in reached.items() if not g.any()] == []


def head_rows(model, key: str, reached: dict) -> set[str]:
    """The blocks whose rows of an encoder's last layer, means and spreads, get a gradient."""
    rows = reached[f"encoders.{key}.head.2.weight"].abs().sum(1)
    sizes = SPLITS[key]
    return {f"{block} {what}" for half, what in zip(rows.chunk(2), ("mean", "spread"))
            for block, part in zip(sizes, half.split(list(sizes.values()))) if part.any()}


@pytest.mark.parametrize(("variant", "index", "key", "expected"), [
    ("dmvae", 1, "b", {"z_b mean", "z_b spread"}),  # rebuilt from a's shared code: b lends its private code alone
    ("dmvae", 2, "a", {"z_a mean", "z_a spread"}),
    ("dmvae", 1, "a", {"z_a mean", "z_a spread", "z_shared mean", "z_shared spread"}),
    ("dmvae-contrast", 3, "a", {"z_shared mean"}),  # the contrast sees shared means alone
    ("dmvae-contrast", 3, "b", {"z_shared mean"}),
    ("mmvae-plus", 0, "a", {"z_a mean", "z_a spread", "z_shared mean", "z_shared spread"}),
])
def test_within_an_encoder_a_term_s_gradient_reaches_the_blocks_it_names(variant, index, key, expected):
    model = tiny_model(variant)
    model.variant = replace(model.variant, terms=model.variant.terms[index:index + 1])
    assert head_rows(model, key, gradients(loss(model, tiny_images(16)).total, model)) == expected


def test_a_prior_of_clusters_learns_where_they_lie_how_wide_and_how_frequent_they_are():
    model = tiny_model("dmvae-clusters")
    reached = gradients(loss(model, tiny_images(16)).total, model)
    assert all(reached[name].abs().sum(-1).min() > 0 for name in ("prior_means", "prior_logvars"))
    assert reached["prior_weights"].ne(0).all()


@pytest.mark.parametrize(("index", "expected"), [(0, "auxiliary_logvar.z_b"), (1, "auxiliary_logvar.z_a")])
def test_the_auxiliary_prior_learns_from_the_modality_that_is_not_given(index, expected):
    model = tiny_model("mmvae-plus")
    model.variant = replace(model.variant, terms=model.variant.terms[index:index + 1])
    reached = gradients(loss(model, tiny_images()).total, model)
    assert {name for name, g in reached.items() if g.any() and name.startswith("auxiliary")} == {expected}


def test_the_auxiliary_prior_does_not_touch_inference():
    model, images = tiny_model("mmvae-plus"), tiny_images()
    before = model.translate({"a": images["a"]}, to="b")
    with torch.no_grad():
        model.auxiliary_logvar["z_b"].add_(3)
    assert torch.equal(before, model.translate({"a": images["a"]}, to="b"))


# ---- one posterior: training decodes what inference infers

@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "mmvae"])
def test_the_codes_that_training_decodes_are_the_posterior_s_of_inference(variant, monkeypatch):
    Noise(monkeypatch, scale=0.0)
    model, images = tiny_model(variant), tiny_images()
    decoded: list[torch.Tensor] = []
    for decoder in model.decoders.values():
        decoder.register_forward_pre_hook(lambda _, inputs: decoded.append(inputs[0].detach()))
    loss(model, images, generator=torch.Generator().manual_seed(7))

    expected = []
    for term in model.variant.terms:
        if isinstance(term, Cycle):  # shared codes in turn of the pair, either view and the prior, with private ones of the pair before or the prior's
            pair = model.posterior(images)
            sources = [pair["z_shared"].mean, *(model.posterior({key: images[key]})["z_shared"].mean for key in "ab"),
                       model.prior(5)["z_shared"].sample(torch.Generator().manual_seed(7))]
            shared = torch.stack([sources[0][0], sources[1][1], sources[2][2], sources[3][3], sources[0][4]])
            first, second = (torch.cat([pair[name].mean.roll(1, 0)[:4], torch.zeros_like(pair[name].mean[:1])]) for name in ("z_a", "z_b"))
            expected += [torch.cat([first, shared], 1), torch.cat([shared, second], 1)]
        if not isinstance(term, Elbo):
            continue
        beliefs = model.posterior({model.names[m]: images[model.names[m]] for m in term.given})
        if term.private is not None:
            pair = model.posterior(images)
            beliefs |= {name: pair[name] for name in ("z_a", "z_b")}
        shared = beliefs.pop("z_shared")
        for z_shared in [c.mean for c in shared.components] if isinstance(shared, Mixture) else [shared.mean]:
            z = {"z_shared": z_shared} | {name: q.mean for name, q in beliefs.items()}
            for decoder in [model.decoders["a+b"]] if variant == "vanilla" else [model.decoders[model.names[m]] for m in sorted(term.rebuild)]:
                reads = [b.name for b in model.blocks if b.owner is None or b.owner in decoder.writes]
                expected.append(torch.cat([z[name] for name in reads], 1))
    got = torch.cat([x.flatten() for x in decoded]).sort().values  # however calls are ordered or put together
    torch.testing.assert_close(got, torch.cat([x.flatten() for x in expected]).sort().values)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_kl_that_training_reports_is_that_of_the_pair_s_posterior(variant):
    model, images = tiny_model(variant), tiny_images()
    posterior, prior = model.posterior(images), model.prior(5)
    reported = loss(model, images).kl
    assert list(reported) == list(posterior)
    for name in posterior:
        torch.testing.assert_close(reported[name], posterior[name].kl(prior[name]).mean(0))


# ---- the loss as a whole

@pytest.mark.parametrize("variant", [name for name in VARIANTS if not VARIANTS[name].own])  # a contrast and a cycle are between items
def test_a_batch_s_loss_is_the_mean_of_its_items_losses(variant, monkeypatch):
    Noise(monkeypatch, scale=0.0)
    model, images = tiny_model(variant), tiny_images(4)
    alone = [loss(model, {name: x[i:i + 1] for name, x in images.items()}).total for i in range(4)]
    torch.testing.assert_close(loss(model, images).total, torch.stack(alone).mean(), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("variant", ["mvae", "dmvae", "mvtcae", "jmvae", "mopoe", "mmvae-plus"])
def test_warm_up_scales_every_divergence_and_nothing_else(variant, noise):
    model, images = tiny_model(variant), tiny_images()
    none, third, full = (loss(model, images, beta=beta).total for beta in (0.0, 0.3, 1.0))
    torch.testing.assert_close(third, none + 0.3 * (full - none), rtol=1e-5, atol=1e-3)
    assert full > none


def test_parts_are_named_and_add_up_to_the_total(noise):
    result = loss(tiny_model("mmpoe-v2"), tiny_images())
    assert set(result.parts) == {"J reconstruction a", "J reconstruction b", "J kl z_a", "J kl z_shared", "J kl z_b",
                                 "I reconstruction a", "I kl z_a", "I kl z_shared", "T reconstruction b", "T kl z_shared", "T kl z_b"}
    weighted = sum(value * (A.weight if name.endswith("reconstruction a") else 1) for name, value in result.parts.items())
    torch.testing.assert_close(result.total.detach(), weighted)


def test_a_generator_s_seed_decides_the_noise():
    model, images = tiny_model("mopoe"), tiny_images()
    first, again, other = (loss(model, images, generator=torch.Generator().manual_seed(s)).total for s in (1, 1, 2))
    assert first == again and first != other


# ---- likelihoods

@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "laplace"])
def test_a_likelihood_is_the_density_summed_over_pixels(likelihood):
    modality = Modality("m", (2, 3, 4), "x", "m", likelihood=likelihood, scale=0.4 if likelihood != "bernoulli" else 1.0, weight=7.0)
    logits, x = torch.randn(5, 2, 3, 4, generator=torch.Generator().manual_seed(0)), tiny_images()["b"][:, :2, :3, :4]
    reference = {"bernoulli": lambda p: x * p.log() + (1 - x) * (1 - p).log(), "gaussian": lambda p: Normal(p, 0.4).log_prob(x),
                 "laplace": lambda p: Laplace(p, 0.4).log_prob(x)}[likelihood](logits.sigmoid()).flatten(1).sum(1)
    torch.testing.assert_close(log_likelihood(modality, logits, x, normalised=True), reference)
    constant = log_likelihood(modality, logits, x) - reference
    torch.testing.assert_close(constant, constant[:1].expand(5))  # what the loss leaves out depends on the scale alone


def test_a_gaussian_of_variance_one_half_is_the_summed_squared_error():
    logits, x = torch.randn(2, 3, 32, 32), tiny_images(2)["b"]
    torch.testing.assert_close(-log_likelihood(B, logits, x), F.mse_loss(logits.sigmoid(), x, reduction="none").sum((1, 2, 3)))


@pytest.mark.parametrize("variant", ["mopoe", "dmvae-contrast"])
def test_autocast_rounds_networks_alone_not_the_divergences_and_the_contrast(variant, monkeypatch):
    model, images = tiny_model(variant), tiny_images(4)
    with torch.autocast("cpu", torch.bfloat16):
        experts = model.experts(images)
        monkeypatch.setattr(model, "experts", lambda _: experts)
        rounded = loss(model, images, generator=torch.Generator().manual_seed(0))
    exact = loss(model, images, generator=torch.Generator().manual_seed(0))
    for part in (name for name in exact.parts if "kl" in name or name == "contrast"):
        assert rounded.parts[part].dtype == torch.float32
        torch.testing.assert_close(rounded.parts[part], exact.parts[part], rtol=1e-5, atol=1e-5)


# ---- a cycle's haze

def test_a_haze_blurs_each_picture_by_a_share_of_its_own_adds_noise_and_lets_gradients_through(monkeypatch):
    model, images = tiny_model("dmvae-clusters"), tiny_images()
    term = next(term for term in model.variant.terms if isinstance(term, Cycle))
    seen: list[dict[str, torch.Tensor]] = []
    experts = model.experts

    def read(observed, *, fixed=False):
        if fixed:
            seen.append({name: pictures.clone() for name, pictures in observed.items()})
        return experts(observed, fixed=fixed)

    monkeypatch.setattr(model, "experts", read)
    for haze in (0.0, 0.1):
        model.variant = replace(model.variant, terms=(replace(term, haze=haze),))
        model.zero_grad()
        loss(model, images, generator=torch.Generator().manual_seed(1)).total.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in model.named_parameters() if name.startswith("decoders.") and "0.weight" in name)
    for clear, hazed in zip(*(x.values() for x in seen), strict=True):
        off = hazed - clear
        blurred = gaussian_blur(clear, 2 * math.ceil(0.3 * clear.shape[-1]) + 1, 0.1 * clear.shape[-1]) - clear
        shares = (off * blurred).flatten(1).sum(1) / blurred.square().flatten(1).sum(1)
        amplitudes = (off - shares.view(-1, 1, 1, 1) * blurred).flatten(1).std(1)
        assert (shares.max() - shares.min()) > 0.2 and amplitudes.max() < 0.13 and amplitudes.max() > 2 * amplitudes.min() > 0

"""The convolutional encoders and decoders that modalities name.

Each is a row: images are folded into patches (space to depth), which keeps the arithmetic in small dense maps that a
laptop's CPU is quick at, then strided convolutions halve the map down to about 4×4. On one CPU core this took 87 ms
where the 64×64 networks of the faces experiment (four 4×4 convolutions of stride 2) took 134 ms for an encode and a
decode of 64 images, with as many parameters. Decoders normalise by groups of channels, within each image, so that an item's
picture does not depend on its batch: fitted to the faces from their factors alone, with the same processor time, the
squared error fell from 0.0100 (Adam 1e-3, batch 32) to 0.0054 (Adam 3e-3, batch 16).
"""

from __future__ import annotations

__all__ = ["DECODERS", "FINER", "NETWORKS", "Decoder", "Decoding", "Encoder", "GroupNorm", "Network", "decoders_of"]

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from .modalities import Modality


@dataclass(frozen=True)
class Decoding:
    """Maps of a decoder that goes on to finer ones than its encoder begins with.

    Arguments:
        patch: As of `Network`.
        widths: Likewise.
        deep: Whether the code scales and shifts the channels of every map, and a second convolution refines it.
    """

    patch: int
    widths: tuple[int, ...]
    deep: bool = False


@dataclass(frozen=True)
class Network:
    """The shape of an encoder and of the decoder that mirrors it.

    Arguments:
        size: Height and width of the images it is made for.
        patch: Pixels of a patch's side; the first map has size / patch cells a side.
        widths: Channels of the first map, then of each map half as large.
        hidden: Units of the fully connected layer next to the latent code.
        photo: Whether the encoder is for photographs, which vary in light and contrast more than in what they show: it normalises by
            groups of channels, as decoders always do, and sees the image shrunk to 4×4 past that, for its light and colour.
        decoder: The decoder's own maps; None where it mirrors the encoder.
    """

    size: int
    patch: int
    widths: tuple[int, ...]
    hidden: int
    photo: bool = False
    decoder: Decoding | None = None

    def sides(self) -> tuple[int, ...]:
        """The side of each map, in cells, from the largest to the smallest."""
        sides = [self.size // self.patch]
        for _ in self.widths[1:]:
            sides.append((sides[-1] + 1) // 2)
        return tuple(sides)


#: The network of the same encoder with a decoder of finer maps, for decoders that are fitted to a trained encoder's codes.
FINER = {"conv64": "conv64-fine", "conv32-photo": "conv32-photo-fine", "conv28": "conv28-fine"}

#: By name, what a model may have from the start instead of decoders that mirror its encoders: a network for each.
#: After 9,600 steps of 64 pairs of faces MuMo with wide decoders had a squared error of 0.0022 on test pairs, with fine ones 0.0027.
#: Deep ones came, fitted to one view of faces from its factors alone, in 2,000 steps of 32 to 0.0024 on test pictures, wide ones to 0.0027.
DECODERS: dict[str, dict[str, str]] = {"fine": FINER, "wide": {"conv64": "conv64-wide"}, "deep": {"conv64": "conv64-deep"}}

GROUPS = 8  # of channels that are normalised together

#: Cells of a side of the shrunk image that a photograph's encoder sees.
OVERVIEW = 4

NETWORKS: dict[str, Network] = {
    "conv64": Network(64, 4, (48, 64, 64), 256),
    "conv64-fine": Network(64, 4, (48, 64, 64), 256, decoder=Decoding(2, (32, 64, 64, 64))),
    "conv64-wide": Network(64, 4, (48, 64, 64), 256, decoder=Decoding(2, (48, 96, 96, 128))),
    "conv64-deep": Network(64, 4, (48, 64, 64), 256, decoder=Decoding(2, (48, 64, 64, 128), deep=True)),
    "conv32": Network(32, 2, (32, 64, 128), 128),
    "conv32-photo": Network(32, 2, (32, 64, 128), 128, photo=True),
    "conv32-photo-fine": Network(32, 2, (32, 64, 128), 128, photo=True, decoder=Decoding(1, (32, 48, 64, 128))),
    "conv28": Network(28, 2, (24, 48, 64), 128),
    "conv28-fine": Network(28, 2, (24, 48, 64), 128, decoder=Decoding(1, (16, 32, 48, 64))),
    "small64": Network(64, 8, (16, 32), 32),
    "small32": Network(32, 4, (16, 32), 32),
    "small28": Network(28, 4, (16, 32), 32),
}


def decoders_of(networks: Sequence[str]) -> str:
    """The name, in `DECODERS`, of the decoders that all these networks have; empty where they mirror the encoders."""
    return next((name for name, row in DECODERS.items() if all(network in row.values() for network in networks)), "")


class GroupNorm(nn.GroupNorm):
    """Normalises in float32 where the maps around it are bfloat16, as CUDA does by itself.

    On a CPU the kernel for bfloat16 took 7.4 ms for 128 maps of 32×16×16, that for float32 1.2 ms, with 0.3 ms for each
    conversion: with it training in bfloat16 was no quicker than in float32, without it a third quicker.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float()).to(x.dtype)


class Modulated(GroupNorm):
    """Normalises a map, then scales and shifts each channel as a code says: [N, C, H, W], [N, hidden] → [N, C, H, W].

    So the code reaches fine maps without a way through all coarser ones (Perez et al. 2018, arXiv 1709.07871).
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__(GROUPS, channels)
        self.code = nn.Linear(hidden, 2 * channels)
        nn.init.zeros_(self.code.bias)
        self.code.weight.data.mul_(0.5)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        scale, shift = self.code(code)[:, :, None, None].chunk(2, 1)
        return super().forward(x) * (1 + scale) + shift


class Residual(nn.Module):
    """A map and what a convolution adds to it, [N, C, H, W] → [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, 1, 1), GroupNorm(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.conv(x)))


class ModulatedTrunk(nn.Sequential):
    """Layers one after the other, of which the `Modulated` ones see the first one's input again."""

    def forward(self, code: Tensor) -> Tensor:
        x = code
        for layer in self:
            x = layer(x, code) if isinstance(layer, Modulated) else layer(x)
        return x


class Encoder(nn.Module):
    """Images to the parameters of beliefs: {modality: [N, C, H, W]} → [N, outputs].

    Reading several modalities of one shape it stacks them as channels, as the pair encoder of the faces experiment
    does; otherwise each has its own convolutions and they meet in the fully connected layer.
    """

    def __init__(self, modalities: Sequence[Modality], outputs: int) -> None:
        super().__init__()
        self.reads = tuple(m.name for m in modalities)
        self.stacked = len({(m.shape[1:], m.network) for m in modalities}) == 1
        groups = [modalities] if self.stacked else [[m] for m in modalities]
        nets = [_network(group[0]) for group in groups]
        self.trunks = nn.ModuleList(
            _encoder_trunk(net, sum(m.shape[0] for m in group)) for net, group in zip(nets, groups))
        self.overviews = [net.photo for net in nets]
        features = sum(net.widths[-1] * net.sides()[-1] ** 2 for net in nets)
        features += sum(OVERVIEW**2 * sum(m.shape[0] for m in group) for net, group in zip(nets, groups) if net.photo)
        hidden = max(net.hidden for net in nets)
        # Leaky, here and in the convolutions: with plain rectifiers an encoder was seen to die as a whole early in training,
        # and its modality was ignored ever after.
        self.head = nn.Sequential(nn.Linear(features, hidden), nn.LeakyReLU(0.1, inplace=True), nn.Linear(hidden, outputs))

    def forward(self, images: dict[str, Tensor], layout: torch.memory_format = torch.channels_last) -> Tensor:
        """The parameters; `layout` is how images lie in memory where they are convolved."""
        inputs = [images[name] for name in self.reads]
        if not len(inputs[0]):
            return inputs[0].new_zeros(0, self.head[-1].out_features)  # of no images PixelUnshuffle makes no patches
        if self.stacked:
            inputs = [torch.cat(inputs, 1)]
        features = [trunk(x.contiguous(memory_format=layout)) for trunk, x in zip(self.trunks, inputs)]
        features += [adaptive_avg_pool2d(x, OVERVIEW).flatten(1) for seen, x in zip(self.overviews, inputs) if seen]
        return self.head(torch.cat(features, 1)).float()


class Decoder(nn.Module):
    """A code to the logits of images: [N, inputs] → {modality: [N, C, H, W]}; pixels are the logits' sigmoid."""

    def __init__(self, modalities: Sequence[Modality], inputs: int) -> None:
        super().__init__()
        self.writes = tuple(m.name for m in modalities)
        self.stacked = len({(m.shape[1:], m.network) for m in modalities}) == 1
        self.channels = [m.shape[0] for m in modalities]
        groups = [modalities] if self.stacked else [[m] for m in modalities]
        nets = [_network(group[0]) for group in groups]
        hidden = max(net.hidden for net in nets)
        self.stem = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(inplace=True))
        self.trunks = nn.ModuleList(
            _decoder_trunk(net, hidden, sum(m.shape[0] for m in group)) for net, group in zip(nets, groups))

    def forward(self, z: Tensor) -> dict[str, Tensor]:
        features = self.stem(z)
        outputs = [trunk(features).float() for trunk in self.trunks]
        if self.stacked:
            outputs = outputs[0].split(self.channels, 1)
        return dict(zip(self.writes, outputs))


def _network(modality: Modality) -> Network:
    net = NETWORKS.get(modality.network)
    if net is None:
        raise ValueError(f"modality {modality.name!r}: network {modality.network!r} is none of {', '.join(NETWORKS)}")
    if modality.shape[1:] != (net.size, net.size):
        raise ValueError(f"modality {modality.name!r}: network {modality.network!r} is for {net.size}×{net.size} images, "
                         f"these are {modality.shape[1]}×{modality.shape[2]}")
    return net


def _encoder_trunk(net: Network, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.PixelUnshuffle(net.patch)]
    width = channels * net.patch**2
    for i, narrow in enumerate(net.widths):
        layers.append(nn.Conv2d(width, narrow, _kernel(net.sides()[i - 1]), 2, 1) if i else nn.Conv2d(width, narrow, 3, 1, 1))
        if net.photo:
            layers.append(GroupNorm(GROUPS, narrow))
        layers.append(nn.LeakyReLU(0.1, inplace=True))
        width = narrow
    return nn.Sequential(*layers, nn.Flatten()).to(memory_format=torch.channels_last)


def _decoder_trunk(net: Network, hidden: int, channels: int) -> nn.Sequential:
    deep = net.decoder is not None and net.decoder.deep
    if net.decoder is not None:
        net = replace(net, patch=net.decoder.patch, widths=net.decoder.widths)
    sides = net.sides()
    width = net.widths[-1]
    layers: list[nn.Module] = [nn.Linear(hidden, width * sides[-1] ** 2), nn.ReLU(inplace=True), nn.Unflatten(1, (width, sides[-1], sides[-1]))]
    for i in reversed(range(len(sides) - 1)):
        wide = net.widths[i]
        layers += [nn.ConvTranspose2d(width, wide, _kernel(sides[i]), 2, 1), Modulated(wide, hidden) if deep else GroupNorm(GROUPS, wide), nn.ReLU(inplace=True)]
        layers += [Residual(wide)] if deep else []
        width = wide
    layers += [nn.Conv2d(width, channels * net.patch**2, 3, 1, 1), nn.PixelShuffle(net.patch)]
    return (ModulatedTrunk if deep else nn.Sequential)(*layers).to(memory_format=torch.channels_last)


def _kernel(side: int) -> int:
    """A kernel under which a map of this side is halved, and a half doubled back, without remainder."""
    return 4 if side % 2 == 0 else 3

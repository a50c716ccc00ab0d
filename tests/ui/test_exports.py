"""What the page saves is what the command line draws, and both are what the live path shows."""

from __future__ import annotations

import io
from urllib.parse import unquote

import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from mmvae import DATASETS, VARIANTS, cli
from mmvae.checkpoints import config_of, digest, save
from mmvae.explore import encode, point_of, sample_codes
from mmvae.model import MultimodalVAE
from mmvae.pictures import read_point, traversal_strip, way_strip
from mmvae.point import Point
from tests.tiny import TinyPairs, tiny_model
from ui.exports import Wish, make
from ui.live import BOUND, Served, decode


def test_a_point_is_the_same_picture_byte_for_byte_on_the_page_the_command_line_and_the_live_path(tmp_path, monkeypatch):
    torch.manual_seed(5)
    model = MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"]).eval()
    folder = tmp_path / "checkpoints" / "some"
    save(folder, model, config_of(model, {}))
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    z = torch.randn(1, 9, generator=torch.Generator().manual_seed(2))
    z[0, 0], z[0, 1] = 20.0, -20.0  # beyond the bounds: all three clamp alike
    point = str(Point("some", digest(folder), tuple(z[0].tolist())))

    assert cli.main(["render", point, "--out", str(tmp_path / "pair.png")]) == 0
    drawn = (tmp_path / "pair.png").read_bytes()
    assert make({"kind": "pair-png", "point": point}).body == drawn

    sent = np.frombuffer(decode(Served(model, ""), z.clamp(-BOUND, BOUND).numpy())[4:], np.uint8).reshape(2, 64, 64)  # after the milliseconds
    picture = np.asarray(Image.open(io.BytesIO(drawn)))
    for i, pixels in enumerate(sent):  # 8 pixels between the pictures and around them, each of the model's 5 × 5
        left = 8 + i * (320 + 8)
        assert (picture[8:328, left:left + 320] == pixels.repeat(5, 0).repeat(5, 1)[..., None]).all()


def test_a_printed_traversal_shows_seven_values_from_end_to_end(tmp_path, monkeypatch):
    model = MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"]).eval()
    folder = tmp_path / "checkpoints" / "some"
    save(folder, model, config_of(model, {}))
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path))
    point = Point("some", digest(folder), tuple(0.125 * i for i in range(9)))
    reply = make({"kind": "png", "point": str(point)})
    assert read_point(io.BytesIO(reply.body)) == point
    picture = np.asarray(Image.open(io.BytesIO(reply.body)))
    side = 2 * 64
    line = 2 * 16  # of text
    top = 2 * line  # the names of the columns, and of the first modality
    for row, value in enumerate(range(-3, 4)):  # the last coordinate, at the right edge
        z = torch.tensor([point.z], dtype=torch.float32)
        z[0, 8] = value
        shown = model.decode({"z_elevation": z[:, :2], "z_shared": z[:, 2:7], "z_lighting": z[:, 7:]})
        for m, images in enumerate(shown.values()):
            bottom = top + (row + 7 * m + 1) * (side + 2) + m * line
            cell = picture[bottom - side:bottom:2, -2 - side:-2:2, 0]
            assert np.abs(cell.astype(int) - 255 * images[0, 0].detach().numpy()).max() <= 1


def test_numbers_say_of_which_model_point_and_range_they_are(tmp_path, monkeypatch):
    model = MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"]).eval()
    folder = tmp_path / "checkpoints" / "some"
    save(folder, model, config_of(model, {}))
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    point = str(Point("some", digest(folder), tuple(0.125 * i for i in range(9)), 7))
    text = make({"kind": "csv", "point": point, "range": "fixed"}).body.decode()
    said = [line for line in text.splitlines() if line.startswith("#")]
    assert said == ["# model: MuMo-VAE (some)", f"# point: {point}", "# code: moved or sampled code · picked pair 7", "# range: -3 to 3"]
    table = pandas.read_csv(io.StringIO(text), comment="#")
    assert len(table) == 9 * 61 and list(table.columns[:4]) == ["block", "dimension", "frame", "value"]


def test_saved_figures_name_their_model_and_pairs(tmp_path, monkeypatch):
    model = MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"]).eval()
    folder = tmp_path / "checkpoints" / "some"
    save(folder, model, config_of(model, {}))
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path))
    start, end = (Point("some", digest(folder), (value,) * 9, item) for value, item in ((0.0, 7), (1.0, None)))
    wish = Wish.of({"point": str(start), "to": str(end), "scope": "shared", "form": "spherical"})
    assert wish.about() == "MuMo-VAE (some) · prior mean"
    assert wish.about_way() == "MuMo-VAE (some) · A: prior mean · B: moved or sampled code · shared block only, spherical"
    start, first = wish.start()
    for kind, drawn in (("png", traversal_strip(wish.figure(7), start, wish.about(), first)),
                        ("path-png", way_strip(wish.way(9), model.modalities, wish.about_way()))):
        reply = make({"kind": kind, **wish.options})
        assert (np.asarray(Image.open(io.BytesIO(reply.body))) == drawn).all()


@pytest.fixture
def at_pair(tmp_path, monkeypatch):
    """A model, the images of pair 3, and what makes points there: of a code, else of the posterior mean of the pair."""
    model = tiny_model("dmvae")
    folder = tmp_path / "checkpoints" / "some"
    save(folder, model, config_of(model, {}))
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setattr("ui.models.data_for", lambda _: TinyPairs())
    images, _ = TinyPairs().items([3])

    def point(z=None, observed=("a", "b"), item=3) -> Point:
        mean = encode(model, {name: images[name] for name in observed})
        return point_of("some", digest(folder), model, z or mean, item=item, observed=observed)

    return model, images, point


def test_a_figure_names_the_pair_that_was_picked_as_its_own_only_where_its_code_is_the_pairs(at_pair):
    model, images, point = at_pair
    prior, sample = {name: belief.mean for name, belief in model.prior(1).items()}, sample_codes(model, 1)
    mean = encode(model, images)
    moved = mean | {"z_shared": mean["z_shared"] + torch.tensor([0, 0.01, 0, 0])}
    said = {words: Wish.of({"point": str(at)}) for words, at in {
        "pair 3 · observed: both": point(), "pair 3 · observed: only b": point(observed=("b",)), "prior mean": point(prior),
        "moved or sampled code · picked pair 3": point(sample), "moved or sampled code": point(sample, item=None)}.items()}
    assert {wish.about() for wish in said.values()} == {f"{model.variant.title} (some) · {words}" for words in said}
    assert Wish.of({"point": str(point(moved))}).in_words(point(moved)) == "moved or sampled code · picked pair 3"
    for words, wish in said.items():
        start, first = wish.start()
        assert first == ("pair" if words.startswith("pair") else "code")
        shown = {name: image[0] for name, image in images.items()} if first == "pair" else {name: image[0] for name, image in model.decode(wish.code).items()}
        assert all(torch.equal(start[name], shown[name]) for name in shown)
    assert Wish.of({"point": str(point()), "to": str(point(sample))}).about_way().endswith(
        "A: pair 3 · observed: both · B: moved or sampled code · picked pair 3 · all blocks, straight")


def test_where_a_pairs_posterior_cannot_be_had_nothing_is_said_of_its_code(at_pair, monkeypatch):
    _, _, point = at_pair
    wish = Wish.of({"point": str(point())})
    monkeypatch.setattr("ui.models.data_for", lambda _: None)
    assert wish.in_words(wish.point) == "picked pair 3" and wish.start()[1] == "code"


def test_a_plane_is_saved_as_it_is_shown_with_its_point(at_pair):
    model, _, point = at_pair
    asked = {"kind": "plane-png", "point": str(point()), "across": "2", "upwards": "3", "pictures": "b", "range": "fixed"}
    reply = make(asked)
    assert reply.status_code == 200 and read_point(io.BytesIO(reply.body)) == point()
    code = {name: z.clone() for name, z in Wish.of(asked).code.items()}
    code["z_shared"][0, :2] = torch.tensor([3 - 1 / 3, -3 + 1 / 3])  # the middle of the last of nine parts, and of the lowest
    picture = np.asarray(Image.open(io.BytesIO(reply.body)))
    side, line = 96, 2 * 16
    bottom = line + 9 * (side + 2)
    corner = picture[bottom - side:bottom:3, -2 - side:-2:3]
    assert np.abs(corner.astype(int) - 255 * model.decode(code)["b"][0].movedim(0, -1).detach().numpy()).max() <= 1
    for wrong in ({"across": ""}, {"upwards": "9"}, {"pictures": "c"}, {"range": "wide"}):
        assert make(asked | wrong).status_code == 400


def test_a_model_of_any_name_gives_files_of_its_name(tmp_path, monkeypatch):
    name = '模型 #1, "a"'
    model = MultimodalVAE.for_dataset(VARIANTS["joint-poe"], DATASETS["digits"]).eval()
    folder = tmp_path / "checkpoints" / name
    save(folder, model, config_of(model, {}))
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    point = str(Point(name, digest(folder), (0.0,) * DATASETS["digits"].joint))
    reply = make({"kind": "pair-png", "point": point})
    assert reply.status_code == 200
    how, _, saved = reply.headers["content-disposition"].partition("; filename*=UTF-8''")
    assert how == "attachment" and saved.isascii() and unquote(saved) == f"{name}-pair.png"

"""A checkpoint opens as it was saved, or is refused in one line that names the file; it never executes anything."""

import json
import os
import pickle
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import TinyPairs, spoiled, tiny_images, tiny_model

from mmvae import checkpoints
from mmvae.checkpoints import (CARD, CheckpointError, build_model, catalogue, config_of, described, digest, load, open_checkpoint, read_json, reference_ids, save,
                               statistics_of, write_json, write_weights)
from mmvae.variants import VARIANTS

TOLERANCE = {"atol": 3e-3, "rtol": 1e-2}  # of half precision's eleven bits, through a network


@pytest.fixture
def folder(tmp_path) -> Path:
    model = tiny_model("mmvae-plus")
    save(tmp_path / "saved", model, config_of(model, {"steps": 1}), {"blocks": {}})
    return tmp_path / "saved"


def refusal(folder: Path, file: str, weights: str = "weights.safetensors") -> str:
    """The one line with which a checkpoint is refused, checked to be one and to name the file."""
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder, weights=weights)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 600 and str(folder / file) in line
    return line


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_saved_and_loaded_infers_and_draws_the_same(tmp_path, variant):
    model = tiny_model(variant)
    save(tmp_path / "saved", model, config_of(model, {}))
    loaded = load(tmp_path / "saved")
    assert loaded.variant == model.variant and loaded.blocks == model.blocks and loaded.modalities == model.modalities
    assert not loaded.training
    assert loaded.generate(2, seed=1)["a"].numpy().shape == loaded.decode({b.name: torch.zeros(2, b.dim) for b in loaded.blocks})["a"].numpy().shape  # no detach() needed
    for name, q in model.posterior(tiny_images()).items():
        assert torch.equal(loaded.posterior(tiny_images())[name].mean, q.mean)
    for name, x in model.generate(3, seed=1).items():
        assert torch.equal(loaded.generate(3, seed=1)[name], x)


@pytest.mark.parametrize("variant", ["mumo", "mmvae", "vanilla"])
def test_half_precision_halves_the_file_and_keeps_the_pictures(tmp_path, variant):
    model = tiny_model(variant)
    for half in (False, True):
        save(tmp_path / str(half), model, config_of(model, {}), half=half)
    sizes = [(tmp_path / str(half) / "weights.safetensors").stat().st_size for half in (False, True)]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = load(tmp_path / "True")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for name, x in model.generate(4, seed=2).items():
        torch.testing.assert_close(loaded.generate(4, seed=2)[name], x, **TOLERANCE)
    for name, q in model.posterior(tiny_images()).items():
        torch.testing.assert_close(loaded.posterior(tiny_images())[name].mean, q.mean, atol=2e-2, rtol=1e-2)


def test_a_row_carried_by_a_checkpoint_outlives_a_change_of_the_table(folder):
    table = dict(VARIANTS)
    del VARIANTS["mmvae-plus"]
    try:
        assert load(folder).variant.name == "mmvae-plus"
    finally:  # in its order, by which rows are listed
        VARIANTS.clear()
        VARIANTS.update(table)


# ---- what is refused

def test_what_holds_plain_values_takes_a_line_and_every_value_stays(tmp_path):
    content = {"means": [1.5, None, True], "empty": [], "nested": [[1, 2], [3], []], "texts": ["a [ b", "b,\n c ]", "[\n1\n]", "{"], "of": [{"a": [-1], "b": {"c": 1, "d": "é"}}, {}], "ä": "[\n 1]", "many": (1, 2)}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == content | {"many": [1, 2]}
    assert '"means": [1.5,null,true],\n' in text and "[1,2],\n" in text and '"b": {"c": 1, "d": "é"}\n' in text and '"many": [1,2]' in text


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    assert "no config.json" in refusal(tmp_path, "")
    assert "no config.json" in refusal(tmp_path / "nowhere", "")
    torch.save({"model_state_dict": {}}, tmp_path / "model.pt")
    assert "no config.json" in refusal(tmp_path, "")


def test_missing_weights_are_said_to_be_missing(folder):
    (folder / "weights.safetensors").unlink()
    assert "missing" in refusal(folder, "weights.safetensors")


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe\x00", b'{"schema": 1', b"[" * 100_000, b'{"schema": NaN}', b'{"schema": 1} x'])
@pytest.mark.parametrize("file", ["config.json", "statistics.json", "card.json"])
def test_malformed_json_is_refused_by_file(folder, text, file):
    (folder / file).write_bytes(text)
    if file != "config.json" and text == b'{"schema": NaN}':
        return  # an object that nobody's numbers hang on
    refusal(folder, file)


@pytest.mark.parametrize("schema", [0, 2, "1", None, [], 1.5, True])
def test_another_schema_is_refused_by_number(folder, schema):
    write_json(folder / "config.json", read_json(folder / "config.json") | {"schema": schema})
    assert f"schema version {schema!r}, this program reads 1" in refusal(folder, "config.json")


SPOILS = [(("variant",), KeyError), (("variant",), "mumo"), (("variant", "terms"), [{"term": "__import__"}]), (("variant", "fusion"), "sum"), (("variant", "encoders"), [[0], [5]]),
          (("variant", "family"), "laplace "), (("variant", "evil"), 1), (("modalities",), []), (("modalities",), None), (("modalities", 0, "shape"), [1, 28]),
          (("modalities", 0, "shape"), [1, 10**9, 10**9]), (("modalities", 0, "shape"), [1, -28, 28]), (("modalities", 0, "shape"), "abc"), (("modalities", 0, "shape"), [1, 28.0, 28]),
          (("modalities", 0, "shape"), [2, 28, 28]), (("modalities", 0, "shape"), [4, 28, 28]),
          (("modalities", 0, "network"), "os.system"), (("modalities", 0, "network"), "small64"), (("modalities", 0, "likelihood"), "eval"), (("modalities", 0, "scale"), -1),
          (("modalities", 0, "name"), "x.y"), (("modalities", 0, "name"), "b"), (("modalities", 0, "name"), 3), (("modalities", 0, "colour"), "red"), (("blocks",), []),
          (("blocks", 0, "dim"), 0), (("blocks", 0, "dim"), 10**9), (("blocks", 0, "dim"), "4"), (("blocks", 0, "dim"), 2.5), (("blocks", 0, "dim"), float("nan")),
          (("variant", "prior_clusters"), 10**7), (("variant", "prior_clusters"), 2**62),
          (("blocks", 0, "owner"), "nobody"), (("blocks", 0, "name"), "z_other"), (("blocks", 1), KeyError), (("dataset",), KeyError), (("dataset",), 7), (("dataset",), "faces"),
          (("source",), [1]), (("modalities", 0, "title"), 3), (("modalities", 0, "symbol"), None), (("training",), []), (("trained",), "long"),
          (("encoders",), []), (("encoders",), {"of": "x"}), (("began_with",), "x"), (("began_with",), {"of": 3, "training": {}, "trained": {}}),
          (("began_with",), {"of": "x", "training": {}, "trained": {}, "encoders": {"of": "y", "training": 1, "trained": {}}})]


@pytest.mark.parametrize(("path", "value"), SPOILS)
def test_a_configuration_that_builds_no_model_of_ours_is_refused(folder, path, value):
    write_json(folder / "config.json", spoiled(read_json(folder / "config.json"), path, value))
    refusal(folder, "config.json")


@pytest.mark.parametrize(("key", "value"), [("modalities", None), ("modalities", "a"), ("blocks", 3), ("blocks", [[]]), ("blocks", {})])
def test_parts_that_are_no_list_of_objects_are_refused_as_that(folder, key, value):
    write_json(folder / "config.json", spoiled(read_json(folder / "config.json"), (key,), value))
    assert f"{key} is {json.dumps(value)}, expected a list of objects" in refusal(folder, "config.json")


def figure(**entries) -> dict:
    return {"figures": {"elbo": {"metric": "elbo", "value": 1.0} | entries}}


PROVENANCE = {"dataset": "tiny", "pairs": 5, "seed": 0, "measured": "2026-01-01", "seconds": 1.0, "parameters": 9, "machine": {"processor": "one"}}
MATRIX = {"blocks": ["z_a", "z_shared", "z_b"], "factors": ["brightness"], "measures": ["R²"], "values": [[0.0], [1.0], [0.0]], "ceiling": None, "items": 5}


@pytest.mark.parametrize("card", [{"figures": []}, {"figures": {"elbo": 3}}, figure(metric=None), figure(value="high"), figure(unit=1), figure(ceiling=[1]), {"trained_pairs": "many"},
                                  {"leakage": 3}, {"leakage": MATRIX | {"blocks": ["z_shared"]}}, {"leakage": MATRIX | {"values": [[1.0]]}},
                                  {"leakage": MATRIX | {"measures": []}}, {"leakage": MATRIX | {"ceiling": [1]}}, {"leakage": MATRIX | {"values": [[None]] * 3}}])
def test_a_card_that_no_page_could_show_is_refused(folder, card):
    write_json(folder / "card.json", PROVENANCE | card)
    refusal(folder, "card.json")


def test_a_card_as_it_should_be_is_opened(folder):
    card = figure(stderr=None, note="") | PROVENANCE | {"leakage": MATRIX, "trained_pairs": 64}
    write_json(folder / "card.json", card)
    assert open_checkpoint(folder).card == card


@pytest.mark.parametrize(("path", "value"), [(("blocks",), []), (("blocks", "z_a"), KeyError), (("blocks", "z_a", "kl"), [1.0]), (("blocks", "z_a", "low"), ["0", "1"]),
                                             (("blocks", "z_a", "sigma"), KeyError), (("blocks", "z_a", "histogram"), [1, 2]), (("reference",), 3), (("reference", "ids"), ["1"]),
                                             (("reference", "ids", 0), -1), (("reference", "ids", 0), 10**25),
                                             (("reference", "labels", "brightness"), [1.0]), (("reference", "codes", "a+b", "z_b", "mean"), [[1.0]]),
                                             (("reference", "codes", "a+b", "z_b"), KeyError), (("reference", "codes"), KeyError)])
def test_statistics_that_no_page_could_show_are_refused(folder, path, value):
    statistics = statistics_of(load(folder), TinyPairs())
    write_json(folder / "statistics.json", statistics)
    assert open_checkpoint(folder).statistics == statistics
    write_json(folder / "statistics.json", spoiled(statistics, path, value))
    refusal(folder, "statistics.json")


def test_a_class_that_the_data_set_does_not_have_is_refused(tmp_path):
    shipped = Path(__file__).parents[1] / "checkpoints" / "faces-mumo"
    for name in ("config.json", "statistics.json"):
        (tmp_path / name).write_bytes((shipped / name).read_bytes())
    assert described(tmp_path)[1]["reference"]["labels"]["identity"]
    write_json(tmp_path / "statistics.json", spoiled(read_json(tmp_path / "statistics.json"), ("reference", "labels", "identity", 0), 99))
    with pytest.raises(CheckpointError, match="reference"):
        described(tmp_path)


def test_no_random_change_of_a_configuration_does_more_than_be_refused(folder):
    config, rng = read_json(folder / "config.json"), random.Random(0)
    values = [None, True, -1, 0, 3, 1e308, "", "z_shared", [], [0], [[0]], {}, {"term": "Elbo"}, "../x", 2**70]
    outcomes = set()
    for _ in range(150):
        place, path = config, []
        while isinstance(place, (dict, list)) and place and (not path or rng.random() < 0.8):
            key = rng.choice(sorted(place) if isinstance(place, dict) else range(len(place)))
            path.append(key)
            place = place[key]
        try:
            build_model(spoiled(config, tuple(path), rng.choice(values)), "there")
            outcomes.add("built")
        except CheckpointError as error:
            assert "\n" not in str(error) and str(error).startswith("there: ")
            outcomes.add("refused")
    assert outcomes == {"built", "refused"}  # a title may change, a shape may not


def reshaped(tensors):
    return tensors | {"decoders.a.stem.0.bias": torch.zeros(7)}


def without(tensors):
    return {name: t for name, t in tensors.items() if name != "decoders.a.stem.0.bias"}


def with_more(tensors):
    return tensors | {"backdoor": torch.zeros(1)}


@pytest.mark.parametrize(("change", "said"), [(reshaped, r"'decoders.a.stem.0.bias' is (7,), the configuration needs (32,)"), (without, "'decoders.a.stem.0.bias' is missing"),
                                              (with_more, "'backdoor' is (1,), the configuration needs none"), (lambda t: {}, "missing")])
def test_tensors_of_other_shapes_are_refused_by_name(folder, change, said):
    save_file(change(load_file(folder / "weights.safetensors")), folder / "weights.safetensors")
    assert said in refusal(folder, "weights.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_that_are_not_finite_are_refused(folder, value, dtype):
    tensors = {name: t.to(dtype) for name, t in load_file(folder / "weights.safetensors").items()}
    tensors["encoders.b.head.0.weight"][1, 2] = value
    save_file(tensors, folder / "weights.safetensors")
    assert "not finite" in refusal(folder, "weights.safetensors")


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_weights_that_are_no_numbers_of_ours_are_refused_by_type(folder, dtype):
    tensors = load_file(folder / "weights.safetensors")
    tensors["encoders.b.head.0.weight"] = tensors["encoders.b.head.0.weight"].to(dtype)
    save_file(tensors, folder / "weights.safetensors")
    assert str(dtype).removeprefix("torch.") in refusal(folder, "weights.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 0.5, 0.999])
def test_truncated_weights_are_refused(folder, keep):
    size = (folder / "weights.safetensors").stat().st_size
    os.truncate(folder / "weights.safetensors", keep if isinstance(keep, int) else int(keep * size))
    assert "not a safetensors file" in refusal(folder, "weights.safetensors")


class Bomb:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("how", ["pickle", "torch"])
@pytest.mark.parametrize("file", ["weights.safetensors", "config.json", "statistics.json"])
def test_a_pickle_in_any_place_is_refused_and_not_executed(folder, tmp_path, how, file):
    with open(folder / file, "wb") as target:
        (pickle if how == "pickle" else torch).__dict__["dump" if how == "pickle" else "save"](Bomb(tmp_path / "executed"), target)
    refusal(folder, file)
    assert not (tmp_path / "executed").exists()
    if how == "pickle":  # the bomb is live: what refuses it is the reader
        pickle.loads((folder / file).read_bytes())
        assert (tmp_path / "executed").exists()


def test_a_folder_in_place_of_the_weights_is_refused(folder):
    (folder / "weights.safetensors").unlink()
    (folder / "weights.safetensors").mkdir()
    refusal(folder, "weights.safetensors")


# ---- files

def test_weights_for_which_the_disk_has_no_room_are_refused_in_one_line_and_leave_the_old_ones(folder):
    resource = pytest.importorskip("resource")  # not on Windows
    before = (folder / "weights.safetensors").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError, match="weights.safetensors could not be written") as caught:
            write_weights(folder / "weights.safetensors", tiny_model("mmvae-plus"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert (folder / "weights.safetensors").read_bytes() == before and not list(folder.glob(".*"))


def test_a_card_stays_with_its_weights_and_goes_with_them(tmp_path):
    card = tmp_path / CARD
    for seed, measured in ((0, False), (0, True), (1, False)):
        model = tiny_model("mumo", seed)
        save(tmp_path, model, config_of(model, {}))
        assert card.is_file() == measured
        card.write_text("{}")


def test_a_digest_tells_other_weights_apart(folder):
    before = digest(folder)
    assert len(before) == 8 and int(before, 16) >= 0 and digest(folder) == before
    save_file({name: t + 1e-3 for name, t in load_file(folder / "weights.safetensors").items()}, folder / "weights.safetensors")
    assert digest(folder) != before


def test_the_catalogue_lists_what_can_be_opened_with_shipped_ones_first(tmp_path):
    model = tiny_model("joint-poe")
    for place in ("runs/b", "runs/a", "checkpoints/b", "checkpoints/z"):
        save(tmp_path / place, model, config_of(model, {}))
    (tmp_path / "runs/unsaved").mkdir()
    write_json(tmp_path / "runs/unsaved/config.json", config_of(model, {}))
    found = catalogue(tmp_path)
    assert list(found)[:2] == ["b", "z"] and found["a"] == tmp_path / "runs/a" and "unsaved" not in found


def test_models_whose_folders_have_one_name_are_all_in_the_catalogue(tmp_path):
    model = tiny_model("joint-poe")
    for place in ("checkpoints/b", "runs/b", "runs/b-run", "uploads/b"):
        save(tmp_path / place, model, config_of(model, {}))
    found = {name: folder.relative_to(tmp_path).as_posix() for name, folder in catalogue(tmp_path).items()}
    assert found == {"b": "checkpoints/b", "b-run": "runs/b-run", "b-run-2": "runs/b", "b-upload": "uploads/b"}


# ---- statistics

@pytest.mark.parametrize("variant", ["mmpoe-v2", "mmvae", "vanilla"])
def test_statistics_are_those_of_posterior_samples(variant):
    model, data = tiny_model(variant), TinyPairs()
    statistics = statistics_of(model, data, n=32)
    assert statistics == json.loads(json.dumps(statistics)) == statistics_of(model, data, n=32)
    images, _ = data.items(data.split("validation"))
    posterior, prior = model.posterior(images), model.prior(32)
    for name, q in posterior.items():
        block = statistics["blocks"][name]
        torch.testing.assert_close(torch.tensor(block["kl"]), q.kl(prior[name]).mean(0), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(torch.tensor(block["sigma"]), q.stddev.mean(0), atol=1e-3, rtol=1e-3)
        spread = (q.stddev.square().mean(0) + q.mean.var(0)).sqrt()  # of the aggregate posterior
        assert ((torch.tensor(block["mean"]) - q.mean.mean(0)).abs() < 4 * spread / 32**0.5).all()
        assert all(least <= low < high <= most for least, low, high, most in zip(*(block[end] for end in ("min", "low", "high", "max"))))
        assert all(len(counts) == 40 and 28 <= sum(counts) <= 32 for counts in block["histogram"])
    expected = {"a+b"} if variant == "vanilla" else {"a+b", "a", "b"}
    assert set(statistics["reference"]["codes"]) == expected


def test_reference_items_are_test_items_and_the_same_every_time():
    data = TinyPairs()
    ids = reference_ids(data, n=10)
    assert ids == sorted(set(ids)) == reference_ids(data, n=10) and len(ids) == 10
    assert set(ids) <= set(data.split("test").tolist())


@pytest.mark.parametrize("shape", [(400,), (40, 3, 3)])
def test_packed_weights_move_by_no_more_than_half_a_step_of_their_row(shape):
    matrix = torch.randn(300, *shape, generator=torch.Generator().manual_seed(0))
    matrix *= torch.logspace(-3, 2, 300).view(-1, *[1] * len(shape))
    packed = checkpoints._pack({"wide": matrix, "small": matrix[:2]})
    assert packed["wide"].dtype == torch.int8 and packed["small"].dtype == torch.float16
    back = checkpoints._unpack(packed)["wide"]
    largest = matrix.flatten(1).abs().amax(1).view(-1, *[1] * len(shape))
    assert ((back - matrix).abs() <= largest * (0.5 / 127 + 2e-3)).all()


def test_a_scale_without_its_weights_is_refused():
    with pytest.raises(ValueError, match="without its eight-bit weights"):
        checkpoints._unpack({"a@scale": torch.ones(3), "a": torch.ones(3, 4)})


def test_all_that_is_shipped_stays_within_24_megabytes():
    files = list((Path(__file__).parents[1] / "checkpoints").rglob("weights.safetensors"))
    assert len(files) > 10 and sum(file.stat().st_size for file in files) < 24e6


def test_a_folder_on_its_way_in_or_out_is_no_model(tmp_path):
    model = tiny_model("mumo")
    for name in ("mine", ".deleted-abc"):
        save(tmp_path / "runs" / name, model, config_of(model, {}))
    assert list(catalogue(tmp_path)) == ["mine"]

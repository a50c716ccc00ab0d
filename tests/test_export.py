"""What is exported is compared with what the model itself gives."""

from __future__ import annotations

import csv

import pytest
import torch

from mmvae.embedding_export import headings
from mmvae.export import export_onnx, write_codes
from tests.tiny import TinyPairs, tiny_images, tiny_model


def test_the_table_of_codes_has_every_test_pair_with_its_posterior(tmp_path):
    model, data = tiny_model("dmvae"), TinyPairs()
    write_codes(tmp_path / "codes.csv", model, data)
    rows = list(csv.DictReader((tmp_path / "codes.csv").open()))
    images, labels = data.items(data.split("test"))
    with torch.inference_mode():
        posterior = model.posterior(images)
    assert [int(row["id"]) for row in rows] == list(range(96, 128))
    assert float(rows[5]["brightness"]) == pytest.approx(labels["brightness"][5].item(), rel=1e-4)
    assert float(rows[7]["z_shared[3] mean"]) == pytest.approx(posterior["z_shared"].mean[7, 3].item(), rel=1e-4)
    assert float(rows[7]["z_b[2] stddev"]) == pytest.approx(posterior["z_b"].stddev[7, 2].item(), rel=1e-4)
    assert list(rows[0])[2:6] == ["z_a[0] mean", "z_a[1] mean", "z_a[0] stddev", "z_a[1] stddev"]


def test_the_table_of_codes_calls_the_pairs_by_their_names(tmp_path):
    data = TinyPairs()
    data.names, data.brightness = tuple(f"scan {i}" for i in range(128)), data.brightness.clone()
    data.brightness[96] = 36.68
    write_codes(tmp_path / "codes.csv", tiny_model("dmvae"), data)
    rows = list(csv.DictReader((tmp_path / "codes.csv").open()))
    assert list(rows[0])[:3] == ["id", "item", "brightness"]
    assert [rows[0][name] for name in ("id", "item", "brightness")] == ["96", "scan 96", "36.68"]


def test_of_many_pairs_some_of_all_are_drawn_and_always_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("mmvae.export.MOST_PAIRS", 8)
    told = []
    for name in ("one.csv", "other.csv"):
        write_codes(tmp_path / name, tiny_model("dmvae"), TinyPairs())
        told.append([int(row["id"]) for row in csv.DictReader((tmp_path / name).open())])
    assert told[0] == told[1] == sorted(set(told[0])) and len(told[0]) == 8 and told[0] != list(range(96, 104))


def test_a_factor_with_the_name_of_another_column_says_what_it_is():
    assert headings(["x", "angle", "id"], ["id", "x", "y"]) == ["x (factor)", "angle", "id (factor)"]


def test_without_onnx_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("mmvae.export.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install onnx onnxscript"):
        export_onnx(tiny_model("dmvae"), tmp_path)


@pytest.mark.parametrize("variant", ["dmvae", "vanilla"])
def test_exported_networks_compute_what_the_model_does_for_any_number_of_items(tmp_path, variant):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model, images = tiny_model(variant), tiny_images(3)
    files = {file.stem: runtime.InferenceSession(file) for file in export_onnx(model, tmp_path)}
    assert all(file.get_modelmeta().custom_metadata_map.items() >= {"variant": variant, "spread": "log-variance of a Gaussian"}.items() for file in files.values())
    assert set(files) == {f"encoder_{name}" for name in model.encoders} | {f"decoder_{name}" for name in model.decoders}
    with torch.inference_mode():
        for (reads, block), belief in model.experts(images).items():
            name = "+".join(model.names[m] for m in sorted(reads))
            given = {m: images[m].numpy() for m in name.split("+")}
            mean, spread = files[f"encoder_{name}"].run([f"{block}_mean", f"{block}_spread"], given)
            torch.testing.assert_close(torch.from_numpy(mean), belief.mean, atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(torch.from_numpy(spread), belief.logvar, atol=1e-4, rtol=1e-3)
        z = {name: belief.mean for name, belief in model.prior(3).items()}
        expected = model.decode(z)
        for name in model.decoders:
            session = files[f"decoder_{name}"]
            drawn = session.run(name.split("+"), {i.name: z[i.name].numpy() for i in session.get_inputs()})
            for modality, picture in zip(name.split("+"), drawn):
                torch.testing.assert_close(torch.from_numpy(picture), expected[modality], atol=1e-4, rtol=1e-3)

"""The command line is run as a person runs it: exit status, standard output, and one line where something is wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mmvae import evaluation, runs
from mmvae.checkpoints import digest, load, open_checkpoint, replace_weights, source_of
from mmvae.cli import Progress, main
from mmvae.data import DATASETS, dataset
from mmvae.data.own import FEWEST
from mmvae.embedding import PCA, TSNE
from mmvae.explore import encode, sample_codes
from mmvae.maps import Choice, Job, source_blocks
from mmvae.modalities import Modality
from mmvae.networks import DECODERS
from mmvae.pictures import Caption, read_point
from mmvae.readers import open_readers, readers_for
from mmvae.shipped_maps import maps_in
from mmvae.sources import run_name
from mmvae.variants import VARIANTS, variant_from_json
from tests.tiny import TinyPairs

HOME = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A file of forty pairs whose brightness is shared."""
    rng = np.random.default_rng(0)
    bright = rng.random(40)
    file = tmp_path_factory.mktemp("own") / "pairs.npz"
    left, right = (np.uint8(255 * bright[:, None, None] * rng.random((40, side, side))) for side in (28, 32))
    names = np.array([f"scan {i}" for i in range(40)])
    np.savez(file, left=left, right=right, bright=bright, kind=(bright > 0.5).astype(int), scan=names)
    return file


@pytest.fixture(scope="module")
def run(tmp_path_factory, own):
    """A run of three steps on it, with private blocks of 1 and 2 dimensions and a shared one of 3."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert (
        main(
            [
                "train",
                "--variant",
                "dmvae",
                "--dataset",
                str(own),
                "--out",
                str(folder),
                "--steps",
                "3",
                "--batch-size",
                "4",
                "--private",
                "1",
                "2",
                "--shared",
                "3",
            ]
        )
        == 0
    )
    return folder


def failed(capsys, arguments: list[str]) -> str:
    """What a command says that must fail with one line."""
    assert main(arguments) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("mmvae: ")
    return lines[0]


def test_help_variants_and_datasets_do_without_torch():
    code = (
        "import sys; from mmvae.cli import main; main(['variants']); main(['datasets', '--json'])\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules, 'torch'; assert 'numpy' not in sys.modules, 'numpy'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_verb_explains_itself(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    verbs = re.findall(r"^    (\w+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert {
        "variants",
        "datasets",
        "train",
        "evaluate",
        "reconstruct",
        "generate",
        "translate",
        "traverse",
        "interpolate",
        "render",
        "embed",
        "export",
        "bench",
        "readers",
        "ship",
    } <= set(verbs)
    for verb in verbs:
        with pytest.raises(SystemExit) as done:
            main([verb, "--help"])
        assert done.value.code == 0 and verb in capsys.readouterr().out


def test_variants_as_json_are_the_rows(capsys):
    assert main(["variants", "--json"]) == 0
    assert [variant_from_json(row) for row in json.loads(capsys.readouterr().out)] == list(VARIANTS.values())


def test_datasets_as_json_name_modalities_and_factors(capsys):
    assert main(["datasets", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(DATASETS)
    assert [f["name"] for f in rows["faces"]["factors"]] == ["identity", "azimuth", "elevation", "lighting"]
    assert Modality(**{**rows["faces"]["modalities"][0], "shape": (1, 64, 64)}) == DATASETS["faces"].modalities[0]


def test_training_makes_a_run_that_opens_and_prints_its_folder(run, own, capsys, tmp_path):
    config = json.loads((run / "config.json").read_text())
    assert config["source"] == str(own) and config["training"]["steps"] == 3
    assert [(block["name"], block["dim"]) for block in config["blocks"]] == [("z_left", 1), ("z_shared", 3), ("z_right", 2)]
    assert json.loads((run / "events.jsonl").read_text().splitlines()[-1])["event"] == "finished"
    assert (
        main(
            [
                "train",
                "--variant",
                "joint-poe",
                "--dataset",
                str(own),
                "--out",
                str(tmp_path / "b"),
                "--steps",
                "1",
                "--batch-size",
                "2",
            ]
        )
        == 0
    )
    assert capsys.readouterr().out.strip() == str(tmp_path / "b")


def test_training_says_what_was_done_to_own_pairs_and_how_they_are_judged(own, tmp_path, capsys):
    small = ["--dataset", str(own), "--steps", "1", "--batch-size", "4", "--shared", "3"]
    for variant, judged in (("joint-poe", "left by bernoulli, weight 1, right by bernoulli, weight 1"),
                            ("mmvae", "left by laplace of scale 0.75, weight 1.31, right by laplace of scale 0.75, weight 1")):
        assert main(["train", "--variant", variant, *small, "--out", str(tmp_path / variant)]) == 0
        said = capsys.readouterr().err.splitlines()
        assert "scan: every item has another text, so that these are names and no factor." in said
        assert next(line for line in said if line.startswith("started")).endswith(judged)


def test_a_run_is_not_overwritten_but_goes_on_for_longer(own, tmp_path, capsys):
    new = [
        "train",
        "--variant",
        "joint-poe",
        "--dataset",
        str(own),
        "--out",
        str(tmp_path / "a"),
        "--steps",
        "2",
        "--batch-size",
        "2",
    ]
    assert main(new) == 0
    capsys.readouterr()
    assert "already holds a run" in failed(capsys, new)
    assert main(["train", "--resume", "--out", str(tmp_path / "a"), "--steps", "4"]) == 0
    events = [json.loads(line) for line in (tmp_path / "a" / "events.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["event"] in ("resumed", "finished")] == [2, 4] or events[-1]["step"] == 4


def test_decoders_are_fitted_to_the_codes_of_a_trained_run(run, tmp_path, capsys):
    out = tmp_path / "refitted"
    assert main(["train", "--encoders", str(run), "--steps", "2", "--batch-size", "2", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    before, after = (load_file(folder / "weights.safetensors") for folder in (run, out))
    assert {name for name in before if not torch.equal(before[name], after[name])} == {name for name in before if name.startswith("decoders.")}
    assert main(["train", "--resume", "--out", str(out), "--steps", "3"]) == 0


def test_the_weights_of_a_trained_run_are_trained_on(run, tmp_path, capsys):
    out = tmp_path / "on"
    assert main(["train", "--begin-with", str(run), "--steps", "2", "--batch-size", "2", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    before, after = (load_file(folder / "weights.safetensors") for folder in (run, out))
    assert before.keys() == after.keys() and any(not torch.equal(before[name], after[name]) for name in before if name.startswith("encoders."))
    assert main(["train", "--resume", "--out", str(out), "--steps", "3"]) == 0


@pytest.mark.parametrize("more", [["--variant", "mumo"], ["--shared", "3"]])
def test_beside_the_weights_to_begin_with_nothing_can_be_said_of_the_model(run, tmp_path, capsys, more):
    said = failed(capsys, ["train", "--begin-with", str(run), "--out", str(tmp_path / "on"), *more])
    assert said == f"mmvae: --begin-with keeps the model as it is: {more[0]} cannot be said beside it" and not (tmp_path / "on").exists()


@pytest.mark.parametrize("more", [["--variant", "mumo"], ["--private", "1", "1"], ["--shared", "3"], ["--begin-with", "faces-mumo"]])
def test_beside_the_encoders_to_keep_nothing_can_be_said_of_the_model(run, tmp_path, capsys, more):
    said = failed(capsys, ["train", "--encoders", str(run), "--out", str(tmp_path / "refitted"), *more])
    assert said == f"mmvae: --encoders keeps the model as it is: {more[0]} cannot be said beside it" and not (tmp_path / "refitted").exists()


def test_every_kind_of_decoders_can_be_asked_for_and_has_a_name_on_the_page(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert set(re.search(r"--decoders \{([a-z,]+)\}", capsys.readouterr().out)[1].split(",")) == set(DECODERS)
    titles = re.search(r"^DECODER_TITLES = (\{.*\})$", (Path(__file__).parents[1] / "pages" / "train.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(json.loads(titles[1])) == {"", *DECODERS}


def test_there_are_no_wide_decoders_for_digits(tmp_path, capsys):
    said = failed(capsys, ["train", "--variant", "mumo", "--dataset", "digits", "--decoders", "wide", "--out", str(tmp_path / "run")])
    assert said == "mmvae: there are no wide decoders for images of 28×28 pixels" and not (tmp_path / "run").exists()


def test_without_its_data_no_run_is_begun(capsys, tmp_path):
    new = ["train", "--variant", "joint-poe", "--dataset", "mnist-svhn", "--data-root", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    for _ in range(2):
        assert "already holds a run" not in failed(capsys, new)
    assert not (tmp_path / "run").exists()


def test_a_run_lies_where_the_pages_look_under_a_name_that_they_take(own, tmp_path, monkeypatch):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    shutil.copy(own, tmp_path / "my Größen.npz")
    assert main(["train", "--variant", "joint-poe", "--dataset", str(tmp_path / "my Größen.npz"), "--steps", "1", "--batch-size", "2"]) == 0
    assert [run.name for run in runs.runs()] == ["my-Grossen-joint-poe"]
    runs.check_name(run_name(str(tmp_path / "my Größen.npz"), "joint-poe"))


def test_data_sets_say_whether_they_are_here(tmp_path, capsys):
    assert main(["datasets", "--data-root", str(tmp_path / "nowhere")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Data root: {tmp_path / 'nowhere'}, which is not there\n") and said.count("not here, ") == len(DATASETS)
    (tmp_path / "basel_face_renders.pth").write_bytes(bytes(3_000_000))
    assert main(["datasets", "--data-root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Basel face renders: 3 MB here" in said and said.count("not here, ") == len(DATASETS) - 1 and "which is not there" not in said


def test_what_is_printed_needs_no_encoding_of_the_console():
    done = subprocess.run([sys.executable, "-m", "mmvae", "datasets"], cwd=HOME, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert done.returncode == 0 and "–" in done.stdout.decode("utf-8")


# ---- data that was moved


@pytest.fixture
def strayed(run, tmp_path):
    """A copy of the run whose data is not where it was."""
    folder = tmp_path / "strayed"
    shutil.copytree(run, folder)
    gone = {"dataset": str(tmp_path / "gone.npz"), "source": str(tmp_path / "gone.npz")}
    (folder / "config.json").write_text(json.dumps(json.loads((run / "config.json").read_text()) | gone))
    return folder


#: Every verb that opens a checkpoint's data; `{at}` is the checkpoint, `{tmp}` a folder to write to.
OPENERS = {
    "evaluate": "{at} --pairs 40",
    "reconstruct": "{at} --out {tmp}/a.png",
    "translate": "{at} --out {tmp}/a.png",
    "traverse": "{at} --frames 2 --out {tmp}/a.gif",
    "interpolate": "{at} --steps 3 --out {tmp}/a.png",
    "embed": "{at} --method pca --out {tmp}/a.csv",
    "ship": "{at} --out {tmp}/shipped",
    "train --resume": "--out {at} --steps 4",
    "train --begin-with": "{at} --steps 1 --batch-size 2 --out {tmp}/new",
    "train --encoders": "{at} --steps 1 --batch-size 2 --out {tmp}/new",
}


def opener(verb: str, at: Path, tmp: Path) -> list[str]:
    return f"{verb} {OPENERS[verb].format(at=at, tmp=tmp)}".split()


@pytest.mark.parametrize("verb", OPENERS)
def test_data_that_was_moved_is_asked_for_and_taken_from_where_it_is_now(strayed, own, tmp_path, capsys, verb):
    command = opener(verb, strayed, tmp_path)
    gone = f"this model was trained on {tmp_path / 'gone.npz'}, which is not there any more; say where it is now with --dataset PATH"
    assert failed(capsys, command) == f"mmvae: {gone}"
    assert main([*command, "--dataset", str(own)]) == 0


def test_data_that_was_moved_is_found_by_its_name_in_the_data_root(strayed, own, tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(own, tmp_path / "data" / "gone.npz")
    assert main([*opener("reconstruct", strayed, tmp_path), "--data-root", str(tmp_path / "data")]) == 0


def test_a_run_resumed_on_moved_data_and_those_begun_with_it_know_where_it_is(strayed, own, tmp_path):
    for verb, folder in (("train --begin-with", tmp_path / "new"), ("train --resume", strayed)):
        assert main([*opener(verb, strayed, tmp_path), "--dataset", str(own)]) == 0
        config = json.loads((folder / "config.json").read_text())
        assert config["source"] == config["dataset"] == str(own)
        assert main(["reconstruct", str(folder), "--out", str(tmp_path / "a.png")]) == 0


@pytest.mark.parametrize("verb", ["evaluate", "train --resume", "train --encoders"])
@pytest.mark.parametrize(("names", "edge", "said"), [(("left", "top"), 32, "left (1×28×28) and top (1×32×32)"), (("left", "right"), 28, "left (1×28×28) and right (1×28×28)")],
                         ids=["other names", "other shapes"])
def test_data_of_other_modalities_is_refused(strayed, tmp_path, capsys, verb, names, edge, said):
    other = tmp_path / "other.npz"
    np.savez(other, **{name: np.full((20, side, side), 200, np.uint8) for name, side in zip(names, (28, edge))})
    before = (strayed / "config.json").read_text()
    message = failed(capsys, [*opener(verb, strayed, tmp_path), "--dataset", str(other)])
    assert message == f"mmvae: {other}: pairs of {said}; this model was trained on left (1×28×28) and right (1×32×32)"
    assert (strayed / "config.json").read_text() == before and not (tmp_path / "new").exists()


@pytest.mark.parametrize("verb", ["evaluate", "train --resume", "train --begin-with"])
def test_a_data_set_of_the_program_cannot_be_taken_for_ones_own(strayed, tmp_path, capsys, verb):
    message = failed(capsys, [*opener(verb, strayed, tmp_path), "--dataset", "digits"])
    assert message == f"mmvae: this model was trained on {tmp_path / 'gone.npz'}: --dataset says where a person's own pairs are now, digits cannot be taken instead"


def test_networks_are_exported_without_the_data(strayed, own, tmp_path, capsys):
    message = failed(capsys, ["export", str(strayed), "--out", str(tmp_path / "onnx")])
    assert "gone.npz, which is not there any more" in message and message.endswith("; without the pairs there is no codes.csv beside these files")
    written = {file.name for file in (tmp_path / "onnx").iterdir()}
    assert written == {f"{kind}_{name}.onnx" for kind in ("encoder", "decoder") for name in ("left", "right")} | {"config.json"}
    assert main(["export", str(strayed), "--dataset", str(own), "--out", str(tmp_path / "onnx")]) == 0
    assert {file.name for file in (tmp_path / "onnx").iterdir()} == {*written, "codes.csv"}


# ---- how a training ends, and figures


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_a_training_after_a_snapshot(own, tmp_path, number, status):
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "mmvae",
        "train",
        "--variant",
        "joint-poe",
        "--dataset",
        str(own),
        "--out",
        str(run),
        "--steps",
        "100000",
        "--batch-size",
        "2",
        "--snapshot",
        "100000",
    ]
    with subprocess.Popen(
        command, cwd=HOME, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        for line in process.stderr:
            if line.startswith("started"):
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == status
    assert out.strip() == str(run) and "--resume" in err and "Traceback" not in err
    assert json.loads((run / "events.jsonl").read_text().splitlines()[-1])["event"] == "stopped"
    assert (run / "state.safetensors").is_file()


@pytest.mark.parametrize("wait", [[], ["--wait"]], ids=["at once", "in turn"])
def test_a_training_that_was_asked_to_stop_says_so_and_is_no_success(run, tmp_path, capsys, monkeypatch, wait):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    asked = []
    monkeypatch.setattr("mmvae.turns.stop_asked", lambda path: bool(wait))
    monkeypatch.setattr("mmvae.training.stop_asked", lambda path: asked.append(path) or len(asked) == 2)
    assert main(["train", "--resume", "--out", str(folder), "--steps", "9", *wait]) == 130
    said = capsys.readouterr().err.splitlines()
    if wait:
        assert said == ["mmvae: stopped before its turn: nothing was trained"]
    else:
        assert said[-1] == f"mmvae: stopped; `python -m mmvae train --resume --out {folder} --steps 9` goes on"
    assert json.loads((folder / "events.jsonl").read_text().splitlines()[-1])["step"] == (3 if wait else 5)


@pytest.mark.parametrize(
    ("verb", "more", "name", "size"),
    [
        ("reconstruct", ["--items", "0", "1", "2"], "a.png", (2 + 3 * 66, 2 + 4 * 66)),
        ("reconstruct", ["--items", "5", "--given", "left"], "a.png", (2 + 66, 2 + 4 * 66)),
        ("generate", ["-n", "20"], "a.png", (2 + 16 * 66, 2 + 4 * 66)),
        ("translate", ["--items", "0", "1", "--samples", "3", "--to", "left"], "a.png", (2 + 6 * 130, 2 + 2 * 130)),
        ("translate", ["--items", "0", "1", "--style", "2", "3", "4", "5"], "a.png", (2 + 7 * 130, 2 + 3 * 130)),
        ("translate", ["--draw", "20408080", "--beside", "{run}"], "a.png", (2 + 11 * 130, 2 + 2 * 130)),
        ("translate", ["--items", "0", "1", "--swap", "--style", "2", "3", "4"], "a.png", (2 + 4 * 66, 2 + 3 * 58 + 8 + 2 + 3 * 66 + 8)),
    ],
)
def test_figures_have_a_place_for_every_picture(run, tmp_path, capsys, verb, more, name, size):
    assert main([verb, str(run), "--out", str(tmp_path / "deep" / name), *(text.format(run=run) for text in more)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "deep" / name)
    drawn = Image.open(tmp_path / "deep" / name).size
    if verb == "translate":  # beside and above its pictures stands what they are
        assert 0 < drawn[0] - size[0] < 400 and 0 < drawn[1] - size[1] < 100
    else:
        assert drawn == size


@pytest.mark.parametrize("verb", ["reconstruct", "generate", "translate", "traverse", "interpolate"])
def test_pictures_are_drawn_on_one_thread_as_the_pages_draw_them(run, tmp_path, verb, monkeypatch):
    seen, forward = [], torch.nn.Linear.forward
    monkeypatch.setattr(torch.nn.Linear, "forward", lambda *given: seen.append(torch.get_num_threads()) or forward(*given))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert main([verb, str(run), "--out", str(tmp_path / "a.png")]) == 0
        assert seen and set(seen) == {1} and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("verb", "more", "frames"),
    [("traverse", ["--frames", "5", "--range", "percentile"], 5), ("traverse", ["--frames", "1"], 1), ("interpolate", ["--steps", "3"], 4)],
)
def test_animations_have_as_many_frames_as_asked(run, tmp_path, verb, more, frames):
    assert main([verb, str(run), "--out", str(tmp_path / "a.gif"), *more]) == 0
    assert Image.open(tmp_path / "a.gif").n_frames == frames


def test_the_same_seed_draws_the_same_file(run, tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["generate", str(run), "-n", "2", "--seed", seed, "--out", str(tmp_path / f"{name}.png")]) == 0
    contents = [(tmp_path / f"{name}.png").read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_a_point_renders_to_a_picture_that_renders_to_itself(run, tmp_path, monkeypatch):
    from mmvae.checkpoints import digest, load
    from mmvae.explore import point_of, sample_codes

    monkeypatch.setattr("mmvae.checkpoints.catalogue", lambda: {"tiny": run})
    model = load(run)
    point = point_of("tiny", digest(run), model, sample_codes(model, 1, seed=4))
    assert main(["render", str(point), "--out", str(tmp_path / "a.png")]) == 0
    assert read_point(tmp_path / "a.png") == point
    assert main(["render", str(tmp_path / "a.png"), "--out", str(tmp_path / "b.png")]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_way_has_a_picture_a_step_from_one_end_to_the_other(run, tmp_path, capsys):
    def drawn(steps: int, name: str) -> Image.Image:
        command = ["interpolate", str(run), "--steps", str(steps), "--items", "0", "1", "--blocks", "z_shared", "--out", str(tmp_path / name)]
        assert main(command) == 0
        return Image.open(tmp_path / name)

    assert drawn(5, "b.png").width - drawn(4, "a.png").width == 66
    assert drawn(4, "a.gif").n_frames == 6  # there and back
    assert "a way has both of its ends" in failed(capsys, ["interpolate", str(run), "--steps", "1", "--out", str(tmp_path / "c.png")])


@pytest.mark.parametrize(("verb", "pairs", "more"), [("traverse", ["--item", "7"], ["--frames", "2"]), ("interpolate", ["--items", "7", "1"], ["--steps", "3"])])
def test_the_figures_of_commands_carry_the_point_they_start_from(run, tmp_path, monkeypatch, verb, pairs, more):
    monkeypatch.setattr("mmvae.checkpoints.catalogue", lambda: {"other": run})  # where two folders are called alike, the name is another
    for name in ("a.png", "a.gif"):
        assert main([verb, str(run), *pairs, *more, "--out", str(tmp_path / name)]) == 0
    point = read_point(tmp_path / "a.png")
    assert (point.checkpoint, point.digest, point.item, point.observed) == ("other", digest(run), 7, ("left", "right"))
    mean = encode(open_checkpoint(run).model, dataset(source_of(open_checkpoint(run).config)).items([7])[0])
    assert point.z == pytest.approx(torch.cat(list(mean.values()), 1)[0].tolist(), abs=1e-5)
    assert Image.open(tmp_path / "a.gif").info["comment"].decode() == str(point)


def test_a_traversal_starts_from_a_point_and_shows_the_pair_beside_its_own_code_alone(run, strayed, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mmvae.checkpoints.catalogue", lambda: {"tiny": run, "strayed": strayed})
    written = []
    write = Caption.write
    monkeypatch.setattr(Caption, "write", lambda caption, *given: written.append(caption.text + caption.rest) or write(caption, *given))

    def traversal(at: str, name: str = "b.png") -> tuple[bytes, str]:
        written.clear()
        assert main(["traverse", at, "--out", str(tmp_path / name)]) == 0
        return (tmp_path / name).read_bytes(), " ".join(written)

    assert main(["traverse", str(run), "--item", "7", "--out", str(tmp_path / "a.png")]) == 0
    (drawn, said), own = traversal(str(tmp_path / "a.png")), read_point(tmp_path / "a.png")
    assert drawn == (tmp_path / "a.png").read_bytes() and "pair 7 · observed: both" in said and "x pair" in said
    sample = replace(own, z=tuple(torch.cat(list(sample_codes(open_checkpoint(run).model, 1).values()), 1)[0].tolist()))
    drawn, said = traversal(str(sample))
    assert "moved or sampled code · picked pair 7" in said and "x code" in said and "x pair" not in said
    assert read_point(tmp_path / "b.png") == sample
    _, said = traversal(str(replace(own, checkpoint="strayed")))  # whose data is gone
    assert "(strayed) · picked pair 7" in said and "x code" in said
    assert "--item 3: a point says itself" in failed(capsys, ["traverse", str(sample), "--item", "3", "--out", str(tmp_path / "c.png")])


def test_a_translation_carries_the_command_that_draws_it(run, tmp_path):
    typed = ["translate", str(run), "--items", "7", "--out", str(tmp_path / "a b.png")]
    assert main(typed) == 0
    command = Image.open(tmp_path / "a b.png").text["mmvae:command"]
    assert shlex.split(command) == ["python", "-m", "mmvae", *typed]


def test_a_point_of_other_weights_or_another_checkpoint_is_refused(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mmvae.checkpoints.catalogue", lambda: {"tiny": run})
    assert "of other weights" in failed(capsys, ["render", "p1~tiny~00000000~~~~AAAAAA", "--out", str(tmp_path / "a.png")])
    assert "'gone', which is not here; there are tiny" in failed(
        capsys, ["render", "p1~gone~00000000~~~~AAAAAA", "--out", str(tmp_path / "a.png")]
    )
    assert "not a point" in failed(capsys, ["render", "nonsense", "--out", str(tmp_path / "a.png")])


def test_a_map_has_a_row_for_every_test_pair(run, tmp_path):
    assert main(["embed", str(run), "--method", "pca", "--block", "z_shared", "--out", str(tmp_path / "map.csv")]) == 0
    rows = (tmp_path / "map.csv").read_text().splitlines()
    assert rows[0] == "id,item,x,y,bright,kind" and len(rows) == 5
    data = dataset(source_of(open_checkpoint(run).config))
    for number, name, _, _, bright, _ in (row.split(",") for row in rows[1:]):
        assert name == f"scan {number}"
        assert bright == str(data.items([int(number)])[1]["bright"].numpy()[0])  # 0.3 and not 0.30000001192092896


def test_a_map_to_look_at_calls_the_items_by_their_names(run, tmp_path):
    assert main(["embed", str(run), "--method", "pca", "--out", str(tmp_path / "map.html")]) == 0
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "item %{customdata[1]}" in page and "scan " in page


@pytest.mark.parametrize("method, given", [("pca", []), ("tsne", []), ("pca", ["--given", "left"])])
def test_a_map_is_the_one_that_the_page_draws_of_the_same_choice(run, tmp_path, method, given):
    assert main(["embed", str(run), "--method", method, "--seed", "3", *given, "--out", str(tmp_path / "map.csv")]) == 0
    rows = [[line.split(",")[i] for i in (0, 2, 3)] for line in (tmp_path / "map.csv").read_text().splitlines()[1:]]
    checkpoint = open_checkpoint(run)
    source = given[1] if given else "pair"
    choice = Choice(source_blocks(checkpoint.model, source), source, count=5000, seed=3)
    job = Job(checkpoint.model, dataset(source_of(checkpoint.config)), "", choice, PCA() if method == "pca" else TSNE(seed=3), tmp_path)
    job.run()
    assert [int(row[0]) for row in rows] == job.codes.ids.tolist()
    assert np.allclose([[float(v) for v in row[1:]] for row in rows], job.embedding.positions, atol=1e-4)


def test_the_first_map_is_kept_beside_the_weights_it_was_made_by(run, tmp_path, capsys):
    kept = tmp_path / "kept"
    shutil.copytree(run, kept)
    assert main(["map", str(kept)]) == 0
    file = Path(capsys.readouterr().out.split("  ")[0])
    assert file.parent == kept / "maps" and file.stat().st_size < 60_000
    ((choice, params),) = maps_in(kept, digest(kept))
    assert choice.blocks == ("z_shared",) and params.method == "umap"


def test_shipping_halves_the_weights_and_leaves_the_state_behind(run, tmp_path):
    assert main(["ship", str(run), "--out", str(tmp_path / "shipped")]) == 0
    assert {file.name for file in (tmp_path / "shipped").iterdir()} == {"config.json", "events.jsonl", "weights.safetensors", "statistics.json"}
    assert (tmp_path / "shipped" / "weights.safetensors").stat().st_size < 0.6 * (run / "weights.safetensors").stat().st_size


def test_a_card_is_not_left_beside_other_weights_that_are_shipped_over_its_own(run, tmp_path):
    shipped, other = tmp_path / "shipped", tmp_path / "other"
    shutil.copytree(run, other)
    for name, measured in ((run, False), (run, True), (other, False)):
        if name == other:
            assert main(["train", "--resume", "--out", str(other), "--steps", "4"]) == 0
        assert main(["ship", str(name), "--out", str(shipped)]) == 0
        assert (shipped / "card.json").is_file() == measured
        (shipped / "card.json").write_text("{}")


@pytest.mark.parametrize(("out", "said"), [("run", "written over itself"), ("link", "written over itself"), ("other", "there is a run")])
def test_a_run_is_not_shipped_over_itself_or_another(run, tmp_path, capsys, out, said):
    for name in ("run", "other"):
        shutil.copytree(run, tmp_path / name)
    (tmp_path / "link").symlink_to("run")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert said in failed(capsys, ["ship", str(tmp_path / "run"), "--out", str(tmp_path / out)])
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_a_shipped_checkpoint_tells_how_it_was_trained(run, tmp_path):
    assert main(["ship", str(run), "--out", str(tmp_path / "shipped")]) == 0
    record = json.loads((tmp_path / "shipped" / "config.json").read_text())["trained"]
    whole, kept = ([json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()] for folder in (run, tmp_path / "shipped"))
    assert record["steps"] == 3 and record["seconds"] >= 0 and record["device"] in ("cpu", "cuda") and record["processor"]
    for kind in ("step", "validation"):
        was, now = ({event["step"]: event["total"] for event in told if event["event"] == kind} for told in (whole, kept))
        assert now == pytest.approx(was, rel=1e-3) and was


def test_the_best_validated_weights_can_be_shipped(run, tmp_path):
    best = tmp_path / "run"
    shutil.copytree(run, best)
    worse = {"step": 4, "steps": 4, "seconds": 9.0}
    with open(best / "events.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps(worse | more) + "\n" for more in ({"event": "validation", "total": 1e9}, {"event": "snapshot"}))
    tensors = load_file(best / "weights.safetensors")
    save_file({name: torch.zeros_like(tensor) for name, tensor in tensors.items()}, best / "weights.safetensors")
    for which, steps in (("last", 4), ("best", 3)):
        assert main(["ship", str(best), "--weights", which, "--out", str(tmp_path / which)]) == 0
        assert json.loads((tmp_path / which / "config.json").read_text())["trained"]["steps"] == steps
        weights = open_checkpoint(tmp_path / which).model.state_dict().values()
        assert any(tensor.any() for tensor in weights) == (which == "best")


def test_readers_are_trained_into_any_folder_and_their_accuracy_is_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mmvae.cli.dataset", lambda name, root: TinyPairs())
    assert main(["readers", "--dataset", "digits", "--steps", "1", "--out", str(tmp_path / "mine"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == open_readers(tmp_path / "mine").accuracy


def test_readers_without_a_folder_are_written_into_the_home_folder_and_found_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mmvae.cli.dataset", lambda name, root: TinyPairs())
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    assert main(["readers", "--dataset", "digits", "--steps", "1", "--json"]) == 0
    accuracy = json.loads(capsys.readouterr().out)
    assert open_readers(tmp_path / "checkpoints" / "readers" / "digits").accuracy == readers_for("digits").accuracy == accuracy


def test_readers_of_own_pairs_judge_what_a_model_of_them_draws_until_the_pairs_change(own, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path / "home"))
    file = tmp_path / "own.npz"
    arrays = dict(np.load(own))
    np.savez(file, **arrays, **{"per.cent": arrays["bright"] * 100, "type": np.arange(40) % 4})
    small = ["--steps", "1", "--batch-size", "4", "--shared", "3", "--out", str(tmp_path / "run")]
    assert main(["train", "--variant", "joint-poe", "--dataset", str(file), *small]) == 0
    assert main(["readers", "--dataset", str(file), "--steps", "3"]) == 0
    assert "on 4 test pairs:" in capsys.readouterr().out
    accuracy = readers_for(str(file)).accuracy
    assert list(accuracy["left"]) == ["bright", "kind", "per.cent", "type"]
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["readers"] == accuracy
    assert card["figures"]["cross_coherence/left→right/kind"]["reference"] == accuracy["right"]["kind"]["accuracy"]
    assert card["figures"]["preserved_error/right→left/bright"]["value"] >= 0
    os.utime(file, ns=(0, 0))
    assert readers_for(str(file)) is None
    file.unlink()
    assert readers_for(str(file)).accuracy == accuracy  # what it drew can still be read where the pairs are not


def test_the_fewest_own_pairs_can_be_trained_on_and_measured(tmp_path, capsys):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (FEWEST, 28, 28), dtype=np.uint8)
    angle, kind = rng.random(FEWEST), np.array(["cup", "jug"] * (FEWEST // 2))
    np.savez(tmp_path / "few.npz", left=images, right=255 - images, angle=angle, kind=kind)
    small = ["--steps", "1", "--batch-size", "4", "--out", str(tmp_path / "run")]
    assert main(["train", "--variant", "mumo", "--dataset", str(tmp_path / "few.npz"), *small]) == 0
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    said = capsys.readouterr()
    assert "mumo on few: 2 test pairs" in said.out and "What each block knows of each factor" in said.out
    assert "accuracy above chance):" in said.out and "(0.00)" not in said.out and "(1.00)" not in said.out  # nobody says whose the factors are
    assert f"`python -m mmvae readers --dataset {tmp_path / 'few.npz'}` trains what reads it" in said.err


def test_evaluation_prints_the_card_as_json(run, capsys):
    assert main(["evaluate", str(run), "--pairs", "40", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["variant"] == "dmvae" and card["figures"]["elbo"]["value"] < 0
    assert card == json.loads((run / "card.json").read_text())


def test_an_evaluation_whose_weights_are_replaced_meanwhile_leaves_no_card(run, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    model = load(folder)
    write = evaluation.write_json

    def trained_on(file, card):
        with torch.no_grad():
            next(model.parameters()).add_(1)
        replace_weights(folder, model)
        write(file, card)

    monkeypatch.setattr(evaluation, "write_json", trained_on)
    assert main(["evaluate", str(folder), "--pairs", "40", "--again"]) == 1
    assert "replaced the weights while they were measured" in capsys.readouterr().err
    assert not (folder / "card.json").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": None}, '"training" is null'),
        ({"training": {"steps": "many"}}, "expected a whole number"),
        ({"dataset": None, "source": None}, "no data set to train on"),
        ({"blocks": 3}, "config.json"),
    ],
)
def test_resuming_a_run_damaged_by_hand_fails_with_one_line(run, tmp_path, capsys, change, said):
    config = json.loads((run / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert said in failed(capsys, ["train", "--resume", "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generate", "{tmp}/nowhere", "--out", "{tmp}/a.png"], "no checkpoint"),
        (["generate", "{tmp}", "--out", "{tmp}/a.png"], "no config.json in it"),
        (["generate", "{run}", "--out", "{tmp}/a.txt"], "ends in .png"),
        (["reconstruct", "{run}", "--out", "{tmp}/a.gif"], "ends in .png"),
        (["translate", "{run}", "--out", "{tmp}/a.gif"], "ends in .png"),
        (["evaluate", "{run}", "--pairs", "1"], "of two at least"),
        (["traverse", "{run}", "--item", "99", "--out", "{tmp}/a.gif"], "item 99"),
        (["translate", "{run}", "--to", "middle", "--out", "{tmp}/a.png"], "no modality 'middle'; this model has left and right"),
        (["translate", "{run}", "--swap", "--out", "{tmp}/a.png"], "--swap needs pairs or pictures"),
        (["reconstruct", "{run}", "--given", "middle", "--out", "{tmp}/a.png"], "no modality 'middle'"),
        (["interpolate", "{run}", "--blocks", "z_middle", "--out", "{tmp}/a.png"], "no block 'z_middle'"),
        (["embed", "{run}", "--block", "z_middle", "--out", "{tmp}/a.csv"], "no block 'z_middle'"),
        (["train", "--resume"], "--out DIR"),
        (["train", "--resume", "--out", "{tmp}", "--steps", "9", "--batch-size", "4"], "--batch-size cannot be said"),
        (["train", "--resume", "--out", "{tmp}", "--no-augment"], "--augment cannot be said"),
        (["train", "--resume", "--out", "{tmp}"], "holds no run"),
        (["train", "--variant", "mumo"], "--dataset"),
        (["train", "--variant", "mvae", "--dataset", "faces", "--private", "1", "1"], "MVAE has no private blocks"),
        (["train", "--variant", "mumo", "--dataset", "nothing"], "no data set 'nothing'"),
        (["train", "--variant", "mumo", "--dataset", "faces", "--learning-rate", "-1"], "learning rate"),
        (["datasets", "--download", "mnist-svhn", "--data-root", "{tmp}/file/data"], "file"),
        (["bench", "nothing"], "nothing called 'nothing'"),
        (["readers", "--dataset", "nothing"], "no data set 'nothing'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, tmp_path, capsys, arguments, said):
    (tmp_path / "file").write_text("in the way of a folder")
    assert said in failed(capsys, [text.format(run=run, tmp=tmp_path) for text in arguments])


@pytest.mark.parametrize("wait", [[], ["--wait"]], ids=["at once", "in turn"])
def test_a_training_on_no_data_set_leaves_no_run_behind(tmp_path, capsys, monkeypatch, wait):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    run = tmp_path / "runs" / "mine"
    train = ["train", "--variant", "dmvae", "--dataset", "nothing", "--out", str(run), *wait]
    assert "no data set 'nothing'" in failed(capsys, train)
    assert not run.exists()
    runs.check_name("mine")
    run.mkdir(parents=True)
    (run / "notes.txt").write_text("a person's")
    assert "no data set 'nothing'" in failed(capsys, train)
    assert [file.name for file in run.iterdir()] == ["notes.txt"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without an accelerator")
def test_a_training_for_a_device_that_is_not_there_leaves_no_run_behind(own, tmp_path, capsys):
    arguments = ["train", "--variant", "joint-poe", "--dataset", str(own), "--out", str(tmp_path / "run"), "--device", "cuda"]
    assert "take cpu or auto" in failed(capsys, arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--steps", "many"], "argument --steps: 'many' is no whole number"),
        (["train", "--seed", str(2**63)], "argument --seed: 9223372036854775808 is larger than 9223372036854775807"),
        (["reconstruct", "some", "--out", "a.png", "--items", "99999999999999999999"], "argument --items: 99999999999999999999 is larger"),
    ],
)
def test_what_is_no_number_is_told_in_words(capsys, arguments, said):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_progress_without_a_terminal_is_plain_lines(capsys):
    progress = Progress("steps")
    for done in range(1, 11):
        progress.show(done, 10, "loss 3.0")
    progress.close()
    assert capsys.readouterr().err.splitlines() == ["1 of 10 steps  loss 3.0", "10 of 10 steps  loss 3.0"]


def test_progress_in_a_terminal_redraws_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = Progress("steps")
    progress.show(5, 10)
    progress.line("step 5: validation 1.00")
    progress.show(10, 10)
    progress.close()
    text = capsys.readouterr().err
    assert text.count("\n") == 2 and "\r" in text and f"{'█' * 24} 10 of 10 steps\n" in text


def test_a_checkpoint_without_the_state_of_its_training_cannot_be_resumed_and_stays_as_it_was(run, tmp_path, capsys):
    shared = tmp_path / "shared"
    assert main(["ship", str(run), "--out", str(shared)]) == 0
    before = sorted(file.name for file in shared.iterdir())
    capsys.readouterr()
    assert main(["train", "--resume", "--out", str(shared)]) == 1
    assert "cannot be resumed; `python -m mmvae train --begin-with" in capsys.readouterr().err
    assert sorted(file.name for file in shared.iterdir()) == before


@pytest.mark.parametrize("verb", [["reconstruct", "--items", "0", "1"], ["generate", "-n", "2", "--seed", "3"]])
def test_pictures_of_several_points_carry_the_command_that_draws_them(run, tmp_path, capsys, verb):
    file = tmp_path / "drawn.png"
    name, *options = verb
    assert main([name, str(run), *options, "--out", str(file)]) == 0
    with Image.open(file) as picture:
        command = picture.info["mmvae:command"]
    assert command.startswith(f"python -m mmvae {name} ") and all(option in command for option in options)
    capsys.readouterr()
    assert main(["render", str(file), "--out", str(tmp_path / "again.png")]) == 1
    assert "this picture is of no single point; what draws it is: python -m mmvae" in capsys.readouterr().err


def test_of_several_input_files_the_one_that_cannot_be_read_is_named(run, tmp_path, capsys):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("L", (28, 28), 200).save(good)
    bad.write_text("no picture")
    assert main(["translate", str(run), "--input", str(good), str(bad), "--out", str(tmp_path / "drawn.png")]) == 1
    assert f"{bad}: not a picture" in capsys.readouterr().err


def test_results_of_a_home_without_models_say_where_they_looked(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    assert main(["results"]) == 1
    assert f"no measured model in {tmp_path}" in capsys.readouterr().err


def test_pairs_are_listed_with_their_ids_and_factors(own, capsys):
    assert main(["items", str(own), "--split", "train", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 20 and list(listed[0]) == ["id", "item", "bright", "kind"] and listed[0]["item"] == f"scan {listed[0]['id']}"
    assert main(["items", str(own), "--split", "train", "--where", "kind=1", "-n", "3"]) == 0
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head == ["id", "item", "bright", "kind"] and len(rows) == 3 and all(row[-1] == "1" for row in rows)
    one = listed[4]
    assert main(["items", str(own), "--split", "train", "--where", f"bright={one['bright']}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [one]
    for where, said in ((["size=3"], "has no such factor; it has bright, kind"), (["kind=7"], "no test pair of"), (["bright=pale"], "no test pair of")):
        assert main(["items", str(own), "--where", *where]) == 1
        assert said in capsys.readouterr().err

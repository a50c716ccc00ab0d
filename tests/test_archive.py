"""A checkpoint travels as one file; a file that is none, or more than that, adds nothing."""

import errno
import io
import json
import os
import zipfile

import pytest

from mmvae import archive
from mmvae.checkpoints import CheckpointError, catalogue, config_of, open_checkpoint, save
from mmvae.data import DATASETS
from mmvae.runs import check_name
from tests.tiny import tiny_model


@pytest.fixture
def folder(tmp_path):
    model = tiny_model("mumo")
    save(tmp_path / "runs" / "mine", model, config_of(model, {}), {"items": 0, "blocks": {}})
    (tmp_path / "runs" / "mine" / "events.jsonl").write_text('{"event": "snapshot", "step": 1, "steps": 1, "seconds": 2.0}\n')
    (tmp_path / "runs" / "mine" / "state.safetensors").write_bytes(b"what resuming needs")
    return tmp_path / "runs" / "mine"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def zipped(method=zipfile.ZIP_STORED, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return buffer.getvalue()


def files_below(home):
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_what_is_packed_unpacks_to_the_same_model(folder, home):
    name = archive.unpack(archive.pack(folder), "mine.zip", home)
    opened, original = open_checkpoint(catalogue(home)[name]), open_checkpoint(folder)
    assert name == "mine"
    assert opened.config == original.config and opened.statistics == original.statistics
    assert all((value == original.model.state_dict()[key]).all() for key, value in opened.model.state_dict().items())


def test_only_a_checkpoints_own_files_are_packed_and_unpacked(folder, home):
    with zipfile.ZipFile(io.BytesIO(archive.pack(folder))) as file:
        assert sorted(file.namelist()) == ["mine/config.json", "mine/events.jsonl", "mine/statistics.json", "mine/weights.safetensors"]
        content = {f"x/{name.split('/')[1]}": file.read(name) for name in file.namelist()}
    name = archive.unpack(zipped(**content, **{"x/run.sh": b"rm -rf", "x/../../escaped": b"out", "/etc/absolute": b"out", "notes.txt": b""}), "x.zip", home)
    assert files_below(home.parent / "home") == [f"uploads/{name}/{file}" for file in ("config.json", "events.jsonl", "statistics.json", "weights.safetensors")]


def test_a_name_that_is_taken_gets_a_number_and_strange_characters_go(folder, home):
    packed = archive.pack(folder)
    assert [archive.unpack(packed, "../my model!.zip", home) for _ in range(3)] == ["my-model", "my-model-2", "my-model-3"]
    assert archive.unpack(packed, "Rev.1_a-b.zip", home) == "Rev.1_a-b" and archive.unpack(packed, "..dots..zip", home) == "dots"


def test_a_file_at_the_top_of_the_zip_is_found_too(folder, home):
    content = {name: (folder / name).read_bytes() for name in ("config.json", "weights.safetensors")}
    assert archive.unpack(zipped(**content), "top.zip", home) == "top"


@pytest.mark.parametrize(("content", "complaint"), [
    (b"not a zip", "not a zip that can be read"),
    (zipped(**{"readme.txt": b""}), "found none"),
    (zipped(**{"a/config.json": b"{}", "b/config.json": b"{}"}), "found 2 of them"),
    (zipped(**{"config.json": b"[]"}), "expected a JSON object"),
    (zipped(**{"config.json": b'{"schema": 99}'}), "schema version 99"),
])
def test_what_is_no_checkpoint_gets_one_line_and_leaves_nothing(content, complaint, home):
    with pytest.raises(CheckpointError, match=complaint) as error:
        archive.unpack(content, "bad.zip", home)
    assert str(error.value).startswith("bad.zip") and "\n" not in str(error.value) and str(home) not in str(error.value)
    assert files_below(home) == []


def test_a_damaged_zip_gets_one_line(folder, home):
    packed = bytearray(archive.pack(folder))
    packed[len(packed) // 2] ^= 0xFF  # in the midst of the weights
    with pytest.raises(CheckpointError, match="not a zip that can be read|not finite"):
        archive.unpack(bytes(packed), "damaged.zip", home)
    assert files_below(home) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_where_nothing_can_be_written_one_line_says_so_and_calls_no_zip_bad(folder, home, monkeypatch, code):
    packed = archive.pack(folder)

    def full(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("mmvae.archive._copy" if code == errno.ENOSPC else "pathlib.Path.mkdir", full)
    with pytest.raises(CheckpointError) as error:
        archive.unpack(packed, "mine.zip", home)
    assert str(error.value) == f"mine.zip cannot be added: nothing can be written to {home / 'uploads'} ({os.strerror(code)})"


def test_weights_of_another_model_are_refused(folder, home):
    config = json.loads((folder / "config.json").read_text())
    config["blocks"][1]["dim"] += 1
    content = {"config.json": json.dumps(config).encode(), "weights.safetensors": (folder / "weights.safetensors").read_bytes()}
    with pytest.raises(CheckpointError, match="the configuration needs"):
        archive.unpack(zipped(**content), "other.zip", home)
    assert files_below(home) == []


def test_a_file_that_swells_beyond_its_limit_is_stopped(home, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", b" " * (3 << 20))
    assert len(buffer.getvalue()) < 10_000
    with pytest.raises(CheckpointError, match="unpacks to more than 1 MB"):
        archive.unpack(buffer.getvalue(), "bomb.zip", home)
    assert files_below(home) == []


def changed(folder, **entries) -> bytes:
    """The zip of a checkpoint whose configuration says something else."""
    config = json.loads((folder / "config.json").read_text()) | entries
    return zipped(**{"config.json": json.dumps(config).encode(), "weights.safetensors": (folder / "weights.safetensors").read_bytes()})


def test_a_stranger_does_not_say_which_file_of_this_machine_is_read(folder, home):
    for path in ("/home/someone/pairs.npz", "C:\\data\\pairs.npz"):
        name = archive.unpack(changed(folder, source=path, dataset=path), "own.zip", home)
        config = open_checkpoint(catalogue(home)[name]).config
        assert config["dataset"] == "own pairs" and "source" not in config
    name = archive.unpack(changed(folder, source="/etc", dataset=None), "none.zip", home)
    config = open_checkpoint(catalogue(home)[name]).config
    assert config["dataset"] is None and "source" not in config
    assert config["dataset"] not in DATASETS


@pytest.mark.parametrize(("entries", "complaint"), [({"source": [1]}, "no name"), ({"dataset": ["faces"]}, "no name"), ({"trained": 3}, "expected an object")])
def test_what_says_of_itself_what_it_should_not_is_refused(folder, home, entries, complaint):
    with pytest.raises(CheckpointError, match=complaint) as error:
        archive.unpack(changed(folder, **entries), "odd.zip", home)
    assert str(error.value).startswith("odd.zip") and "\n" not in str(error.value)
    assert files_below(home) == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_in_another_way_is_refused_before_it_is_unpacked(folder, home, method):
    packed = bytearray(zipped(method, **{name: (folder / name).read_bytes() for name in ("config.json", "weights.safetensors")}))
    packed[60] ^= 0xFF  # its unpacker has errors of its own
    with pytest.raises(CheckpointError, match="compressed in another way") as error:
        archive.unpack(bytes(packed), "odd.zip", home)
    assert str(error.value).startswith("odd.zip") and files_below(home) == []


@pytest.mark.parametrize("given", ["_hidden.zip", "-.zip", f"{'long' * 40}.zip", "___.zip", "con.zip", f"{'x' * 49}.y.zip"])
def test_an_unpacked_checkpoint_has_a_name_that_a_run_can_have(folder, home, given):
    for _ in range(2):
        check_name(archive.unpack(archive.pack(folder), given, home))

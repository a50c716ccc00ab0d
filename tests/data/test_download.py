"""Downloads are tried against a server on this machine that can lie, break off and be away."""

import gzip
import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mmvae.data import DataError, mnist_svhn
from mmvae.data.download import fetch

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes
MD5 = hashlib.md5(CONTENT).hexdigest()


class Files(BaseHTTPRequestHandler):
    """/good answers ranges too; /broken promises everything and sends half; /other sends another file of the same
    size; /endless does not say how much is to come."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        if self.path == "/missing":
            return self.send_error(404)
        content = CONTENT[::-1] if self.path == "/other" else CONTENT
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if self.path == "/good" else 0
        self.send_response(206 if start else 200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : len(content) // 2 if self.path == "/broken" else None])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.asked, server.url = [], f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_good_file_arrives_whole_and_progress_counts_to_the_end(server, tmp_path):
    seen = []
    path = tmp_path / "deep" / "file"
    fetch([server.url + "/good"], path, md5=MD5, size=len(CONTENT), progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen == sorted(seen) and seen[-1] == (len(CONTENT), len(CONTENT)) and len(seen) > 1
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    fetch([server.url + "/good"], tmp_path / "file", md5=MD5)
    assert (tmp_path / "file").read_bytes() == b"mine" and not server.asked


def test_another_file_is_refused_and_leaves_nothing(server, tmp_path):
    with pytest.raises(DataError, match=rf"file was not downloaded: 127\.0\.0\.1:\d+ sent another file .*expected {MD5}"):
        fetch([server.url + "/other"], tmp_path / "file", md5=MD5, size=len(CONTENT))
    assert not list(tmp_path.glob("[!.]*"))


def test_a_broken_connection_is_an_error_and_the_next_call_continues(server, tmp_path):
    with pytest.raises(DataError, match="broke off .512,000 of 1,024,000 bytes came"):
        fetch([server.url + "/broken"], tmp_path / "file", md5=MD5, size=len(CONTENT))
    assert not (tmp_path / "file").exists() and (tmp_path / "file.part").stat().st_size == 512_000
    assert fetch([server.url + "/good"], tmp_path / "file", md5=MD5, size=len(CONTENT)).read_bytes() == CONTENT
    assert server.asked[-1] == ("/good", "bytes=512000-")


def test_a_server_that_cannot_continue_sends_all_of_it(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    with pytest.raises(DataError, match="512,000 of"):  # /broken ignores the range, so the 1,000 bytes are not added to
        fetch([server.url + "/broken"], tmp_path / "file", md5=MD5)
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:512_000]


@pytest.mark.parametrize(("path", "message"), [
    ("/good", "offers another file .1,024,000 bytes, expected 1,000"),
    ("/endless", "sent another file"),
])
def test_a_longer_answer_than_expected_is_refused_before_it_fills_the_disk(server, tmp_path, path, message):
    with pytest.raises(DataError, match=message):
        fetch([server.url + path], tmp_path / "file", md5=MD5, size=1000)
    assert not list(tmp_path.glob("[!.]*"))


def test_the_second_place_is_asked_where_the_first_has_no_such_file(server, tmp_path):
    fetch([server.url + "/missing", server.url + "/good"], tmp_path / "file", md5=MD5)
    assert [path for path, _ in server.asked] == ["/missing", "/good"]
    with pytest.raises(DataError, match="answered 404"):
        fetch([server.url + "/missing"], tmp_path / "other", md5=MD5)


def test_no_network_is_one_line_that_names_the_host_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(DataError) as caught:
        fetch([f"http://127.0.0.1:{port}/file"], tmp_path / "file", md5=MD5)
    message = str(caught.value)
    assert f"127.0.0.1:{port}" in message and "check the network" in message and str(tmp_path) in message and "\n" not in message


def test_two_that_fetch_one_file_at_the_same_time_do_not_write_into_each_other(server, tmp_path):
    refused = []

    def meanwhile(done, total):
        if not refused:
            with pytest.raises(DataError, match="^file is being downloaded already, by another page or process; wait until that ends$") as caught:
                fetch([server.url + "/good"], tmp_path / "file", md5=MD5)
            refused.append(caught)

    fetch([server.url + "/good"], tmp_path / "file", md5=MD5, progress=meanwhile)
    assert refused and (tmp_path / "file").read_bytes() == CONTENT and len(server.asked) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_no_fault_of_the_network(server, tmp_path):
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(DataError) as caught:
        fetch([server.url + "/good", server.url + "/good"], tmp_path / "file", md5=MD5)
    message = str(caught.value)
    assert message.startswith(f"file was not downloaded: it could not be written in {tmp_path} (") and "No space left" in message
    assert "network" not in message and "127.0.0.1" not in message and len(server.asked) == 1


def test_downloading_fetches_only_what_is_missing_and_counts_all_of_it(tmp_path, monkeypatch):
    fetched = []

    def served(urls, path, *, md5, size, progress):
        fetched.append((urls[0].rsplit("/", 1)[1], md5))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(b"digits") if path.suffix == ".gz" else b"photos")
        progress(size, size)

    monkeypatch.setattr(mnist_svhn, "fetch", served)
    (tmp_path / "test_32x32.mat").write_bytes(b"there")
    seen = []
    mnist_svhn.download(tmp_path, lambda done, total: seen.append((done, total)))
    assert {name for name, _ in fetched} == set(mnist_svhn.SIZES) - {"test_32x32.mat"}
    assert all(len(md5) == 32 for _, md5 in fetched)
    total = sum(size for name, size in mnist_svhn.SIZES.items() if name != "test_32x32.mat")
    assert seen[-1] == (total, total) and seen == sorted(seen)
    assert sorted(path.name for path in (tmp_path / "MNIST" / "raw").iterdir()) == sorted(mnist_svhn.MNIST_FILES)
    assert (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").read_bytes() == b"digits"

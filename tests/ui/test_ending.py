"""The server ends when it is told to, whatever is being computed for its pages."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 90
#: The app with three maps that take for ever, two of them under way and one queued, and with answers that never come.
PROGRAM = """
import sys, time
import app
from ui import exports, map_panel


class Endless:
    data, ended, state, codes = None, False, "placing", "known"

    def __init__(self, key, deaf):
        self.key, self.deaf, self.cancelled = key, deaf, False

    def run(self):
        while self.deaf or not self.cancelled:
            time.sleep(0.01)

    def cancel(self):
        self.cancelled = True


for key in "abc":
    map_panel._jobs.begin(Endless(key, sys.argv[2] == "deaf"))
map_panel._measured = exports.make = lambda *asked: time.sleep(600)
app.app.run(config={"server.address": "127.0.0.1", "server.port": int(sys.argv[1]), "server.headless": True})
"""


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
@pytest.mark.parametrize(("told", "maps"), [(signal.SIGINT, "stop when told"), (signal.SIGINT, "deaf"), (signal.SIGTERM, "stop when told")], ids=str)
def test_a_server_ends_though_maps_are_computed_and_more_are_queued(tmp_path, told, maps):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port), maps], cwd=ROOT, stdout=log, stderr=log,
                                  env=os.environ | {"MMVAE_HOME": str(tmp_path), "MMVAE_DATA": str(tmp_path)})
        try:
            answers(port, server)
            asked = [ThreadPoolExecutor(1).submit(status, f"http://127.0.0.1:{port}{path}") for path in ("/maps/a/figures", "/live/export")]
            time.sleep(1)
            assert not any(each.done() for each in asked)
            server.send_signal(told)
            # by the signal, or of itself where the shell has it ignore interrupts; after two seconds on a machine at rest
            assert server.wait(timeout=15) in (-told, 0)
            assert [each.result() for each in asked] == [503, 503]
        finally:
            server.kill()
            server.wait()


def status(address: str) -> int:
    try:
        return urllib.request.urlopen(address, timeout=60).status
    except urllib.error.HTTPError as refused:
        return refused.code


def answers(port: int, server: subprocess.Popen) -> None:
    """Waits until the server answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")

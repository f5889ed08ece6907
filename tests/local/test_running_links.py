"""Links of this user are found and stopped, and files of dead ones are not believed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.running_links import registered, running_links, stop_links

LINK = """
import signal, sys, time
from cli.console import stop_on_signals
from local.running_links import registered
stop_on_signals()
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with registered({"transmitter": "127.0.0.1:1"}):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def start(kind: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", LINK, kind], stdout=subprocess.PIPE, encoding="utf-8")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize(("kind", "seconds", "status"), [("hearing", 30, 143), ("deaf", 0.2, -signal.SIGKILL)])
def test_a_link_is_found_and_stopped(tmp_path: Path, kind: str, seconds: float, status: int) -> None:
    process = start(kind)
    found = stop_links(seconds)
    assert [link.pid for link in found] == [process.pid]
    assert found[0].addresses == {"transmitter": "127.0.0.1:1"}
    assert process.wait(30) == status
    assert stop_links(seconds) == []
    assert not list((tmp_path / "semlink").iterdir())


def test_the_file_of_a_dead_link_is_removed(tmp_path: Path) -> None:
    with registered({}):
        assert [link.pid for link in running_links()] == [os.getpid()]
    (tmp_path / "semlink" / "1.json").write_text('{"pid": 1, "addresses": {}}', encoding="utf-8")
    assert running_links() == []
    assert not (tmp_path / "semlink" / "1.json").exists()


def test_a_signal_whose_exception_python_drops_still_stops_a_wait() -> None:
    code = (
        "import os, signal, weakref; from cli.console import stop_if_told, stop_on_signals; stop_on_signals();"
        "kept = {1}.__class__(); ref = weakref.ref(kept, lambda _: signal.raise_signal(signal.SIGTERM)); del kept;"
        "print('dropped'); stop_if_told(); print('still here')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert run.stdout == "dropped\n"
    assert run.returncode == 128 + signal.SIGTERM


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from cli.console import stop_on_signals;"
        "stop_on_signals(); signal.raise_signal(signal.SIGHUP); print('still here')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert run.stdout == "still here\n"

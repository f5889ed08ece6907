"""A real Milvus server of the package `milvus`, which lives in a virtual environment of its own.

Run by that environment's Python with a folder, this file starts the server and ends when it is told to, or when whoever
started it is gone. `MilvusProcess` is the side of the tests.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Self

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = ROOT / ".venv-milvus"
_START_SECONDS = 180.0


class MilvusProcess:
    """The server, its files in `folder`. `uri` is for pymilvus."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[str] | None = None
        self.pid = 0

    @property
    def uri(self) -> str:
        """Where it listens; the same after a restart."""
        return f"http://127.0.0.1:{self._ports['proxy_port']}"

    def start(self) -> Self:
        """Start it, on the ports that it had before, and wait until it is ready."""
        python = ENVIRONMENT / "bin" / "python"
        command = [str(python), __file__, str(self._folder), json.dumps(self._ports)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the Milvus server did not start; its log is in {self._folder / 'logs'}")
        about = json.loads(line)
        self.pid, self._ports = about["pid"], about["ports"]
        return self

    def kill(self) -> None:
        """Kill it as a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def freeze(self) -> None:
        """Let it hang: it accepts connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """End that."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it, with whatever holds it."""
        if self._process is not None:
            assert self._process.stdin is not None
            with suppress(OSError):
                self._process.stdin.close()
            self._process.wait(60)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


def require_milvus() -> None:
    """Make the server's environment if there is none; skip where the package cannot be had."""
    import pytest  # noqa: PLC0415 - the server's environment has none

    if not (ENVIRONMENT / "bin" / "milvus-server").exists():
        made = subprocess.run(
            ["make", "milvus-server", f"PYTHON={sys.executable}"],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if made.returncode:
            reason = (made.stderr or made.stdout).strip().splitlines()[-1:]
            pytest.skip(f"no Milvus server: `make milvus-server` failed: {' '.join(reason)}")


def _serve(folder: Path, ports: dict[str, int]) -> None:
    """Run the server until standard input ends."""
    from milvus import MilvusServer, MilvusServerConfig  # noqa: PLC0415 # type: ignore[import-not-found]

    shared = ENVIRONMENT / "server"  # unpacked once, 17 s
    for place in (folder, shared):
        place.mkdir(parents=True, exist_ok=True)
    if not (folder / "bin").exists():
        (shared / "bin").mkdir(exist_ok=True)
        (folder / "bin").symlink_to(shared / "bin")
    config = MilvusServerConfig(data_dir=str(folder), **ports)
    config.try_bind_port = _bound  # its own cannot have a port again that was in use a moment ago
    server = MilvusServer(config, wait_for_started=False)
    server.start()
    pid = server.server_proc.pid
    try:
        _wait_until_ready(server.webservice_port, server.server_proc, folder)
        kept = {key: row[1] for key, row in config.configurable_items.items() if key.endswith("_port")}
        print(json.dumps({"pid": pid, "ports": kept}), flush=True)
        sys.stdin.read()
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        server.server_proc.wait()


def _bound(port: int) -> socket.socket | None:
    """A socket that listens on a port, or None where it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))  # with SO_REUSEADDR
    except OSError:
        return None


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    health = f"http://127.0.0.1:{port}/healthz"
    end = monotonic() + _START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while monotonic() < end:
        if process.poll() is not None:  # its etcd always takes port 2380 for peers
            raise RuntimeError(f"it ended at once; is there another Milvus on this machine? See {folder / 'logs'}")
        with suppress(OSError), opener.open(health, timeout=5) as answer:
            if b"OK" in answer.read():
                return
        sleep(0.2)
    raise TimeoutError(f"no answer at {health} after {_START_SECONDS:.0f} s")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), json.loads(sys.argv[2]))

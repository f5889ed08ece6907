"""The processes of `evaluate --jobs N` end with the one that started them."""

import signal
import subprocess
import sys

import psutil
import pytest

PARENT = """
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from lab.evaluate.workers import end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(2, get_context("spawn"), end_with_parent) as pool:
        list(pool.map(abs, range(20)))
        print("working", flush=True)
        list(pool.map(time.sleep, [60, 60]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path, number: signal.Signals) -> None:
    (tmp_path / "parent.py").write_text(PARENT, encoding="utf-8")
    with subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, encoding="utf-8") as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "working\n"
        workers = psutil.Process(parent.pid).children(recursive=True)
        parent.send_signal(number)
    assert len(workers) >= 2
    assert not psutil.wait_procs(workers, 30)[1]

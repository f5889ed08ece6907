"""What glibc is told of memory: large blocks go back at once, and temporaries of numpy cost no page faults."""

import subprocess
import sys

import pytest

from tests.tools.paths import ROOT

_COUNT = """
from resource import RUSAGE_SELF, getrusage
import numpy as np, psutil
from shared.runtime.memory import return_large_blocks
return_large_blocks()
canvas = np.zeros((32, 3, 64, 64), np.float32)  # 1.5 MiB
def paint():
    for _ in range(100):
        alpha = canvas[:, 0] * np.float32(2)
        canvas[:] += alpha[:, None] * (np.float32(3) - canvas)
paint()
before = getrusage(RUSAGE_SELF).ru_minflt
paint()
faults = getrusage(RUSAGE_SELF).ru_minflt - before
resident = psutil.Process().memory_info().rss
picture = np.ones(32 << 20, np.uint8)
held = psutil.Process().memory_info().rss - resident
del picture
left = psutil.Process().memory_info().rss - resident
print(faults, held >> 20, left >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is told")
def test_temporaries_cost_no_page_faults_and_large_blocks_go_back() -> None:
    run = subprocess.run([sys.executable, "-c", _COUNT], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    faults, held, left = map(int, run.stdout.split())
    assert faults < 1000  # 40,000 and more at glibc's own threshold
    assert (held, left) == (32, 0)

"""What `make gpu-check` measures, tried on the processor; and that without a GPU it says so."""

import subprocess
import sys

import pytest
import torch

from lab.bench.gpu import GpuBench, as_table, bench_gpu
from shared.clip import MODEL
from shared.errors import InvalidSetting
from tests.tools.paths import ROOT


def test_clip_and_codec_have_a_row_for_each_batch() -> None:
    found = bench_gpu(GpuBench(device="cpu", models=(MODEL,), batches=(1, 3), link_seconds=0))
    rows = [(row["what"], row["batch"]) for row in found["rows"]]
    names = ["CLIP clip-tiny", "nested k 64 encode", "nested k 64 decode"]
    assert sorted(rows) == sorted((name, batch) for name in names for batch in (1, 3))
    assert all(row["ms"] > 0 for row in found["rows"])
    assert as_table(found).count("| nested k 64 decode |") == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_a_gpu_nothing_is_measured_and_the_script_says_so() -> None:
    with pytest.raises(InvalidSetting, match="torch sees no GPU"):
        bench_gpu(GpuBench())
    command = [ROOT / ".ci/gpu-check", sys.executable]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 3
    assert "sees no NVIDIA GPU here, so nothing was checked" in done.stderr

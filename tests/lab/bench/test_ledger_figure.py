"""The knee of a latency-throughput curve, and the chart of the ledger."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lab.bench.ledger_figure import draw_ledger, knee_of


def _point(concurrency: int, per_second: float, p50: float) -> dict[str, Any]:
    stages = {"access": 0.2 * p50, "wire": 0.3 * p50, "encode": 0.1 * p50, "queue": 0.4 * p50}
    return {"concurrency": concurrency, "per_second": per_second, "p50": p50, "p95": 2 * p50, "stages_ms": stages}


CURVE = [_point(1, 100, 10), _point(2, 190, 10.5), _point(4, 320, 12.5), _point(8, 350, 23), _point(16, 355, 45)]


def test_the_knee_is_where_throughput_over_latency_is_largest() -> None:
    assert knee_of(CURVE)["concurrency"] == 4


@pytest.mark.parametrize("points", [1, 5])
def test_the_chart_is_a_picture(tmp_path: Path, points: int) -> None:
    draw_ledger(CURVE[:points], tmp_path / "new" / "ledger.png")
    with Image.open(tmp_path / "new" / "ledger.png") as image:
        assert image.format == "PNG"
        assert image.width > 500
        assert len(set(image.convert("RGB").tobytes())) > 5  # not blank

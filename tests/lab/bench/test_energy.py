"""Time and energy of a part of a run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lab.bench.energy import spent_on


def test_energy_is_read_from_the_counters_or_said_to_be_unknown(tmp_path: Path) -> None:
    processor = torch.device("cpu")
    with spent_on(processor, tmp_path) as spent:
        pass
    assert "energy not measured" in str(spent)
    assert np.isnan(spent.row["joules"])
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("9000000\n", encoding="utf-8")
    (zone / "energy_uj").write_text("8500000\n", encoding="utf-8")
    with spent_on(processor, tmp_path) as spent:
        (zone / "energy_uj").write_text("1500000\n", encoding="utf-8")  # the counter has started again
    assert spent.row["joules"] == pytest.approx(2.0)
    assert "2 J (intel-rapl:0)" in str(spent)

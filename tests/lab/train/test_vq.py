"""Block error rates that ship, and the mode table that follows from them."""

from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from lab.train.vq import VqSettings
from lab.train.vq.block_errors import BlockErrorRates, simulate
from lab.train.vq.train import Worth, make_table
from shared.codecs.base.weight_files import WEIGHTS_DIR, weights_path
from shared.codecs.digital.modem import Mode, Modem
from shared.codecs.digital.quantizer import ResidualQuantizer
from shared.codecs.digital.vq import VqDigital
from shared.errors import DataLoss, NotFound

SETTINGS = VqSettings(data="")
POINTS = [("none", 64, 2.0, Mode(24, 2)), ("rayleigh", 32, 10.0, Mode(16, 2)), ("rayleigh", 256, 0.0, Mode(32, 2))]


@pytest.fixture
def shipped() -> BlockErrorRates:
    return BlockErrorRates.kept(SETTINGS.bursts, SETTINGS.seed)


@pytest.mark.parametrize(("fading", "k", "snr_db", "mode"), POINTS)
def test_the_shipped_rates_are_what_is_simulated(shipped: BlockErrorRates, fading, k, snr_db, mode) -> None:
    known = shipped.of(mode, k, snr_db, fading)
    assert known == simulate(Modem(mode, k // 2), snr_db, fading, SETTINGS.bursts, SETTINGS.seed)
    assert 0 < known < 1


def test_other_embeddings_need_no_simulation(shipped: BlockErrorRates, monkeypatch: pytest.MonkeyPatch) -> None:
    """What bits are worth decides: where 12 bits say all, the most robust mode of 12 bits is taken."""
    monkeypatch.setattr("lab.train.vq.block_errors.simulate", None)
    worth = {bits: Worth(0.9, 0.9) for bits in SETTINGS.budgets}
    with Progress(disable=True) as progress:
        table = make_table(worth, VqDigital.lengths, shipped, progress)
    assert {table.choose(k, -8.0).bits for k in VqDigital.lengths} == {12}
    assert {k for rows in table.rows.values() for k, modes in rows.items() if len(modes) == 11} == {*VqDigital.lengths}


def test_rates_of_other_bursts_are_simulated_and_kept(tmp_path: Path) -> None:
    rates = BlockErrorRates.kept(3, SETTINGS.seed)
    rate = rates.of(Mode(12, 2), 16, 0.0, "none")
    assert rate in (0, 1 / 3, 2 / 3, 1)
    rates.write(tmp_path / "rates.json")
    again = BlockErrorRates.read(tmp_path / "rates.json")
    assert (again.bursts, again.of(Mode(12, 2), 16, 0.0, "none")) == (3, rate)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"simulated": {"bursts": 1, "seed": 1}, "none": {"8": [[1, 2]]}}',
        '{"simulated": {"bursts": 1, "seed": 1}, "none": {"8": [[0, [12, 2], 7.5]]}}',
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "rates.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataLoss, match=r"rates\.json holds no block error rates"):
        BlockErrorRates.read(tmp_path / "rates.json")


def test_the_shipped_file_is_that_of_the_default(shipped: BlockErrorRates) -> None:
    kept = BlockErrorRates.read(weights_path("vq-digital", "block-errors.json"))
    assert (kept.bursts, kept.seed) == (shipped.bursts, shipped.seed) == (400, 1)


def test_rates_of_other_bursts_do_not_hide_the_shipped_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vq-digital").mkdir()
    BlockErrorRates(5, 1, {}).write(tmp_path / "vq-digital" / "block-errors.json")
    monkeypatch.setenv(WEIGHTS_DIR, str(tmp_path))
    monkeypatch.setattr("lab.train.vq.block_errors.simulate", None)
    assert 0 < BlockErrorRates.kept(400, 1).of(Mode(24, 2), 64, 2.0, "none") < 1


def test_a_folder_of_weights_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_DIR, "/no/such/folder")
    with pytest.raises(NotFound, match="/no/such/folder"):
        BlockErrorRates.kept(400, 1)


@pytest.mark.parametrize("dim", [1, 4, 96])
def test_short_embeddings_have_as_many_axes_as_values(dim: int) -> None:
    e = np.random.default_rng(0).normal(size=(300, dim)).astype(np.float32)
    quantizer = ResidualQuantizer.train(e)
    assert quantizer.codebooks.axes.shape == (dim, dim)
    error = quantizer.dequantize(quantizer.quantize(e, 128)) - e
    assert np.square(error).mean() < 0.2 * np.square(e).mean()

"""Digital transmission: modems, modes and their table, the quantizer."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from lab.simulate.authors_channel import from_air, to_air
from shared.codecs.digital.modem import Mode, Modem
from shared.codecs.digital.quantizer import BUDGETS, ResidualQuantizer
from shared.codecs.digital.vq import ModeTable, VqDigital
from shared.codecs.picture.link_adaptation import MCS
from shared.errors import InvalidInput, InvalidSetting, NotFound
from shared.types import Complex, Embeddings
from shared.units import n0_from_snr_db


def noisy(x: Complex, snr_db: float, seed: int = 0) -> Complex:
    rng = np.random.default_rng(seed)
    n = rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape)
    return (x + np.sqrt(n0_from_snr_db(snr_db) / 2) * n).astype(np.complex64)


def message(modem: Modem, bursts: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (bursts, modem.mode.bits), dtype=np.uint8)


@pytest.mark.parametrize(
    ("mode", "symbols"), [(Mode(12, 2), 32), (Mode(12, 2), 128), (Mode(64, 4), 32), (Mode(48, 6), 16)]
)
def test_bits_come_back_without_noise(mode: Mode, symbols: int) -> None:
    modem = Modem(mode, symbols)
    bits = message(modem, 50)
    x = modem.modulate(bits)
    assert (x.shape, x.dtype) == ((50, symbols), np.complex64)
    assert np.mean(np.abs(x) ** 2) == pytest.approx(1, abs=0.06)
    for n0 in (0.0, np.nan):
        np.testing.assert_array_equal(modem.demodulate(x, np.full(x.shape, n0, np.float32)), bits)


def test_repetition_gains_what_it_must() -> None:
    """12 bits sent twice as long lose as many blocks at 3 dB less, within what 400 bursts show.

    Sent over 64 and 128 symbols, both under rate 1/5, so the longer one is the shorter one twice.
    """
    rates = []
    for symbols, snr_db in ((64, -4.0), (128, -7.01)):
        modem = Modem(Mode(12, 2), symbols)
        bits = message(modem, 400)
        y = noisy(modem.modulate(bits), snr_db)
        found = modem.demodulate(y, np.full(y.shape, n0_from_snr_db(snr_db), np.float32))
        rates.append(float(np.mean((found != bits).any(axis=1))))
    assert 0.005 < rates[0] < 0.2
    assert rates[1] == pytest.approx(rates[0], abs=0.04)


def test_the_code_gains_over_sending_bits_bare() -> None:
    """At 2 dB bare QPSK would lose 1 - (1 - Q(sqrt(SNR)))^K of the blocks: nearly all. The code of rate 1/2 few."""
    modem = Modem(Mode(128, 2), 128)
    bits = message(modem, 200)
    y = noisy(modem.modulate(bits), 2.5)
    found = modem.demodulate(y, np.full(y.shape, n0_from_snr_db(2.5), np.float32))
    bare = 1 - (1 - norm.sf(np.sqrt(10**0.25))) ** 128
    assert bare > 0.99
    assert np.mean((found != bits).any(axis=1)) < 0.1


def test_wrong_noise_power_costs() -> None:
    """LLRs need n0_eff = N0 / |h|^2 of each symbol: with N0 alone the faded symbols drown the others."""
    modem = Modem(Mode(128, 2), 128)
    bits = message(modem, 200)
    rng = np.random.default_rng(3)
    gain = np.sqrt(rng.exponential(size=(200, 128)))
    n0 = n0_from_snr_db(5.0)
    x_hat = (noisy(modem.modulate(bits) * gain, 5.0) / gain).astype(np.complex64)
    right = modem.demodulate(x_hat, (n0 / gain**2).astype(np.float32))
    wrong = modem.demodulate(x_hat, np.full(x_hat.shape, n0, np.float32))
    lost_right, lost_wrong = ((found != bits).any(axis=1).mean() for found in (right, wrong))
    assert lost_right < 0.2
    assert lost_wrong > lost_right + 0.2


@pytest.mark.parametrize("mode", [Mode(11, 2), Mode(12, 1), Mode(64, 2), Mode(9000, 6)])
def test_modes_that_do_not_fit_are_refused(mode: Mode) -> None:
    with pytest.raises(InvalidSetting, match=f"{mode.bits} bits"):
        Modem(mode, 12)


def test_a_table_of_modes_survives_the_disk(tmp_path) -> None:
    rows = [(-8.0, Mode(12, 2)), (0.0, Mode(24, 2)), (6.0, Mode(48, 4))]
    table = ModeTable({"none": {32: rows, 8: []}, "rayleigh": {32: rows[:2]}})
    table.write(tmp_path / "modes.json")
    again = ModeTable.read(tmp_path / "modes.json")
    assert again == table
    assert [again.choose(32, snr_db).bits for snr_db in (-20, -8, -0.1, 0, 5, 30)] == [12, 12, 12, 24, 24, 48]
    assert again.choose(32, 30, "rayleigh").bits == 24
    assert again.modes(32) == (Mode(12, 2), Mode(24, 2), Mode(48, 4))
    with pytest.raises(NotFound, match="k = 8"):
        again.choose(8, 0)


@pytest.fixture(scope="module")
def embeddings() -> Embeddings:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 512))
    drawn = centres[rng.integers(20, size=64)] + 0.3 * rng.normal(size=(64, 512))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_shipped_words_tell_more_with_more_bits() -> None:
    quantizer = VqDigital.load(64, "cpu").quantizer
    rng = np.random.default_rng(1)
    drawn = quantizer.codebooks.mean + 0.1 * rng.normal(size=(200, 128)) @ quantizer.codebooks.axes
    e = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    errors = []
    for bits in (8, 12, 32, 128):
        sent = quantizer.quantize(e, bits)
        assert (sent.shape, set(np.unique(sent))) == ((200, bits), {0, 1})
        errors.append(float(np.mean((quantizer.dequantize(sent) - e) ** 2)))
    assert errors == sorted(errors, reverse=True)


def test_a_quantizer_learns(embeddings: Embeddings) -> None:
    """The words of 40 pictures tell those very pictures nearly without error."""
    rng = np.random.default_rng(0)
    many = (embeddings[rng.integers(64, size=4000)] + 0.01 * rng.normal(size=(4000, 512))).astype(np.float32)
    quantizer = ResidualQuantizer.train(many, dim=32, stages=4)
    e_hat = quantizer.dequantize(quantizer.quantize(embeddings, BUDGETS[3]))
    assert np.mean(np.sum(e_hat * embeddings, axis=1) / np.linalg.norm(e_hat, axis=1)) > 0.95


@pytest.mark.parametrize("k", [16, 64, 256])
def test_vq_digital_is_a_codec(k: int, embeddings: Embeddings) -> None:
    """Unit power, any operating points in one batch, and what is decoded is what was quantized, at 20 dB."""
    codec = VqDigital.load(k, "cpu")
    assert codec.fingerprint == VqDigital.load(k, "cpu").fingerprint
    points = np.where(np.arange(64) % 2, 12.0, np.nan).astype(np.float32)
    x = codec.encode(embeddings, points)
    assert (x.shape, x.dtype) == ((64, k // 2), np.complex64)
    np.testing.assert_allclose(np.mean(np.abs(x) ** 2, axis=1), 1, atol=1e-5)
    y, n0 = noisy(x, 20.0), np.full(x.shape, n0_from_snr_db(20.0), np.float32)
    for mode, rows in ((codec.mode(np.nan), slice(0, None, 2)), (codec.mode(12.0), slice(1, None, 2))):
        e_hat = codec.with_mode(mode).decode(y[rows], n0[rows]).embeddings
        np.testing.assert_allclose(e_hat, codec.with_mode(mode).quantized(embeddings[rows]), atol=1e-5)


def test_the_mode_is_that_of_the_operating_point_and_the_expected_fading() -> None:
    codec = VqDigital.load(256, "cpu")
    for fading in ("none", "rayleigh"):
        for snr_db in (-8, 0, 5, 12):
            chosen = codec.modes[codec.for_fading(fading).mode(snr_db)]
            assert chosen == codec.table.choose(256, snr_db, fading)
    assert codec.mode(np.nan) == codec.mode(5.0) != codec.for_fading("rayleigh").mode(5.0)
    for wrong in (-1, len(codec.modes)):
        with pytest.raises(InvalidInput, match=f"no mode {wrong}: it has 0 to {len(codec.modes) - 1}"):
            codec.with_mode(wrong)


def test_the_authors_pairs_are_of_two_pictures() -> None:
    """I of a symbol from the first half of the batch, Q from the second; unit power over the batch alone."""
    z = torch.arange(24, dtype=torch.float32).reshape(4, 6) + 1
    x, scale = to_air(z)
    assert x.shape == (4, 3)
    assert float(x.abs().square().mean()) == pytest.approx(1)
    np.testing.assert_allclose((x.reshape(-1)[0] * scale).numpy(), complex(z[0, 0], z[2, 0]), rtol=1e-6)
    np.testing.assert_allclose(from_air(x, scale).numpy(), z.numpy(), rtol=1e-6)


def test_a_long_message_at_a_low_rate_has_a_code() -> None:
    """Base graph 1 has none below rate 1/3: the codeword is repeated there too."""
    symbols = 4096
    modes = [mcs.mode(symbols) for mcs in MCS]
    low = [mode for mode in modes if mode.bits > 3824 and 3 * mode.bits < symbols * mode.order]
    assert low
    for mode in low:
        modem = Modem(mode, symbols)
        bits = message(modem, 1)
        received = modem.demodulate(modem.modulate(bits), np.full((1, symbols), 1e-4, np.float32))
        np.testing.assert_array_equal(received, bits)

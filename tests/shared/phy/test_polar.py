"""The header's code against Sionna: CRC and codewords bit for bit, and what the list decoder decides."""

import numpy as np
import pytest
import torch
from sionna.phy.fec.crc import CRCEncoder
from sionna.phy.fec.polar import PolarEncoder, PolarSCLDecoder

from shared.errors import InvalidSetting
from shared.phy import polar
from shared.phy.polar import PolarCode, crc_of
from shared.types import Bits, Bools, Complex
from shared.units import n0_from_snr_db

CODE = PolarCode(34, 64)
"""Of length 128, and sent without a repetition."""


def messages(count: int, code: PolarCode = CODE, seed: int = 1) -> Bits:
    return np.random.default_rng(seed).integers(0, 2, (count, code.message_bits), dtype=np.uint8)


def noisy(x: Complex, snr_db: float, seed: int = 0) -> Complex:
    drawn = np.random.default_rng(seed).standard_normal((*x.shape, 2))
    return (x + np.sqrt(n0_from_snr_db(snr_db) / 2) * (drawn[..., 0] + 1j * drawn[..., 1])).astype(np.complex64)


def wrong(code: PolarCode, sent: Bits, y: Complex, paths: int = polar.LIST_SIZE) -> Bools:
    found, right = code.decode(y, paths)
    return ~right | (found != sent).any(axis=1)


@pytest.mark.parametrize("bits", [17, 34])
def test_the_crc_is_that_of_sionna(bits: int) -> None:
    sent = messages(200, PolarCode(bits, 64))
    whole = CRCEncoder("CRC16", k=bits, device="cpu")(torch.from_numpy(sent).float()).numpy().astype(np.uint8)
    np.testing.assert_array_equal(np.hstack([sent, crc_of(sent)]), whole)
    assert not crc_of(whole).any()
    whole[:, 3] ^= 1
    assert crc_of(whole).any(axis=1).all()


def test_codewords_are_those_of_sionna() -> None:
    sent = messages(200)
    frozen = np.flatnonzero(polar._frozen(CODE))
    info = torch.from_numpy(np.hstack([sent, crc_of(sent)])).float()
    expected = PolarEncoder(frozen, CODE.length, device="cpu")(info).numpy()
    x = CODE.encode(sent)
    np.testing.assert_array_equal(np.ascontiguousarray(x).view(np.float32) < 0, expected > 0)
    np.testing.assert_allclose(np.abs(x), 1, rtol=1e-6)


def test_the_decoder_decides_as_sionnas_does() -> None:
    """The same list, with exact sums there and the larger term here: of 300 words at most 12 are decided otherwise."""
    sent = messages(300)
    y = noisy(CODE.encode(sent), -1.0)
    frozen = np.flatnonzero(polar._frozen(CODE))
    decoder = PolarSCLDecoder(frozen, CODE.length, list_size=8, crc_degree="CRC16", device="cpu")
    logits = -4 / np.sqrt(2) / n0_from_snr_db(-1.0) * y.view(np.float32)
    theirs = (decoder(torch.from_numpy(logits)).numpy()[:, : CODE.message_bits] != sent).any(axis=1)
    assert theirs.mean() > 0.02, "a check on words that all arrive would check nothing"
    apart = [int(np.sum(wrong(CODE, sent, y, paths) != theirs)) for paths in (8, 1)]
    assert apart[0] <= 12 < apart[1], "and without a list it is found out"


def test_repetition_adds_up() -> None:
    """Twice the symbols at half the SNR: the same error rate; with the second half unread it is far higher."""
    sent = messages(2000)
    once = wrong(CODE, sent, noisy(CODE.encode(sent), 0.0)).mean()
    long = PolarCode(34, 1024)
    twice = PolarCode(34, 2048)
    assert long.length == twice.length == 1024
    sent = messages(400)
    rates = [wrong(code, sent, noisy(code.encode(sent), db)).mean() for code, db in ((long, -13.0), (twice, -16.01))]
    assert abs(rates[0] - rates[1]) < 0.08
    half = noisy(twice.encode(sent), -16.01)
    half[:, 1024:] = 0
    assert wrong(twice, sent, half).mean() > rates[1] + 0.08
    assert 0.02 < once < 0.3


def test_a_factor_on_all_of_a_burst_changes_nothing() -> None:
    sent = messages(100)
    y = noisy(CODE.encode(sent), -1.0)
    for one, two in zip(CODE.decode(y), CODE.decode(np.float32(1e-3) * y), strict=True):
        np.testing.assert_array_equal(one, two)


def test_words_do_not_depend_on_their_company() -> None:
    y = noisy(CODE.encode(messages(50)), -1.0)
    found, right = CODE.decode(y)
    for row in (0, 17, 49):
        alone, ok = CODE.decode(y[row : row + 1])
        assert (alone[0].tolist(), ok[0]) == (found[row].tolist(), right[row])


def test_noise_passes_the_crc_as_seldom_as_it_must() -> None:
    """8 paths and 16 bits: about 1.2e-4 of words of noise; of 16,000 words 2 on average, and 9 have odds of 2e-4."""
    code = PolarCode(17, 32)
    nothing = np.zeros((4000, code.symbols), np.complex64)
    assert sum(int(code.decode(noisy(nothing, 0.0, seed))[1].sum()) for seed in range(4)) < 9


def test_a_code_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="34 bits and a CRC of 16 in 24 symbols"):
        PolarCode(34, 24).encode(messages(1, PolarCode(34, 24)))

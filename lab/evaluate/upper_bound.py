"""Upper bound of semantic accuracy: the best code over the channel, then the best classifier.

    upper_bound(k, SNR) = A (1 - Pe)

A is the accuracy of the best classifier that the lab trains on the embeddings, Pe Shannon's cone-packing bound.
"""

from bisect import bisect_left
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from shared.errors import InvalidSetting
from shared.types import Doubles
from shared.units import db_to_ratio

_FADES = 256


def upper_bound(accuracy: float, codewords: int, k: int, snr_db: float, fading: str = "none") -> float:
    """A (1 - Pe). accuracy: A. codewords: classes, equally likely. Others as in `error_probability`."""
    return accuracy * (1 - error_probability(codewords, k, snr_db, fading))


@lru_cache(maxsize=4096)
def error_probability(codewords: int, k: int, snr_db: float, fading: str = "none") -> float:
    """Least error probability of codewords of equal energy in k real dimensions at Es/N0 = snr_db.

    k: real dimensions, 2 or more. fading: `none`; `rayleigh`, one gain h ~ CN(0, 1) for each burst, known to the
    receiver: the mean over |h|^2, which no pilot can beat.

    A codeword's share of the sphere is at most 1/M, and the best such region is a cone around it, of half-angle t with
    cap(t) = 1/M. It is left when along / |across| < cot t, where along ~ N(A, 1), A^2 = k Es/N0, and |across|^2 is chi
    squared with k - 1 degrees: a noncentral t.
    (Shannon, "Probability of error for optimal codes in a Gaussian channel", BSTJ 38, 1959.)
    """
    if codewords < 2 or k < 2:
        raise InvalidSetting(f"{codewords} codewords in {k} dimensions: the bound needs at least 2 of each")
    if fading == "none":
        return float(_error_at(codewords, k, np.array([db_to_ratio(snr_db)]))[0])
    if fading != "rayleigh":
        raise InvalidSetting(f"fading {fading!r}: the upper bound is known for none and rayleigh")
    gains = -np.log1p(-(np.arange(_FADES) + 0.5) / _FADES)  # |h|^2 ~ Exp(1), at the middles of equal shares
    return float(np.mean(_error_at(codewords, k, gains * db_to_ratio(snr_db))))


def normal_approximation(bits: int, symbols: int, snr_db: float) -> float:
    """Error probability of the best codes of `bits` bits in `symbols` complex symbols without fading, nearly.

        bits = n C - sqrt(n V) Qinv(e) + log2(n) / 2,   C = log2(1 + s),   V = s (s + 2) / (s + 1)^2 log2(e)^2

    (Polyanskiy, Poor, Verdu, "Channel coding rate in the finite blocklength regime", IEEE Trans. Inf. Theory 56, 2010,
    for two real dimensions a symbol.) Good from some tens of symbols on.
    """
    s = db_to_ratio(snr_db)
    capacity, dispersion = np.log2(1 + s), s * (s + 2) / (s + 1) ** 2 * np.log2(np.e) ** 2
    spare = symbols * capacity - bits + np.log2(symbols) / 2
    return float(stats.norm.sf(spare / np.sqrt(symbols * dispersion)))


def least_symbols(bits: int, snr_db: float, error: float = 0.01) -> tuple[int, int]:
    """Symbols at which an error probability is reached: by the bound, and by the normal approximation."""
    lengths = range(1, 1 << 14)
    cone = bisect_left(lengths, -error, key=lambda n: -error_probability(1 << bits, 2 * n, snr_db))
    near = bisect_left(lengths, -error, key=lambda n: -normal_approximation(bits, n, snr_db))
    return lengths[cone], lengths[near]


def _error_at(codewords: int, k: int, snr: Doubles) -> Doubles:
    """P(the received point lies outside of its cone) at each SNR, a ratio: [n]."""
    angle = _half_angle(codewords, k)
    edge = np.sqrt(k - 1) / np.tan(angle)
    outside: Doubles = stats.nct.cdf(edge, k - 1, np.sqrt(k * snr))
    return np.nan_to_num(outside)  # far below 1e-300 the series gives NaN


def _half_angle(codewords: int, k: int) -> float:
    """The half-angle of the cap that takes 1/codewords of the sphere in k dimensions; at most a right angle."""

    def too_much(angle: float) -> float:
        return float(0.5 * special.betainc((k - 1) / 2, 0.5, np.sin(angle) ** 2) - 1 / codewords)

    return float(optimize.brentq(too_much, 1e-13, np.pi / 2))

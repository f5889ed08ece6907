"""The limit of semantic accuracy: no code tells the classes apart better, and no classifier knows them better.

    limit(k, SNR) = A (1 - Pe)

A is the accuracy of the best classifier that the lab trains on the embeddings, Pe Shannon's cone-packing bound.
"""

from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from shared.errors import InvalidSetting
from shared.types import Doubles
from shared.units import db_to_ratio

_FADES = 256


def limit(accuracy: float, words: int, k: int, snr_db: float, fading: str = "none") -> float:
    """A (1 - Pe). accuracy: A. words: classes, equally likely. Others as in `error_probability`."""
    return accuracy * (1 - error_probability(words, k, snr_db, fading))


@lru_cache(maxsize=4096)
def error_probability(words: int, k: int, snr_db: float, fading: str = "none") -> float:
    """Least error probability of `words` code words of equal energy in k real dimensions at Es/N0 = snr_db.

    k: real dimensions, 2 or more. fading: `none`; `rayleigh`, one gain h ~ CN(0, 1) for each burst, known to the
    receiver: the mean over |h|^2, which no pilot can beat.

    A code word's share of the sphere is at most 1/M, and the best such region is a cone around it, of half-angle t with
    cap(t) = 1/M. It is left when along / |across| < cot t, where along ~ N(A, 1), A^2 = k Es/N0, and |across|^2 is chi
    squared with k - 1 degrees: a noncentral t.
    (Shannon, "Probability of error for optimal codes in a Gaussian channel", BSTJ 38, 1959.)
    """
    if words < 2 or k < 2:
        raise InvalidSetting(f"{words} words in {k} dimensions: the bound needs at least 2 of each")
    if fading == "none":
        return float(_left(words, k, np.array([db_to_ratio(snr_db)]))[0])
    if fading != "rayleigh":
        raise InvalidSetting(f"fading {fading!r}: the limit is known for none and rayleigh")
    gains = -np.log1p(-(np.arange(_FADES) + 0.5) / _FADES)  # |h|^2 ~ Exp(1), at the middles of equal shares
    return float(np.mean(_left(words, k, gains * db_to_ratio(snr_db))))


def _left(words: int, k: int, snr: Doubles) -> Doubles:
    """P(the received point lies outside of its cone) at each SNR, a ratio: [n]."""
    angle = _half_angle(words, k)
    edge = np.sqrt(k - 1) / np.tan(angle)
    outside: Doubles = stats.nct.cdf(edge, k - 1, np.sqrt(k * snr))
    return np.nan_to_num(outside)  # far below 1e-300 the series gives NaN


def _half_angle(words: int, k: int) -> float:
    """The half-angle of the cap that takes 1/words of the sphere in k dimensions; at most a right angle."""

    def too_much(angle: float) -> float:
        return float(0.5 * special.betainc((k - 1) / 2, 0.5, np.sin(angle) ** 2) - 1 / words)

    return float(optimize.brentq(too_much, 1e-9, np.pi / 2))

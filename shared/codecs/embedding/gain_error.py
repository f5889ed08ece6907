"""What a code word tells of the channel's gain, which a receiver has from a few pilots alone.

After zero forcing a burst is (1 + a + jb) x + n. Pilots of unit power leave a, b ~ N(0, noise / 2 PILOTS). Given the
word w, and S, the covariance of all else, the received y is Gaussian with mean w and covariance

    S + s [w Jw] [w Jw]',    s = noise / 2 PILOTS,    J: times j

so the word itself is one long pilot, and at low SNR tells more of the gain than the pilots did. By the matrix inversion
lemma, with S taken to be diagonal, e = w' S^-1 w and u = [w Jw]' S^-1 (y - w),

    log p  grows by  s |u|^2 / 2 (1 + s e) - log(1 + s e),    E[(a, b) | y, w] = s u / (1 + s e)
"""

from typing import Final, NamedTuple

from torch import Tensor, stack

PILOTS: Final = 8
"""Symbols that the gain is taken to be learned from. With more, or with a genie, to assume so costs next to nothing."""


class GainError(NamedTuple):
    """For each word: log_ratio: [..., B, C], to be added to its log-likelihood. along, across: [..., B, C], a and b."""

    log_ratio: Tensor
    along: Tensor
    across: Tensor


def gain_error(y: Tensor, noise: Tensor, words: Tensor, squares: Tensor, powers: Tensor) -> GainError:
    """Look at bursts with each word for a pilot.

    y: [B, k]. noise: [B, 1] or [B, k], noise power of each dimension. words: [..., C, k]; squares: their squares.
    powers: [..., 1, k], of what is superposed on them; it counts as noise.
    """
    certainty = _of_symbols(1 / (noise + powers))
    weighted = certainty * y
    energy = certainty @ squares.mT
    along, across = weighted @ words.mT - energy, turned(weighted, -1) @ words.mT
    variance = noise.mean(dim=1, keepdim=True) / (2 * PILOTS)
    known = 1 + variance * energy
    ratio = variance * (along.square() + across.square()) / (2 * known) - known.log()
    return GainError(ratio, variance * along / known, variance * across / known)


def turned(x: Tensor, sign: int = 1) -> Tensor:
    """Symbols [..., k] times j, or times -j: real and imaginary parts lie beside each other."""
    real, imaginary = x[..., 0::2], x[..., 1::2]
    return stack((-sign * imaginary, sign * real), dim=-1).flatten(-2)


def _of_symbols(certainty: Tensor) -> Tensor:
    """The same for both parts of a symbol, so that w and Jw are orthogonal."""
    mean = (certainty[..., 0::2] + certainty[..., 1::2]) / 2
    return mean.repeat_interleave(2, dim=-1)

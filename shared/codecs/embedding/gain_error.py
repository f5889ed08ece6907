"""Refines the channel gain that a receiver estimated from a few pilots, using the codeword as a pilot.

After zero forcing a burst is (1 + a + jb) x + n. Pilots of unit power leave a, b ~ N(0, noise / 2 PILOTS). Given the
codeword w, and S, the covariance of all else, the received y is Gaussian with mean w and covariance

    S + s [w Jw] [w Jw]',    s = noise / 2 PILOTS,    J: times j

so the codeword itself is one long pilot, and at low SNR gives a better gain than the pilots. By the matrix inversion
lemma, with S assumed diagonal, e = w' S^-1 w and u = [w Jw]' S^-1 (y - w),

    log p  increases by  s |u|^2 / 2 (1 + s e) - log(1 + s e),    E[(a, b) | y, w] = s u / (1 + s e)
"""

from typing import NamedTuple

from torch import Tensor, stack

from shared.codecs.embedding.nested_shape import PILOTS


class GainError(NamedTuple):
    """Of each codeword, [..., B, C] each. log_ratio: added to its log-likelihood. along, across: a and b."""

    log_ratio: Tensor
    along: Tensor
    across: Tensor


def gain_error(y: Tensor, noise: Tensor, codewords: Tensor, squares: Tensor, powers: Tensor) -> GainError:
    """Gain error of bursts under the hypothesis of each codeword.

    y: [B, k]. noise: [B, 1] or [B, k], noise power of each dimension. codewords: [..., C, k]; squares: their squares.
    powers: [..., 1, k], of the superposed refinement; it counts as noise.
    """
    inverse_noise = _of_symbols(1 / (noise + powers))
    weighted = inverse_noise * y
    energy = inverse_noise @ squares.mT
    along, across = weighted @ codewords.mT - energy, turned(weighted, -1) @ codewords.mT
    variance = noise.mean(dim=1, keepdim=True) / (2 * PILOTS)
    known = 1 + variance * energy
    ratio = variance * (along.square() + across.square()) / (2 * known) - known.log()
    return GainError(ratio, variance * along / known, variance * across / known)


def turned(x: Tensor, sign: int = 1) -> Tensor:
    """Symbols [..., k] times j, or times -j; real and imaginary parts alternate."""
    real, imaginary = x[..., 0::2], x[..., 1::2]
    return stack((-sign * imaginary, sign * real), dim=-1).flatten(-2)


def _of_symbols(inverse_noise: Tensor) -> Tensor:
    """Mean over both parts of each symbol, so that w and Jw are orthogonal."""
    mean = (inverse_noise[..., 0::2] + inverse_noise[..., 1::2]) / 2
    return mean.repeat_interleave(2, dim=-1)

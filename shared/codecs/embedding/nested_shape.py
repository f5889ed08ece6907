"""Lengths, segments and constants of `nested`, for both of its implementations; see `nested_model`."""

from typing import Final

import numpy as np

from shared.types import Floats

LENGTHS: Final = (8, 16, 32, 64, 128, 256)
SEGMENTS: Final = tuple(zip((0, *LENGTHS), LENGTHS, strict=False))
MOST_REFINEMENT: Final = 0.95
"""Largest share of a segment's power that the coordinates of one burst may take; the codeword gets the rest."""

LEAST_NOISE: Final = 1e-3
"""Least noise power of a received dimension: with less, float32 loses the differences of likelihoods."""

ABOVE_DB: Final = 0.8
BELOW_DB: Final = 3.0
"""Means of the exponential prior of design SNR less received SNR, dB, above and below 0."""
LIKELY: Final = 4
"""Categories whose coordinates are estimated; the others add their prototype alone."""
PILOTS: Final = 8
"""Assumed number of pilots. If there are more, or a genie, the loss by this assumption is negligible."""


def axis_pattern(axes: int) -> Floats:
    """Which of `axes` coordinates each dimension carries: [256, axes], one 1 in each row."""
    axis = np.concatenate([np.arange(stop - start) % axes for start, stop in SEGMENTS])
    pattern: Floats = np.eye(axes, dtype=np.float32)[axis]
    return pattern


def latent_noise(n0_eff: Floats) -> Floats:
    """Noise power of each real dimension of a latent of unit power: [B, 1] if constant over a burst, or [B, k].

    n0_eff: [B, k/2], after zero forcing, NaN if not known.
    """
    noise = np.asarray(n0_eff, np.float32)
    same = np.array_equal(noise, np.broadcast_to(noise[:, :1], noise.shape), equal_nan=True)
    return noise[:, :1] if same else np.repeat(noise, 2, axis=1)

"""Maximum-ratio combining of several receptions of the same symbols: Chase, IEEE Trans. Commun. 33(5), 1985."""

from collections.abc import Sequence

import numpy as np

from shared.types import Complex, Floats


def combine(x_hat: Sequence[Complex], n0_eff: Sequence[Floats]) -> tuple[Complex, Floats]:
    """Equalized symbols of several transmissions as those of one: x_hat [n], complex64, and n0_eff [n], float32.

    x_hat: [n] each, unbiased. n0_eff: [n] each, the noise power left in them. Each weighs 1 / n0_eff, as the power of
    its gain over N0 does before the equalizer; where no noise is known, all weigh alike.

        x_hat = sum_i x_i / n_i / sum_i 1 / n_i        n0_eff = 1 / sum_i 1 / n_i
    """
    symbols, noise = np.stack(x_hat), np.stack(n0_eff)
    known = np.isfinite(noise).any(axis=0)
    weights = np.where(known, 1 / np.clip(noise, np.float32(1e-30), None), 1).astype(np.float32)
    weights[np.isnan(weights)] = 0  # of one transmission alone the noise is not known
    total = weights.sum(axis=0)
    mean: Complex = (np.where(weights > 0, symbols, 0) * weights).sum(axis=0) / total
    left: Floats = np.where(known, 1 / total, noise[-1])
    return mean.astype(np.complex64), left.astype(np.float32)

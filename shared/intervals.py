"""Confidence intervals of shares."""

from typing import TypeVar

import numpy as np

from shared.types import Doubles

Share = TypeVar("Share", float, Doubles)


def wilson(share: Share, count: int, z: float = 1.96) -> tuple[Share, Share]:
    """Wilson's interval of shares of `count` trials; 95 % for z = 1.96 (Wilson, 1927).

    share: 0 to 1, a number or an array [n]. Returns the lower and the upper ends, like `share`.
    """
    middle = share + z * z / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return (middle - reach) / scale, (middle + reach) / scale

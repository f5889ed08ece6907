"""Array types by dtype and meaning, whose docstrings give the shapes, and the type of progress callbacks."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Complex = npt.NDArray[np.complex64]
"""Symbols and gains."""
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]
"""Each 0 or 1."""

Pixels = npt.NDArray[np.uint8]
"""RGB pictures [B, H, W, 3], or one [H, W, 3]."""
Embedding = npt.NDArray[np.float32]
"""One embedding [dim]."""
Embeddings = npt.NDArray[np.float32]
"""Embeddings [B, dim], unit length unless stated otherwise."""
Labels = npt.NDArray[np.int64]
"""Labels as numbers [B]."""
Positions = npt.NDArray[np.int64]
"""Positions of items in a knowledge base."""

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

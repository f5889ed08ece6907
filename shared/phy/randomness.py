"""Counter-based randomness: what is drawn for a burst depends on (seed, stream, burst counter, stage) alone.

Philox4x64-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) is a bijection of a
256-bit counter under a 128-bit key. Here

    key     = (seed, stream)
    counter = (block, 0, burst counter, stage)      least significant word first

The generator increments `block` once per four 64-bit words and carries into the second word: a burst would have to
draw 2^130 words to reach the numbers of the next. So no two (stage, burst) share a number, and neither order of
arrival nor batching nor restarts change one. numpy never changes Philox itself, but may change how it makes normals
of it (NEP 19): a bit-exact replay needs a numpy that passes `test_numbers_stay_those_of_recorded_bursts`.
"""

from typing import cast

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence

from shared.types import Complex

_Words = npt.NDArray[np.uint64]


class _Key(ISeedSequence):
    """Passes the key to Philox unchanged; without a key numpy asks the system for entropy first, 4 us more."""

    def __init__(self, words: _Words) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: npt.DTypeLike = np.uint32) -> _Words:  # noqa: ARG002
        return self._words


def generator(seed: int, stream: int, counter: int, stage: int) -> np.random.Generator:
    """Random generator of one stage for one burst; takes about 2 us.

    seed, stream, counter, stage: integers, 0 to 2^64 - 1; `stage` is the number in `shared.phy.channel.registry`.
    Raises OverflowError outside of that range, which settings and link exclude.
    """
    key, block = np.array([seed, stream], np.uint64), np.array([0, 0, counter, stage], np.uint64)
    # numpy documents any ISeedSequence as a seed; its type stubs only SeedSequence.
    return np.random.Generator(np.random.Philox(cast(np.random.SeedSequence, _Key(key)), counter=block))


def standard_complex_normal(rng: np.random.Generator, n: int) -> Complex:
    """`n` independent pairs I + jQ, each real dimension N(0, 1), so E|z|^2 = 2: [n], complex64."""
    return rng.standard_normal(2 * n, dtype=np.float32).view(np.complex64)

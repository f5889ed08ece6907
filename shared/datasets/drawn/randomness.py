"""Counter-based random numbers: each depends on its key and its counter alone, never on what was drawn before."""

import numpy as np
import numpy.typing as npt

from shared.types import Floats, Ints

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

Keys = npt.NDArray[np.uint64]


def mix(value: Keys) -> Keys:
    """Scramble 64-bit words with the finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


def picture_keys(seed: int, stream: int, categories: Ints, indices: Ints) -> Keys:
    """One key for each picture.

    seed, stream: whole numbers; stream tells the splits apart
    categories, indices: [N], int64, the picture's category and its counter within the category
    returns: [N], uint64
    """
    keys = np.full(indices.shape, np.uint64(seed % 2**64))
    for word in (np.uint64(stream), categories.astype(np.uint64), indices.astype(np.uint64)):
        keys = mix((keys ^ word) + _GOLDEN)
    return keys


def uniforms(keys: Keys, count: int) -> Floats:
    """Numbers in [0, 1): counters 1 to `count` of each key.

    keys: [N], uint64
    returns: [N, count], float32
    """
    counters = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    bits = mix(keys[:, None] + counters) >> np.uint64(40)
    return bits.astype(np.float32) * np.float32(2.0**-24)


def pixel_noise(keys: Keys, size: int) -> Floats:
    """White noise in [-1, 1) for each pixel.

    keys: [N], uint64
    returns: [N, size, size], float32
    """
    counters = np.arange(size * size, dtype=np.uint32) * np.uint32(0x9E3779B9)
    bits = counters + (keys >> np.uint64(32)).astype(np.uint32)[:, None]
    for multiplier in (np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)):
        bits ^= bits >> np.uint32(15)
        bits *= multiplier
    bits ^= bits >> np.uint32(16)
    noise = bits.view(np.int32).astype(np.float32) * np.float32(2.0**-31)
    return noise.reshape(-1, size, size)

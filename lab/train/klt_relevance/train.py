"""Makes the block transform code: principal axes of blocks, Lloyd-Max quantizers of their coefficients, order of bits.

It learns from scenes of seen combinations only.
"""

import time

import numpy as np
import torch

from lab.train.common.output import export, write_card
from lab.train.klt_relevance import KltRelevanceSettings
from shared.codecs.query.transform import DEEPEST, BlockTransform, to_blocks
from shared.datasets.scenes import draw_scenes
from shared.types import Doubles, Floats, Ints, Pixels

_LLOYD_STEPS = 30


def train_klt_relevance(settings: KltRelevanceSettings) -> None:
    """Make the code; write parameters and model card."""
    started = time.monotonic()
    pixels = draw_scenes("train-seen", settings.seed * settings.scenes + np.arange(settings.scenes)).pixels
    made = make_transform(pixels, settings.coefficients, settings.bits)
    tensors = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in made._asdict().items()}
    export(tensors, settings, "model.safetensors")
    write_card("klt_relevance/card.md.j2", settings, time.monotonic() - started)


def make_transform(pixels: Pixels, coefficients: int, bits: int) -> BlockTransform:
    """The code of pictures [N, 64, 64, 3], uint8."""
    blocks = to_blocks(pixels).reshape(-1, to_blocks(pixels[:1]).shape[2])
    mean = blocks.mean(0)
    covariance = np.cov(blocks, rowvar=False)
    basis = np.linalg.eigh(covariance)[1][:, ::-1][:, :coefficients].astype(np.float16).astype(np.float32)
    values = (blocks - mean) @ basis
    levels = np.zeros((coefficients, DEEPEST, 1 << DEEPEST), np.float32)
    errors = np.zeros((coefficients, DEEPEST + 1))
    errors[:, 0] = np.mean(values.astype(np.float64) ** 2, axis=0)
    for number, column in enumerate(values.T):
        for depth in range(1, DEEPEST + 1):
            found, errors[number, depth] = lloyd_max(column, 1 << depth)
            levels[number, depth - 1, : 1 << depth] = found
    return BlockTransform(mean, basis, levels, order_of_bits(errors, bits))


def lloyd_max(values: Floats, count: int) -> tuple[Floats, float]:
    """Levels [count], rising, with the least mean squared error for these values (Lloyd, 1982), and that error."""
    ordered = np.sort(values).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    levels = np.quantile(ordered, (np.arange(count) + 0.5) / count)
    for _ in range(_LLOYD_STEPS):
        edges = np.searchsorted(ordered, (levels[1:] + levels[:-1]) / 2)
        bounds = np.concatenate([[0], edges, [len(ordered)]])
        sizes = np.diff(bounds)
        levels = np.where(sizes > 0, np.diff(sums[bounds]) / np.maximum(sizes, 1), levels)
    rounded = levels.astype(np.float16).astype(np.float64)  # as they ship
    index = np.searchsorted((rounded[1:] + rounded[:-1]) / 2, ordered)
    return rounded.astype(np.float32), float(np.mean((ordered - rounded[index]) ** 2))


def order_of_bits(errors: Doubles, bits: int) -> Ints:
    """Which coefficient gets the n-th bit of a block: [bits], the one whose error it lowers most.

    errors: [C, D + 1], mean squared error of a coefficient with 0 to D bits
    """
    gains = np.concatenate([errors[:, :-1] - errors[:, 1:], np.full((len(errors), 1), -np.inf)], axis=1)
    depth, order = np.zeros(len(errors), np.int64), np.zeros(min(bits, errors[:, 1:].size), np.int64)
    for place in range(len(order)):
        order[place] = best = int(np.argmax(gains[np.arange(len(errors)), depth]))
        depth[best] += 1
    return order

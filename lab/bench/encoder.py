"""CLIP's image tower in bfloat16 against open_clip's own float32, in one run."""

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from lab.bench.fixtures import random_weights
from lab.bench.link import RANDOM
from shared.clip import Clip, load_clip


def bench_encoder(model: str, weights: str | None, batch_size: int = 8, turns: int = 5) -> dict[str, Any]:
    """Pictures per second of both precisions, turn and turn about, and how far their embeddings are apart."""
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder:
        path = random_weights(Path(folder), model) if weights == RANDOM else weights
        towers = {name: load_clip(model, path, precision=name) for name in ("float32", "bfloat16")}
        chosen = load_clip(model, path).precision
    size = towers["float32"].image_size
    pixels = np.random.default_rng(0).integers(0, 256, (batch_size, size, size, 3), dtype=np.uint8)
    for tower in towers.values():
        tower.warm_up(batch_size)
    rates: dict[str, list[float]] = {name: [] for name in towers}
    for _ in range(turns):
        for name, tower in towers.items():
            rates[name].append(_rate(tower, pixels))
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    cosines = np.sum(towers["float32"].embed_images(pixels) * towers["bfloat16"].embed_images(pixels), axis=1)
    return {
        "clip": model,
        "batch_size": batch_size,
        "float32_per_second": medians["float32"],
        "bfloat16_per_second": medians["bfloat16"],
        "ratio": medians["bfloat16"] / medians["float32"],
        "lowest_cosine": float(cosines.min()),
        "chosen": chosen,
    }


def _rate(tower: Clip, pixels: np.ndarray[Any, np.dtype[np.uint8]], seconds: float = 1.5) -> float:
    done, start = 0, perf_counter()
    while (elapsed := perf_counter() - start) < seconds:
        tower.embed_images(pixels)
        done += len(pixels)
    return done / elapsed

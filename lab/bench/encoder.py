"""CLIP's image tower on every engine and in every precision that runs here, in one run."""

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from lab.bench.fixtures import random_weights
from lab.bench.link import RANDOM
from shared.clip import Clip, load_clip
from shared.clip.openvino_engine import unavailable
from shared.types import Pixels


def bench_encoder(model: str, weights: str | None, batch_size: int = 8, turns: int = 5) -> dict[str, Any]:
    """Pictures per second, turn and turn about, and how far embeddings are from those of torch in float32.

    `ratio` is torch's bfloat16 over its float32, `ratio_of_openvino` the best of OpenVINO over the best of torch.
    """
    names = [("torch", "float32"), ("torch", "bfloat16")]
    names += [] if unavailable() else [("openvino", "float32"), ("openvino", "bfloat16")]
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder:
        path = random_weights(Path(folder), model) if weights == RANDOM else weights
        towers = {name: load_clip(model, path, precision=name[1], engine=name[0]) for name in names}
        chosen = load_clip(model, path, engine="auto")
    size = chosen.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (batch_size, size, size, 3), dtype=np.uint8)
    for tower in towers.values():
        tower.warm_up(batch_size)
    rates: dict[tuple[str, str], list[float]] = {name: [] for name in towers}
    for _ in range(turns):
        for name, tower in towers.items():
            rates[name].append(_rate(tower, pixels))
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    embedded = [tower.embed_images(pixels) for tower in towers.values()]
    best = {engine: max(rate for name, rate in medians.items() if name[0] == engine) for engine, _ in names}
    return {
        "clip": model,
        "batch_size": batch_size,
        **{_key(*name): rate for name, rate in medians.items()},
        "ratio": medians["torch", "bfloat16"] / medians["torch", "float32"],
        "ratio_of_openvino": best["openvino"] / best["torch"] if "openvino" in best else None,
        "lowest_cosine": min(float(np.sum(embedded[0] * one, axis=1).min()) for one in embedded),
        "chosen": f"{chosen.engine} {chosen.precision}",
    }


def _key(engine: str, precision: str) -> str:
    return f"{precision}_per_second" if engine == "torch" else f"{engine}_{precision}_per_second"


def _rate(tower: Clip, pixels: Pixels, seconds: float = 1.5) -> float:
    done, start = 0, perf_counter()
    while (elapsed := perf_counter() - start) < seconds:
        tower.embed_images(pixels)
        done += len(pixels)
    return done / elapsed

"""Synthetic embeddings with the geometry of a real CLIP: a narrow cone, a spectrum that falls as a power law, labels.

    e = sqrt(m) mu + sqrt(1 - m) (sqrt(1 - w) centre of the label + sqrt(w) rest),   brought to unit length

m is the mean cosine between two pictures, 0.5 to 0.8 for real models; centres and rest have variances j^-1 along random
orthogonal axes j; w = 0.75 makes the nearest neighbour right about as often as for real pictures of similar classes.

    python -m lab.data.cones 1000 --cosine 0.65 --out out/cone.npz
"""

from pathlib import Path
from typing import Final

import numpy as np

from lab.script import run_script
from shared.errors import InvalidSetting
from shared.files import make_directory
from shared.types import Embeddings, Labels

DIM: Final = 512
WITHIN: Final = 0.75
_DECAY: Final = 1.0
_QUERIES, _ITEMS = 500, 1000
CLIP: Final = "cone"


def cone(count: int, seed: int, cosine: float, labels: int, world: int = 0) -> tuple[Embeddings, Labels]:
    """Embeddings [count, 512], float32, unit length, and labels [count], equally likely.

    seed: of this sample. cosine: the mean one between two. world: of axes and centres
    """
    fixed, own = np.random.default_rng([world, 0]), np.random.default_rng([world, 1, seed])
    spread = np.arange(1, DIM, dtype=np.float64) ** (-_DECAY / 2)
    spread /= np.linalg.norm(spread)
    axes = np.linalg.qr(fixed.standard_normal((DIM, DIM)))[0]
    centres = fixed.standard_normal((labels, DIM - 1)) * spread
    numbers = own.integers(0, labels, count)
    rest = own.standard_normal((count, DIM - 1)) * spread
    around = (np.sqrt(1 - WITHIN) * centres[numbers] + np.sqrt(WITHIN) * rest) @ axes[:, 1:].T
    e = np.sqrt(cosine) * axes[:, 0] + np.sqrt(1 - cosine) * around
    return (e / np.linalg.norm(e, axis=1, keepdims=True)).astype(np.float32), numbers.astype(np.int64)


def save_cone(path: Path, count: int, cosine: float, labels: int = 50, labelled: bool = True) -> None:
    """Write `count` embeddings to learn from, 500 queries and a knowledge base of 1,000 as an .npz with `splits`."""
    if not 0 < cosine < 1:
        raise InvalidSetting(f"cosine = {cosine}: choose between 0 and 1, such as 0.65")
    sizes = {"train": count, "query": _QUERIES, "kb": _ITEMS}
    drawn = [cone(size, seed, cosine, labels) for seed, size in enumerate(sizes.values())]
    names = np.concatenate([numbers for _, numbers in drawn]).astype(np.str_)
    splits = np.repeat([*sizes], [*sizes.values()])
    ids = np.array([f"cone/{place}" for place in range(len(names))])
    arrays = {"labels": names} if labelled else {}
    fingerprint = f"c0{round(1000 * cosine):03d}{count:011x}"
    make_directory(path.parent)
    embeddings = np.concatenate([embeddings for embeddings, _ in drawn])
    arrays |= {"embeddings": embeddings, "ids": ids, "splits": splits}
    np.savez(path, clip=np.array(CLIP), clip_fingerprint=np.array(fingerprint), **arrays)  # type: ignore[arg-type]


def main(count: int, out: Path = Path("out/cone.npz"), cosine: float = 0.65, labels: int = 50) -> None:
    """Write synthetic embeddings."""
    save_cone(out, count, cosine, labels)
    print(out)


if __name__ == "__main__":
    run_script(main)

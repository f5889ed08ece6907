"""Small collections of pictures, as files."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.datasets import Picture, open_source


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(spec: Path | str) -> list[Picture]:
    return list(open_source(str(spec)))


def described(found: list[Picture]) -> list[tuple[str, str, str]]:
    return [(one.id, one.label, one.caption) for one in found]


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def embeddings() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)


def save_npz(path: Path, **arrays: npt.ArrayLike) -> Path:
    np.savez(path, **{"embeddings": embeddings(), "ids": ["a", "b", "c", "ü"], "labels": list("wxyz")} | arrays)
    return path

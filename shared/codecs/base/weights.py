"""Reads the weights of a codec: tensors and a few words, nothing that runs."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from shared.codecs.base.contract import fingerprint_of
from shared.errors import DataLoss
from shared.types import Floats


def read_weights(path: Path, codec: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, as float32, and metadata of a safetensors file. Raises DataLoss for anything else."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataLoss(f"{path} holds no weights of {codec}: {error}") from error
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise DataLoss(f"{path} holds no weights of {codec}: there is a NaN or an infinity among them")
    return tensors, metadata


def fingerprint_of_weights(arrays: Mapping[str, Floats], *parts: str) -> str:
    """Fingerprint of named arrays, in the order of their names, and of words that belong to them."""
    pieces = [piece for name in sorted(arrays) for piece in (name.encode(), arrays[name].tobytes())]
    return fingerprint_of([*(part.encode() for part in parts), *pieces])

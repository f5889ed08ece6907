"""Writes a bundle, see `shared.clip.bundle`, of a CLIP that torch holds and of the codecs that were trained on it."""

import shutil
from pathlib import Path
from typing import Final

from safetensors import safe_open

from shared.clip.bundle import CODECS, IMAGE, Manifest, digest_of
from shared.clip.in_torch import find_towers, image_tower
from shared.clip.openvino_engine import export_tower, unavailable
from shared.codecs.base.weight_files import weights_path
from shared.errors import InvalidSetting, NotFound
from shared.version import VERSION

_WEIGHTS: Final = {"nested": ("model.safetensors",), "label": ("tables.safetensors",)}
"""Of codecs that run without torch; `raw` has none."""


def write_bundle(
    folder: Path, model: str, weights: str | None, *, download: bool, licence: str, codecs: bool = True
) -> Manifest:
    """Write a bundle into a new folder; what it holds. licence: of CLIP's weights. codecs: with their weights.

    Raises InvalidSetting for a folder that is there, NotFound without OpenVINO or weights, and as `load_clip`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InvalidSetting(f"{str(folder)!r} is not empty: name a new folder with --out")
    if reason := unavailable():
        raise NotFound(f"a bundle is made with OpenVINO, and {reason}")
    towers = find_towers(model, weights, download=download)
    folder.mkdir(parents=True, exist_ok=True)
    export_tower(image_tower(towers), folder / IMAGE)
    if codecs:
        _copy_codecs(folder / CODECS, towers.fingerprint)
    files = {str(path.relative_to(folder)): digest_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    manifest = Manifest(towers.about, files, licence, VERSION)
    manifest.write(folder)
    return manifest


def _copy_codecs(folder: Path, fingerprint: str) -> None:
    """Copy weights of codecs that were trained on this CLIP and need no torch."""
    for name, names in _WEIGHTS.items():
        for file in names:
            try:
                path = weights_path(name, file)
            except NotFound:
                continue
            if _trained_on(path) == fingerprint:
                (folder / name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / name / file)


def _trained_on(path: Path) -> str | None:
    with safe_open(path, framework="np") as file:
        return (file.metadata() or {}).get("clip_fingerprint")

"""Writes a bundle, see `shared.clip.bundle`, of a CLIP that torch holds and of the codecs that were trained on it."""

import shutil
from pathlib import Path
from typing import Final

import structlog
from safetensors import safe_open

from shared.clip.bundle import CODECS, IMAGE, Manifest, digest_of
from shared.clip.in_torch import find_towers, image_tower
from shared.clip.openvino_engine import export_tower, unavailable
from shared.clip.towers import Towers
from shared.codecs.base.weight_files import weights_path
from shared.codecs.embedding.kbsc import Kbsc
from shared.errors import InvalidSetting, NotFound
from shared.files import room_told
from shared.version import VERSION

log = structlog.get_logger()

_WEIGHTS: Final = {
    "nested": ("model.safetensors",),
    "label": ("tables.safetensors",),
    "kbsc": tuple(f"k{k}.safetensors" for k in Kbsc.lengths),
}
"""Of codecs that run without torch; `raw` has none."""


def write_bundle(
    folder: Path,
    model: str,
    weights: str | None,
    *,
    download: bool,
    licence: str,
    codecs: bool = True,
    words: str | None = None,
) -> Manifest:
    """Write a bundle into a new folder; what it holds. licence: of CLIP's weights. codecs: with their weights.

    words: a text of whose words alone the text tower shall know, which makes it smaller; None for all words.

    Raises InvalidSetting for a folder that is there, NotFound without OpenVINO or weights, and as `load_clip`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InvalidSetting(f"{str(folder)!r} is not empty: name a new folder with --out")
    if reason := unavailable():
        raise NotFound(f"a bundle is made with OpenVINO, and {reason}")
    towers = find_towers(model, weights, download=download)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with room_told(folder):
            return _written(folder, towers, licence, words, codecs=codecs)
    except BaseException:  # half a bundle is none
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _written(folder: Path, towers: Towers, licence: str, words: str | None, *, codecs: bool) -> Manifest:
    export_tower(image_tower(towers), folder / IMAGE)
    known = _write_texts(folder, towers, words)
    if codecs:
        _copy_codecs(folder / CODECS, towers.fingerprint)
    files = {str(path.relative_to(folder)): digest_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    manifest = Manifest(towers.about, files, licence, VERSION, known)
    manifest.write(folder)
    return manifest


def _write_texts(folder: Path, towers: Towers, words: str | None) -> tuple[str, ...] | None:
    """The words that the text tower knows, or None for all of them, or where there is no such tower."""
    from shared.clip.export_texts import has_standard_tokenizer, write_texts  # noqa: PLC0415 - open_clip takes seconds

    tower = towers.text()
    if not has_standard_tokenizer(tower):
        log.warning("the bundle holds no text tower, since the tokenizer is not CLIP's own", clip=towers.name)
        return None
    return write_texts(folder, tower, words)


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

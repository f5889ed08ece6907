"""A bundle: a CLIP model as OpenVINO's files, and weights of codecs, which run without torch and open_clip.

BUNDLE/manifest.json       what it holds, with checksums
       image.xml, .bin     image tower, from bytes to unit vectors
       text.xml, .bin      text tower, from tokens to unit vectors, and
       tokenizer.json      what makes tokens of a sentence; both only for CLIP's standard tokenizer
       codecs/             weights of the codecs that were trained on this CLIP, as in assets
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from shared.clip.fastest import fastest
from shared.clip.model import About, Clip, Engine
from shared.clip.name import MODEL
from shared.clip.openvino_engine import PRECISIONS, OpenVinoEngine, unavailable
from shared.clip.texts import TEXT, BundledTexts
from shared.device import multiplies_bfloat16
from shared.errors import DataLoss, InvalidSetting, NotFound
from shared.types import Embeddings

MANIFEST: Final = "manifest.json"
IMAGE: Final = "image.xml"
CODECS: Final = "codecs"
_FORMAT: Final = 2


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds. files: SHA-256 of each, by path. licence: of CLIP's weights, as far as it is known.

    words: that its text tower knows, where these are not all.
    """

    about: About
    files: dict[str, str]
    licence: str
    version: str
    words: tuple[str, ...] | None = None

    def write(self, folder: Path) -> None:
        """Write it into the bundle."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, sort_keys=True)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def shipped_bundle() -> Path:
    """The folder of the bundle of clip-tiny."""
    return Path(str(files("assets").joinpath(f"{MODEL}-bundle")))


def codecs_of(bundle: Path | None) -> Path | None:
    """The folder of weights of codecs in a bundle; None where it has none."""
    folder = None if bundle is None else bundle / CODECS
    return folder if folder is not None and folder.is_dir() else None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle whose files are whole. Raises NotFound for no bundle, DataLoss for a damaged one."""
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFound(f"there is no bundle in {str(folder)!r}: make one with `semlink export --out {folder}`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise ValueError(f"it has format {found['format']}, this version reads {_FORMAT}")
        words = None if found["words"] is None else tuple(found["words"])
        manifest = Manifest(About(**found["about"]), dict(found["files"]), found["licence"], found["version"], words)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataLoss(f"{path} is no manifest of a bundle: {error}; export it again") from error
    for name, digest in manifest.files.items():
        if digest != digest_of(folder / name):
            raise DataLoss(f"{folder / name} is not the file that was exported: export the bundle again")
    return manifest


def digest_of(path: Path) -> str:
    """SHA-256 of a file; empty where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def clip_of_bundle(folder: Path, precision: str = "auto") -> Clip:
    """The CLIP of a bundle, on the processor. precision: `float32`, `bfloat16`, or `auto` for the faster."""
    manifest = read_manifest(folder)
    about = manifest.about
    if reason := unavailable():
        raise NotFound(f"a bundle runs in OpenVINO, and {reason}")
    if precision not in ("auto", *PRECISIONS):
        raise InvalidSetting(f"{precision!r} is unknown; choose one of auto, {', '.join(PRECISIONS)}")
    engines: list[Engine] = []
    possible = PRECISIONS if multiplies_bfloat16() else ("float32",)
    for name in possible if precision == "auto" else (precision,):
        try:
            engines.append(OpenVinoEngine(folder / IMAGE, name, about.fingerprint))
        except InvalidSetting:  # this processor has no bfloat16
            if name in (precision, "float32"):
                raise
    side = about.settings["size"]
    example = np.full((8, *([side] * 2 if isinstance(side, int) else side), 3), 128, np.uint8)
    texts = BundledTexts(folder, manifest.words) if TEXT in manifest.files else _no_texts
    return Clip(about, "cpu", fastest(engines, example), texts)


def _no_texts(_: list[str]) -> Embeddings:
    """Stands in for the text tower. Raises NotFound."""
    raise NotFound(
        "this bundle holds no text tower, since its tokenizer is not CLIP's own: start this service without --bundle, "
        "with torch installed"
    )

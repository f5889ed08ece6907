"""clip-tiny as an earlier start left it in the user's cache: converted for OpenVINO, and found to be fastest so.

start 1: torch loads, converts and measures --> image.xml, fastest.json
start 2: both are read; neither is torch loaded nor anything measured

It holds for this machine and these versions; a start with others measures again.
"""

import hashlib
import json
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog

from shared.clip.bundle import read_manifest, shipped_bundle
from shared.clip.model import Clip, EmbedTexts
from shared.clip.openvino_engine import OpenVinoEngine, ir_file_of, unavailable
from shared.device import processor
from shared.errors import InvalidSetting, SemLinkError
from shared.files import put
from shared.types import Embeddings

log = structlog.get_logger()


def kept_clip(engine: str, precision: str) -> Clip | None:
    """clip-tiny on the processor without torch; None where an earlier start left no such thing."""
    if engine == "torch" or unavailable():
        return None
    about = read_manifest(shipped_bundle()).about
    ir_file = ir_file_of(about.fingerprint)
    found = _fastest(ir_file, engine, precision)
    if found is None or not ir_file.is_file():
        return None
    try:
        return Clip(about, "cpu", OpenVinoEngine(ir_file, found, about.fingerprint), _embed_texts)
    except InvalidSetting as error:
        log.warning("what is kept of CLIP cannot be used; it is made again", reason=str(error))
        return None


def keep_fastest(engine: str, precision: str, chosen: Clip) -> None:
    """Remember which engine and precision a start with these settings chose, where OpenVINO was it."""
    if chosen.engine != OpenVinoEngine.name:
        return
    file = _file_of(ir_file_of(chosen.fingerprint))
    known = _read(file)
    known[_key(engine, precision)] = chosen.precision
    try:
        put(file, f"{json.dumps(known, indent=2)}\n".encode(), 0o644)
    except (OSError, SemLinkError) as error:
        log.warning("the fastest engine cannot be remembered; the next start measures again", reason=str(error))


@cache
def _texts() -> EmbedTexts:
    from shared.clip.in_torch import tiny_texts  # noqa: PLC0415 - loads torch

    return tiny_texts()


def _embed_texts(texts: list[str]) -> Embeddings:
    """By the text tower, which is loaded with the first text, and torch with it."""
    return _texts()(texts)


def _fastest(ir_file: Path, engine: str, precision: str) -> str | None:
    found = _read(_file_of(ir_file)).get(_key(engine, precision))
    return found if isinstance(found, str) else None


def _file_of(ir_file: Path) -> Path:
    return ir_file.with_name("fastest.json")


def _read(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(engine: str, precision: str) -> str:
    """All that the choice depends on."""
    versions = ", ".join(f"{name} {_version(name)}" for name in ("torch", "openvino"))
    return f"{engine} {precision}: {_processor()}, {len(os.sched_getaffinity(0))} cores, {versions}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _processor() -> str:
    """Its name, and the instructions that it has."""
    told = processor()
    flags = hashlib.sha256(told.get("flags", "").encode()).hexdigest()[:8]
    return f"{told.get('model name', platform.processor())} {flags}"

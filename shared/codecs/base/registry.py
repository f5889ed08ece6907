"""The table of codecs, plug-ins (codecs in files of the user, named `FILE.py:Class`), and the codecs of one service."""

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Final

import structlog

from shared.codecs.base.picture import AnyCodec
from shared.errors import InvalidSetting, Mismatch, NotFound
from shared.printable import first_line

# name -> "module:class"; imported when asked for, because some codecs need torch.
EMBEDDING_CODECS = {
    "kbsc": "shared.codecs.embedding.kbsc:Kbsc",
    "label": "shared.codecs.embedding.label:Label",
    "nested": "shared.codecs.embedding.nested:Nested",
    "raw": "shared.codecs.embedding.raw:Raw",
    "vq-digital": "shared.codecs.digital.vq:VqDigital",
}
PICTURE_CODECS = {
    "deepjscc": "shared.codecs.picture.jscc.codec:DeepJscc",
    "hevc-ldpc": "shared.codecs.picture.ldpc:HevcLdpc",
    "jpeg-ldpc": "shared.codecs.picture.ldpc:JpegLdpc",
    "swinjscc": "shared.codecs.picture.jscc.codec:SwinJscc",
    "webp-ldpc": "shared.codecs.picture.ldpc:WebpLdpc",
}
CODECS = EMBEDDING_CODECS | PICTURE_CODECS
QUERY_CODECS = {
    "klt": "shared.codecs.query.klt:Klt",
    "klt-relevance": "shared.codecs.query.klt:KltRelevance",
    "klt-relevance-8psk": "shared.codecs.query.uncoded:KltRelevance8Psk",
    "uo-isc": "shared.codecs.query.uo_isc:UoIsc",
    "uo-isc-8psk": "shared.codecs.query.uncoded:UoIsc8Psk",
}
"""Of pictures with questions; loaded with the first question."""
_TABLE: Final = CODECS | QUERY_CODECS

log = structlog.get_logger()
_running: Final = RLock()
"""Held while a user's file runs: another thread would find half of it."""


@cache
def _of_table(place: str) -> type[AnyCodec]:
    module, attribute = place.split(":")
    found: type[AnyCodec] = getattr(import_module(module), attribute)
    return found


def codec_class(name: str) -> type[AnyCodec]:
    """The class of a codec, by its name in the table or as FILE.py:Class.

    Raises NotFound for an unknown name, and where a library is missing that the codec needs.
    """
    if ".py:" in name:
        return codec_from_file(name)
    if name not in _TABLE:
        raise NotFound(f"no codec {name!r}; there are {', '.join(sorted(CODECS))}")
    try:
        return _of_table(_TABLE[name])
    except ModuleNotFoundError as error:
        raise NotFound(
            f"codec {name} needs {error.name}, which is not installed: pip install 'semlink[services]'"
        ) from error


def codec_from_file(source: str) -> type[AnyCodec]:
    """Import the class that `FILE.py:Class` names. This runs the file, so the user must trust it.

    Raises NotFound if there is no such file, InvalidSetting if it holds no such codec.
    """
    file, _, name = source.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise NotFound(f"there is no file {file!r}; name a codec of your own as FILE.py:Class")
    kind = getattr(_module(path), name, None)
    if not (isinstance(kind, type) and issubclass(kind, AnyCodec)):
        raise InvalidSetting(
            f"{path} holds no codec {name!r}: give a class derived from shared.codecs.Codec or PictureCodec"
        )
    if lacking := [field for field in ("name", "lengths", "default_k") if not hasattr(kind, field)]:
        raise InvalidSetting(f"codec {name!r} of {path} has no {', '.join(lacking)}: give it as class attributes")
    return kind


def _module(path: Path) -> ModuleType:
    """Import a file once per process and content."""
    digest = hashlib.sha256(str(path.resolve()).encode() + path.read_bytes()).hexdigest()[:16]
    name = f"semlink_own_{digest}"
    with _running:
        return _imported(name, path)


def _imported(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise InvalidSetting(f"{path} cannot be imported: give a Python file that ends in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before the file runs: dataclasses look their module up
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # a user's file may raise anything
            del sys.modules[name]
            raise InvalidSetting(f"{path} cannot be run: {type(error).__name__}: {first_line(error)}") from error
    return sys.modules[name]


class CodecShelf:
    """Loads every codec once, for one device and one CLIP model.

    own: plug-ins, FILE.py:Class, beside the codecs of the table, each under its class's `name`. Raises NotFound or
    InvalidSetting for one that is no codec.
    """

    def __init__(self, device: str, clip_fingerprint: str, own: Iterable[str] = ()) -> None:
        self.device = device
        self.clip_fingerprint = clip_fingerprint
        self._own = _by_name(own)
        self._loaded: dict[tuple[str, int], AnyCodec | Mismatch | NotFound] = {}
        self._held: set[str] = set()

    @property
    def names(self) -> list[str]:
        """Names of all codecs, those of the table first."""
        return [*CODECS, *self._own]

    def get(self, name: str, k: int | None = None) -> AnyCodec:
        """The codec `name` of length `k`, or of its default length.

        Raises NotFound for an unknown name and for missing weights or libraries, InvalidSetting for an unknown length,
        Mismatch when it was trained on another CLIP model than this shelf's.
        """
        kind = self.kind(name)
        length = kind.default_k if k is None else k
        if length not in kind.lengths:
            raise InvalidSetting(f"codec {name} has no length k = {length}; it has {', '.join(map(str, kind.lengths))}")
        if (name, length) not in self._loaded:
            self._loaded[name, length] = self._load(kind, length)
        found = self._loaded[name, length]
        self._held.add(name)
        if isinstance(found, Exception):
            raise found
        return found

    def holds(self, name: str) -> bool:
        """Whether a codec of this name was asked for before; else `get` may have to import libraries, for seconds."""
        return name in self._held

    def load_all(self) -> list[AnyCodec]:
        """Load every codec that fits this shelf's CLIP model and whose weights and libraries are there."""
        found = []
        for name in self.names:
            try:
                found += [self.get(name, k) for k in self.kind(name).lengths]
            except Mismatch:  # trained on another CLIP: left out here; `get` raises it
                continue
            except NotFound as error:
                log.info("codec left out", codec=name, reason=str(error))
        return found

    def kind(self, name: str) -> type[AnyCodec]:
        """The class of a codec. Raises NotFound for an unknown name."""
        if name in self._own:
            return self._own[name]
        if name not in _TABLE:
            raise NotFound(
                f"no codec {name!r}; there are {', '.join(sorted(self.names))}, and those in files that transmitter "
                "and receiver were started with, --own-codec FILE.py:Class"
            )
        return codec_class(name)

    def _load(self, kind: type[AnyCodec], k: int) -> AnyCodec | Mismatch | NotFound:
        """The codec, or the error of loading it, which is cached like the codec."""
        try:
            codec = kind.load(k, self.device)
        except NotFound as error:
            return error
        if codec.clip_fingerprint not in (None, self.clip_fingerprint):
            return Mismatch(
                f"codec {kind.name} k = {k} was trained on CLIP {codec.clip_fingerprint}, this service uses "
                f"{self.clip_fingerprint}; train it on this CLIP or choose a codec that fits any, such as raw"
            )
        return codec


def _by_name(sources: Iterable[str]) -> dict[str, type[AnyCodec]]:
    found: dict[str, type[AnyCodec]] = {}
    for source in sources:
        kind = codec_from_file(source)
        if kind.name in CODECS | QUERY_CODECS or kind.name in found:
            raise InvalidSetting(
                f"{source} has the name {kind.name!r}, which another codec has: give it a name of its own"
            )
        found[kind.name] = kind
    return found

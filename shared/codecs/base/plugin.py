"""Plug-ins: codecs in files of the user, named `FILE.py:Class`."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from shared.codecs.base.picture import AnyCodec
from shared.errors import InvalidSetting, NotFound


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
            raise InvalidSetting(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return sys.modules[name]

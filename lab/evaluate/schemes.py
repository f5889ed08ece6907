"""The table of schemes: the laboratory's own, the codecs of the services, and codecs in files of yours."""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from lab.evaluate.data import ClipChoice
from lab.evaluate.scenario import SchemeSpec
from lab.evaluate.scheme import CodecScheme, Scheme, Setting
from shared.codecs import Codec, codec_class
from shared.errors import InvalidSetting, NotFound

# Schemes that are no codecs, or more than one: name -> "module:class", called with k and a `Setting`.
SCHEMES: dict[str, str] = {
    "kbsc-authors": "lab.evaluate.kbsc_authors:KbscAuthors",
    "vq-digital": "lab.evaluate.vq_digital:VqDigitalScheme",
    **{f"{kind}-ldpc": "lab.evaluate.digital_pictures:DigitalPictures" for kind in ("jpeg", "webp", "hevc")},
    **{f"{kind}-ldpc-mosaic": "lab.evaluate.digital_pictures:DigitalMosaic" for kind in ("jpeg", "webp", "hevc")},
}


def make_scheme(spec: SchemeSpec, k: int, clip: ClipChoice) -> Scheme:
    """Make a scheme of length k. clip: what embeds the pictures that a scheme decodes.

    Raises NotFound for an unknown one, CannotExist where it has no form at this length.
    """
    if spec.source in SCHEMES:
        module, attribute = SCHEMES[spec.source].split(":")
        made: Scheme = getattr(import_module(module), attribute)(k, Setting(spec.source, clip))
        return made
    return CodecScheme(find_codec(spec.source), k)


def find_codec(source: str) -> type[Codec]:
    """The class of a codec: a name of the registry, or `FILE.py:Class`."""
    file, colon, attribute = source.rpartition(":")
    return _class_in(Path(file), attribute) if colon else codec_class(source)


def _class_in(file: Path, attribute: str) -> type[Codec]:
    if not file.is_file():
        raise NotFound(f"there is no file {str(file)!r}; name a codec of your own as FILE.py:Class")
    kind = getattr(_module_of(file), attribute, None)
    if not (isinstance(kind, type) and issubclass(kind, Codec)):
        raise InvalidSetting(f"{file} holds no codec {attribute!r}: give a class derived from shared.codecs.Codec")
    return kind


def _module_of(file: Path) -> ModuleType:
    """Import a file, once for each process."""
    name = f"semlink_user_{file.stem}_{abs(hash(file.resolve())):x}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise InvalidSetting(f"{file} cannot be imported: give a Python file that ends in .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]

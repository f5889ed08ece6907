"""The table of codecs that take pictures; those that take embeddings are in `shared.codecs.registry`."""

from functools import cache
from importlib import import_module

from shared.codecs.jscc.codec import PictureCodec
from shared.errors import NotFound

# name -> "module:class"; imported when asked for.
PICTURE_CODECS = {
    "deepjscc": "shared.codecs.jscc.deepjscc:DeepJscc",
    "swinjscc": "shared.codecs.jscc.swinjscc:SwinJscc",
}


@cache
def picture_codec_class(name: str) -> type[PictureCodec]:
    """The class of a codec for pictures. Raises NotFound for a name that is not in the table."""
    if name not in PICTURE_CODECS:
        raise NotFound(f"no codec for pictures {name!r}; there are {', '.join(sorted(PICTURE_CODECS))}")
    module, attribute = PICTURE_CODECS[name].split(":")
    found: type[PictureCodec] = getattr(import_module(module), attribute)
    return found

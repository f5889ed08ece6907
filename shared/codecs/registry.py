"""The table of codecs and the shelf that a service takes them from."""

from functools import cache
from importlib import import_module

from shared.codecs.base import Codec
from shared.errors import InvalidSetting, Mismatch, NotFound

# name -> "module:class"; imported when asked for, because some codecs need torch.
CODECS = {
    "kbsc": "shared.codecs.kbsc:Kbsc",
    "label": "shared.codecs.label:Label",
    "nested": "shared.codecs.nested:Nested",
    "raw": "shared.codecs.raw:Raw",
}


@cache
def codec_class(name: str) -> type[Codec]:
    """The class of a codec. Raises NotFound for a name that is not in the table."""
    if name not in CODECS:
        raise NotFound(f"no codec {name!r}; there are {', '.join(sorted(CODECS))}")
    module, attribute = CODECS[name].split(":")
    found: type[Codec] = getattr(import_module(module), attribute)
    return found


class CodecShelf:
    """Loads every codec once, for one device and one CLIP model."""

    def __init__(self, device: str, clip_fingerprint: str) -> None:
        self.device = device
        self.clip_fingerprint = clip_fingerprint
        self._loaded: dict[tuple[str, int], Codec | Mismatch] = {}

    def get(self, name: str, k: int | None = None) -> Codec:
        """The codec `name` of length `k`, or of its default length.

        Raises NotFound for an unknown name, InvalidSetting for a length that it does not have, Mismatch when it was
        trained on another CLIP model than this shelf's.
        """
        kind = codec_class(name)
        length = kind.default_k if k is None else k
        if length not in kind.lengths:
            raise InvalidSetting(f"codec {name} has no length k = {length}; it has {_listed(kind.lengths)}")
        if (name, length) not in self._loaded:
            self._loaded[name, length] = self._load(kind, length)
        found = self._loaded[name, length]
        if isinstance(found, Mismatch):
            raise found
        return found

    def load_all(self) -> list[Codec]:
        """Every codec that fits this shelf's CLIP model, loaded now rather than at its first burst."""
        found = []
        for name in CODECS:
            for k in codec_class(name).lengths:
                try:
                    found.append(self.get(name, k))
                except Mismatch:  # trained on another CLIP: not offered; asking for it by name still says so
                    continue
        return found

    def _load(self, kind: type[Codec], k: int) -> Codec | Mismatch:
        """The codec, or why it does not fit: that is kept as well, so that nobody loads it again to find out."""
        codec = kind.load(k, self.device)
        if codec.clip_fingerprint not in (None, self.clip_fingerprint):
            return Mismatch(
                f"codec {kind.name} k = {k} was trained on CLIP {codec.clip_fingerprint}, this service uses "
                f"{self.clip_fingerprint}; train it on this CLIP or choose a codec that fits any, such as raw"
            )
        return codec


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))

"""The table of schemes: the laboratory's own, the codecs of the services, and codecs in files of yours."""

from importlib import import_module
from typing import TypeVar

import numpy as np

from lab.evaluate.data import TestSet
from lab.evaluate.harq import HarqScheme
from lab.evaluate.pictures import PictureScheme
from lab.evaluate.scenario import SchemeSpec
from lab.evaluate.scheme import CodecScheme, FusedScheme, Scheme, Setting, VotingScheme, check_length
from shared.codecs import AnyCodec, Codec, PictureCodec, QueryCodec, codec_class
from shared.codecs.base.registry import PICTURE_CODECS
from shared.errors import InvalidSetting, Mismatch

Kind = TypeVar("Kind", Codec, PictureCodec)

PICTURES = ("jpeg", "webp", "hevc", "bpg")
_OF_PICTURES = (*PICTURES, *PICTURE_CODECS)
# Schemes that are no codecs, or more than one: name -> "module:class", called with k and a `Setting`.
SCHEMES: dict[str, str] = {
    "kbsc-authors": "lab.evaluate.kbsc_authors:KbscAuthors",
    "vq-digital": "lab.evaluate.vq_digital:VqDigitalScheme",
    **{f"{kind}-ldpc": "lab.evaluate.pictures:DigitalPictures" for kind in PICTURES},
    **{f"{kind}-ldpc-mosaic": "lab.evaluate.mosaics:DigitalMosaic" for kind in PICTURES},
}


# Codecs that the services do not offer.
CODECS: dict[str, str] = {"nested-unlabelled": "shared.codecs.embedding.nested:NestedUnlabelled"}


def make_scheme(spec: SchemeSpec, k: int, test_set: TestSet) -> Scheme:
    """Make a scheme of length k, with the knowledge base of a test set at its receiver.

    Raises NotFound for an unknown one, CannotExist where it has no form at this length, Mismatch when it was trained on
    another CLIP model than the test set's.
    """
    if not test_set.has_pictures and spec.codec.startswith(_OF_PICTURES):
        raise InvalidSetting(f"scheme {spec.name} sends pictures, and these are ready embeddings: leave it out")
    scheme = _made(spec, k, test_set)
    trained_on = getattr(scheme, "clip_fingerprint", None)  # of those that were trained on embeddings
    if trained_on not in (None, test_set.clip_fingerprint):
        raise Mismatch(
            f"scheme {spec.name} k = {k} was trained on CLIP {trained_on}, the pictures were embedded by "
            f"{test_set.clip_fingerprint}: train it on this CLIP, or leave it out of the scenario"
        )
    return scheme


def _made(spec: SchemeSpec, k: int, test_set: TestSet) -> Scheme:
    labels = np.unique(test_set.item_labels, return_inverse=True)[1]
    setting = Setting(spec.codec, test_set.clip, test_set.items.embeddings, labels)
    if spec.codec in SCHEMES:
        module, attribute = SCHEMES[spec.codec].split(":")
        made: Scheme = getattr(import_module(module), attribute)(k, setting)
        return made
    kind = find_codec(spec.codec)
    if issubclass(kind, QueryCodec):
        raise InvalidSetting(f"codec {spec.codec} needs questions: `semlink evaluate ask` compares such codecs")
    if issubclass(kind, PictureCodec):
        return PictureScheme(*_ends(kind, k), setting.clip)
    if spec.harq is not None:
        return HarqScheme(kind, k, spec.harq, setting.items, setting.labels)
    sender, receiver = _ends(kind, k)
    match spec.decision:
        case "nearest":
            return CodecScheme(sender, receiver)
        case "vote":
            return VotingScheme(sender, receiver, setting.items, setting.labels)
        case "fusion":
            return FusedScheme(sender, receiver, setting.items, setting.labels)


def _ends(kind: type[Kind], k: int) -> tuple[Kind, Kind]:
    """Sender and receiver, two instances."""
    check_length(kind, k)
    return kind.load(k, "cpu"), kind.load(k, "cpu")


def find_codec(source: str) -> type[AnyCodec]:
    """The class of a codec: a name of `CODECS` or of the registry, or `FILE.py:Class`."""
    if source in CODECS:
        module, attribute = CODECS[source].split(":")
        found: type[AnyCodec] = getattr(import_module(module), attribute)
        return found
    return codec_class(source)

"""What services say of themselves, as plain values."""

from dataclasses import asdict, dataclass
from typing import Any

from protos.semlink.v1 import common_pb2 as pb
from protos.semlink.v1 import link_pb2 as link
from protos.semlink.v1 import transmitter_pb2 as api


@dataclass(frozen=True)
class CodecInfo:
    """A codec of one length. k: real dimensions; both ends must hold the same fingerprint."""

    codec: str
    k: int
    fingerprint: str
    clip_fingerprint: str


@dataclass(frozen=True)
class TransmitterInfo:
    """A transmitter: its CLIP, its arithmetic (float32 or bfloat16), its codecs and its limits."""

    version: str
    clip: str
    clip_fingerprint: str
    device: str
    precision: str
    codecs: tuple[CodecInfo, ...]
    default_codec: CodecInfo
    max_picture_bytes: int
    max_picture_pixels: int
    max_in_flight: int

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class KnowledgeBaseInfo:
    """A knowledge base: what it was built from, how much it holds, and with which CLIP."""

    source: str
    items: int
    labels: int
    clip: str
    clip_fingerprint: str
    fingerprint: str
    engine: str
    dim: int

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        return asdict(self)


def read_transmitter(message: api.TransmitterDescription) -> TransmitterInfo:
    """A transmitter's description from the wire."""
    return TransmitterInfo(
        version=message.version,
        clip=message.clip,
        clip_fingerprint=message.clip_fingerprint,
        device=message.device,
        precision=message.precision,
        codecs=tuple(_codec(spec) for spec in message.codecs),
        default_codec=_codec(message.default_codec),
        max_picture_bytes=message.max_picture_bytes,
        max_picture_pixels=message.max_picture_pixels,
        max_in_flight=message.max_in_flight,
    )


def read_knowledge_base(message: link.KnowledgeBaseDescription) -> KnowledgeBaseInfo:
    """A knowledge base's description from the wire."""
    return KnowledgeBaseInfo(
        source=message.source,
        items=message.items,
        labels=message.labels,
        clip=message.clip,
        clip_fingerprint=message.clip_fingerprint,
        fingerprint=message.fingerprint,
        engine=message.engine,
        dim=message.dim,
    )


def _codec(spec: pb.CodecSpec) -> CodecInfo:
    return CodecInfo(spec.codec, spec.k, spec.fingerprint, spec.clip_fingerprint)

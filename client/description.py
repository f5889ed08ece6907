"""What a transmitter says of itself, as plain values."""

from dataclasses import asdict, dataclass
from typing import Any

from protos.semlink.v1 import transmitter_pb2 as api
from shared.frame.burst import CodecSpec
from shared.wire.link import spec_from_wire


@dataclass(frozen=True)
class TransmitterInfo:
    """A transmitter: its CLIP, its arithmetic (float32 or bfloat16), its codecs and its limits."""

    version: str
    clip: str
    clip_fingerprint: str
    device: str
    precision: str
    codecs: tuple[CodecSpec, ...]
    default_codec: CodecSpec
    max_picture_bytes: int
    max_picture_pixels: int
    max_in_flight: int

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
        codecs=tuple(spec_from_wire(spec) for spec in message.codecs),
        default_codec=spec_from_wire(message.default_codec),
        max_picture_bytes=message.max_picture_bytes,
        max_picture_pixels=message.max_picture_pixels,
        max_in_flight=message.max_in_flight,
    )

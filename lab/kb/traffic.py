"""Embeddings as they look after the channel.

e --codec--> [pilots | x] --Link--> y --the receiver's own decoder--> e_hat, N0 after the equalizer
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from receiver.decoder import decode_payloads, equalize_bursts
from shared.burst import Burst, CodecSpec
from shared.channel import ChannelSettings, Link, pilot_sequence
from shared.codecs import Codec
from shared.symbols import Complex

PILOTS = 8
_BATCH = 256

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Received:
    """What the receiver made of some embeddings.

    embeddings: [B, dim], float32, unit length. n0: [B], float64, noise power per symbol after the equalizer, as it was
    estimated from the pilots. symbols: [B], int64, complex symbols of each payload.
    """

    embeddings: Floats
    n0: npt.NDArray[np.float64]
    symbols: npt.NDArray[np.int64]


def transmit(embeddings: Floats, codec: Codec, channels: Sequence[ChannelSettings], counter: int = 0) -> Received:
    """Send embeddings [B, dim], unit length, each over a channel of its own or all over one.

    counter: of the first burst. What decodes to no direction keeps the direction of its first value.
    """
    if len(channels) == 1:
        channels = list(channels) * len(embeddings)
    parts = [
        _batch(embeddings[rows], codec, channels[rows], counter + rows.start) for rows in _batches(len(embeddings))
    ]
    return Received(
        np.concatenate([part.embeddings for part in parts]),
        np.concatenate([part.n0 for part in parts]),
        np.concatenate([part.symbols for part in parts]),
    )


def mixed_channels(count: int, seed: int, snr_db: tuple[float, float] = (-10, 20)) -> list[ChannelSettings]:
    """Channels of evenly spread SNR, one in two with Rayleigh fading: what a receiver may meet."""
    rng = np.random.default_rng(seed)
    return [
        ChannelSettings(snr_db=float(level), fading="rayleigh" if faded else "none", seed=seed)
        for level, faded in zip(rng.uniform(*snr_db, count), rng.random(count) < 0.5, strict=True)
    ]


def _batches(count: int) -> Iterator[slice]:
    for start in range(0, count, _BATCH):
        yield slice(start, start + _BATCH)


def _batch(embeddings: Floats, codec: Codec, channels: Sequence[ChannelSettings], counter: int) -> Received:
    spec = CodecSpec(codec.name, codec.k, codec.fingerprint, "")
    bursts = [
        Burst(counter + row, 0, counter + row, spec, PILOTS, _sent(x, channel, counter + row), csi="pilot")
        for row, (x, channel) in enumerate(zip(codec.encode(embeddings), channels, strict=True))
    ]
    equalized = equalize_bursts(bursts, "level")
    decoded = decode_payloads(codec, equalized).decoded.embeddings
    return Received(_unit(decoded), 10 ** (-equalized.snr_db / 10), np.full(len(bursts), codec.symbols, np.int64))


def _sent(payload: Complex, channel: ChannelSettings, counter: int) -> Complex:
    return Link.from_settings(channel).transmit(np.concatenate([pilot_sequence(PILOTS), payload]), 0, counter).y


def _unit(embeddings: Floats) -> Floats:
    wide = np.nan_to_num(embeddings.astype(np.float64))
    wide[~wide.any(axis=1), 0] = 1
    unit: Floats = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    return unit

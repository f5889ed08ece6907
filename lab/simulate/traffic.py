"""Embeddings as they look after the channel.

e --codec--> [pilots | x] --Link--> y --the receiver's own decoder--> e_hat, N0 after the equalizer
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from receiver.decoder import decode_payloads, equalize_bursts
from shared.codecs import Codec, Decoded
from shared.codecs.embedding.posterior import LabelPosterior
from shared.frame.burst import Burst, CodecSpec
from shared.phy import ChannelSettings, Link, pilot_sequence
from shared.types import Complex, Doubles, Floats, Ints

PILOTS = 8
_BATCH = 256


@dataclass(frozen=True)
class Received:
    """What the receiver made of some embeddings.

    decoded: of all. n0: [B], float64, noise power per symbol after the equalizer, as it was estimated from the pilots.
    symbols: [B], int64, complex symbols of each payload.
    """

    decoded: Decoded
    n0: Doubles
    symbols: Ints

    @property
    def embeddings(self) -> Floats:
        """[B, dim], float32, unit length. What decodes to no direction has the direction of its first value."""
        return _unit(self.decoded.embeddings)


def transmit(
    embeddings: Floats,
    codec: Codec,
    channels: Sequence[ChannelSettings],
    counter: int = 0,
    fusion: LabelPosterior | None = None,
) -> Received:
    """Send embeddings [B, dim], unit length, each over a channel of its own or all over one.

    counter: of the first burst. fusion: of the codec with the receiver's knowledge base, for codecs with categories.
    """
    if len(channels) == 1:
        channels = list(channels) * len(embeddings)
    receiver = codec if fusion is None else codec.with_prior(fusion.log_prior)
    parts = [
        _batch(codec.encode(embeddings[rows]), receiver, channels[rows], counter + rows.start)
        for rows in _batches(len(embeddings))
    ]
    log_posteriors = [part.decoded.log_posterior for part in parts if part.decoded.log_posterior is not None]
    return Received(
        Decoded(
            np.concatenate([part.decoded.embeddings for part in parts]),
            np.concatenate(log_posteriors) if log_posteriors else None,
        ),
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


def _batch(sent: Complex, codec: Codec, channels: Sequence[ChannelSettings], counter: int) -> Received:
    spec = CodecSpec(codec.name, codec.k, codec.fingerprint, "")
    bursts = [
        Burst(counter + row, 0, counter + row, spec, PILOTS, _received(x, channel, counter + row), csi="pilot")
        for row, (x, channel) in enumerate(zip(sent, channels, strict=True))
    ]
    equalized = equalize_bursts(bursts, codec.equalizer or "level")
    decoded = decode_payloads(codec, equalized).decoded
    return Received(decoded, 10 ** (-equalized.snr_db / 10), np.full(len(bursts), codec.symbols, np.int64))


def _received(payload: Complex, channel: ChannelSettings, counter: int) -> Complex:
    return Link.from_settings(channel).transmit(np.concatenate([pilot_sequence(PILOTS), payload]), 0, counter).y


def _unit(embeddings: Floats) -> Floats:
    wide = np.nan_to_num(embeddings.astype(np.float64))
    wide[~wide.any(axis=1), 0] = 1
    unit: Floats = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    return unit

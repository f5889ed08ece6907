"""Embeddings as they look after the channel.

e --codec--> payloads --chain: pilots, channel, equalizer--> x_hat, n0_eff --the receiver's decoder--> e_hat, N0
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.simulate.chain import Chain, Override
from receiver.decoder import decode_payloads
from shared.codecs import Codec, Decoded
from shared.codecs.embedding.posterior import LabelPosterior
from shared.types import Doubles, Embeddings, Ints

_BATCH = 256


@dataclass(frozen=True)
class Received:
    """What the receiver made of some embeddings.

    decoded: of all. n0: [B], float64, see `receiver.decoder.Equalized`, estimated from the pilots.
    symbols: [B], int64, complex symbols of each payload.
    """

    decoded: Decoded
    n0: Doubles
    symbols: Ints

    @property
    def embeddings(self) -> Embeddings:
        """[B, dim], float32, unit length. What decodes to no direction has the direction of its first value."""
        return _unit(self.decoded.embeddings)


def transmit_embeddings(
    embeddings: Embeddings,
    codec: Codec,
    chain: Chain,
    counter: int = 0,
    *,
    overrides: Sequence[Override] | None = None,
    fusion: LabelPosterior | None = None,
) -> Received:
    """Send embeddings [B, dim], unit length.

    counter: of the first burst. overrides: [B], channel settings of each burst's own. fusion: of the codec with the
    receiver's knowledge base, for codecs with categories.
    """
    receiver = codec if fusion is None else codec.with_prior(fusion.log_prior)
    receiver = receiver.with_mode(codec.mode(math.nan))
    n0, decoded = [], []
    for start in range(0, len(embeddings), _BATCH):
        payloads = codec.encode(embeddings[start : start + _BATCH])
        own = None if overrides is None else overrides[start : start + _BATCH]
        counters = counter + start + np.arange(len(payloads))
        equalized = chain.carry(payloads, counters, receiver.equalizer, overrides=own)
        decoded.append(decode_payloads(receiver, equalized).decoded)
        n0.append(equalized.n0)
    return Received(joined(decoded), np.concatenate(n0), np.full(len(embeddings), codec.symbols, np.int64))


def mixed_channels(count: int, seed: int, snr_db: tuple[float, float] = (-10, 20)) -> list[Override]:
    """Channels of evenly spread SNR, one in two with Rayleigh fading: what a receiver may meet."""
    rng = np.random.default_rng(seed)
    return [
        {"snr_db": float(level), "fading": "rayleigh" if faded else "none", "seed": seed}
        for level, faded in zip(rng.uniform(*snr_db, count), rng.random(count) < 0.5, strict=True)
    ]


def joined(parts: Sequence[Decoded]) -> Decoded:
    """All of several batches."""
    posteriors = [part.log_posterior for part in parts if part.log_posterior is not None]
    return Decoded(
        np.concatenate([part.embeddings for part in parts]), np.concatenate(posteriors) if posteriors else None
    )


def _unit(embeddings: Embeddings) -> Embeddings:
    wide = np.nan_to_num(embeddings.astype(np.float64))
    wide[~wide.any(axis=1), 0] = 1
    unit: Embeddings = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    return unit

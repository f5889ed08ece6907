"""Pictures in rounds (HARQ), all pictures of one round at a time.

    code of all lengths --the transmitter's loop: next segment, a burst of its own--> chain --> the receiver's buffer
                                     ^                                                              |
                                     '---- of those whose posterior is too low <-- decode all so far'

As over the sockets: each round has its own pilots, header, fade and noise.
"""

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from time import perf_counter
from typing import Final

import numpy as np

from lab.simulate.chain import Chain, transmit
from lab.simulate.embeddings import joined
from lab.simulate.together import Together
from receiver.decoder import equalize_bursts
from receiver.harq_buffer import HarqBuffer, Part
from shared.codecs import Codec, Decoded
from shared.frame.burst import Burst
from shared.frame.reception import Reception
from shared.runtime.deadline import Deadline
from shared.types import Complex, Ints
from transmitter.harq import Exchange, exchange_rounds, required_posteriors

ROUND_STRIDE: Final = 1 << 32
"""From the counter of one round of a picture to that of the next: below it counters number the pictures."""


@dataclass(frozen=True)
class RoundsOutcome:
    """What was sent, and what arrived, of each picture: [B]. decoded: after its last round."""

    decoded: Decoded
    payload_symbols: Ints
    bursts: Ints
    decode_seconds: float


def send_rounds(
    chain: Chain,
    receivers: Sequence[Codec],
    payloads: Complex,
    counters: Ints,
    *,
    posterior: float,
    stride: int = ROUND_STRIDE,
) -> RoundsOutcome:
    """Send each picture until the posterior of its category is high enough, or its whole code is sent.

    receivers: a decoder of each length, shortest first. payloads: [B, n], codes of the longest. counters: [B], of the
    first rounds; stride: from one round to the next. posterior: the required one; see `transmitter.harq`.
    """
    rounds = _Rounds(chain, {codec.symbols: codec for codec in receivers}, posterior, stride, len(payloads))
    exchanges = asyncio.run(rounds.exchange_all(payloads, counters))
    return RoundsOutcome(
        joined([rounds.decoded[row] for row in range(len(payloads))]),
        payload_symbols=np.array([sum(one.burst.payload_symbols for one in each) for each in exchanges]),
        bursts=np.array([len(each) for each in exchanges]),
        decode_seconds=rounds.decode_seconds,
    )


@dataclass
class _Rounds:
    """Both ends of a batch of pictures. codecs: by symbols. decoded: the latest of each picture, by its row."""

    chain: Chain
    codecs: dict[int, Codec]
    posterior: float
    stride: int
    pictures: int
    decoded: dict[int, Decoded] = field(default_factory=dict)
    decode_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._sessions = HarqBuffer(most=self.pictures, seconds=math.inf)

    async def exchange_all(self, payloads: Complex, counters: Ints) -> list[list[Exchange]]:
        """The transmitter's loop for each picture, side by side."""
        hop, never = Together(self._answer), Deadline.after(None)
        segments = map(self._segments, range(len(payloads)), payloads, counters.tolist())
        return await asyncio.gather(*(exchange_rounds(each, hop, never) for each in segments))

    def _segments(self, row: int, code: Complex, counter: int) -> Iterator[Burst]:
        """The bursts of one picture."""
        ends = list(self.codecs)
        required = required_posteriors(self.posterior, ends)
        for number, (start, stop) in enumerate(pairwise((0, *ends))):
            (burst,) = self.chain.bursts(code[None, start:stop], np.array([counter + number * self.stride]))
            yield replace(
                burst,
                session=row + 1,
                offset_symbols=start,
                required_posterior=required[number],
            )

    def _answer(self, bursts: Sequence[Burst]) -> list[Reception]:
        """Answers to bursts of the same round."""
        codec = self.codecs[bursts[0].offset_symbols + bursts[0].payload.size]
        arrived = [burst for burst, _ in transmit(bursts, self.chain.conditions)]
        equalized = equalize_bursts(arrived, codec.equalizer or self.chain.equalizer)
        parts = map(Part, equalized.x_hat, equalized.n0_eff)
        whole = [self._sessions.join(burst, part) for burst, part in zip(arrived, parts, strict=True)]
        x_hat, n0_eff = (np.stack(column) for column in zip(*whole, strict=True))
        start = perf_counter()
        decoded = codec.decode(x_hat, n0_eff)
        self.decode_seconds += perf_counter() - start
        return [self._reception(burst, decoded, row) for row, burst in enumerate(arrived)]

    def _reception(self, burst: Burst, decoded: Decoded, row: int) -> Reception:
        assert decoded.log_posterior is not None, "rounds need a codec with categories"
        own = Decoded(decoded.embeddings[row : row + 1], decoded.log_posterior[row : row + 1])
        self.decoded[burst.session - 1] = own
        posterior = float(np.exp(decoded.log_posterior[row].max()))
        more = posterior < burst.required_posterior
        return Reception(
            burst.burst_id, (), posterior, not more, "", (), 0.0, "", posterior=posterior, request_more=more
        )

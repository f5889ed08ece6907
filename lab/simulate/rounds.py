"""Pictures in rounds (HARQ), all pictures of one round at a time.

    code of all lengths --the transmitter's loop: next segment, a burst of its own--> chain --> the receiver's buffer
                                     ^                                                              |
                                     '---- of those whose posterior is too low <-- decode all so far'

As over the sockets: each round has its own pilots, header, fade and noise.
"""

import asyncio
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from time import perf_counter
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from lab.simulate.chain import Chain, Headers, read_headers, transmit
from lab.simulate.embeddings import joined
from lab.simulate.together import Together
from receiver.decoder import equalize_bursts
from receiver.harq_buffer import HarqBuffer, Part
from shared.codecs import Codec, Decoded
from shared.errors import Lost
from shared.frame.burst import NO_CODEC, Burst
from shared.frame.header import Sessions, session_of
from shared.frame.reception import Reception
from shared.phy.channel.ofdm import air_symbols
from shared.runtime.deadline import Deadline
from shared.types import Complex, Ints
from transmitter.harq import Exchange, exchange_rounds, required_posteriors

ROUND_STRIDE: Final = 1 << 32
"""From the counter of one round of a picture to that of the next: below it counters number the pictures."""


Counted = TypeVar("Counted", Ints, float)


class Sent(NamedTuple, Generic[Counted]):
    """Channel uses of pictures: [B] each, or their means. waveform: cyclic prefixes and unused subcarriers."""

    payload: Counted
    pilots: Counted
    header: Counted
    waveform: Counted

    @property
    def total(self) -> Counted:
        """All of them."""
        return self.payload + self.pilots + self.header + self.waveform


@dataclass(frozen=True)
class RoundsOutcome:
    """What was sent, and what arrived, of each picture: [B].

    decoded: after its last round that arrived; zeros where the first one's header was lost. headers: of all rounds of
    all pictures, in no order; None without any on the air.
    """

    decoded: Decoded
    sent: Sent[Ints]
    bursts: Ints
    decode_seconds: float
    headers: Headers | None


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
    nothing = _nothing(receivers[0], rounds.decoded)
    return RoundsOutcome(
        joined([rounds.decoded.get(row, nothing) for row in range(len(payloads))]),
        sent=Sent(*np.array([_sent(chain, [one.burst for one in each]) for each in exchanges]).T),
        bursts=np.array([len(each) for each in exchanges]),
        decode_seconds=rounds.decode_seconds,
        headers=rounds.headers,
    )


def _sent(chain: Chain, bursts: Sequence[Burst]) -> tuple[int, int, int, int]:
    """Channel uses of one picture, as in `Sent`."""
    return (
        sum(burst.payload_symbols for burst in bursts),
        sum(burst.pilot_symbols for burst in bursts),
        sum(burst.header_symbols + burst.unsent_symbols for burst in bursts),
        sum(air_symbols(chain.channel.grid, burst.symbols.size) - burst.symbols.size for burst in bursts),
    )


def _nothing(codec: Codec, others: Mapping[int, Decoded]) -> Decoded:
    """What is decoded of a picture whose first header was lost: like the others, and all zeros."""
    ones = np.ones((1, codec.symbols), np.complex64)
    like = next(iter(others.values()), None) or codec.decode(ones, np.ones(ones.shape, np.float32))
    assert like.log_posterior is not None
    return Decoded(np.zeros_like(like.embeddings), np.zeros_like(like.log_posterior))


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
        self._buffer = HarqBuffer(most=self.pictures, seconds=math.inf)
        self._hop = Together(self._answer)
        self._headers: list[Headers] = []
        self._rows: dict[int, int] = {}  # by session
        ends = list(self.codecs)
        codecs = [replace(NO_CODEC, k=2 * symbols) for symbols in ends]
        self._configuration = self.chain.configuration(codecs, required_posteriors(self.posterior, ends))

    @property
    def headers(self) -> Headers | None:
        """Of all rounds so far."""
        return Headers(*map(np.concatenate, zip(*self._headers, strict=True))) if self._headers else None

    async def exchange_all(self, payloads: Complex, counters: Ints) -> list[list[Exchange]]:
        """The transmitter's loop for each picture, side by side."""
        with ExitStack() as stack:
            numbers = list(range(len(payloads)))
            if self.chain.framing == "explicit":
                free = Sessions()
                numbers = [stack.enter_context(free.number(counter)) for counter in counters.tolist()]
            self._rows = {session_of(self._configuration, number): row for row, number in enumerate(numbers)}
            segments = map(self._segments, numbers, payloads, counters.tolist())
            return await asyncio.gather(*map(self._exchange, segments))

    async def _exchange(self, bursts: Iterator[Burst]) -> list[Exchange]:
        """The rounds of one picture; one that failed where the first header was lost."""
        first = next(bursts)
        try:
            return await exchange_rounds(itertools.chain((first,), bursts), self._hop, Deadline.after(None))
        except Lost as error:
            return [Exchange(first, 0.0, failure=error)]

    def _segments(self, session: int, code: Complex, counter: int) -> Iterator[Burst]:
        """The bursts of one picture. session: its number, also in headers."""
        for number, (start, stop) in enumerate(pairwise((0, *self.codecs))):
            place = counter + number * self.stride
            burst = self.chain.burst(self._configuration, code[start:stop], place, number=number, session=session)
            required = self._configuration.required_posteriors[number]
            name = session_of(self._configuration, session)
            yield replace(burst, session=name, offset_symbols=start, required_posterior=required)

    def _answer(self, bursts: Sequence[Burst]) -> list[Reception | Exception]:
        """Answers to bursts of the same round."""
        arrived = [burst for burst, _ in transmit(bursts, self.chain.conditions)]
        headers = read_headers(arrived, self._configuration)
        if headers is None:
            return list(self._decoded(arrived))
        self._headers.append(headers)
        unread = headers.lost | headers.undetected
        answers = iter(self._decoded([burst for burst, gone in zip(arrived, unread, strict=True) if not gone]))
        return [Lost("its header was lost") if gone else next(answers) for gone in unread.tolist()]

    def _decoded(self, arrived: Sequence[Burst]) -> list[Reception]:
        """Answers to bursts whose headers were read."""
        if not arrived:
            return []
        codec = self.codecs[arrived[0].offset_symbols + arrived[0].payload.size]
        equalized = equalize_bursts(arrived, codec.equalizer or self.chain.equalizer)
        parts = map(Part, equalized.x_hat, equalized.n0_eff)
        whole = [self._buffer.join(burst, part) for burst, part in zip(arrived, parts, strict=True)]
        x_hat, n0_eff = (np.stack(column) for column in zip(*whole, strict=True))
        start = perf_counter()
        decoded = codec.decode(x_hat, n0_eff)
        self.decode_seconds += perf_counter() - start
        return [self._reception(burst, decoded, row) for row, burst in enumerate(arrived)]

    def _reception(self, burst: Burst, decoded: Decoded, row: int) -> Reception:
        assert decoded.log_posterior is not None, "rounds need a codec with categories"
        own = Decoded(decoded.embeddings[row : row + 1], decoded.log_posterior[row : row + 1])
        self.decoded[self._rows[burst.session]] = own
        posterior = float(np.exp(decoded.log_posterior[row].max()))
        more = posterior < burst.required_posterior
        return Reception(
            burst.burst_id, (), posterior, not more, "", (), 0.0, "", posterior=posterior, request_more=more
        )

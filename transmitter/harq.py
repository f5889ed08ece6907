"""HARQ: further bursts of a picture while the receiver requests them.

incremental redundancy: a few symbols, then more of the codeword, while the receiver's posterior is too low
repeats of a block:     the same block once more, while it is lost; the receiver combines all (Chase combining)

bursts of a picture --the next one--> next hop --reception--> more requested? --> the next one
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter

import numpy as np

from shared.errors import Lost, SemLinkError
from shared.frame.burst import Burst
from shared.frame.delivery import HarqRound
from shared.frame.reception import Reception, Trace
from shared.ledger import AIR, Entry, Kind, Stage
from shared.runtime.deadline import Deadline
from shared.types import Complex

NextHop = Callable[[Burst], Awaitable[Reception]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One burst, and what came back: a reception, or why there is none. round_trip_seconds: as measured here."""

    burst: Burst
    round_trip_seconds: float
    reception: Reception | None = None
    failure: SemLinkError | None = None

    @property
    def request_more(self) -> bool:
        """Whether the receiver requests more symbols, or tells that the block, or the question, is lost."""
        if self.reception is None:
            return False
        rebuilt = self.reception.rebuilt
        return self.reception.request_more or (rebuilt is not None and not rebuilt.complete)

    @property
    def channel_uses(self) -> int:
        """All that is counted: pilots, header, payload, and what the waveform adds."""
        report = None if self.reception is None else self.reception.channel
        return (self.burst.symbols.size if report is None else report.air_symbols) + self.burst.unsent_symbols

    @property
    def header_symbols(self) -> int:
        """Those of them that are a header."""
        return self.burst.header_symbols + self.burst.unsent_symbols

    def ledger(self) -> list[Entry]:
        """Its stages; none where it failed."""
        if self.reception is None:
            return []
        air = [entry for entry in self.reception.ledger if entry.stage in AIR and entry.kind is Kind.MEASURED]
        inside = self.reception.elapsed_seconds + sum(entry.seconds for entry in air)
        return [Entry(Stage.WIRE, max(0.0, self.round_trip_seconds - inside)), *self.reception.ledger]

    def as_round(self, source_values: float) -> HarqRound:
        """What the client is told of it. source_values: 3 x height x width of the source picture, NaN for none."""
        burst, reception = self.burst, self.reception
        entries = () if reception is None else reception.ledger
        return HarqRound(
            k=burst.codec.k,
            counter=burst.counter,
            pilot_symbols=burst.pilot_symbols,
            payload_symbols=burst.payload_symbols,
            header_symbols=self.header_symbols,
            cbr_total=self.channel_uses / source_values,
            confidence=None if reception is None else reception.confidence,
            posterior=None if reception is None else reception.posterior,
            snr_db_estimated=None if reception is None else reception.snr_db_estimated,
            seconds=self.round_trip_seconds + sum(entry.seconds for entry in entries if entry.kind is Kind.EMULATED),
            failure="" if self.failure is None else str(self.failure),
        )


def required_posteriors(posterior: float, reached: Sequence[int]) -> list[float]:
    """The posterior below which the next round is requested, after each round; 0 after the last, which has no next.

    posterior: the required one for a round as long as the first. reached: payload symbols of all rounds so far, after
    each. The tolerated doubt grows in proportion to the symbols of the next round,
    1 - required = (1 - posterior) next / first, so long rounds need more doubt.
    """
    following = [after - before for before, after in pairwise(reached)]
    return [*(max(0.0, 1 - (1 - posterior) * symbols / reached[0]) for symbols in following), 0.0]


async def exchange_rounds(
    bursts: Iterator[Burst], next_hop: NextHop, deadline: Deadline, *, repeats: bool = False
) -> list[Exchange]:
    """Send the first burst, and the others one by one while the receiver requests more.

    bursts: of one picture; each is taken when it is sent. repeats: they are the same block, so where a header is lost
    the next one is sent too. Any other failure ends the rounds, and leaves the answers before it as they are; so that
    it can still be told in time, a later burst may take half of the time that is left. Raises the failure of the first
    one if none has an answer.
    """
    exchanges = [await _exchange(next(bursts), next_hop, deadline)]
    while _goes_on(exchanges[-1], repeats) and not deadline.expired and (burst := next(bursts, None)) is not None:
        exchanges.append(await _exchange(burst, next_hop, Deadline.after(deadline.remaining() / 2)))
    first = exchanges[0]
    if first.failure is not None and not any(each.reception for each in exchanges):
        raise first.failure
    return exchanges


def _goes_on(last: Exchange, repeats: bool) -> bool:
    return last.request_more or (repeats and isinstance(last.failure, Lost))


async def _exchange(burst: Burst, next_hop: NextHop, deadline: Deadline) -> Exchange:
    start = perf_counter()
    try:
        reception = await next_hop(replace(burst, timeout_seconds=deadline.remaining()))
    except SemLinkError as error:
        return Exchange(burst, perf_counter() - start, failure=error)
    return Exchange(burst, perf_counter() - start, reception)


def joined_trace(exchanges: Sequence[Exchange], payload: Complex) -> Trace | None:
    """The trace of all rounds that arrived; None without any. payload: [n], what was to be sent in all of them."""
    arrived = [(each.burst, each.reception.trace) for each in exchanges if each.reception is not None]
    traced = [(burst, trace) for burst, trace in arrived if trace is not None]
    if not traced:
        return None
    sent = [payload[burst.offset_symbols : burst.offset_symbols + burst.payload_symbols] for burst, _ in traced]
    received, equalized = [trace.received for _, trace in traced], [trace.equalized for _, trace in traced]
    last = traced[-1][1].embedding
    return Trace(np.concatenate(sent), np.concatenate(received), np.concatenate(equalized), last)

"""One picture in rounds: a few symbols, then more of the code while the receiver asks for them.

bursts, one for each length --the next one--> next hop --reception--> more wanted? --> the next one
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from shared.errors import SemLinkError
from shared.frame.burst import Burst, Reception, Trace
from shared.ledger import AIR, Entry, Kind, Stage
from shared.phy.conditions.timing import HEADER_SYMBOLS
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
        """Whether the receiver asks for more."""
        return self.reception is not None and self.reception.request_more

    @property
    def payload_symbols(self) -> int:
        """Symbols without the pilots."""
        return self.burst.symbols.size - self.burst.pilots

    @property
    def channel_uses(self) -> int:
        """All that was on the air: pilots, payload, what the waveform adds, and the header."""
        report = None if self.reception is None else self.reception.channel
        return (self.burst.symbols.size if report is None else report.air_symbols) + HEADER_SYMBOLS

    @property
    def seconds(self) -> float:
        """The round trip, with its emulated stages."""
        entries = () if self.reception is None else self.reception.ledger
        return self.round_trip_seconds + sum(entry.seconds for entry in entries if entry.kind is Kind.EMULATED)

    def ledger(self) -> list[Entry]:
        """Its stages; none where it failed."""
        if self.reception is None:
            return []
        air = [entry for entry in self.reception.ledger if entry.stage in AIR and entry.kind is Kind.MEASURED]
        inside = self.reception.elapsed_seconds + sum(entry.seconds for entry in air)
        return [Entry(Stage.WIRE, max(0.0, self.round_trip_seconds - inside)), *self.reception.ledger]


def wanted_certainty(certainty: float, next_symbols: int, first_symbols: int) -> float:
    """The certainty below which the next round, of so many payload symbols, is worth its price.

    certainty: the same for a round as long as the first one. Doubt is tolerated in proportion to the symbols that
    mending it costs, 1 - wanted = (1 - certainty) next / first, so the long rounds at the end are for the worst cases.
    """
    return max(0.0, 1 - (1 - certainty) * next_symbols / first_symbols)


async def exchange_rounds(bursts: Iterator[Burst], next_hop: NextHop, deadline: Deadline) -> list[Exchange]:
    """Send the first burst, and the others one by one while the receiver asks.

    bursts: of one picture; each is taken when it is sent. A later burst that fails is the last, and does no harm to the
    answers before it; so that its failure can still be told in time, it may take half of the time that is left. What
    the first one raises is raised.
    """
    exchanges = [await _exchange(next(bursts), next_hop, deadline)]
    while exchanges[-1].request_more and not deadline.expired and (burst := next(bursts, None)) is not None:
        start = perf_counter()
        try:
            exchanges.append(await _exchange(burst, next_hop, Deadline.after(deadline.remaining() / 2)))
        except SemLinkError as error:
            exchanges.append(Exchange(burst, perf_counter() - start, failure=error))
    return exchanges


async def _exchange(burst: Burst, next_hop: NextHop, deadline: Deadline) -> Exchange:
    start = perf_counter()
    reception = await next_hop(replace(burst, timeout_seconds=deadline.remaining()))
    return Exchange(burst, perf_counter() - start, reception)


def joined_reception(exchanges: Sequence[Exchange], payload: Complex) -> Reception:
    """The last answer, with the trace of all rounds that arrived. payload: [n], what was to be sent in all of them."""
    answers = [each.reception for each in exchanges if each.reception is not None]
    traces = [answer.trace for answer in answers if answer.trace is not None]
    if not traces:
        return answers[-1]
    received = np.concatenate([trace.received for trace in traces])
    equalized = np.concatenate([trace.equalized for trace in traces])
    return replace(answers[-1], trace=Trace(payload[: received.size], received, equalized))

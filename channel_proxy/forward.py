"""From the air to the receiver and back, with the faults that were drawn for each burst.

Relayed --> on the air --> stall, reset --> lost? --> held back --> receiver (twice if duplicated) --> answer
                                             |
                                             +--> Lost, for the sender
"""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

from channel_proxy.aliases import Aliases
from channel_proxy.counters import Counters
from channel_proxy.queue import AirQueue, emulated
from channel_proxy.relay import Relayed, arrived, report_of
from shared.errors import Lost, Unavailable
from shared.frame.burst import Burst
from shared.ledger import Entry, Stage
from shared.observe.metrics import observe_stages
from shared.phy import ChannelSettings
from shared.phy.conditions.faults import NO_FAULT, FaultDraw
from shared.rpc.burst_link import BurstLink, StreamReset
from shared.rpc.status import refusal
from shared.runtime.deadline import Deadline
from shared.wire.link import add_channel, heard_to_wire

if TYPE_CHECKING:
    from protos.semlink.v1 import link_pb2 as pb

_RESENDS: Final = 32
"""Resends of one burst after resets, 10 s in all."""
_PAUSE_SECONDS: Final = 0.02
"""Before a burst is sent again, times the attempt: so that many resets at once do not send all anew for each."""
_DUPLICATE: Final = 1 << 63
"""Bit of burst_id that marks the duplicate: aliases have 63 bits."""


class Forwarder:
    """Takes bursts to the receiver. hop: to it. counters: where faults are counted.

    Only a burst at which the connection breaks is lost with it; others that were under way are sent again. So the
    faults of every burst are its own, whatever else is in flight.
    """

    def __init__(self, hop: BurstLink, counters: Counters) -> None:
        self.queue = AirQueue()
        self._hop = hop
        self._counters = counters
        self._stalled_until = 0.0
        self._aliases = Aliases()

    async def deliver(self, relayed: Relayed, deadline: Deadline) -> "pb.Reception":
        """The receiver's answer, or the failure of a lost burst, with the channel's report and ledger.

        Raises Expired within the deadline, Unavailable when the receiver is lost, and what it answers as a failure.
        """
        settings, burst = relayed.settings, relayed.burst
        air_symbols = relayed.transmission.air_symbols + burst.unsent_symbols
        ledger = [Entry(Stage.CHANNEL, relayed.computing_seconds)]
        if settings.airtime == "real":
            ledger += await self.queue.cross(settings, air_symbols, deadline)
        else:
            ledger += emulated(settings, air_symbols)
        self._apply_fault(relayed.fault)
        if cause := cause_of_loss(relayed.fault, settings):
            self._counters.lost += 1
            reception = refusal(burst.burst_id, loss(burst, cause))
        else:
            held = await self._hold(relayed.fault.held_seconds, deadline)
            session = self._aliases.of(burst.session)
            named = {"burst_id": self._aliases.of(burst.burst_id), "session": session}
            message = heard_to_wire(burst, **named, **arrived(burst, relayed.transmission))
            route = session or None  # rounds of one picture go to one receiver
            reception = await self._exchange(message, route, relayed.fault.copies, deadline)
            reception.burst_id = burst.burst_id
            held += await self._hold(0.0, deadline)
            if held:
                ledger.append(Entry(Stage.DELAY, held))
        observe_stages(ledger)
        add_channel(reception, report_of(relayed.transmission), ledger)
        return reception

    def _apply_fault(self, fault: FaultDraw) -> None:
        """Apply the fault drawn for this burst: stall, reset, counters."""
        if fault is NO_FAULT:
            return
        self._counters.duplicated += fault.copies > 1
        self._counters.reordered += fault.reordered
        if fault.stalled_seconds:
            self._stalled_until = max(self._stalled_until, monotonic() + fault.stalled_seconds)
        if fault.reset:
            self._counters.resets += 1
            self._hop.reset()

    async def _hold(self, seconds: float, deadline: Deadline) -> float:
        """Hold a burst or an answer back, and as long as the link stalls. Returns how long that was, seconds."""
        start = monotonic()
        until = start + seconds
        if max(until, self._stalled_until) <= start:
            return 0.0
        async with deadline.enforced():
            while (left := max(until, self._stalled_until) - monotonic()) > 0:  # noqa: ASYNC110 - no polling: until then
                await asyncio.sleep(left)  # and meanwhile another burst may have stalled the link further
        return monotonic() - start

    async def _exchange(
        self, message: "pb.Burst", route: int | None, copies: int, deadline: Deadline
    ) -> "pb.Reception":
        for attempt in range(1, _RESENDS + 1):
            message.timeout_seconds = deadline.remaining()
            try:
                once = self._hop.exchange_message
                return await (self._exchange_twice(message, route) if copies > 1 else once(message, route))
            except StreamReset:  # by another burst
                async with deadline.enforced():
                    await asyncio.sleep(_PAUSE_SECONDS * attempt)
        raise Unavailable(
            f"the connection to the receiver broke again and again, {_RESENDS} times: send the burst anew"
        )

    async def _exchange_twice(self, message: "pb.Burst", route: int | None) -> "pb.Reception":
        """Send a burst and its duplicate; the first answer counts."""
        copy = type(message)()
        copy.CopyFrom(message)
        copy.burst_id ^= _DUPLICATE
        answers = [asyncio.create_task(self._hop.exchange_message(each, route)) for each in (message, copy)]
        try:
            done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for answer in answers:
                answer.cancel()
            await asyncio.gather(*answers, return_exceptions=True)


def cause_of_loss(fault: FaultDraw, settings: ChannelSettings) -> str:
    """Why a burst never reaches the receiver, as `setting = value`; empty if it does."""
    if fault.lost:
        return fault.cause
    return f"reset_probability = {settings.reset_probability:g}" if fault.reset else ""


def loss(burst: Burst, cause: str) -> Lost:
    """The error of a lost burst."""
    return Lost(f"the channel lost burst {burst.counter} of stream {burst.stream} ({cause})")

"""The whole link in one process: picture files to deliveries, by the three services' own pipelines.

    pictures --transmitter's pipeline--> bursts, in rounds too --channel, faults--> receiver's pipeline --> deliveries

What comes out is what the running services give for the same schedule and counters, bit for bit;
`tests/lab/simulate/test_parity.py` proves it for every codec.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from channel_proxy.forward import cause_of_loss, loss
from channel_proxy.relay import report_of
from lab.simulate.chain import transmit
from lab.simulate.together import Together
from receiver.pipeline import ReceivePipeline
from shared.clip import Clip
from shared.codecs import AnyCodec, CodecShelf
from shared.errors import SemLinkError
from shared.frame.burst import Burst, LinkConfiguration
from shared.frame.delivery import Delivery, SendRequest
from shared.frame.reception import Reception
from shared.phy import ChannelSettings, Transmission
from shared.phy.channel.conditions import Conditions
from shared.phy.conditions.faults import draw_faults
from shared.phy.conditions.schedule import Schedule
from shared.phy.power import check_power
from shared.runtime.deadline import Deadline
from transmitter.pipeline import SendPipeline
from transmitter.settings import TransmitterSettings


class OfflineLink:
    """Transmitter, channel and receiver in one process.

    schedule: what happens over time, or settings that stay; one of the wall clock is run by the clock of bursts. clip,
    settings: of the transmitter. receiver: the receiver's pipeline.
    """

    def __init__(
        self,
        schedule: Schedule | ChannelSettings,
        clip: Clip,
        shelf: CodecShelf,
        receiver: ReceivePipeline,
        settings: TransmitterSettings | None = None,
    ) -> None:
        self._conditions = (
            Conditions(schedule.base(), replace(schedule, clock="burst"))
            if isinstance(schedule, Schedule)
            else Conditions(schedule)
        )
        self._clip, self._shelf, self._receiver = clip, shelf, receiver
        self._settings = TransmitterSettings() if settings is None else settings

    def send(self, requests: Iterable[SendRequest], in_flight: int = 1) -> list[Delivery | SemLinkError]:
        """Send pictures, in order, each to its delivery or to why there is none.

        in_flight: pictures at a time, which are encoded and decoded together as they meet; an embedding depends on its
        batch in its last bits, so a comparison bit for bit asks for one.
        """
        return asyncio.run(self._send(requests, in_flight))

    def ask(self, requests: Sequence[SendRequest]) -> list[Delivery | SemLinkError]:
        """Ask questions about one picture, each following the one before it; the first error ends it.

        requests: with a question each, the first one's `follow` is empty.
        """
        return asyncio.run(self._ask(requests))

    async def _ask(self, requests: Sequence[SendRequest]) -> list[Delivery | SemLinkError]:
        pipeline, session = self._pipeline(), ""
        found: list[Delivery | SemLinkError] = []
        try:
            for request in requests:
                assert request.question is not None
                following = replace(request, question=replace(request.question, follow=session))
                delivery = await pipeline.send(following, Deadline.after(None))
                session = delivery.asked.session if delivery.asked else ""
                found.append(delivery)
        except SemLinkError as error:
            return [*found, error]
        finally:
            await pipeline.stop()
        return found

    def _pipeline(self) -> SendPipeline:
        return SendPipeline(self._settings, self._clip, self._shelf, Together(self._answer), self._configure)

    async def _send(self, requests: Iterable[SendRequest], in_flight: int) -> list[Delivery | SemLinkError]:
        pipeline = self._pipeline()
        free = asyncio.Semaphore(in_flight)

        async def send(request: SendRequest) -> Delivery | SemLinkError:
            async with free:
                try:
                    return await pipeline.send(request, Deadline.after(None))
                except SemLinkError as error:
                    return error

        try:
            return await asyncio.gather(*map(send, requests))
        finally:
            await pipeline.stop()

    async def _configure(self, configuration: LinkConfiguration) -> None:
        self._receiver.deframer.hold(configuration)

    def _answer(self, bursts: Sequence[Burst]) -> list[Reception | Exception]:
        """Channel, faults and receiver; each burst has an outcome of its own."""
        for burst in bursts:
            check_power(burst.symbols)
        outcomes: dict[int, Reception | Exception] = {}
        passages: dict[int, Transmission] = {}
        heard: list[Burst] = []
        for burst, passed in transmit(bursts, self._conditions):
            cause = cause_of_loss(draw_faults(passed.settings, burst.stream, burst.counter), passed.settings)
            if cause:
                outcomes[burst.burst_id] = loss(burst, cause)
            else:
                passages[burst.burst_id] = passed
                heard.append(burst.heard())
        outcomes |= self._received(heard)
        for burst_id, passed in passages.items():
            answer = outcomes[burst_id]
            if isinstance(answer, Reception):
                outcomes[burst_id] = replace(answer, channel=report_of(passed))
        return [outcomes[burst.burst_id] for burst in bursts]

    def _received(self, heard: Sequence[Burst]) -> dict[int, Reception | Exception]:
        """What the receiver answers, by burst id."""
        outcomes: dict[int, Reception | Exception] = {}
        arrived: list[tuple[Burst, AnyCodec]] = []
        for one, burst in zip(heard, self._receiver.deframer.read_many(heard), strict=True):
            try:
                if isinstance(burst, Exception):
                    raise burst
                arrived.append((burst, self._receiver.admit(burst)))
            except SemLinkError as error:
                outcomes[one.burst_id] = error
        answers = self._receiver.receive(arrived) if arrived else []
        return outcomes | {burst.burst_id: answer for (burst, _), answer in zip(arrived, answers, strict=True)}

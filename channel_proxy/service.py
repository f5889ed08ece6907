"""The channel proxy as gRPC services: the air and its control."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final, Self

import grpc

from channel_proxy.control import ChannelControl
from channel_proxy.counters import Counters
from channel_proxy.forward import Forwarder, cause_of_loss
from channel_proxy.recorder import Recorder, Tape
from channel_proxy.relay import Air, Relayed, report_of
from channel_proxy.settings import ProxySettings
from channel_proxy.statistics import StatisticsWatch, export
from protos.semlink.v1 import channel_pb2 as api
from protos.semlink.v1 import channel_pb2_grpc as rpc
from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from shared.errors import InvalidSetting, Unconfigured
from shared.frame.burst import Burst, LinkConfiguration
from shared.frame.channel_records import RecordedBurst
from shared.observe.metrics import SNR_ACHIEVED
from shared.observe.tracing import note
from shared.phy.conditions.presets import PRESETS
from shared.phy.conditions.schedule import Schedule
from shared.rpc.burst_link import BurstLink, link_to_receiver
from shared.rpc.secured import security_of
from shared.rpc.server import Service
from shared.rpc.status import answer_burst, answer_control
from shared.rpc.streams import StreamAnswerer
from shared.rpc.together import answer_bursts
from shared.runtime.deadline import Deadline
from shared.wire import from_message, to_message
from shared.wire.channel import settings_to_wire
from shared.wire.converter import message_to_mapping
from shared.wire.link import heard_to_wire

Context = grpc.aio.ServicerContext[Any, Any]
_MOST_CONFIGURATIONS: Final = 4096


class ChannelService(Service, rpc.ChannelServicer):
    """Relays bursts to the receiver and takes settings. hop, replay_hop: to the receiver."""

    name = "channel_proxy"
    rpc_names = ("semlink.v1.Channel",)

    def __init__(self, settings: ProxySettings, hop: BurstLink, replay_hop: BurstLink) -> None:
        self._hop, self._replay_hop, self._replayed = hop, replay_hop, 0
        self._control = ChannelControl(settings.channel())
        self._streams = StreamAnswerer(settings.max_in_flight)
        self._counters = Counters()
        self._air = Air(self._control, self._counters)
        self._forwarder = Forwarder(hop, self._counters)
        self._recorder = Recorder()
        self._configured: dict[int, None] = {}  # versions of configurations that passed, oldest first
        self._draining = asyncio.Event()
        export(self._counters, self._control, self._forwarder.queue)

    @classmethod
    @asynccontextmanager
    async def load(cls, settings: ProxySettings) -> AsyncIterator[Self]:
        """Make the hops."""
        hop, replay_hop = _hop_to_receiver(settings), _hop_to_receiver(settings)
        try:
            yield cls(settings, hop, replay_hop)
        finally:
            await hop.close()
            await replay_hop.close()

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        rpc.add_ChannelServicer_to_server(self, server)

    def drain(self) -> None:
        """Take no further burst; those who watch and record are told that it ends."""
        self._streams.drain()
        self._recorder.drain()
        self._draining.set()

    async def Relay(self, request_iterator: AsyncIterator[pb.Bursts], context: Context) -> AsyncIterator[pb.Receptions]:
        """The air."""
        async for receptions in answer_bursts(self._streams, request_iterator, self._answer):
            yield receptions

    async def _answer(self, message: pb.Burst) -> pb.Reception:
        if message.HasField("configure"):
            return await answer_control(message, self._configure)
        return await answer_burst(message, self._relay)

    async def _configure(self, configuration: LinkConfiguration, timeout_seconds: float) -> None:
        """Pass a configuration on, to all receivers that bursts may go to."""
        await self._hop.configure(configuration, timeout_seconds)
        self._configured[configuration.version] = None
        if len(self._configured) > _MOST_CONFIGURATIONS:
            del self._configured[next(iter(self._configured))]

    async def _relay(self, burst: Burst) -> pb.Reception:
        """The receiver's answer as it is, with the channel's report and stages."""
        if burst.framing != "ideal" and burst.configuration not in self._configured:
            raise Unconfigured(
                f"configuration {burst.configuration} never passed this channel: configure the link, send it again"
            )
        deadline = Deadline.after(burst.timeout_seconds)
        with self._counters.inside():
            relayed = await self._air.carry(burst)
            self._counters.add(relayed.transmission)
            SNR_ACHIEVED.observe(relayed.transmission.snr_db_achieved)
            note(codec=burst.codec.codec, k=burst.codec.k, snr_db=relayed.transmission.snr_db_achieved)
            if self._recorder.running:
                self._record(relayed)
            return await self._forwarder.deliver(relayed, deadline)

    def _record(self, relayed: Relayed) -> None:
        lost = bool(cause_of_loss(relayed.fault, relayed.settings))
        report = report_of(relayed.transmission)
        # Whoever replays it may do so to a receiver that holds no configuration, so it is recorded with all that it is.
        received = replace(relayed.received, framing="ideal", configuration=0)
        self._recorder.put(RecordedBurst(received, relayed.burst.symbols, report, lost))

    async def Replay(self, request_iterator: AsyncIterator[pb.Burst], context: Context) -> AsyncIterator[pb.Reception]:
        """Recorded bursts, on a connection that all replays share, by other ids: theirs may be those in flight."""

        async def answer(message: pb.Burst) -> pb.Reception:
            return await answer_burst(message, self._pass_on)

        async for reception in self._streams.map_unordered(request_iterator, answer):
            yield reception

    async def _pass_on(self, burst: Burst) -> pb.Reception:
        self._replayed += 1
        message = heard_to_wire(burst, burst_id=self._replayed)
        reception = await self._replay_hop.exchange_message(message, burst.session or None)
        reception.burst_id = burst.burst_id
        return reception

    async def GetChannel(self, request: api.GetChannelRequest, context: Context) -> common.ChannelSettings:
        """The settings in force."""
        return settings_to_wire(self._control.settings)

    async def SetChannel(self, request: api.SetChannelRequest, context: Context) -> common.ChannelSettings:
        """Change some settings, all at once."""
        return settings_to_wire(await self._control.update(message_to_mapping(request.settings), request.preset))

    async def ResetChannel(self, request: api.ResetChannelRequest, context: Context) -> common.ChannelSettings:
        """Back to the settings of the start."""
        return settings_to_wire(await self._control.reset())

    async def ListPresets(self, request: api.ListPresetsRequest, context: Context) -> api.ListPresetsResponse:
        """Settings of situations that one recognises."""
        return api.ListPresetsResponse(presets=[to_message(preset, api.Preset) for preset in PRESETS.values()])

    async def SetSchedule(self, request: api.SetScheduleRequest, context: Context) -> api.ScheduleState:
        """Start a schedule, or end the one that runs."""
        given = request.schedule if request.HasField("schedule") else None
        schedule = None if given is None else await asyncio.to_thread(from_message, given, Schedule)
        await self._control.run(schedule, keep=not request.schedule.HasField("settings"))
        return await self._scheduled()

    async def GetSchedule(self, request: api.GetScheduleRequest, context: Context) -> api.ScheduleState:
        """The schedule that runs."""
        return await self._scheduled()

    async def _scheduled(self) -> api.ScheduleState:
        return await asyncio.to_thread(to_message, self._control.schedule_state, api.ScheduleState)

    async def WatchChannel(
        self, request: api.WatchChannelRequest, context: Context
    ) -> AsyncIterator[api.ChannelStatistics]:
        """What passes, at an interval."""
        interval = request.interval_seconds or 1.0
        if not 0.1 <= interval <= 60:
            raise InvalidSetting(f"interval_seconds = {interval:g}: choose 0.1 to 60")
        watch = StatisticsWatch(self._counters, self._control, self._forwarder.queue)
        while not self._draining.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), interval)
            yield to_message(watch.read(), api.ChannelStatistics)

    async def RecordChannel(
        self, request_iterator: AsyncIterator[api.RecordChannelRequest], context: Context
    ) -> AsyncIterator[api.RecordedBurst]:
        """Every burst until the requests end; that it has begun is told by the headers of the answer."""
        request = await anext(aiter(request_iterator), api.RecordChannelRequest())
        with self._recorder.tape() as tape:
            await context.send_initial_metadata(())
            ended = asyncio.create_task(_ended_with(request_iterator, tape))
            try:
                async for recorded in tape.bursts():
                    kept = recorded if request.sent else replace(recorded, sent=None)
                    yield to_message(kept, api.RecordedBurst)
                if ended.done():
                    await ended
            finally:
                ended.cancel()


async def _ended_with(requests: AsyncIterator[api.RecordChannelRequest], tape: Tape) -> None:
    """End a tape when the caller ends its requests."""
    try:
        async for _ in requests:
            pass
    finally:
        tape.end()


def _hop_to_receiver(settings: ProxySettings) -> BurstLink:
    return link_to_receiver(
        settings.receiver_address, settings.max_message_bytes, settings.receiver_streams, security_of(settings)
    )

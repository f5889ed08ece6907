"""The channel proxy as gRPC services: the air and its control."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Any

import grpc

from channel_proxy.control import ChannelControl
from channel_proxy.counters import Traffic
from channel_proxy.forward import Route, cause_of_loss
from channel_proxy.recorder import Recorder
from channel_proxy.relay import Air, Relayed, as_received, report_of
from channel_proxy.settings import ProxySettings
from channel_proxy.statistics import Watch
from protos.semlink.v1 import channel_pb2 as api
from protos.semlink.v1 import channel_pb2_grpc as rpc
from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from shared.errors import InvalidSetting, SemLinkError
from shared.frame.burst import Burst
from shared.frame.channel_records import RecordedBurst
from shared.phy.conditions.presets import PRESETS
from shared.rpc.burst_link import BurstLink, link_to_receiver
from shared.rpc.exchange import answer_burst
from shared.rpc.server import Service
from shared.rpc.status import abort_with, answers_errors
from shared.rpc.streams import StreamAnswerer
from shared.runtime.deadline import Deadline
from shared.wire.channel import override_from_wire, settings_to_wire
from shared.wire.control import (
    preset_to_wire,
    recorded_to_wire,
    scenario_from_wire,
    scenario_to_wire,
    statistics_to_wire,
)
from shared.wire.link import burst_to_wire

Context = grpc.aio.ServicerContext[Any, Any]


class ChannelService(Service, rpc.ChannelServicer):
    """Relays bursts to the receiver and takes settings."""

    name = "channel_proxy"
    rpc_names = ("semlink.v1.Channel",)

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._control = ChannelControl(settings.channel())
        self._streams = StreamAnswerer(settings.max_in_flight)
        self._traffic = Traffic()
        self._air = Air(self._control, self._traffic)
        self._recorder = Recorder()
        self._draining = asyncio.Event()
        self._hop: BurstLink | None = None

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        rpc.add_ChannelServicer_to_server(self, server)

    async def start(self) -> None:
        """Make the hop; it connects at the first burst."""
        self._hop = self._to_receiver()
        self._route = Route(self._hop, self._traffic)

    def drain(self) -> None:
        """Take no further burst; those who watch and record are told that it ends."""
        self._streams.drain()
        self._recorder.drain()
        self._draining.set()

    async def stop(self) -> None:
        """Close the hop."""
        if self._hop is not None:
            await self._hop.close()

    def _to_receiver(self) -> BurstLink:
        settings = self._settings
        return link_to_receiver(settings.receiver_address, settings.max_message_bytes, settings.receiver_streams)

    async def Relay(self, request_iterator: AsyncIterator[pb.Burst], context: Context) -> AsyncIterator[pb.Reception]:
        """The air."""
        async for reception in self._streams.map_unordered(request_iterator, self._answer):
            yield reception

    async def _answer(self, message: pb.Burst) -> pb.Reception:
        return await answer_burst(message, partial(self._relay, message))

    async def _relay(self, message: pb.Burst, burst: Burst) -> pb.Reception:
        """The receiver's answer as it is, with what the channel has to tell. burst: what the message says."""
        deadline = Deadline.after(burst.timeout_seconds)
        self._traffic.enter()
        try:
            passed = await self._air.carry(burst)
            self._traffic.computed(passed.transmission)
            if self._recorder.running:
                self._record(passed)
            return await self._route.deliver(message, passed, deadline)
        except Exception:
            self._traffic.counts.failed += 1
            raise
        finally:
            self._traffic.leave()

    def _record(self, passed: Relayed) -> None:
        burst, transmission = passed.burst, passed.transmission
        lost = bool(cause_of_loss(passed.fate, passed.settings))
        received, report = as_received(burst, transmission), report_of(transmission)
        self._recorder.put(RecordedBurst(received, burst.symbols, report, lost))

    async def Replay(self, request_iterator: AsyncIterator[pb.Burst], context: Context) -> AsyncIterator[pb.Reception]:
        """Recorded bursts, on a connection of their own: their ids may be those of bursts in flight."""
        hop = self._to_receiver()

        async def exchange(burst: Burst) -> pb.Reception:
            return await hop.exchange_message(burst_to_wire(burst))

        async def answer(message: pb.Burst) -> pb.Reception:
            return await answer_burst(message, exchange)

        try:
            async for reception in self._streams.map_unordered(request_iterator, answer):
                yield reception
        finally:
            await hop.close()

    @answers_errors
    async def GetChannel(self, request: api.GetChannelRequest, context: Context) -> common.ChannelSettings:
        """The settings in force."""
        return settings_to_wire(self._control.settings)

    @answers_errors
    async def SetChannel(self, request: api.SetChannelRequest, context: Context) -> common.ChannelSettings:
        """Change some settings, all at once."""
        return settings_to_wire(self._control.update(override_from_wire(request.settings), request.preset))

    @answers_errors
    async def ResetChannel(self, request: api.ResetChannelRequest, context: Context) -> common.ChannelSettings:
        """Back to the settings of the start."""
        return settings_to_wire(self._control.reset())

    @answers_errors
    async def ListPresets(self, request: api.ListPresetsRequest, context: Context) -> api.ListPresetsResponse:
        """Settings of situations that one recognises."""
        return api.ListPresetsResponse(presets=map(preset_to_wire, PRESETS.values()))

    @answers_errors
    async def SetSchedule(self, request: api.SetScheduleRequest, context: Context) -> api.ScheduleState:
        """Start a scenario, or end the one that runs."""
        if not request.HasField("schedule"):
            self._control.run(None)
        else:
            self._control.run(scenario_from_wire(request.schedule), keep=not request.schedule.HasField("settings"))
        return self._schedule_state()

    @answers_errors
    async def GetSchedule(self, request: api.GetScheduleRequest, context: Context) -> api.ScheduleState:
        """The scenario that runs."""
        return self._schedule_state()

    def _schedule_state(self) -> api.ScheduleState:
        schedule = scenario_to_wire(self._control.scenario)
        return api.ScheduleState(schedule=schedule, seconds=self._control.stands_seconds)

    async def WatchChannel(
        self, request: api.WatchChannelRequest, context: Context
    ) -> AsyncIterator[api.ChannelStatistics]:
        """What passes, at an interval."""
        interval = request.interval_seconds or 1.0
        if not 0.1 <= interval <= 60:
            await abort_with(context, InvalidSetting(f"interval_seconds = {interval:g}: choose 0.1 to 60"))
        watch = Watch(self._traffic, self._control, self._route.medium)
        while not self._draining.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), interval)
            yield statistics_to_wire(watch.look())

    async def RecordChannel(
        self, request: api.RecordChannelRequest, context: Context
    ) -> AsyncIterator[api.RecordedBurst]:
        """Every burst from now on; that it has begun is told by the headers of the answer."""
        with self._recorder.tape() as tape:
            await context.send_initial_metadata(())
            try:
                async for recorded in tape.bursts():
                    yield recorded_to_wire(recorded, sent=request.sent)
            except SemLinkError as error:
                await abort_with(context, error)

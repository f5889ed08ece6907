"""Control of a running channel: settings, presets, schedules, statistics, recordings."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from threading import Event, Timer
from typing import Any, Final, NamedTuple, Self, Unpack

import grpc

from client.channel_options import ChannelOptions
from client.connection import CHANNEL, Client, error_of, rpc_errors
from protos.semlink.v1 import channel_pb2 as api
from protos.semlink.v1 import link_pb2 as link
from protos.semlink.v1.channel_pb2_grpc import ChannelStub
from shared.errors import Expired, SemLinkError, Unavailable
from shared.frame.burst import Burst
from shared.frame.channel_records import ChannelStatistics, RecordedBurst, ScheduleState
from shared.frame.reception import Reception
from shared.phy import ChannelSettings
from shared.phy.conditions.presets import Preset
from shared.phy.conditions.schedule import Schedule
from shared.rpc.dial import Security
from shared.wire import from_message, to_message
from shared.wire.channel import override_to_wire, settings_from_wire
from shared.wire.failure import error_from_failure
from shared.wire.link import burst_to_wire

_ENDING_SECONDS: Final = 10.0
"""What a channel may take to send the rest of a recording that was ended."""


class Replayed(NamedTuple):
    """What became of one replayed burst. position: its place, from 0. outcome: the answer, or the error that it met."""

    position: int
    outcome: Reception | SemLinkError


class ChannelControl(Client):
    """Reads and changes a running channel.

    with ChannelControl() as channel:
        channel.set(snr_db=0, fading="rayleigh")
        channel.set(preset="vehicular", seed=7)
        channel.schedule(Schedule.from_file("train.toml"))
    """

    def __init__(self, address: str = CHANNEL, timeout: float = 10.0, security: Security | None = None) -> None:
        super().__init__(address, timeout, security)
        self._stub = ChannelStub(self._channel)

    def get(self) -> ChannelSettings:
        """The settings in force, without what a schedule changes."""
        return settings_from_wire(self._call(self._stub.GetChannel, api.GetChannelRequest()))

    def set(self, preset: str = "", **settings: Unpack[ChannelOptions]) -> ChannelSettings:
        """Change some settings, all at once, and return all of them; see `ChannelOptions`.

        preset: name of a situation, whose settings replace all but the seed; `settings` are laid over it. Raises
        NotFound for one that is not there, InvalidInput for a refused setting; then nothing changes.
        """
        request = api.SetChannelRequest(settings=override_to_wire(settings), preset=preset)
        return settings_from_wire(self._call(self._stub.SetChannel, request))

    def reset(self) -> ChannelSettings:
        """Back to the settings that the channel was started with; a schedule ends."""
        return settings_from_wire(self._call(self._stub.ResetChannel, api.ResetChannelRequest()))

    def presets(self) -> list[Preset]:
        """Situations that one recognises, with the sources of their figures."""
        answer = self._call(self._stub.ListPresets, api.ListPresetsRequest())
        return [from_message(preset, Preset) for preset in answer.presets]

    def schedule(self, schedule: Schedule | None) -> ScheduleState:
        """Start a schedule, its settings in force; None ends the one that runs. Raises InvalidInput naming a change."""
        request = api.SetScheduleRequest(schedule=None if schedule is None else to_message(schedule, api.Schedule))
        return from_message(self._call(self._stub.SetSchedule, request), ScheduleState)

    def scheduled(self) -> ScheduleState:
        """The schedule that runs."""
        return from_message(self._call(self._stub.GetSchedule, api.GetScheduleRequest()), ScheduleState)

    def watch(self, interval_seconds: float = 1.0) -> Iterator[ChannelStatistics]:
        """What passes, every `interval_seconds`, 0.1 to 60, until the caller ends it or the channel stops."""
        call = self._stub.WatchChannel(api.WatchChannelRequest(interval_seconds=interval_seconds))
        for message in self._stream(call):
            yield from_message(message, ChannelStatistics)

    def record(self, sent: bool = False) -> "Recording":
        """Record every burst that passes from this moment on. sent: with the symbols as they were sent."""
        ended = Event()
        call = self._stub.RecordChannel(_until(ended, api.RecordChannelRequest(sent=sent)))
        call.add_callback(ended.set)
        call.initial_metadata()  # comes when the channel records, or the call has failed
        if not call.is_active():
            with rpc_errors(self.address):
                next(call)
        return Recording(call, ended, self.address)

    def replay(self, bursts: Iterable[Burst], timeout: float = 30.0) -> Iterator[Replayed]:
        """Pass recorded bursts on to the receiver as they are; answers as they come.

        bursts: as the receiver got them; may be endless. timeout: seconds for each.
        """
        waiting: set[int] = set()

        def messages() -> Iterator[link.Burst]:
            for position, burst in enumerate(bursts):
                waiting.add(position)
                yield burst_to_wire(replace(burst, burst_id=position, timeout_seconds=timeout))

        for answer in self._stream(self._stub.Replay(messages())):
            waiting.discard(answer.burst_id)
            failed = answer.HasField("failure")
            outcome = error_from_failure(answer.failure) if failed else from_message(answer, Reception)
            yield Replayed(answer.burst_id, outcome)
        if waiting:
            raise Unavailable(f"{self.address} ended the replay with {len(waiting)} bursts unanswered")


def _until(ended: Event, request: api.RecordChannelRequest) -> Iterator[api.RecordChannelRequest]:
    """A request, after which no other comes; it is over when `ended` is set."""
    yield request
    ended.wait()


class Recording:
    """Bursts as they pass; ends with its context, with `stop`, or when the channel stops.

    with ChannelControl() as channel, channel.record() as recording:
        for recorded in recording: ...
    """

    def __init__(self, call: Any, ended: Event, address: str) -> None:
        """ended: what ends the requests of the call."""
        self._call, self._ended, self._address = call, ended, address
        self._left, self._late = False, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def __iter__(self) -> Iterator[RecordedBurst]:
        """Bursts in the order in which they passed.

        Raises Exhausted when this reader was too slow, Expired when the channel did not end the recording in time.
        """
        try:
            for message in self._call:
                yield from_message(message, RecordedBurst)
        except grpc.RpcError as error:
            if self._late:
                waited = f"{self._address} did not end the recording within {_ENDING_SECONDS:g} s"
                raise Expired(f"{waited}: its last bursts are missing") from error
            if not self._left:
                raise error_of(error, self._address) from error

    def stop(self) -> None:
        """End the recording once all that has passed until now has come; called once more, at once.

        May be called from another thread or a signal handler.
        """
        if self._ended.is_set():
            self._leave()
            return
        self._ended.set()
        timer = Timer(_ENDING_SECONDS, self._give_up)
        timer.daemon = True
        self._call.add_callback(timer.cancel)
        timer.start()

    def _leave(self) -> None:
        """End the call; what is still on its way is not wanted."""
        self._left = True
        self._call.cancel()

    def _give_up(self) -> None:
        self._late = self._call.is_active()
        self._call.cancel()

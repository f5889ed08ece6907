"""What the channel's control speaks of, to protobuf messages and back: presets, scenarios, statistics, recordings."""

from dataclasses import fields

from protos.semlink.v1 import channel_pb2 as api
from shared.errors import InvalidSetting
from shared.frame.channel_records import ChannelStatistics, RecordedBurst
from shared.frame.symbols import pack_symbols, unpack_symbols
from shared.phy.conditions.presets import Preset
from shared.phy.conditions.schedule import ClockName, Schedule
from shared.phy.conditions.timeline import Change
from shared.wire.channel import (
    override_from_wire,
    override_to_wire,
    report_from_wire,
    report_to_wire,
    settings_from_wire,
    settings_to_wire,
)
from shared.wire.link import burst_from_wire, burst_to_wire

_CLOCK: dict[ClockName, api.Clock.ValueType] = {"burst": api.CLOCK_BURST, "wall": api.CLOCK_WALL}
_CLOCK_NAME = {number: name for name, number in _CLOCK.items()}
_COUNTED = [field.name for field in fields(ChannelStatistics) if field.name not in ("settings", "snr_db_achieved")]


def preset_to_wire(preset: Preset) -> api.Preset:
    """A preset as a message."""
    return api.Preset(
        name=preset.name,
        description=preset.description,
        source=preset.source,
        settings=override_to_wire(preset.settings),
    )


def preset_from_wire(message: api.Preset) -> Preset:
    """A preset, from a message."""
    return Preset(message.name, message.description, message.source, override_from_wire(message.settings))


def scenario_to_wire(scenario: Schedule | None) -> api.Schedule | None:
    """A scenario as a message; it brings its settings to begin with, even where they are all defaults."""
    if scenario is None:
        return None
    message = api.Schedule(
        name=scenario.name,
        clock=_CLOCK[scenario.clock],
        repeat_seconds=scenario.repeat_seconds,
        settings=override_to_wire(scenario.settings),
        changes=[
            api.Change(
                seconds=change.seconds, settings=override_to_wire(change.settings), ramp_seconds=change.ramp_seconds
            )
            for change in scenario.changes
        ],
    )
    message.settings.SetInParent()
    return message


def scenario_from_wire(message: api.Schedule) -> Schedule:
    """A scenario, from a message. Raises InvalidSetting for a clock without a meaning and for wrong times."""
    if message.clock and message.clock not in _CLOCK_NAME:
        raise InvalidSetting(f"clock = {message.clock}: choose 1 (burst) or 2 (wall)")
    return Schedule(
        name=message.name,
        settings=override_from_wire(message.settings),
        clock=_CLOCK_NAME.get(message.clock, "burst"),
        repeat_seconds=message.repeat_seconds,
        changes=tuple(
            Change(change.seconds, override_from_wire(change.settings), change.ramp_seconds)
            for change in message.changes
        ),
    )


def statistics_to_wire(statistics: ChannelStatistics) -> api.ChannelStatistics:
    """What happened in a while, as a message."""
    return api.ChannelStatistics(
        **{name: getattr(statistics, name) for name in _COUNTED},
        settings=settings_to_wire(statistics.settings),
        snr_db_achieved=statistics.snr_db_achieved,
    )


def statistics_from_wire(message: api.ChannelStatistics) -> ChannelStatistics:
    """What happened in a while, from a message."""
    return ChannelStatistics(
        **{name: getattr(message, name) for name in _COUNTED},
        settings=settings_from_wire(message.settings),
        snr_db_achieved=message.snr_db_achieved if message.HasField("snr_db_achieved") else None,
    )


def recorded_to_wire(recorded: RecordedBurst, *, sent: bool) -> api.RecordedBurst:
    """One burst as it passed the channel, as a message. sent: with its symbols before."""
    return api.RecordedBurst(
        burst=burst_to_wire(recorded.burst),
        sent=pack_symbols(recorded.sent) if sent and recorded.sent is not None else b"",
        report=report_to_wire(recorded.report),
        lost=recorded.lost,
    )


def recorded_from_wire(message: api.RecordedBurst) -> RecordedBurst:
    """One burst as it passed the channel, from a message."""
    burst = burst_from_wire(message.burst)
    return RecordedBurst(
        burst=burst,
        sent=unpack_symbols(message.sent, burst.symbols.size) if message.sent else None,
        report=report_from_wire(message.report),
        lost=message.lost,
    )

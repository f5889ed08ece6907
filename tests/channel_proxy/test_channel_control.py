"""Control of a running channel over gRPC: presets, scenarios, watching, recording, replay."""

import asyncio
import math
from pathlib import Path

import pytest

from channel_proxy.control import ChannelControl as Control
from client import ChannelControl
from protos.semlink.v1 import channel_pb2 as api
from shared.errors import InvalidInput, InvalidSetting, Lost, NotFound, SemLinkError
from shared.frame.channel_records import ChannelStatistics
from shared.phy import ChannelSettings
from shared.phy.channel.conditions import Conditions
from shared.phy.conditions.presets import PRESETS, Preset
from shared.phy.conditions.schedule import Schedule
from shared.phy.conditions.timeline import Change
from shared.wire import from_message, to_message
from tests.tools.faults import outcomes
from tests.tools.proxy import proxy
from tests.tools.rpc import make_burst, payload, until
from tests.tools.schedules import RAMP, in_thread


async def test_presets_are_those_of_the_table_with_their_sources(parts) -> None:
    found = await in_thread(parts[3].presets)
    assert {preset.name: preset for preset in found} == {
        name: type(preset)(preset.name, preset.description, preset.source, dict(preset.settings))
        for name, preset in PRESETS.items()
    }
    assert all(preset.source for preset in found)


async def test_a_preset_replaces_all_but_the_seed_and_settings_lie_over_it(parts) -> None:
    _, _, _, control = parts
    await in_thread(control.set, loss_probability=0.5)
    settings = await in_thread(control.set, "vehicular", snr_db=30.0)
    assert settings == PRESETS["vehicular"].applied(3).updated(snr_db=30.0)
    assert settings.loss_probability == 0
    assert await in_thread(control.get) == settings
    with pytest.raises(NotFound, match="preset 'moon': choose from ideal"):
        await in_thread(control.set, "moon")
    with pytest.raises(InvalidInput, match="snr_db = 900"):
        await in_thread(control.set, "indoor", snr_db=900.0)
    assert await in_thread(control.get) == settings
    assert await in_thread(control.reset) == ChannelSettings(snr_db=7.0, seed=3)


async def test_a_scenario_holds_for_each_burst_at_its_own_time(parts) -> None:
    """Bursts in any order: counter 1 is at 0.5 s, 6 at 3 s (half way down the ramp), 13 at 6.5 s (blackout)."""
    link, _, _, control = parts
    state = await in_thread(control.schedule, RAMP)
    assert state.schedule == RAMP
    assert await in_thread(control.get) == RAMP.base()
    bursts = [make_burst(n) for n in (13, 6, 1, 11)]
    blacked, middle, first, end = await outcomes(link, bursts)
    assert isinstance(blacked, Lost)
    assert [each.channel.settings.snr_db for each in (first, middle, end)] == [20.0, 10.0, 0.0]
    assert [each.channel.seconds for each in (first, middle, end)] == [0.5, 3.0, 5.5]
    state = await in_thread(control.scheduled)
    assert (state.schedule, state.seconds) == (RAMP, 5.5)  # where the last burst stood
    own = await link.exchange(make_burst(6, channel_override={"snr_db": 33.0}))
    assert own.channel.settings.snr_db == 33.0  # a burst's own settings lie over all
    state = await in_thread(control.schedule, None)
    assert state.schedule is None
    assert (await link.exchange(make_burst(6))).channel.settings.snr_db == 20.0


async def test_settings_in_force_lie_under_a_scenario_and_a_reset_ends_it(parts) -> None:
    link, _, _, control = parts
    await in_thread(control.schedule, RAMP)
    await in_thread(control.set, snr_db=16.0, fading="none")
    middle = (await link.exchange(make_burst(6))).channel.settings
    assert (middle.snr_db, middle.fading) == (8.0, "none")  # the ramp begins at what is in force
    await in_thread(control.reset)
    assert (await in_thread(control.scheduled)).schedule is None
    assert (await link.exchange(make_burst(6))).channel.settings == ChannelSettings(snr_db=7.0, seed=3)


async def test_a_scenario_that_cannot_be_is_refused_whole(parts) -> None:
    _, _, _, control = parts
    await in_thread(control.schedule, RAMP)
    wrong = Schedule("wrong", {}, changes=(Change(1.0, {"snr_db": 0.0}), Change(2.0, {"snr_db": 1000.0})))
    with pytest.raises(InvalidInput, match=r"change 2 at 2 s: snr_db = 1000"):
        await in_thread(control.schedule, wrong)
    assert (await in_thread(control.scheduled)).schedule == RAMP
    await in_thread(control.schedule, Schedule("motion", {}, changes=(Change(1.0, {"doppler_hz": 5.0}),)))
    with pytest.raises(InvalidInput, match="coherence_symbols"):  # it does not go with a change to come
        await in_thread(control.set, coherence_symbols=4)


async def test_a_scenario_of_the_wall_clock_runs_by_itself(parts) -> None:
    link, _, _, control = parts
    changes = (Change(0.5, {"snr_db": -5.0}),)
    await in_thread(control.schedule, Schedule("wall", {"snr_db": 5.0}, clock="wall", changes=changes))
    assert (await link.exchange(make_burst(10**6))).channel.settings.snr_db in (5.0, -5.0)
    await asyncio.sleep(0.6)
    assert (await link.exchange(make_burst(0))).channel.settings.snr_db == -5.0
    assert (await in_thread(control.scheduled)).seconds > 0.5


async def test_a_schedule_without_settings_leaves_those_in_force() -> None:
    control = Control(ChannelSettings(snr_db=3.0))
    await control.run(Schedule("short", {}, changes=(Change(1.0, {"fading": "rayleigh"}),)), keep=True)
    assert control.settings.snr_db == 3.0
    await control.run(Schedule("short", {}))
    assert control.settings == ChannelSettings()


def test_links_are_kept_and_bounded() -> None:
    """A sweep of settings must not grow the process: 1024 links are kept."""
    conditions = Conditions(ChannelSettings())
    assert conditions.link(8, 0, {"snr_db": 1.0}) is conditions.link(8, 1, {"snr_db": 1.0})
    for step in range(1500):
        conditions.link(8, 0, {"snr_db": step / 100})
    assert conditions._layered.cache_info().currsize == 1024


async def test_watch_counts_what_passes(parts) -> None:
    link, _, _, control = parts
    seen: list[ChannelStatistics] = []

    def watch() -> None:
        for statistics in control.watch(0.2):
            seen.append(statistics)
            if sum(each.bursts for each in seen) >= 60:
                return

    watching = asyncio.create_task(asyncio.to_thread(watch))
    await until(lambda: bool(seen))
    await outcomes(link, [make_burst(n) for n in range(1, 31)])
    await outcomes(link, [make_burst(n, channel_override={"loss_probability": 1.0}) for n in range(31, 51)])
    await outcomes(link, [make_burst(n, symbols=payload() * 2) for n in range(51, 61)])  # refused: too loud
    await asyncio.wait_for(watching, 60)
    assert sum(each.bursts for each in seen) == 60
    assert sum(each.lost for each in seen) == 20
    assert sum(each.failed for each in seen) == 10
    assert {each.settings for each in seen} == {ChannelSettings(snr_db=7.0, seed=3)}
    some = next(each for each in seen if each.snr_db_achieved is not None)
    assert some.snr_db_achieved == pytest.approx(7.0, abs=1.0)  # 256 symbols a burst, tens of bursts
    assert some.signal_power == pytest.approx(1.0, abs=1e-3)
    assert seen[0].snr_db_achieved is None  # nothing had passed
    with pytest.raises(InvalidInput, match=r"interval_seconds = 0\.01"):
        await in_thread(next, control.watch(0.01))


async def test_watch_tells_of_the_scenario_and_ends_with_the_channel(tmp_path: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def watch(address: str) -> list[ChannelStatistics]:
        with ChannelControl(address) as control:
            seen = []
            for statistics in control.watch(0.1):
                seen.append(statistics)
                loop.call_soon_threadsafe(ended.set)
            return seen

    async with proxy(tmp_path) as (link, _, service):
        await service._control.run(RAMP)
        await link.exchange(make_burst(6))
        watching = asyncio.create_task(asyncio.to_thread(watch, link.address))
        await asyncio.wait_for(ended.wait(), 60)
    seen = await asyncio.wait_for(watching, 60)  # drained, not broken
    assert (seen[0].schedule, seen[0].schedule_seconds, seen[0].settings.snr_db) == ("ramp", 3.0, 10.0)


STATISTICS = ChannelStatistics(
    seconds=1.5, settings=ChannelSettings(snr_db=math.inf), bursts=2**40, lost=1, duplicated=2, reordered=3, failed=4,
    resets=5, in_flight=6, queued=7, signal_power=0.5, noise_power=0.25, snr_db_achieved=None, schedule="s",
    schedule_seconds=9.0,
)  # fmt: skip


def test_what_the_control_speaks_of_travels_there_and_back() -> None:
    message = to_message(STATISTICS, api.ChannelStatistics)
    assert from_message(api.ChannelStatistics.FromString(message.SerializeToString()), ChannelStatistics) == STATISTICS
    schedule = api.Schedule.FromString(to_message(RAMP, api.Schedule).SerializeToString())
    assert from_message(schedule, Schedule) == RAMP
    for preset in PRESETS.values():
        back = from_message(api.Preset.FromString(to_message(preset, api.Preset).SerializeToString()), Preset)
        assert (back.name, back.source, back.settings) == (preset.name, preset.source, dict(preset.settings))
    with pytest.raises(InvalidSetting, match="clock = 9"):
        from_message(api.Schedule(clock=9), Schedule)


def test_a_control_without_a_channel_says_so_at_once() -> None:
    with ChannelControl("127.0.0.1:1") as control:
        for call in (control.presets, control.record, lambda: next(control.watch()), lambda: next(control.replay([]))):
            with pytest.raises(SemLinkError, match=r"nothing answers at 127\.0\.0\.1:1"):
                call()


async def test_a_slow_far_end_is_no_matter_to_the_control(parts) -> None:
    """Settings change and are read while bursts hang."""
    link, far, _, control = parts
    far.open.clear()
    waiting = asyncio.create_task(link.exchange(make_burst(1)))
    await in_thread(control.set, snr_db=1.0)
    assert (await in_thread(control.get)).snr_db == 1.0
    far.open.set()
    await waiting

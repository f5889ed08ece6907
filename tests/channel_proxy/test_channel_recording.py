"""Recordings hold every burst, and a replay passes them on as they are."""

import pytest

from channel_proxy.recorder import Recorder
from client.channel_control import Replayed
from shared.errors import Exhausted, Expired, Lost, SemLinkError
from shared.frame.channel_records import RecordedBurst
from shared.frame.reception import Reception
from shared.phy import Link
from tests.tools.faults import outcomes
from tests.tools.rpc import make_burst, until
from tests.tools.schedules import in_thread


async def test_a_recording_holds_every_burst_and_is_enough_to_compute_it_again(parts) -> None:
    link, far, _, control = parts
    recording = await in_thread(control.record, sent=True)
    bursts = [
        make_burst(n, pilot_symbols=8, channel_override={"fading": "rayleigh", "loss_probability": 0.3})
        for n in range(1, 21)
    ]
    bursts.append(make_burst(21, csi="perfect", channel_override={"fading": "rayleigh", "coherence_symbols": 16}))
    bursts.append(
        make_burst(
            22, pilot_symbols=8, channel_override={"waveform": "ofdm", "fading": "tdl-a"}, pilot_pattern="scattered"
        )
    )
    answers = await outcomes(link, bursts)

    def take() -> list[RecordedBurst]:
        found = []
        for recorded in recording:
            found.append(recorded)
            if len(found) == len(bursts):
                break
        recording.stop()
        return found

    found = {each.burst.counter: each for each in await in_thread(take)}
    assert set(found) == set(range(1, 23))
    for burst, answer in zip(bursts, answers, strict=True):
        one = found[burst.counter]
        assert one.lost == isinstance(answer, Lost)
        assert one.sent is not None
        assert one.sent.tobytes() == burst.symbols.tobytes()
        again = Link.from_settings(one.report.settings).transmit(one.sent, one.report.stream, one.report.counter)
        assert again.y.tobytes() == one.burst.symbols.tobytes()
        assert one.burst.channel_override == {}
    received = {message.codec.mode: message.symbols for message in far.bursts}
    assert received == {n: one.burst.symbols.tobytes() for n, one in found.items() if not one.lost}
    assert found[21].burst.genie is not None
    assert found[22].burst.grid == (64, 16)


async def test_what_passed_before_the_end_still_comes(parts) -> None:
    link, _, service, control = parts
    recording = await in_thread(control.record)
    await outcomes(link, [make_burst(n) for n in range(1, 401)])  # more than waits on the way
    recording.stop()
    found = await in_thread(list, recording)
    assert {each.burst.counter for each in found} == set(range(1, 401))
    await until(lambda: not service._recorder.running)


async def test_a_channel_that_does_not_end_a_recording_is_named(parts, monkeypatch) -> None:
    monkeypatch.setattr("client.channel_control._ENDING_SECONDS", 0.2)
    monkeypatch.setattr("channel_proxy.recorder.Tape.end", lambda _: None)
    recording = await in_thread(parts[3].record)
    recording.stop()
    with pytest.raises(Expired, match="did not end the recording"):
        await in_thread(list, recording)


async def test_a_recording_without_sent_symbols_leaves_them_out(parts) -> None:
    link, _, _, control = parts
    recording = await in_thread(control.record)
    await link.exchange(make_burst(1))
    recorded = await in_thread(next, iter(recording))
    recording.stop()
    assert recorded.sent is None


async def test_a_tape_that_is_left_holds_nothing() -> None:
    recorder = Recorder()
    with recorder.tape() as tape:
        recorder.put(RecordedBurst(make_burst(1), None, None, False))
    assert tape._held.empty()


async def test_nobody_records_nothing_is_kept(parts) -> None:
    link, _, service, control = parts
    recording = await in_thread(control.record)
    assert service._recorder.running
    recording.stop()
    await until(lambda: not service._recorder.running)  # the channel learns of it
    await link.exchange(make_burst(1))


async def test_a_reader_that_is_too_slow_is_told_and_gets_no_gap(monkeypatch) -> None:
    monkeypatch.setattr("channel_proxy.recorder.TAPE_BYTES", 10_000)
    recorder = Recorder()
    recorded = RecordedBurst(make_burst(1), None, None, False)
    with recorder.tape() as tape:
        for _ in range(3):  # 2 KiB each
            recorder.put(recorded)
        bursts = tape.bursts()
        assert await anext(bursts) is recorded
        for _ in range(10):
            recorder.put(recorded)
        assert tape._held.qsize() == 1, "of what nobody may read only the end is kept"
        with pytest.raises(Exhausted, match="fell more than"):
            await anext(bursts)
    assert not recorder.running


async def test_a_replay_passes_on_what_was_recorded_as_it_is(parts) -> None:
    """Under a blackout and other settings; ids that are in flight elsewhere do not matter."""
    link, far, _, control = parts
    recording = await in_thread(control.record)
    await outcomes(link, [make_burst(n, pilot_symbols=8) for n in range(1, 11)])
    bursts = [(await in_thread(next, iter(recording))).burst for _ in range(10)]
    recording.stop()
    live = {message.codec.mode: message.symbols for message in far.bursts}
    await in_thread(control.set, blackout=True, snr_db=-20.0)
    far.bursts.clear()
    answers = await in_thread(lambda: list(control.replay(bursts)))
    assert {message.codec.mode: message.symbols for message in far.bursts} == live
    assert sorted(answer.position for answer in answers) == list(range(10))
    for answer in answers:
        assert isinstance(answer.outcome, Reception)
        assert answer.outcome.top[0].item_id == f"item-{bursts[answer.position].counter}"


async def test_a_replay_answers_errors_one_by_one(parts) -> None:
    _, far, _, control = parts
    far.answer = lambda burst: None
    bursts = [make_burst(1), make_burst(2)]
    answers: list[Replayed] = await in_thread(lambda: list(control.replay(bursts, timeout=0.2)))
    assert len(answers) == 2
    assert all(isinstance(answer.outcome, SemLinkError) for answer in answers)

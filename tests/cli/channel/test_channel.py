"""`semlink channel` against a running link, as a user types it; and the flags that come from the settings."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import pytest
import sigmf

from client import ChannelControl, ChannelOptions, SemLink
from client.recording import RecordingWriter
from local.supervisor import LocalLink
from shared.phy import ChannelSettings
from shared.phy.conditions.presets import PRESETS
from shared.phy.conditions.settings import OF_THE_LINK
from tests.tools.cli import called, invoke, printed, semlink

PRESSED = signal.SIGINT


@pytest.fixture
def channel(link: LocalLink) -> Iterator[str]:
    yield link.channel
    with ChannelControl(link.channel) as control:
        control.reset()


def test_options_list_every_setting_with_its_type() -> None:
    hints = get_type_hints(ChannelOptions)
    assert hints == {name: field.annotation | None for name, field in ChannelSettings.model_fields.items()}


@pytest.mark.parametrize("command", [["channel", "set", "--help"], ["send", "--help-all"]], ids=" ".join)
def test_every_setting_is_a_flag_with_its_range_in_a_panel(command: list[str]) -> None:
    result = invoke(*command, columns=250)
    assert result.exit_code == 0
    for name in ChannelSettings.model_fields:
        flag = f"--{name.replace('_', '-')} "
        assert (flag in result.output) == (command[0] == "channel" or name not in OF_THE_LINK), name
    for panel in ("Fading", "Noise and hardware", "Faults and time on the air"):
        assert f"─ {panel} ─" in result.output
    assert "-50 to 100" in result.output


def test_flags_of_every_type_are_set(channel: str) -> None:
    flags = ["--fading", "rician", "--rician-k-db", "3.5", "--coherence-symbols", "8", "--blackout", "--sir-db", "inf"]
    changed = printed("channel", "set", *flags, "--impulses", "middleton", "--channel", channel)
    wanted = {"fading": "rician", "rician_k_db": 3.5, "coherence_symbols": 8, "blackout": True, "impulses": "middleton"}
    assert changed.items() >= wanted.items()
    assert changed["sir_db"] is None
    assert printed("channel", "set", "--no-blackout", "--channel", channel)["blackout"] is False
    assert printed("channel", "reset", "--channel", channel)["fading"] == "none"


def test_presets_are_listed_and_set(channel: str) -> None:
    assert [preset["name"] for preset in printed("channel", "presets", "--channel", channel)] == list(PRESETS)
    changed = printed("channel", "set", "--preset", "rural", "--snr-db", "4", "--channel", channel)
    with ChannelControl(channel) as control:
        assert control.get() == PRESETS["rural"].applied().updated(snr_db=4.0)
    assert changed["snr_db"] == 4
    refused = called("channel", "set", "--preset", "moon", "--channel", channel)
    assert refused.returncode == 2
    assert "choose from ideal, indoor" in refused.stderr


def test_tables_for_people(channel: str) -> None:
    result = invoke("channel", "presets", "--channel", channel, columns=200)
    assert "TR 38.901" in result.output
    result = invoke("channel", "get", "--channel", channel)
    assert "snr_db" in result.output
    result = invoke("channel", "schedule", "--channel", channel)
    assert "no schedule runs" in result.output


def test_a_scenario_is_started_shown_and_ended(channel: str, tmp_path: Path) -> None:
    file = tmp_path / "tunnel.toml"
    file.write_text(
        "[settings]\nsnr_db = 20\n[[ramp]]\nfrom_seconds = 1\nto_seconds = 2\nsnr_db = 0\n", encoding="utf-8"
    )
    started = printed("channel", "schedule", file, "--channel", channel)
    assert (started["schedule"], started["clock"], started["settings"]) == ("tunnel", "burst", {"snr_db": 20})
    assert started["changes"] == [{"seconds": 1, "ramp_seconds": 1, "settings": {"snr_db": 0}}]
    assert printed("channel", "schedule", "--channel", channel)["schedule"] == "tunnel"
    shown = invoke("channel", "schedule", "--channel", channel)
    assert "tunnel: 1 changes by the burst clock" in shown.output
    assert printed("channel", "schedule", "--end", "--channel", channel) == {"schedule": None}
    file.write_text("[[ramp]]\nfrom_seconds = 1\n", encoding="utf-8")
    refused = called("channel", "schedule", file, "--channel", channel)
    assert refused.returncode == 2
    assert "to_seconds" in refused.stderr
    assert called("channel", "schedule", tmp_path / "none.toml").returncode == 2
    assert called("channel", "schedule", file, "--end").returncode == 2


def test_watch_prints_lines(channel: str, link: LocalLink, drawn_pngs) -> None:
    result = semlink("channel", "watch", "--json", "--count", "3", "--interval", "0.1", "--channel", channel)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line, parse_constant=pytest.fail) for line in result.stdout.splitlines()]
    assert len(rows) == 3
    assert {"seconds", "bursts", "lost", "queued", "snr_db_achieved", "settings"} <= rows[0].keys()
    table = invoke("channel", "watch", "--count", "2", "--interval", "0.1", "--channel", channel)
    assert table.exit_code == 0
    assert "bursts/s" in table.output


def test_record_and_replay(channel: str, link: LocalLink, tmp_path: Path, drawn_pngs) -> None:
    """What is replayed is answered as it was live, losses left out; the recording ends at its count."""
    name = tmp_path / "evening"
    command = [sys.executable, "-m", "cli.app", "channel", "record", "--out", str(name), "--sent"]
    command += ["--count", "12", "--channel", channel, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as recorder:
        try:
            assert recorder.stderr is not None
            assert "recording" in recorder.stderr.readline()
            with SemLink(link.transmitter, timeout=60) as client:
                options = {"snr_db": 4.0, "fading": "rayleigh", "loss_probability": 0.25, "codec": "raw", "counter": 0}
                live = list(client.send_many([data for _, data in drawn_pngs[:12]], ordered=True, **options))
            output, _ = recorder.communicate(timeout=60)
        finally:
            recorder.kill()
    written = json.loads(output)
    delivered = {position: outcome for position, outcome in live if not isinstance(outcome, Exception)}
    assert (written["bursts"], written["lost"]) == (12, 12 - len(delivered))
    assert 0 < written["lost"] < 12
    sigmf.fromfile(str(name) + ".sigmf-meta").validate()
    answers = printed("channel", "replay", name, "--channel", channel)
    assert {answer["counter"] for answer in answers} == set(delivered)
    for answer in answers:
        one = delivered[answer["counter"]]
        assert (answer["label"], answer["item_id"], answer["accepted"]) == (one.label, one.item_id, one.accepted)
        assert answer["confidence"] == pytest.approx(one.confidence, abs=1e-6)  # searched in batches of another size
    shown = invoke("channel", "replay", str(name), "--channel", channel)
    assert shown.exit_code == 0
    assert "nearest item" in shown.output


@pytest.fixture
def _not_ignored() -> Iterator[None]:
    """What runs under nohup ignores SIGHUP, and so would its children."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_not_ignored")
@pytest.mark.parametrize("numbers", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP], [signal.SIGINT] * 9])
def test_a_recording_is_ended_by_signals_and_written_whole(
    channel: str, link: LocalLink, tmp_path: Path, drawn_pngs, numbers: list[signal.Signals]
) -> None:
    name = tmp_path / "evening"
    command = [sys.executable, "-m", "cli.app", "channel", "record", "--out", str(name), "--channel", channel]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as recorder:
        watchdog = threading.Timer(60, recorder.kill)
        watchdog.start()
        try:
            assert recorder.stderr is not None
            recorder.stderr.readline()
            with SemLink(link.transmitter, timeout=60) as client:
                for _, data in drawn_pngs[:3]:
                    client.send(data)
            for number in numbers:
                recorder.send_signal(number)
                time.sleep(0.01)  # while the last one is at work
            output, errors = recorder.communicate()
        finally:
            watchdog.cancel()
    data, meta = (name.with_suffix(suffix) for suffix in (".sigmf-data", ".sigmf-meta"))
    assert data.exists() == meta.exists()
    if len(numbers) == 1:  # the second one ends it at once, and the last ones may come when all is written
        assert recorder.returncode == 0, errors
        assert "3 bursts, 0 of them lost" in output
        assert len(sigmf.fromfile(str(meta)).get_annotations()) == 3


def test_a_replay_without_all_answers_says_so(channel: str, link: LocalLink, tmp_path: Path, drawn_pngs) -> None:
    """One burst as it was, and one of other parameters of its codec than this receiver has."""
    with ChannelControl(channel) as control, control.record() as recording, SemLink(link.transmitter) as client:
        client.send(drawn_pngs[0][1])
        recording.stop()
        (right,) = recording
    wrong = replace(right, burst=replace(right.burst, codec=replace(right.burst.codec, fingerprint="0" * 16)))
    with RecordingWriter(tmp_path / "two") as writer:
        writer.add(right)
        writer.add(wrong)
    result = called("channel", "replay", tmp_path / "two", "--channel", channel)
    assert result.returncode == 1
    assert "1 of 2 bursts were not answered" in result.stderr


def test_a_recording_that_is_not_there_exits_2(tmp_path: Path) -> None:
    result = called("channel", "replay", tmp_path / "none")
    assert result.returncode == 2
    assert "no such recording" in result.stderr


def test_send_says_who_lost_the_burst_and_takes_settings_of_its_own(
    link: LocalLink, tmp_path: Path, drawn_pngs
) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(drawn_pngs[0][1])
    of_the_link = called("send", picture, "--blackout", "--transmitter", link.transmitter)
    assert of_the_link.returncode == 2
    lost = called("send", picture, "--loss-probability", "1", "--transmitter", link.transmitter)
    assert lost.returncode == 1
    assert "the channel lost burst" in lost.stderr
    assert "loss_probability = 1" in lost.stderr
    options = ("--pilot-pattern", "scattered", "--pilots", "16", "--fading", "tdl-c", "--waveform", "ofdm")
    found = printed("send", picture, *options, "--transmitter", link.transmitter)
    assert found["channel"]["settings"].items() >= {"fading": "tdl-c", "waveform": "ofdm"}.items()
    assert found["channel"]["air_symbols"] == 80  # 32 + 16 symbols on 64 subcarriers, and the prefix of 16
    assert found["cbr_total"] == pytest.approx(80 / (3 * 64 * 64))

"""Recordings in SigMF: the library of the format validates them, and they hold all that a replay needs."""

import dataclasses
import json
import math
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import sigmf

from channel_proxy.relay import as_received, report_of
from client.recording import RecordingWriter, read_recording
from shared.errors import DataLoss, InvalidInput, InvalidSetting, NotFound
from shared.frame.burst import Burst
from shared.frame.channel_records import RecordedBurst
from shared.phy import ChannelSettings, Link
from tests.tools.messages import same
from tests.tools.rpc import make_burst, payload

SETTINGS = [
    {},
    {"snr_db": math.inf},
    {"fading": "rayleigh", "snr_db": -3.25, "seed": 2**64 - 1, "symbol_rate_hz": 2e6},
    {"fading": "tdl-b", "waveform": "ofdm", "fft_size": 32, "cyclic_prefix_symbols": 8},
    {"fading": "rician", "coherence_symbols": 7, "sir_db": 12.0},
]


def recorded(number: int, settings: dict, **fields) -> RecordedBurst:
    burst: Burst = make_burst(number, symbols=payload(40 + number, seed=number), counter=2**63 + number, **fields)
    sent = burst.symbols
    transmission = Link.from_settings(ChannelSettings().updated(**settings)).transmit(sent, burst.stream, burst.counter)
    return RecordedBurst(as_received(burst, transmission), sent, report_of(transmission), lost=number % 3 == 2)


@pytest.fixture
def bursts() -> list[RecordedBurst]:
    plain = [
        recorded(number, settings, pilot_symbols=8, pilot_pattern="scattered")
        for number, settings in enumerate(SETTINGS)
    ]
    genies = [recorded(10 + number, settings, csi="perfect") for number, settings in enumerate(SETTINGS)]
    return [*plain, *genies]


def write(name: Path, bursts: list[RecordedBurst], *, sent: bool) -> RecordingWriter:
    with RecordingWriter(name, sent=sent) as writer:
        for burst in bursts:
            writer.add(burst)
    return writer


def test_what_few_bursts_have_is_read_back_too(tmp_path: Path) -> None:
    fields = {"session": 7, "round": 2, "attempt": 3, "header_symbols": 8, "question_symbols": 4, "question": "what?"}
    write(tmp_path / "one", [recorded(1, {}, **fields)], sent=False)
    (found,) = read_recording(tmp_path / "one")
    assert {name: getattr(found.burst, name) for name in fields} == fields


@pytest.mark.parametrize("sent", [True, False])
def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path, bursts: list[RecordedBurst], sent: bool) -> None:
    writer = write(tmp_path / "evening", bursts, sent=sent)
    assert (writer.bursts, writer.lost) == (10, sum(burst.lost for burst in bursts))
    assert writer.symbols == sum(burst.burst.symbols.size for burst in bursts)
    assert len(writer.files) == (4 if sent else 2)
    back = read_recording(tmp_path / "evening.sigmf-meta")
    assert len(back) == len(bursts)
    for one, two in zip(bursts, back, strict=True):
        assert same(two.burst, dataclasses.replace(one.burst, timeout_seconds=0.0))
        assert same(two.report, one.report)
        assert two.lost == one.lost
        assert (two.sent is None) == (not sent)


def test_a_replay_through_the_physics_gives_the_recorded_symbols(tmp_path: Path, bursts: list[RecordedBurst]) -> None:
    write(tmp_path / "evening", bursts, sent=True)
    for one in read_recording(tmp_path / "evening"):
        assert one.sent is not None
        again = Link.from_settings(one.report.settings).transmit(one.sent, one.report.stream, one.report.counter)
        assert again.y.tobytes() == one.burst.symbols.tobytes()


def test_radio_tools_open_it(tmp_path: Path, bursts: list[RecordedBurst]) -> None:
    """The library of the format reads samples and annotations, and finds nothing wrong; the JSON is strict."""
    write(tmp_path / "evening", bursts, sent=True)
    for name, symbols in (("evening", "burst"), ("evening-sent", "sent")):
        recording = sigmf.fromfile(str(tmp_path / f"{name}.sigmf-meta"))
        recording.validate()
        assert recording.get_global_field("core:datatype") == "cf32_le"
        assert recording.get_global_field("core:sample_rate") == 1e6
        annotations = recording.get_annotations()
        assert len(annotations) == 10
        for annotation, one in zip(annotations, bursts, strict=True):
            start, count = annotation["core:sample_start"], annotation["core:sample_count"]
            expected = one.burst.symbols if symbols == "burst" else one.sent
            assert recording.read_samples(start, count).tobytes() == expected.tobytes()
            assert annotation["semlink:counter"] == one.burst.counter
        assert annotations[2]["semlink:settings"] == SETTINGS[2]
        text = (tmp_path / f"{name}.sigmf-meta").read_text(encoding="utf-8")
        json.loads(text, parse_constant=pytest.fail)
    raw = np.fromfile(tmp_path / "evening.sigmf-data", "<c8")
    assert raw.tobytes() == np.concatenate([one.burst.symbols for one in bursts]).tobytes()


def test_damage_is_found(tmp_path: Path, bursts: list[RecordedBurst]) -> None:
    write(tmp_path / "evening", bursts, sent=False)
    data = tmp_path / "evening.sigmf-data"
    whole = bytearray(data.read_bytes())
    whole[40] ^= 1
    data.write_bytes(whole)
    with pytest.raises(DataLoss, match="evening"):
        read_recording(tmp_path / "evening")
    data.unlink()
    with pytest.raises((DataLoss, NotFound), match="evening"):
        read_recording(tmp_path / "evening")
    with pytest.raises(NotFound, match="no such recording"):
        read_recording(tmp_path / "morning")
    (tmp_path / "evening.sigmf-meta").write_text("{", encoding="utf-8")
    with pytest.raises(DataLoss, match="evening"):
        read_recording(tmp_path / "evening")


@pytest.mark.parametrize(
    ("datatype", "more", "said"),
    [
        ("cf32_le", {}, "none of its 1 annotations says semlink:burst_id"),
        ("ci16_le", {}, "none of its 1 annotations"),
        ("ci32_le", {}, "none of its 1 annotations"),
        ("rf32_le", {}, "real samples"),
        ("cf32_le", {"core:num_channels": 2}, "2 channels"),
    ],
)
def test_a_recording_of_others_is_said_to_be_none_of_ours(tmp_path: Path, datatype: str, more, said: str) -> None:
    (tmp_path / "other.sigmf-data").write_bytes(bytes(320))
    metadata = {
        "global": {"core:datatype": datatype, "core:sample_rate": 1e6, **more},
        "captures": [{"core:sample_start": 0}],
        "annotations": [{"core:sample_start": 0}],
    }
    recording = sigmf.SigMFFile(metadata=metadata, data_file=str(tmp_path / "other.sigmf-data"))
    recording.tofile(str(tmp_path / "other.sigmf-meta"))
    with pytest.raises(InvalidInput, match=f"not of SemLink: .*{said}"):
        read_recording(tmp_path / "other")


def test_legal_forms_of_other_tools_are_read(tmp_path: Path, bursts: list[RecordedBurst]) -> None:
    """No count of samples, which means to the end; an annotation of another tool; fixed point; an archive."""
    write(tmp_path / "evening", bursts[:2], sent=False)
    meta = json.loads((tmp_path / "evening.sigmf-meta").read_text(encoding="utf-8"))
    del meta["annotations"][-1]["core:sample_count"]
    meta["annotations"].insert(1, {"core:sample_start": 3, "core:comment": "a spike"})
    samples = np.fromfile(tmp_path / "evening.sigmf-data", "<f4")
    scale = np.abs(samples).max()
    (samples / scale * 32767).round().astype("<i2").tofile(tmp_path / "other.sigmf-data")
    meta["global"] |= {"core:datatype": "ci16_le"}
    del meta["global"]["core:sha512"]
    other = sigmf.SigMFFile(metadata=meta, data_file=str(tmp_path / "other.sigmf-data"))
    other.tofile(str(tmp_path / "other.sigmf-meta"))
    other.archive(str(tmp_path / "packed.sigmf"))
    for name in ("other", "packed.sigmf", "packed"):
        back = read_recording(tmp_path / name)
        assert len(back) == 2
        for one, two in zip(bursts, back, strict=False):
            np.testing.assert_allclose(two.burst.symbols * scale, one.burst.symbols, atol=1e-3)


def test_what_a_burst_lacks_is_named(tmp_path: Path, bursts: list[RecordedBurst]) -> None:
    write(tmp_path / "evening", bursts[:2], sent=False)
    meta = json.loads((tmp_path / "evening.sigmf-meta").read_text(encoding="utf-8"))
    del meta["annotations"][1]["semlink:settings"]
    (tmp_path / "evening.sigmf-meta").write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(DataLoss, match="burst 2 of the recording lacks semlink:settings"):
        read_recording(tmp_path / "evening")


def test_nothing_is_overwritten_and_nothing_leaves_nothing(tmp_path: Path, bursts: list[RecordedBurst]) -> None:
    write(tmp_path / "evening", bursts, sent=False)
    with pytest.raises(InvalidSetting, match="exists already"), RecordingWriter(tmp_path / "evening"):
        pass
    with RecordingWriter(tmp_path / "new" / "empty", sent=True) as writer:
        pass
    assert writer.files == []
    assert list((tmp_path / "new").iterdir()) == []


def test_sent_symbols_that_were_not_recorded_are_named(tmp_path: Path, bursts: list[RecordedBurst]) -> None:
    with RecordingWriter(tmp_path / "evening", sent=True) as writer, pytest.raises(InvalidSetting, match="sent=True"):
        writer.add(dataclasses.replace(bursts[0], sent=None))


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sigmf", None)
    with pytest.raises(NotFound, match=r"semlink\[sigmf\]"):
        RecordingWriter(tmp_path / "evening")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("packed.sigmf", "is compressed"),
        ("packed.sigmf.gz", "unpack"),
        ("all.sigmf-collection", "collection"),
        ("absent.sigmf", r"absent\.sigmf: there is no such recording"),
        (".", "is a folder"),
        ("", "an empty path"),
    ],
)
def test_what_is_no_recording_is_said_at_once(tmp_path: Path, monkeypatch, name: str, said: str) -> None:
    """A compressed archive keeps the library of the format in an endless loop."""
    monkeypatch.chdir(tmp_path)
    for file in ("packed.sigmf", "packed.sigmf.gz"):
        with tarfile.open(file, "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("a/a.sigmf-data"))
    Path("all.sigmf-collection").write_text("{}", encoding="utf-8")
    with pytest.raises((InvalidInput, NotFound), match=said):
        read_recording(name)


def test_the_library_warns_of_nothing_by_lines_of_its_source(tmp_path: Path, recwarn) -> None:
    metadata = {
        "global": {"core:datatype": "ci16_le", "core:version": "1.0.0"},
        "captures": [{"core:sample_start": 0}],
        "annotations": [{"core:sample_start": 0, "core:sample_count": 1000}],
    }
    (tmp_path / "short.sigmf-meta").write_text(json.dumps(metadata), encoding="utf-8")
    (tmp_path / "short.sigmf-data").write_bytes(bytes(400))
    with pytest.raises(InvalidInput, match="not of SemLink"):
        read_recording(tmp_path / "short")
    assert [str(one.message) for one in recwarn if "sigmf" in one.filename] == []

"""Settings: flags before environment before defaults; wrong values named."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from channel_proxy.settings import ProxySettings
from receiver.settings import ReceiverSettings
from shared.errors import InvalidSetting
from shared.phy import ChannelSettings
from shared.runtime.config import ServerSettings, read_settings
from transmitter.settings import TransmitterSettings


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SEMLINK_"):
            monkeypatch.delenv(name)


def read(kind: type[ServerSettings], *flags: str):
    return read_settings(kind, "program", list(flags))


def test_defaults() -> None:
    assert read(TransmitterSettings).port == 50051
    assert read(ProxySettings).port == 50052
    assert read(ReceiverSettings).port == 50053
    assert read(ReceiverSettings).kb == Path("out/kb")
    assert read(ProxySettings).channel() == ChannelSettings()


def test_a_flag_comes_before_the_environment_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMLINK_TRANSMITTER_BATCH_SIZE", "7")
    monkeypatch.setenv("SEMLINK_TRANSMITTER_PORT", "1234")
    settings = read(TransmitterSettings, "--port", "4321")
    assert (settings.batch_size, settings.port, settings.max_in_flight) == (7, 4321, 256)


def test_each_service_reads_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMLINK_CHANNEL_SNR_DB", "-3")
    monkeypatch.setenv("SEMLINK_RECEIVER_KB", "/kb")
    assert read(ProxySettings).channel().snr_db == -3
    assert read(ReceiverSettings).kb == Path("/kb")


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        (["--snr-db", "inf"], "snr_db", float("inf")),
        (["--fading", "rayleigh"], "fading", "rayleigh"),
        (["--stop-with-stdin"], "stop_with_stdin", True),
        (["--no-stop-with-stdin"], "stop_with_stdin", False),
        (["--announce", "a/b"], "announce", Path("a/b")),
        (["--log-format", "json"], "log_format", "json"),
    ],
)
def test_flags_are_typed(flags: list[str], field: str, value: object) -> None:
    assert getattr(read(ProxySettings, *flags), field) == value


@pytest.mark.parametrize(
    ("kind", "flags", "named"),
    [
        (TransmitterSettings, ["--port", "65536"], "port = '65536'"),
        (TransmitterSettings, ["--batch-size", "many"], "batch_size = 'many'"),
        (TransmitterSettings, ["--csi", "guess"], "csi = 'guess'"),
        (TransmitterSettings, ["--pilot-symbols", "1"], "pilot_symbols = '1'"),
        (TransmitterSettings, ["--max-message-bytes", "1"], "max_message_bytes = '1'"),
        (ReceiverSettings, ["--accept-confidence", "2"], "accept_confidence = '2'"),
        (ProxySettings, ["--fading", "fog"], "fading = 'fog'"),
        (ReceiverSettings, ["--kb="], "kb = '': Value error, an empty path"),
        (TransmitterSettings, ["--bundle=https://x.y/z"], "fetch it first"),
        (ProxySettings, ["--token-file="], "token_file = ''"),
    ],
)
def test_a_wrong_flag_is_named_with_its_value(kind: type[ServerSettings], flags: list[str], named: str) -> None:
    with pytest.raises(InvalidSetting) as wrong:
        read(kind, *flags)
    assert named in str(wrong.value)
    assert str(wrong.value).startswith("program: ")


def test_paths_are_read_as_users_type_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell leaves ~ as it is behind an equals sign, and in a variable."""
    monkeypatch.setenv("HOME", "/srv/someone")
    monkeypatch.setenv("SEMLINK_RECEIVER_TLS_CA", "~/ca.pem")
    found = read(ReceiverSettings, "--kb=~/kb", "--bundle", "file:///srv/a%20bundle")
    assert (found.kb, found.tls_ca) == (Path("/srv/someone/kb"), Path("/srv/someone/ca.pem"))
    assert found.bundle == Path("/srv/a bundle")


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMLINK_RECEIVER_BATCH_SIZE", "0")
    with pytest.raises(InvalidSetting, match=r"port = '-1'.*batch_size = '0'"):
        read(ReceiverSettings, "--port=-1")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--snr-db", "101"], "snr_db = '101'.*give -50 to 100, or inf"),
        (["--snr-db", "nan"], "snr_db = 'nan'.*give -50 to 100, or inf"),
        (["--symbol-rate-hz", "0"], "symbol_rate_hz = '0'.*greater than or equal to 1"),
        (["--seed=-1"], "seed = -1: refused"),
        (["--fading", "tdl-a"], "it needs waveform ofdm"),
    ],
)
def test_a_channel_that_cannot_be_is_refused_at_the_start(flags: list[str], named: str) -> None:
    with pytest.raises(InvalidSetting, match=named):
        read(ProxySettings, *flags).channel()


@pytest.mark.parametrize("flags", [["--prot", "1"], ["word"], ["--port"]])
def test_a_flag_that_is_none_ends_the_program_with_2(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read(ProxySettings, *flags)
    assert end.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_help_tells_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read(TransmitterSettings, "--help")
    assert end.value.code == 0
    text = capsys.readouterr().out
    for name in TransmitterSettings.model_fields:
        assert f"-{name.replace('_', '-')} " in text


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        read(ProxySettings).port = 1

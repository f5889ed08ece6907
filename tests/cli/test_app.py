"""`semlink` as a whole: help, errors and statuses of every command."""

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from shared.codecs import CODECS
from shared.version import VERSION
from tests.tools.cli import called, invoke, semlink

ROOT_GROUP: Any = typer.main.get_command(app)
GROUPS = ["channel", "bench", "kb", "certs", "token", "train"]
COMMANDS = [
    [],
    *([name] for name in ROOT_GROUP.commands),
    *([group, name] for group in GROUPS for name in ROOT_GROUP.commands[group].commands),
    *(["kb", "snapshots", name] for name in ROOT_GROUP.commands["kb"].commands["snapshots"].commands),
]


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = invoke(*command, "--help", columns=200)
    assert result.exit_code == 0
    text = plain(result.output)
    assert "Usage: semlink" in text
    assert not command or command[-1] in [*GROUPS, "snapshots"] or "• " in text


def test_flags_without_a_command_are_those_of_the_default_command() -> None:
    assert "Usage: semlink bench link" in plain(invoke("bench", "--rate", 5, "--help", columns=200).output)


@pytest.mark.parametrize("command", ["up", "demo", "send"])
def test_help_lists_the_codecs(command: str) -> None:
    result = invoke(command, "--help", columns=200)
    words = re.findall(r"[a-z-]+", plain(result.output))
    assert set(CODECS) <= set(words)


def test_send_lists_a_dozen_options_and_all_of_them_when_asked() -> None:
    few, every = (plain(invoke("send", flag, columns=200).output) for flag in ("--help", "--help-all"))
    assert len(set(re.findall(r"^│ (--[a-z-]+)", few, re.MULTILINE))) <= 18
    assert {"--coherence-symbols", "--pilot-pattern", "--counter"} <= set(
        re.findall(r"^│ (--[a-z-]+)", every, re.MULTILINE)
    )
    assert "--coherence-symbols" not in few


@pytest.mark.parametrize("module", ["semlink", "cli.app"])
def test_version(module: str) -> None:
    command = [sys.executable, "-m", module, "--version"]
    shown = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert shown.stdout.strip() == f"semlink {VERSION}"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["send"], "give picture files"),
        (["send", "none.png"], "none.png"),
        (["send", "."], "folder"),
        (["send", "a.png", "--fading", "fog"], "fog"),
        (["send", "a.png", "--snr-db", "loud"], "'--snr-db': 'loud' is no number; write 5 or 5dB"),
        (["send", "a.png", "--timeout", "5dB"], "write 5 or 5s"),
        (["send", "a.png", "--set", "snr_db"], "KEY=VALUE"),
        (["send", "a.png", "--set", "fog=1"], "no setting 'fog'"),
        (["send", "a.png", "--set", "fading=fog"], "none, rayleigh"),
        (["send", "a.png", "--set", "snr_db=5dB", "--snr-db", "5"], "given twice"),
        (["send", "https://example.org/a.png"], "https://example.org/a.png is an address"),
        (["send", "-", "-"], "standard input holds one picture"),
        (["send", "pyproject.toml", "--transmitter", "here"], "HOST:PORT"),
        (["send", "pyproject.toml", "--seed", "-1"], "-1"),
        (["channel", "set"], "nothing to set"),
        (["channel", "get", "--channel", "127.0.0.1"], "HOST:PORT"),
        (["kb", "build", "no-such-folder", "--out", "x"], "no-such-folder"),
        (["kb", "info", "no-such-folder"], "no-such-folder"),
        (["features", "no-such-folder", "--out", "x.npz"], "no-such-folder"),
        (["demo", "--images", "0"], "--images"),
        (["demo", "--transmitter", "127.0.0.1:1"], "--receiver"),
        (["send", "a.png", "--set", "doppler=1"], "do you mean doppler_hz?"),
        (["kb", "build", "a.npz", "--out", "x", "--clip-fingerprint", "openai"], "16 hexadecimal digits"),
        (["train", "nested", "--features", "a.npz", "--clip-fingerprint", "openai"], "16 hexadecimal digits"),
        (["launch"], "launch"),
        (["chanel"], "Did you mean 'channel'"),
        (["kb", "serch"], "Did you mean 'search'"),
        (["bench", "chanel"], "Did you mean 'channel'"),
        (["bench", "--seconds", "0"], "--seconds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_named_and_exits_2(arguments: list[str], named: str) -> None:
    """By a call of `main`, which raises where a process would end with a traceback."""
    refused(called(*arguments), named)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["launch"], "launch"),  # told by typer
        (["send", "none.png"], "none.png"),  # by an error of SemLink
        (["kb", "search", "\udcff"], "is no text in UTF-8"),  # by standard error itself
    ],
    ids=["typer", "semlink", "surrogate"],
)
def test_a_process_ends_as_main_does(arguments: list[str], named: str) -> None:
    refused(semlink(*arguments, stdin=subprocess.DEVNULL), named)


def refused(result: subprocess.CompletedProcess[str], named: str) -> None:
    assert result.returncode == 2, result.stderr
    assert named in re.sub(r"\s+│?\s*│?\s*", " ", result.stderr)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", [["send", "pyproject.toml"], ["channel", "get"], ["kb", "info"]], ids=" ".join)
def test_no_link_is_one_line_and_exits_1(command: list[str]) -> None:
    nowhere = dict.fromkeys(("SEMLINK_TRANSMITTER", "SEMLINK_CHANNEL", "SEMLINK_RECEIVER"), "127.0.0.1:1")
    result = called(*command, "--json", env=nowhere)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.strip().splitlines()) == 1
    assert "nothing answers at 127.0.0.1:1; `semlink up` starts the services" in result.stderr


def test_a_folder_that_cannot_be_written_is_one_line_and_exits_1() -> None:
    ports = [part for name in ("transmitter", "channel", "receiver") for part in (f"--{name}-port", "0")]
    result = semlink("up", "--out", "/dev/null/out", *ports)
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("semlink: /dev/null/out/logs: not a directory; a part of the path is a file")


def test_a_full_disk_is_one_line_and_exits_1() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "cli.app", "send", "--help-all"]
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, encoding="utf-8", check=False, timeout=120
        )
    assert result.returncode == 1
    assert result.stderr == "semlink: no space left on device; free some space, or choose another disk\n"


def test_a_taken_port_of_the_console_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = semlink("up", "--console", "--console-port", port, "--out", str(tmp_path))
    assert result.returncode == 1
    assert re.search(rf"console cannot listen on 127\.0\.0\.1:{port}: .*--console-port 0", result.stderr)
    assert not list(tmp_path.iterdir())

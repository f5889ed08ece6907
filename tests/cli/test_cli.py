import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from shared.codecs import CODECS
from shared.version import VERSION

COMMANDS = (
    [], ["up"], ["demo"], ["send"], ["channel"], ["channel", "get"], ["channel", "set"], ["channel", "reset"],
    ["channel", "presets"], ["channel", "watch"], ["channel", "schedule"], ["channel", "record"], ["channel", "replay"],
    ["bench"], ["bench", "more"], ["kb"], ["kb", "build"], ["kb", "info"], ["features"], ["train"], ["evaluate"],
    ["report"],
)  # fmt: skip


def semlink(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "cli.app", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="semlink", env={"COLUMNS": "200"})
    assert result.exit_code == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    assert "Usage: semlink" in text
    assert command[-1:] in ([], ["bench"], ["channel"], ["kb"], ["train"]) or "• " in text


@pytest.mark.parametrize("command", ["up", "demo", "send"])
def test_help_lists_the_codecs(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    words = re.findall(r"[a-z-]+", re.sub(r"\x1b\[[0-9;]*m", "", result.output))
    assert set(CODECS) <= set(words)


def test_version() -> None:
    assert semlink("--version").stdout.strip() == f"semlink {VERSION}"


def test_completion_is_offered() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert "--install-completion" in re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def test_import_stays_light() -> None:
    code = (
        "import sys, client, cli.app; "
        "print([m for m in ('torch', 'faiss', 'open_clip', 'matplotlib', 'scipy', 'torchvision') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["send"], "Missing argument"),
        (["send", "none.png"], "none.png"),
        (["send", "."], "folder"),
        (["send", "a.png", "--fading", "fog"], "fog"),
        (["send", "a.png", "--snr-db", "loud"], "--snr-db"),
        (["send", "pyproject.toml", "--transmitter", "here"], "HOST:PORT"),
        (["send", "pyproject.toml", "--seed", "-1"], "-1"),
        (["channel", "set"], "nothing to set"),
        (["channel", "get", "--channel", "127.0.0.1"], "HOST:PORT"),
        (["kb", "build", "no-such-folder", "--out", "x"], "no-such-folder"),
        (["kb", "info", "no-such-folder"], "no-such-folder"),
        (["features", "no-such-folder", "--out", "x.npz"], "no-such-folder"),
        (["demo", "--images", "0"], "--images"),
        (["demo", "--transmitter", "127.0.0.1:1"], "--receiver"),
        (["launch"], "launch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_named_and_exits_2(arguments: list[str], named: str) -> None:
    result = semlink(*arguments)
    assert result.returncode == 2, result.stderr
    assert named in re.sub(r"\s+│?\s*│?\s*", " ", result.stderr)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", [["send", "pyproject.toml"], ["channel", "get"], ["kb", "info"]], ids=" ".join)
def test_no_link_is_one_line_and_exits_1(command: list[str]) -> None:
    nowhere = dict.fromkeys(("SEMLINK_TRANSMITTER", "SEMLINK_CHANNEL", "SEMLINK_RECEIVER"), "127.0.0.1:1")
    result = semlink(*command, "--json", env=nowhere)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.strip().splitlines()) == 1
    assert "nothing answers at 127.0.0.1:1; `semlink up` starts the services" in result.stderr

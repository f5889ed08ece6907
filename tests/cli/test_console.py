"""Terminals that are not UTF-8, narrow, without colours, or no terminals at all."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.transmitter import FakeTransmitter, serve
from tests.tools.cli import as_documented, semlink

LABEL = "grün → 日本"
ASCII_LABEL = "grun -> \\u65e5\\u672c"


@pytest.fixture(scope="module")
def at() -> Iterator[list[str]]:
    with serve(FakeTransmitter()) as address:
        yield ["--transmitter", address]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """The fake takes the bytes for the label."""
    file = tmp_path / "Bild-é.png"
    file.write_text(LABEL, encoding="utf-8")
    return file


def environment(**variables: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "COLUMNS"} | variables


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_that_is_not_utf_8_gets_ascii(at: list[str], picture: Path, encoding: str) -> None:
    run = semlink("send", picture, *at, env=environment(PYTHONIOENCODING=encoding), encoding=encoding)
    assert run.returncode == 0, run.stderr
    assert "->" in run.stdout
    assert "####" in run.stdout
    assert "\\u65e5" in run.stdout
    as_json = semlink("send", picture, *at, "--json", env=environment(PYTHONIOENCODING=encoding), encoding=encoding)
    assert as_documented(json.loads(as_json.stdout), "send")["label"] == LABEL
    for command in (["send", "--help"], ["channel", "--help"]):
        shown = semlink(*command, env=environment(PYTHONIOENCODING=encoding), encoding=encoding)
        assert (shown.returncode, shown.stderr) == (0, "")


def test_a_file_or_a_pipe_gets_whole_lines_without_colours(at: list[str], picture: Path) -> None:
    run = semlink("send", picture, picture, *at, env=environment(PYTHONIOENCODING="utf-8"), encoding="utf-8")
    header, first, second = run.stdout.splitlines()
    assert "distance" in header
    for line in (first, second):
        assert line.startswith(f"Bild-é.png  {LABEL}  item")
    assert "\x1b" not in run.stdout


def test_a_narrow_terminal_loses_nothing(at: list[str], picture: Path) -> None:
    wide, narrow = (
        semlink("send", picture, *at, env=environment(PYTHONIOENCODING="utf-8", COLUMNS=columns), encoding="utf-8")
        for columns in ("100", "34")
    )
    assert max(map(len, narrow.stdout.splitlines())) <= 34
    assert "…" not in narrow.stdout
    for part in ("confidence", "kbsc", "0.01", "2.00"):
        assert part in wide.stdout
        assert part in narrow.stdout


STRANGE = "[/red] \x1b[31mred\x1b]0;title\x07 \u202egnp.exe [bold]b[/bold]\nsecond \x9b31m"
SHOWN = r"[/red] \x1b[31mred\x1b]0;title\x07 \u202egnp.exe [bold]b[/bold]\nsecond \x9b31m"


@pytest.mark.parametrize("count", [1, 2])
def test_a_label_of_a_stranger_is_shown_as_it_is_and_does_nothing(at: list[str], tmp_path: Path, count: int) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(STRANGE.encode())
    run = semlink("send", *[file] * count, *at, env=environment(PYTHONIOENCODING="utf-8"), encoding="utf-8")
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(SHOWN) == count
    assert not set("\x1b\x07\x9b\u202e") & set(run.stdout)


def test_an_error_message_of_a_stranger_is_shown_as_it_is(tmp_path: Path) -> None:
    run = semlink("send", tmp_path / STRANGE.replace("/", ""), env=environment(PYTHONIOENCODING="utf-8"))
    assert run.returncode == 2
    assert not set("\x1b\x07\x9b\u202e") & set(run.stderr)
    assert r"\x1b[31mred" in run.stderr

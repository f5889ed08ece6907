"""Tokens: lines of the file, what is kept of them, changes while a service runs, limits."""

import asyncio
import os
from pathlib import Path

import pytest

from shared.errors import Exhausted, InvalidSetting, PermissionDenied, Unauthenticated
from shared.security.allowance import Allowance
from shared.security.guard import Guard
from shared.security.tokens import Entry, TokenBook, digest_of, new_secret, parse_entry

SEND, SET = "/semlink.v1.Transmitter/SendImage", "/semlink.v1.Channel/SetChannel"


def bearer(secret: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {secret}")]


def test_a_line_is_read_as_it_was_written() -> None:
    entry = Entry("ci", ("send", "observe"), digest_of(new_secret()), 2.5, 1000)
    assert parse_entry(entry.line(), "here") == entry


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ci send", "no token"),
        ("ci send sha256:12", "no token"),
        (f"ci admin sha256:{'0' * 64}", "no role 'admin'"),
        (f"ci send sha256:{'0' * 64} rate=0", "rate = '0'"),
        (f"ci send sha256:{'0' * 64} speed=1", "speed is no limit"),
    ],
)
def test_another_line_is_refused(line: str, why: str) -> None:
    with pytest.raises(InvalidSetting, match=why):
        parse_entry(line, "tokens, line 1")


def test_the_role_decides_and_the_texts_say_what_to_do() -> None:
    secret = new_secret()
    line = Entry("ci", ("send",), digest_of(secret)).line()
    assert secret not in line
    guard = Guard(TokenBook(None, [line]))
    assert guard.admit(SEND, bearer(secret)).who == {"token": "ci"}
    with pytest.raises(PermissionDenied, match="needs the role operate; the token 'ci' has send"):
        guard.admit(SET, bearer(secret))
    with pytest.raises(
        Unauthenticated, match=r"needs a token with the role send: .*semlink token new NAME --role send"
    ):
        guard.admit(SEND, [])
    with pytest.raises(Unauthenticated, match="not known here"):
        guard.admit(SEND, bearer(secret[:-1]))


def test_a_token_that_is_taken_away_ends_calls_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.security.tokens._LOOK_SECONDS", 0.0)
    file, secret = tmp_path / "tokens", new_secret()
    mine, other = (Entry(name, ("send",), digest_of(new_secret())).line() for name in ("mine", "other"))
    mine = Entry("mine", ("send",), digest_of(secret)).line()
    file.write_text(f"# ours\n\n{mine}\n{other}\n", encoding="utf-8")
    guard = Guard(TokenBook(file))
    caller = guard.admit(SEND, bearer(secret))
    file.write_text("broken\n", encoding="utf-8")
    caller.require_valid()  # a file that cannot be read changes nothing
    file.write_text(f"{other}\n", encoding="utf-8")
    os.utime(file, (1, 1))
    with pytest.raises(Unauthenticated, match="taken away"):
        caller.require_valid()
    with pytest.raises(Unauthenticated, match="not known"):
        guard.admit(SEND, bearer(secret))


async def test_a_rate_refuses_calls_and_holds_streams_back() -> None:
    allowance = Allowance("token 'ci'", 2.0, None)
    allowance.take()
    allowance.take()
    with pytest.raises(Exhausted, match=r"token 'ci' may make 2 calls a second: try again in 0\.\d+ s"):
        allowance.take()
    await allowance.wait()  # until then


async def test_bytes_refuse_calls_and_hold_streams_back() -> None:
    allowance = Allowance("this service", None, 100)
    with allowance.holding(60):
        with pytest.raises(Exhausted, match="has 60 bytes of requests at work, and this one 50; at most 100"):
            allowance.holding(50).__enter__()
        waiting = asyncio.create_task(allowance.hold(50))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
    assert allowance.held_bytes == 50
    allowance.give_back(50)
    await allowance.hold(1000)  # alone it may exceed the limit: a stream has no other way to answer

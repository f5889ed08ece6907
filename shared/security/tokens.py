"""Tokens: random secrets of 256 bits, of which a service holds the SHA-256 alone.

A line of the file, and an entry of `--accept-token`, is

    NAME ROLE[,ROLE] sha256:HEX [rate=CALLS_PER_SECOND] [bytes=BYTES_IN_FLIGHT]

The secrets are random, so a hash without salt and iterations tells nobody more than a slow one would.
"""

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from time import monotonic
from typing import Final, cast

import structlog

from shared.errors import InvalidSetting, SemLinkError
from shared.files import read_regular, said
from shared.security.allowance import Allowance
from shared.security.roles import ROLES, Role
from shared.security.watched import Watched

log = structlog.get_logger()

_MOST_BYTES: Final = 1 << 20
_LOOK_SECONDS: Final = 1.0
_PREFIX: Final = "semlink_"
_NAME: Final = re.compile(r"[\w.@-]{1,64}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_FORM: Final = "write NAME ROLE[,ROLE] sha256:HEX [rate=CALLS] [bytes=BYTES], as `semlink token new` does"


@dataclass(frozen=True)
class Entry:
    """One token as a service knows it.

    digest: SHA-256 of the secret. rate: calls, and messages of streams, a second; bytes_in_flight: of requests at work;
    None for no limit
    """

    name: str
    roles: tuple[Role, ...]
    digest: bytes
    rate: float | None = None
    bytes_in_flight: int | None = None

    def line(self) -> str:
        """The line of the file."""
        limits = [f" rate={self.rate:g}"] if self.rate is not None else []
        limits += [f" bytes={self.bytes_in_flight}"] if self.bytes_in_flight is not None else []
        return f"{self.name} {','.join(self.roles)} sha256:{self.digest.hex()}{''.join(limits)}"


def new_secret() -> str:
    """A new token."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> bytes:
    """What is kept of a token."""
    return sha256(secret.encode()).digest()


def parse_entry(line: str, where: str) -> Entry:
    """An entry. where: of the line, for the error. Raises InvalidSetting, which does not repeat the hash."""
    words = line.split()
    name, roles, digest, *limits = words if len(words) >= 3 else ("", "", "")
    found = _DIGEST.fullmatch(digest)
    if not _NAME.fullmatch(name) or found is None:
        raise InvalidSetting(f"{where}: this is no token; {_FORM}")
    given = dict(limit.partition("=")[::2] for limit in limits)
    if unknown := set(given) - {"rate", "bytes"}:
        raise InvalidSetting(f"{where}: {', '.join(sorted(unknown))} is no limit of a token; {_FORM}")
    rate = _number(given["rate"], f"{where}: rate") if "rate" in given else None
    most = int(_number(given["bytes"], f"{where}: bytes")) if "bytes" in given else None
    return Entry(name, checked_roles(roles.split(","), where), bytes.fromhex(found[1]), rate, most)


def checked_roles(names: Iterable[str], where: str) -> tuple[Role, ...]:
    """Roles by their names. Raises InvalidSetting naming those that there are."""
    given = dict.fromkeys(names)
    for name in given:
        if name not in ROLES:
            raise InvalidSetting(f"{where}: there is no role {name!r}; there are {', '.join(ROLES)}")
    return tuple(cast(Role, name) for name in given)


def read_entries(path: Path) -> list[Entry]:
    """The entries of a file; lines that are empty or begin with # are none. Raises InvalidSetting for another line."""
    try:
        text = read_regular(path, _MOST_BYTES).decode()
    except OSError as error:
        raise InvalidSetting(
            f"tokens: {said(error)}; `semlink token new NAME --role send` makes such a file"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidSetting(f"tokens: {path} is no text in UTF-8; {_FORM}") from error
    lines = enumerate(text.splitlines(), 1)
    return [
        parse_entry(line, f"{path}, line {number}") for number, line in lines if line.strip() and line.strip()[0] != "#"
    ]


class Grant:
    """What one token allows, for as long as its entry stands. allowance: shared by all calls with it."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.allowance = Allowance(f"token {entry.name!r}", entry.rate, entry.bytes_in_flight)
        self.revoked = False


class TokenBook:
    """The tokens that a service accepts.

    path: file of entries, read again when it changes; an entry that is gone ends calls under way too.
    entries: further ones. Raises InvalidSetting for what is no entry, two of one name, or none at all.
    """

    def __init__(self, path: Path | None, entries: Iterable[str] = ()) -> None:
        self._path = path
        self._fixed = [parse_entry(line, f"accept_token, entry {number}") for number, line in enumerate(entries, 1)]
        self._watched = Watched(*self._files())
        self._grants: dict[Entry, Grant] = {}
        self._look_at = 0.0
        self._take(self._read())
        if not self._grants:
            raise InvalidSetting(f"tokens: {path} has none, so nobody could call; `semlink token new` adds one")

    def find(self, secret: str) -> Grant | None:
        """The grant of a token; compared with all, in a time that does not tell which bytes are right."""
        self.refresh()
        digest, found = digest_of(secret), None
        for entry, grant in self._grants.items():
            if compare_digest(entry.digest, digest):
                found = grant
        return found

    def refresh(self) -> None:
        """Read the file again if it changed; looked at once a second. One that cannot be read changes nothing."""
        if self._path is None or monotonic() < self._look_at:
            return
        self._look_at = monotonic() + _LOOK_SECONDS
        if not self._watched.changed():
            return
        try:
            self._take(self._read())
        except SemLinkError as error:
            log.error("tokens not read again; those of before stay", reason=str(error))
        else:
            log.info("tokens read again", tokens=len(self._grants))

    def _files(self) -> Iterator[Path]:
        if self._path is not None:
            yield self._path

    def _read(self) -> list[Entry]:
        found = [*self._fixed, *(() if self._path is None else read_entries(self._path))]
        names = [entry.name for entry in found]
        for name in names:
            if names.count(name) > 1:
                raise InvalidSetting(f"tokens: {name!r} is there twice; give each token a name of its own")
        return found

    def _take(self, entries: Iterable[Entry]) -> None:
        before = self._grants
        self._grants = {entry: before.get(entry) or Grant(entry) for entry in entries}
        for entry, grant in before.items():
            grant.revoked = entry not in self._grants


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InvalidSetting(f"{what} = {text!r}: give a number above 0")
    return value

"""`semlink token`: who may call the services."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import answer, complain, out, plain_table, untrusted
from cli.options import Json
from shared.errors import InvalidSetting, NotFound
from shared.files import put
from shared.security.roles import ROLES
from shared.security.tokens import Entry, checked_roles, digest_of, new_secret, parse_entry, read_entries

Tokens = Annotated[Path, typer.Option("--tokens", metavar="FILE", help="The services' file of tokens.")]
Name = Annotated[str, typer.Argument(help="Who it is for; stands in the log of changes.")]


def new(
    name: Name,
    *,
    role: Annotated[list[str], typer.Option(help=f"What it allows: {', '.join(ROLES)}; give it several times.")],
    tokens: Tokens,
    rate: Annotated[float | None, typer.Option(help="Most calls a second, messages of streams included.")] = None,
    bytes_: Annotated[int | None, typer.Option("--bytes", help="Most bytes of its requests at work.")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the token there instead of printing it.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a token, and let the services that read FILE accept it; they hold its SHA-256 alone.

    It is shown once. Services that run read FILE again within a second.

    - `semlink token new alice --role send --tokens tokens.txt`
    - `semlink token new ci --role send --role observe --rate 50 --tokens tokens.txt --out ci.token`
    """
    secret = new_secret()
    entry = Entry(name, checked_roles(role, "--role"), digest_of(secret), rate, bytes_)
    parse_entry(entry.line(), f"token {name!r}")
    there = _lines(tokens)
    if any(one.name == name for one in _entries(tokens)):
        raise InvalidSetting(f"{tokens} has a token {name!r}: choose another name, or remove it first")
    if token_file is not None:
        _write(token_file, secret + "\n", 0o600)
    _write(tokens, "\n".join([*there, entry.line()]) + "\n", 0o644)
    document: dict[str, Any] = {"name": name, "roles": list(entry.roles), "token": None if token_file else secret}
    answer(json, document, lambda: _say(secret, token_file))


def list_(tokens: Tokens, json: Json = False) -> None:
    """List tokens by name, with their roles and limits.

    - `semlink token list --tokens tokens.txt`
    """
    _show(read_entries(tokens), json)


def remove(name: Name, tokens: Tokens, json: Json = False) -> None:
    """Remove a token: calls with it are refused within a second, streams that are open end.

    - `semlink token remove alice --tokens tokens.txt`
    """
    if all(one.name != name for one in read_entries(tokens)):
        names = ", ".join(one.name for one in read_entries(tokens)) or "none"
        raise NotFound(f"{tokens} has no token {name!r}; there are: {names}")
    kept = [line for line in _lines(tokens) if (line.split() or [""])[0] != name]
    _write(tokens, "\n".join(kept) + "\n", 0o644)
    _show(read_entries(tokens), json)


def _say(secret: str, token_file: Path | None) -> None:
    if token_file is not None:
        out.print(f"The token is in {token_file}: --token-file {token_file}", highlight=False, soft_wrap=True)
        return
    out.print(secret, highlight=False, soft_wrap=True)
    complain("It is not shown again. Callers give it as SEMLINK_TOKEN, or in a file with --token-file.", "dim")


def _show(entries: list[Entry], json: bool) -> None:
    document = [
        {"name": one.name, "roles": list(one.roles), "rate": one.rate, "bytes": one.bytes_in_flight} for one in entries
    ]
    rows = (
        (untrusted(one.name), ", ".join(one.roles), f"{one.rate or '-'}", f"{one.bytes_in_flight or '-'}")
        for one in entries
    )
    table = plain_table("token", "roles", numbers=["calls a second", "bytes"], rows=rows)
    answer(json, document, lambda: out.print(table))


def _entries(path: Path) -> list[Entry]:
    return read_entries(path) if path.exists() else []


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file whole, so that a service that reads it sees the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, text.encode(), mode)

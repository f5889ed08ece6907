"""`semlink certs`: an authority and certificates for development."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.console import answer, out, plain_table
from cli.options import Json
from shared.security.certificates import CLIENT, SERVICES, issue, issued, make_authority

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the authority and the certificates.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How long the certificates are valid.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="NAME", help="Further name or address of the services; give it several times."),
]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Which, also new clients; else those that there are.")
]


def init(folder: Folder, days: Days = 90, host: Hosts = None, json: Json = False) -> None:
    """Make an authority, and certificates of the three services and of one client.

    Each gets a folder, DIR/NAME, with cert.pem, key.pem and ca.pem, for --tls-cert, --tls-key and --tls-ca. DIR/ca has
    the authority's key: keep it from the services. It is meant for development and closed networks.

    - `semlink certs init certs`
    - `semlink certs init certs --host radio.example --host 192.0.2.7` — names by which callers know the services
    """
    make_authority(folder)
    issue(folder, (*SERVICES, CLIENT), days, host or ())
    _show(folder, json)


def renew(folder: Folder, name: Names = None, days: Days = 90, host: Hosts = None, json: Json = False) -> None:
    """Make certificates anew, by the same authority. Services that run take them without a restart.

    - `semlink certs renew certs`
    - `semlink certs renew certs receiver --days 30`
    - `semlink certs renew certs alice` — of a further client
    """
    issue(folder, name or list(issued(folder)) or (*SERVICES, CLIENT), days, host or ())
    _show(folder, json)


def list_(folder: Folder, json: Json = False) -> None:
    """Show until when the certificates of a folder are valid.

    - `semlink certs list certs`
    """
    _show(folder, json)


def _show(folder: Path, json: bool) -> None:
    found = issued(folder)
    document = {name: until.isoformat(timespec="seconds") for name, until in found.items()}
    rows = ((name, f"{until:%Y-%m-%d %H:%M} UTC{_late(until)}", str(folder / name)) for name, until in found.items())
    answer(json, document, lambda: out.print(plain_table("certificate", "valid until", "folder", rows=rows)))


def _late(until: datetime) -> str:
    return " (expired)" if until < datetime.now(UTC) else ""

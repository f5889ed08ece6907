"""The command `semlink doctor`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.console import answer, out, plain_table
from cli.doctor import installation, link
from cli.doctor.checks import Finding, State, findings
from cli.options import OUT, Json

_STYLES = {State.FINE: "green", State.NOTE: "yellow", State.FAULT: "bold red"}
_At = typer.Option(metavar="HOST:PORT", rich_help_panel="Addresses")


def doctor(
    *,
    directory: Annotated[Path, typer.Option("--out", help="Folder that runs are to write into.")] = OUT,
    transmitter: Annotated[str | None, _At] = None,
    channel: Annotated[str | None, _At] = None,
    receiver: Annotated[str | None, _At] = None,
    json: Json = False,
) -> None:
    """Check this installation, and the link that runs, and say what to do about what is wrong.

    Versions, devices, engines, weights, clock, disk, permissions and ports; of a running link also its CLIP, its
    knowledge base, and one picture through it, with a random draw of its own. Where none runs, that is no fault unless
    you name an address. The status is 1 if there is a fault.

    - `semlink doctor`
    - `semlink doctor --json` — for programs: a list of findings
    - `semlink doctor --transmitter 10.0.0.5:50051` — a link elsewhere
    """
    asked = link.addresses(transmitter=transmitter, channel=channel, receiver=receiver)
    found = list(_examined(directory, asked))
    answer(json, {"findings": found}, partial(_show, found))
    if any(finding.state is State.FAULT for finding in found):
        raise typer.Exit(1)


def _examined(directory: Path, asked: link.Asked) -> Iterator[Finding]:
    """All findings, those of the installation first."""
    yield from findings("versions", installation.versions)
    yield from findings("devices", installation.devices)
    yield from findings("weights", installation.weights)
    yield from findings("clock", installation.clock)
    yield from findings("disk", partial(installation.disk, directory))
    yield from findings("link", partial(link.services, asked))
    if link.is_up(asked):
        yield from findings("ends", partial(link.ends, asked))
        yield from findings("channel", partial(link.channel, asked))
        yield from findings("a picture", partial(link.picture, asked))


def _show(found: list[Finding]) -> None:
    rows = []
    for finding in found:
        remedy = f"\n[bold]{escape(finding.remedy)}[/]" if finding.remedy else ""
        style = _STYLES[finding.state]
        rows.append((f"[{style}]{finding.state}[/]", escape(finding.check), escape(finding.found) + remedy))
    out.print(plain_table("state", "check", "found", rows=rows))
    faults = sum(finding.state is State.FAULT for finding in found)
    out.print(f"{faults} faults" if faults else "No fault.", style="bold red" if faults else "bold green")

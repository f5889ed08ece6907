"""`semlink down`."""

from typing import Annotated

import typer

from cli.console import answer, out
from cli.options import Json
from local.running_links import RunningLink, stop_links


def down(
    *,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds after which a link is killed.")] = 15.0,
    json: Json = False,
) -> None:
    """Stop the links of this user that `semlink up` runs on this machine, in whichever terminal.

    Nothing is wrong if none runs.

    - `semlink down`
    """
    stopped = stop_links(timeout)
    answer(json, {"stopped": stopped}, lambda: _show(stopped))


def _show(stopped: list[RunningLink]) -> None:
    for link in stopped:
        out.print(f"stopped the link at {link.addresses.get('transmitter', 'no address yet')} (process {link.pid})")
    if not stopped:
        out.print("no link of yours runs here")

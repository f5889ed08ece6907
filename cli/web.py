"""`semlink console`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import complain
from cli.options import ChannelAt, ReceiverAt, Transmitter
from client.connection import CHANNEL, RECEIVER, TRANSMITTER
from console.app import serve
from console.link import Link
from shared.rpc.address import checked_address


def console(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 lets the system choose.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on. Whoever reaches it can change the link.")] = (
        "127.0.0.1"
    ),
    results: Annotated[Path, typer.Option(help="Folder of the laboratory, for the tab Results.", metavar="DIR")] = Path(
        "out/results"
    ),
    opened: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    transmitter: Transmitter = TRANSMITTER,
    channel: ChannelAt = CHANNEL,
    receiver: ReceiverAt = RECEIVER,
) -> None:
    """Show the running link on a page in the browser: send pictures, see what arrives and why.

    Needs pip install 'semlink[console]', and no network: no data leave this machine. The link must be up: `semlink up`
    starts it; while a service is away the page says so, and goes on when it is back.

    - `semlink console`
    - `semlink console --port 0 --no-open` — print the address of a free port, and open nothing
    """
    addresses = {
        "transmitter": checked_address(transmitter),
        "channel": checked_address(channel),
        "receiver": checked_address(receiver),
    }
    link = Link(addresses, results)
    serve(link, host, port, show=opened, ready=lambda address: complain(f"the console is at {address}", "bold green"))

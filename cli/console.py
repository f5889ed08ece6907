"""What every command shares: where output goes, addresses, and signals."""

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Table

out = Console(emoji=False)  # `first:x:drawn` is a source and no emoji
err = Console(stderr=True, emoji=False)

_AT = "HOST:PORT"
Transmitter = Annotated[
    str, typer.Option(envvar="SEMLINK_TRANSMITTER", metavar=_AT, help="The transmitter.", rich_help_panel="Addresses")
]
ChannelAt = Annotated[
    str, typer.Option(envvar="SEMLINK_CHANNEL", metavar=_AT, help="The channel.", rich_help_panel="Addresses")
]
ReceiverAt = Annotated[
    str, typer.Option(envvar="SEMLINK_RECEIVER", metavar=_AT, help="The receiver.", rich_help_panel="Addresses")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]

OUT = Path("out")


def print_json(document: Any) -> None:
    """Print one strict JSON document."""
    json.dump(document, sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
    sys.stdout.write("\n")


def plain_table(*columns: str) -> "Table":
    """A table without lines."""
    from rich.table import Table  # noqa: PLC0415 - when there is something to show

    return Table(*columns, box=None, header_style="bold", pad_edge=False)


def lines(settings: Mapping[str, Any]) -> str:
    """Settings, one a line."""
    return "\n".join(
        f"{name} {f'{value:g}' if isinstance(value, float) else value}" for name, value in settings.items()
    )


def stop_on_sigterm() -> None:
    """Let SIGTERM unwind this process like Ctrl-C, so that what it started is stopped."""

    def stop(*_: object) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)

"""Deliveries as tables for people."""

import math
from collections.abc import Iterable
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.console import out, plain_table, untrusted
from shared.errors import SemLinkError
from shared.frame.delivery import Delivery
from shared.ledger import Kind
from shared.printable import printable
from shared.units import channel_name, decibels

_BAR = 28
_BESIDE_BARS = 28  # columns of stage, milliseconds and margins


def show_delivery(image: str, delivery: Delivery) -> RenderableType:
    """One delivery: the answer, the nearest items, the channel, and the time of each stage."""
    return Group(
        _headline(image, delivery),
        _indented(_facts(delivery), (1, 1)),
        *([_indented(_rounds(delivery), (0, 1))] if delivery.rounds else []),
        _indented(_hits(delivery), (0, 0)),
        _indented(_ledger(delivery), (1, 0)),
    )


def _indented(table: Table, lines: tuple[int, int]) -> Padding:
    """A table with so many blank lines above and below; no spaces on its right, which would lie in every file."""
    above, below = lines
    return Padding(table, (above, 0, below, 2), expand=False)


def show_deliveries(pairs: Iterable[tuple[str, Delivery | SemLinkError]]) -> Table:
    """One row for each picture that was delivered."""
    table = plain_table("picture", "label", "nearest item", numbers=("distance", "confidence", "SNR", "time"))
    for image, delivery in pairs:
        if isinstance(delivery, Delivery):
            table.add_row(
                image_name(image),
                _verdict(delivery),
                untrusted(delivery.item_id),
                f"{delivery.distance:.3f}",
                f"{delivery.confidence:.2f}",
                decibels(delivery.channel.snr_db_achieved, ".1f"),
                f"{delivery.total_seconds * 1e3:.1f} ms",
            )
    return table


def image_name(image: str, folders: bool = False) -> str:
    """What a picture of the command line is called, without or with its folders."""
    return "standard input" if image == "-" else image if folders else Path(image).name


def _headline(image: str, delivery: Delivery) -> Text:
    line = Text.assemble(
        (printable(image_name(image)), "bold"), "  →  ", _verdict(delivery), f"   item {printable(delivery.item_id)}"
    )
    if not delivery.accepted:
        line.append(f"   not accepted: {printable(delivery.reason)}", "yellow")
    return line


def _verdict(delivery: Delivery) -> Text:
    return Text(printable(delivery.label) or "(no label)", "bold green" if delivery.accepted else "bold yellow")


def _facts(delivery: Delivery) -> Table:
    channel = delivery.channel
    table = Table.grid(padding=(0, 2))
    table.add_row("confidence", f"{delivery.confidence:.2f}")
    what = "of the picture, embedded by the receiver" if delivery.sent_picture else "of the meaning"
    table.add_row("codec", f"{delivery.codec}, k = {delivery.k}: {delivery.k // 2} complex symbols {what}")
    if not math.isnan(delivery.cbr):  # of an embedding: no picture is known
        table.add_row("bandwidth", f"cbr {delivery.cbr:.5f}, with all that was sent {delivery.cbr_total:.5f}")
    table.add_row("framing", _framing(delivery))
    table.add_row(
        "channel",
        f"{channel_name(channel.fading)}, asked {decibels(channel.snr_db_asked, '.1f')}, "
        f"achieved {decibels(channel.snr_db_achieved, '.1f')}",
    )
    table.add_row(
        "receiver knows",
        ", ".join(delivery.genies) or {"pilot": "its pilots", "none": "nothing"}.get(delivery.csi, delivery.csi),
    )
    counter = delivery.rounds[0].counter if delivery.rounds else channel.counter
    table.add_row("replay with", f"--seed {channel.seed} --stream {channel.stream} --counter {counter}")
    return table


def _rounds(delivery: Delivery) -> Table:
    table = plain_table("round", numbers=("k", "symbols", "cbr_total", "posterior", "confidence", "ms"))
    table.add_column("")
    for number, one in enumerate(delivery.rounds, 1):
        table.add_row(
            str(number),
            str(one.k),
            str(one.payload_symbols),
            "" if math.isnan(one.cbr_total) else f"{one.cbr_total:.5f}",
            *("" if value is None else f"{value:.2f}" for value in (one.posterior, one.confidence)),
            f"{one.seconds * 1e3:.2f}",
            Text(printable(one.failure), "yellow"),
        )
    return table


def _framing(delivery: Delivery) -> str:
    if delivery.framing == "implicit":
        return f"implicit, configured once by {delivery.configuration_symbols} symbols; no header"
    return f"{delivery.framing}, header of {delivery.header_symbols} symbols"


def _hits(delivery: Delivery) -> Table:
    rows = ((untrusted(hit.item_id), untrusted(hit.label), f"{hit.distance:.3f}") for hit in delivery.top)
    return plain_table("nearest item", "label", numbers=["distance"], rows=rows)


def _ledger(delivery: Delivery) -> Table:
    longest = max((entry.seconds for entry in delivery.ledger), default=0.0) or 1.0
    table = plain_table(show_footer=True, footer_style="bold")
    table.add_column("stage", "total")
    table.add_column("ms", f"{delivery.total_seconds * 1e3:.2f}", justify="right")
    table.add_column("")
    for entry in delivery.ledger:
        bar = "█" * round(min(_BAR, max(out.width - _BESIDE_BARS, 4)) * entry.seconds / longest)
        emulated = entry.kind is Kind.EMULATED
        table.add_row(
            entry.stage,
            f"{entry.seconds * 1e3:.2f}",
            Text(f"{bar} emulated" if emulated else bar, "magenta" if emulated else "cyan"),
        )
    return table

"""An answer on the page: the pictures side by side, what the receiver says, where symbols and time went."""

from collections.abc import Mapping
from typing import Any, Final

from nicegui import app, ui

from client import Delivery, Item
from console import charts, equivalent
from console.gallery import Chosen
from console.link import Link
from console.parts import labelled, picture
from shared.units import decibels

RECEIVED: Final = "received"
"""Key of what the page received last: the label of the answer, and the embedding."""


def show_answer(link: Link, chosen: Chosen, options: Mapping[str, Any], delivery: Delivery, item: Item) -> None:
    """Draw one delivery into the current place of the page. item: of the knowledge base, the answer."""
    if delivery.trace is not None and delivery.trace.embedding is not None:
        app.storage.client[RECEIVED] = (delivery.label, delivery.trace.embedding)
    with ui.row().classes("w-full gap-4 items-start"):
        with ui.card().classes("grow basis-[45%] min-w-[min(20rem,100%)]"):
            _pictures(chosen, delivery, item)
            _verdict(chosen, delivery)
        with ui.card().classes("grow basis-[45%] min-w-[min(20rem,100%)]"):
            ui.label("Nearest items").classes("text-lg")
            _nearest(delivery)
    with ui.row().classes("w-full gap-4 items-stretch"):
        with ui.card().classes("grow basis-[45%] min-w-[min(20rem,100%)]"):
            ui.label("Constellation").classes("text-lg")
            if delivery.trace is not None and len(delivery.trace.sent):
                ui.echart(charts.constellation(delivery.trace)).classes("w-full h-80").props(
                    "data-testid=constellation"
                )
        with ui.card().classes("grow basis-[45%] min-w-[min(20rem,100%)]"):
            total = f"Where the time went: {1e3 * delivery.total_seconds:.2f} ms"
            ui.label(total).classes("text-lg")
            ui.echart(charts.ledger(delivery.ledger)).classes("w-full h-64").props("data-testid=ledger")
    with ui.card().classes("w-full"):
        _channel(delivery)
        _equivalents(link, chosen, options, delivery)


def _pictures(chosen: Chosen, delivery: Delivery, item: Item) -> None:
    with ui.row().classes("w-full justify-center gap-6"):
        for heading, data, label in (
            ("sent", chosen.data, chosen.label),
            ("retrieved", item.thumbnail, delivery.label),
        ):
            with ui.column().classes("items-center gap-1"):
                ui.label(heading).classes("text-sm opacity-70")
                if data:
                    picture(data, f"{heading}: {label or chosen.name}", "w-36 h-36 object-contain rounded")
                else:
                    ui.label("no picture").classes("w-36 h-36")
                ui.label(label or "label not known").classes("font-bold").props(f"data-testid={heading}")


def _verdict(chosen: Chosen, delivery: Delivery) -> None:
    if not chosen.label:
        text, colour = "the truth is not known", charts.UNKNOWN
    elif chosen.label == delivery.label:
        text, colour = "right", charts.RIGHT
    else:
        text, colour = f"wrong: it is {chosen.label}", charts.WRONG
    with ui.row().classes("w-full items-center gap-3"):
        ui.label(text).classes("text-xl font-bold").style(f"color: {colour}").props("data-testid=verdict")
        accepted = "accepted" if delivery.accepted else f"not accepted: {delivery.reason}"
        ui.label(f"confidence {delivery.confidence:.2f}, {accepted}").props("data-testid=confidence")
    labelled(ui.linear_progress(delivery.confidence, show_value=False), "confidence")


def _nearest(delivery: Delivery) -> None:
    rows = [
        {"label": hit.label, "item": hit.item_id, "distance": f"{hit.distance:.3f}", "key": place}
        for place, hit in enumerate(delivery.top)
    ]
    columns: list[dict[str, Any]] = [
        {"name": name, "label": name, "field": name, "align": "left"} for name in ("label", "item", "distance")
    ]
    ui.table(rows=rows, columns=columns, row_key="key").props("flat dense").classes("w-full").props(
        "data-testid=nearest"
    )


def _channel(delivery: Delivery) -> None:
    report = delivery.channel
    genies = ", ".join(delivery.genies)
    words = [
        f"{delivery.codec}, k = {delivery.k}",
        f"SNR asked {decibels(report.snr_db_asked)}, achieved {decibels(report.snr_db_achieved)}",
        f"fading {report.fading}",
        f"{report.air_symbols} symbols on the air",
        f"cbr {delivery.cbr:.4f}, with all that was sent {delivery.cbr_total:.4f}",
        f"{delivery.pilot_symbols} pilots",
        f"framing {delivery.framing}",
        f"{len(delivery.rounds)} HARQ rounds" if delivery.rounds else "",
        f"genies: {genies}" if genies else "",
        f"burst {delivery.burst_id}",
    ]
    ui.label(" · ".join(word for word in words if word)).props("data-testid=channel-report").classes("text-sm")


def _equivalents(link: Link, chosen: Chosen, options: Mapping[str, Any], delivery: Delivery) -> None:
    address = link.addresses["transmitter"]
    ui.code(equivalent.command(chosen.name, options, address), language="bash").classes("w-full").props(
        "data-testid=command"
    )
    ui.code(equivalent.python(chosen.name, options, address), language="python").classes("w-full").props(
        "data-testid=python"
    )
    permanent = equivalent.permanent(chosen.picture_id, equivalent.replay_options(delivery))
    ui.link("Permanent link: this burst again, with the same noise", permanent).props("data-testid=permanent")

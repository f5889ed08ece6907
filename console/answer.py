"""An answer on the page: the pictures side by side, what the receiver says, where symbols and time went.

Its parts are made once, and each answer changes what they show: to make them takes the browser longer.
"""

from collections.abc import Mapping
from typing import Any, Final

from nicegui import app, ui

from client import Delivery, Item
from console import charts, equivalent
from console.gallery import Chosen
from console.link import Link
from console.parts import judged, labelled, show_picture, tagged
from console.time_bar import TimeBar
from shared.units import decibels

RECEIVED: Final = "received"
"""Key of what the page received last: the label of the answer, and the embedding."""


class AnswerView:
    """The place of one page where answers are shown, in the current place of the page; empty before the first."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._place = tagged(ui.column().classes("w-full semlink-empty"), "answer")
        with self._place:
            with ui.row().classes("w-full gap-4 items-stretch"):
                with ui.card().classes("third"):
                    with ui.row().classes("w-full justify-center gap-6"):
                        self._pictures = {heading: _Pictured(heading) for heading in ("sent", "retrieved")}
                    self._verdict()
                with ui.card().classes("third"):
                    ui.label("Nearest items").classes("text-lg")
                    self._nearest = tagged(_nearest_table(), "nearest")
                with ui.card().classes("third"):
                    ui.label("Constellation").classes("text-lg")
                    self._constellation = ui.echart(charts.constellation(None)).classes("semlink-square")
                    tagged(self._constellation, "constellation")
            with ui.card().classes("w-full"):
                self._time = TimeBar()
            with ui.card().classes("w-full"):
                self._channel = tagged(ui.label().classes("text-sm"), "channel-report")
                self._equivalents()

    def _verdict(self) -> None:
        with ui.row().classes("w-full items-center gap-3"):
            self._right = tagged(ui.label().classes("text-xl font-bold"), "verdict")
            self._confidence = tagged(ui.label(), "confidence")
        self._bar = labelled(ui.linear_progress(0, show_value=False).props("instant-feedback"), "confidence")

    def _equivalents(self) -> None:
        self._command = tagged(ui.code("", language="bash").classes("w-full semlink-code"), "command")
        self._python = tagged(ui.code("", language="python").classes("w-full semlink-code"), "python")
        text = "Permanent link: this burst again, with the same noise"
        self._permanent = tagged(ui.link(text, "/"), "permanent")

    def clear(self) -> None:
        """Show no answer."""
        self._place.classes(add="semlink-empty")

    def show(self, chosen: Chosen, options: Mapping[str, Any], delivery: Delivery, item: Item) -> None:
        """Show one delivery. item: of the knowledge base, the answer."""
        if delivery.trace is not None and delivery.trace.embedding is not None:
            app.storage.client[RECEIVED] = (delivery.label, delivery.trace.embedding)
        self._pictures["sent"].show(chosen.data, chosen.label, chosen.name)
        self._pictures["retrieved"].show(item.thumbnail, delivery.label, item.item_id)
        self._say(chosen, delivery)
        self._nearest.rows = _nearest_rows(delivery)
        self._constellation.options.update(charts.constellation(delivery.trace))
        self._constellation.update()
        self._time.show(delivery.ledger, delivery.total_seconds)
        self._channel.set_text(_report(delivery))
        address = self._link.addresses["transmitter"]
        self._command.set_content(equivalent.command(chosen.name, options, address))
        self._python.set_content(equivalent.python(chosen.name, options, address))
        replay = equivalent.permanent(chosen.picture_id, equivalent.replay_options(delivery))
        self._permanent.props["href"] = replay
        self._permanent.update()
        self._place.classes(remove="semlink-empty")

    def _say(self, chosen: Chosen, delivery: Delivery) -> None:
        right = chosen.label == delivery.label if chosen.label else None
        wrong = "the truth is not known" if right is None else f"wrong: it is {chosen.label}"
        judged(self._right, right=right).set_text("right" if right else wrong)
        accepted = "accepted" if delivery.accepted else f"not accepted: {delivery.reason}"
        self._confidence.set_text(f"confidence {delivery.confidence:.2f}, {accepted}")
        self._bar.set_value(delivery.confidence)


class _Pictured:
    """One of the two pictures, with its label below."""

    def __init__(self, heading: str) -> None:
        self._heading = heading
        with ui.column().classes("items-center gap-1"):
            ui.label(heading).classes("text-sm opacity-70")
            self._picture = ui.element("img").classes("w-36 h-36 object-contain rounded")
            self._label = tagged(ui.label().classes("font-bold"), heading)

    def show(self, data: bytes, label: str, name: str) -> None:
        """Show a picture file, or nothing where it is empty. label: empty where it is not known."""
        show_picture(self._picture, data, f"{self._heading}: {label or name}")
        self._label.set_text(label or "label not known")


def _nearest_table() -> ui.table:
    columns: list[dict[str, Any]] = [
        {"name": name, "label": name, "field": name, "align": "left"} for name in ("label", "item", "distance")
    ]
    return ui.table(rows=[], columns=columns, row_key="key").props("flat dense").classes("w-full")


def _nearest_rows(delivery: Delivery) -> list[dict[str, Any]]:
    return [
        {"label": hit.label, "item": hit.item_id, "distance": f"{hit.distance:.3f}", "key": place}
        for place, hit in enumerate(delivery.top)
    ]


def _report(delivery: Delivery) -> str:
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
    return " · ".join(word for word in words if word)

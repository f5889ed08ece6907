"""The tab Compare: two to four codecs on the same pictures and the same noise, next to one another."""

import asyncio
import math
import random
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, get_args

from nicegui import ui

from client import Delivery, SemLinkError
from console import gallery
from console.controls import NO_NOISE_DB, snr_slider
from console.gallery import Chosen, Gallery
from console.link import Link
from console.parts import ErrorLine, judged, picture, show_address, tagged
from shared.phy.conditions.settings import FadingName

_FEWEST: Final = 2
_MOST: Final = 4
_FIRST: Final = ("nested", "webp-ldpc")


@dataclass
class Score:
    """The running score of one codec. cbr_total: of each picture that was answered."""

    right: int = 0
    sent: int = 0
    cbr_total: list[float] = field(default_factory=list)

    def add(self, label: str, outcome: Delivery | SemLinkError) -> None:
        """Count one picture; one without an answer is wrong."""
        self.sent += 1
        if isinstance(outcome, Delivery):
            self.right += outcome.label == label
            self.cbr_total.append(outcome.cbr_total)

    def __str__(self) -> str:
        """The score in one line."""
        if not self.cbr_total:
            return f"{self.right} of {self.sent} right"
        return f"{self.right} of {self.sent} right, cbr_total {sum(self.cbr_total) / len(self.cbr_total):.4f}"


class CompareTab:
    """One page's tab."""

    def __init__(self, link: Link, _: Gallery) -> None:
        self._link = link
        self._codecs: list[str] = []
        with ui.card().classes("w-full"):
            with ui.row().classes("w-full items-center gap-4"):
                self._chosen = ui.select(list(_FIRST), value=list(_FIRST), multiple=True, label="codecs, 2 to 4")
                tagged(self._chosen.classes("field-wide").props("use-chips"), "compare-codecs")
                self._count = ui.number("pictures", value=8, min=1, max=gallery.DRAWN, precision=0).classes("w-24")
                self._fading = ui.select(list(get_args(FadingName)), value="none", label="fading").classes("w-28")
                self._snr = snr_slider("compare-snr", 6, NO_NOISE_DB)
                self._button = tagged(ui.button("Compare", icon="compare", on_click=self._run), "compare-start")
            self._error = ErrorLine("compare-error")
        self._table = tagged(ui.column().classes("w-full"), "compare-table")
        ui.timer(1.0, self._offer)

    def _offer(self) -> None:
        """Offer the codecs that the transmitter has, as soon as they are known."""
        if self._link.info is None:
            return
        names = list(dict.fromkeys(spec.codec for spec in self._link.info.codecs))
        if names != self._codecs:
            self._codecs = names
            self._chosen.set_options(names, value=[name for name in self._chosen.value if name in names])

    async def _run(self) -> None:
        codecs = list(self._chosen.value)
        if not _FEWEST <= len(codecs) <= _MOST:
            self._error.say(f"{len(codecs)} codecs are chosen: choose {_FEWEST} to {_MOST}")
            return
        self._error.say("")
        self._button.disable()
        try:
            await self._compare(codecs)
        finally:
            self._button.enable()

    async def _compare(self, codecs: list[str]) -> None:
        scores, labels = {codec: Score() for codec in codecs}, {}
        stream = random.getrandbits(31)
        self._table.clear()
        columns = f"max-content repeat({len(codecs)}, minmax(0, 1fr))"
        with self._table, ui.grid(columns=columns).classes("w-full gap-2 items-center"):
            ui.label("sent").classes("font-bold")
            for codec in codecs:
                with ui.column().classes("gap-0"):
                    ui.label(codec).classes("font-bold")
                    labels[codec] = tagged(ui.label().classes("text-sm"), "compare-score")
            for counter, chosen in enumerate(islice(gallery.drawn().values(), int(self._count.value or 1))):
                outcomes = await asyncio.gather(*(self._send(chosen, codec, stream, counter) for codec in codecs))
                show_address(ui.element("img").classes("w-14 h-14"), chosen.address, chosen.label)
                for codec, outcome in zip(codecs, outcomes, strict=True):
                    scores[codec].add(chosen.label, outcome)
                    labels[codec].set_text(str(scores[codec]))
                    await self._cell(chosen, outcome)

    async def _send(self, chosen: Chosen, codec: str, stream: int, counter: int) -> Delivery | SemLinkError:
        """One picture by one codec; seed, stream and counter are the same for all, so the noise is too."""
        snr_db = math.inf if self._snr.value >= NO_NOISE_DB else float(self._snr.value)
        options: Any = {"codec": codec, "snr_db": snr_db, "design_snr_db": min(snr_db, 40.0)}
        options |= {"fading": self._fading.value, "seed": 0, "stream": stream, "counter": counter}
        try:
            return await self._link.near.send(chosen.data, **options)
        except SemLinkError as error:
            return error

    async def _cell(self, chosen: Chosen, outcome: Delivery | SemLinkError) -> None:
        with ui.row().classes("items-center gap-2 no-wrap min-w-0"):
            if isinstance(outcome, SemLinkError):
                judged(ui.label("no answer"), right=False).tooltip(str(outcome))
                return
            try:
                item = await self._link.knowledge_base(lambda client: client.get_item(outcome.item_id))
                picture(item.thumbnail, outcome.label, "w-14 h-14")
            except SemLinkError as error:
                ui.label("no picture").tooltip(str(error))
            right = outcome.label == chosen.label
            with ui.column().classes("gap-0 min-w-0"):
                judged(ui.label(f"{'right' if right else 'wrong'}: {outcome.label}"), right=right)
                ui.label(f"confidence {outcome.confidence:.2f}").classes("text-xs opacity-70")

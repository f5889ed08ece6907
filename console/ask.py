"""The tab Ask: a question about a picture; what of it is sent, what the receiver rebuilt, and both answers."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from nicegui import events, ui

from client import Delivery
from console.controls import snr_slider
from console.gallery import Gallery
from console.link import Link
from console.parts import ErrorLine, judged, labelled, picture, show_picture, tagged
from shared.codecs.base.picture import dim_unsent, fit_picture
from shared.datasets.decoding import decode_picture, encode_png
from shared.datasets.scenes import draw_scenes, questions_about
from shared.frame.question import RETRANSMISSIONS

_SCENES: Final = 8
_SPLIT: Final = "seen"
_MOST_DB: Final = 30.0
_SHOWN_SIDE: Final = 256
"""Of the picture with what is sent, pixels; a multiple of 8."""


class Scene(NamedTuple):
    """A drawn scene, and a question about it."""

    data: bytes
    question: str


@lru_cache(maxsize=1)
def scenes() -> list[Scene]:
    """Scenes that the shipped answerer knows, each with a question about it."""
    drawn, asked = draw_scenes(_SPLIT, range(_SCENES)), questions_about(_SPLIT, range(_SCENES), 1)
    return [Scene(encode_png(pixels), text) for pixels, text in zip(drawn.pixels, asked.texts(), strict=True)]


_CODECS = ["uo-isc", "klt-relevance", "klt"]
_FADINGS = ["none", "rayleigh"]
_ON_AIR = "send the question too, in front of the picture, for a receiver where nobody asks"


class AskTab:
    """One page's tab."""

    def __init__(self, link: Link, _: Gallery) -> None:
        self._link, self._data, self._answers = link, b"", 0
        with ui.card().classes("w-full"):
            with ui.row().classes("gap-1 items-end"):
                self._shown = ui.element("img").classes("w-24 h-24 rounded")
                self._offered = ui.row().classes("gap-1")
            ui.upload(label="Drop or choose a picture", auto_upload=True, on_upload=self._uploaded).props(
                'flat dense accept="image/*"'
            ).classes("w-full max-w-md")
            with ui.row().classes("w-full items-center gap-4"):
                self._question = tagged(ui.input("question").classes("field-wide"), "question")
                self._question.on("keydown.enter", self._ask)
                self._bits = ui.number("bits", value=384, min=64, max=8192, precision=0).classes("w-24")
                self._codec = ui.select(_CODECS, value=_CODECS[0], label="codec").classes("w-36")
                self._snr = snr_slider("ask-snr", 8, _MOST_DB)
                self._fading = tagged(
                    ui.select(_FADINGS, value=_FADINGS[0], label="fading").classes("w-28"), "ask-fading"
                )
                repeats = ui.number("retransmissions", value=0, min=0, max=RETRANSMISSIONS, precision=0)
                self._repeats = tagged(repeats.classes("w-32"), "ask-repeats")
                self._on_air = tagged(ui.switch("question over the air"), "ask-on-air").tooltip(_ON_AIR)
                self._button = tagged(ui.button("Ask", icon="help", on_click=self._ask), "ask")
            self._error = ErrorLine("ask-error")
        self._answer = tagged(ui.row().classes("w-full gap-4"), "asked")
        ui.timer(0.2, self._offer, once=True)

    async def _offer(self) -> None:
        """Offer the scenes, which take a moment to draw."""
        offered = await asyncio.to_thread(scenes)
        with self._offered:
            for place, scene in enumerate(offered):
                button = ui.button(on_click=lambda scene=scene: self._take(scene)).props('flat padding="2px"')
                with tagged(labelled(button, f"scene {place + 1}"), f"scene-{place}"):
                    picture(scene.data, "", "w-12 h-12 rounded")
        if not self._data:
            self._take(offered[0]._replace(question=self._question.value or offered[0].question))

    def _take(self, scene: Scene) -> None:
        self._data = scene.data
        show_picture(self._shown, scene.data, "the chosen picture")
        self._question.set_value(scene.question)

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        self._take(Scene(await event.file.read(), str(self._question.value or "")))
        event.sender.run_method("reset")

    async def _ask(self) -> None:
        self._error.say("")
        self._button.disable()
        try:
            await self._answer_to(self._data, str(self._question.value or ""))
        finally:
            self._answers += 1
            self._button.enable().props(f"data-answers={self._answers}")

    async def _answer_to(self, data: bytes, question: str) -> None:
        delivery = await self._error.answer_of(self._link.near.ask(data, question, **self._options()))
        self._answer.clear()
        if delivery is not None:
            sent = await asyncio.to_thread(what_is_sent, data, delivery.asked.sent_cells) if delivery.asked else b""
            with self._answer:
                _show(data, sent, delivery)

    def _options(self) -> Any:
        snr_db = float(self._snr.value)
        return {
            "bits": int(self._bits.value or 384),
            "codec": self._codec.value,
            "snr_db": snr_db,
            "design_snr_db": snr_db,
            "fading": self._fading.value,
            "retransmissions": int(self._repeats.value or 0),
            "question_at_receiver": False if self._on_air.value else None,
            "timeout": 120.0,
        }


def what_is_sent(data: bytes, cells: Sequence[bool]) -> bytes:
    """A picture file as its codec sees it, square, pale where nothing or little is sent: PNG. cells: see `Asked`.

    Empty without cells, which older transmitters do not tell.
    """
    if not cells:
        return b""
    pixels = fit_picture(decode_picture(data, target_size=_SHOWN_SIDE).image, _SHOWN_SIDE)
    return encode_png(dim_unsent(pixels, cells))


def _show(data: bytes, sent: bytes, delivery: Delivery) -> None:
    asked = delivery.asked
    if asked is None:
        ui.label("this receiver rebuilds no pictures for questions: take a newer one")
        return
    cells = f"what is sent: {sum(asked.sent_cells)} of {len(asked.sent_cells)} cells"
    for heading, name, shown in (
        ("the picture", "ask-original", data),
        (cells, "ask-sent", sent),
        ("rebuilt by the receiver", "ask-rebuilt", asked.picture),
    ):
        if shown:
            with ui.card().classes("items-center"):
                ui.label(heading).classes("text-sm opacity-70")
                tagged(picture(shown, heading, "w-48 h-48 object-cover rounded"), name)
    with ui.card().classes("third"):
        ui.label(asked.question).classes("text-lg")
        answer = f"the receiver says: {asked.answer} (probability {asked.probability:.2f})"
        if not asked.answer:
            answer = f"the receiver says nothing: {delivery.reason}"
        judged(tagged(ui.label(answer), "ask-answer"), right=asked.match).classes("font-bold")
        same = "the same" if asked.match else "not the same"
        ui.label(f"the transmitter, on the original: {asked.answer_on_original}; {same}")
        cost = f"{asked.bits_in_words} in {asked.channel_uses}, cbr_total {delivery.cbr_total:.4f}"
        tagged(ui.label(cost), "ask-cost")
        ui.label(f"PSNR {asked.psnr_db:.1f} dB, where the question is about {asked.psnr_db_region:.1f} dB")
        if delivery.confidence:
            ui.label(f"nearest item: {delivery.label} ({delivery.item_id})")
        ui.label(f"{1e3 * delivery.total_seconds:.1f} ms · burst {delivery.burst_id}").classes("text-sm opacity-70")

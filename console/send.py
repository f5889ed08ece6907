"""The tab Send: one picture, one answer."""

from collections.abc import Mapping
from typing import Any, Final

from nicegui import events, ui

from client import SemLinkError
from console import equivalent, gallery
from console.answer import AnswerView
from console.controls import Controls
from console.gallery import Chosen, Gallery
from console.link import Link
from console.parts import ErrorLine, labelled, show_address, tagged
from console.take import draw, photograph

_MOST_UPLOAD_BYTES: Final = 32 << 20


class SendTab:
    """One page's tab. gallery: the pictures of all pages."""

    def __init__(self, link: Link, pictures: Gallery) -> None:
        self._link, self._pictures = link, pictures
        self._chosen = next(iter(gallery.drawn().values()))
        self._answers = 0
        self._refused: ErrorLine
        with ui.row().classes("w-full gap-4 items-start"):
            with ui.card().classes("half"):
                self._choose()
            with ui.card().classes("half"):
                self.controls = Controls(link)
                with ui.row().classes("items-center gap-4"):
                    self._button = ui.button("Send", icon="send", on_click=self.send).props("data-testid=send")
                    self._error = ErrorLine("error")
        self._take(self._chosen)
        self._below = ui.column().classes("w-full")
        self._view: AnswerView | None = None

    def prepare(self) -> AnswerView:
        """Where answers are shown; made when it is first asked for, after the first paint."""
        if self._view is None:
            with self._below:
                self._view = AnswerView(self._link)
        return self._view

    def _choose(self) -> None:
        with ui.row().classes("w-full items-center gap-4"):
            self._shown = ui.element("img").classes("w-20 h-20 object-contain rounded")
            self._name = ui.label().classes("font-bold").props("data-testid=chosen")
        ui.upload(
            label="Drop, paste or choose a picture",
            auto_upload=True,
            max_file_size=_MOST_UPLOAD_BYTES,
            on_upload=self._uploaded,
            on_rejected=lambda: self._refused.say(
                f"refused: choose a picture file of at most {_MOST_UPLOAD_BYTES >> 20} MiB"
            ),
        ).props('flat bordered accept="image/*,.heic"').classes("w-full semlink-upload")
        with ui.row().classes("gap-2"):
            ui.button("Camera", icon="photo_camera", on_click=lambda: photograph(self._refused)).props(
                "flat dense data-testid=camera"
            )
            ui.button("Draw", icon="draw", on_click=draw).props("flat dense data-testid=draw")
        self._refused = ErrorLine("choose-error")
        ui.label("or one of the query set").classes("text-sm opacity-70")
        with ui.row().classes("gap-1"):
            for one in gallery.drawn().values():
                self._offer(one)

    def _offer(self, one: Chosen) -> None:
        button = ui.button(on_click=lambda: self._take(one)).props('flat padding="2px"')
        button.props["title"] = one.label
        with tagged(labelled(button, one.label), one.picture_id):
            show_address(ui.element("img").classes("w-10 h-10 rounded"), one.address, "")

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        self._take(self._pictures.add(event.file.name, await event.file.read()))
        event.sender.run_method("reset")

    def _take(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self._error.say("")
        self._refused.say("")
        show_address(self._shown, chosen.address, chosen.label or "the chosen picture")
        self._name.set_text(chosen.name)

    async def send(self) -> None:
        """Send the chosen picture as the controls say."""
        await self._send(self.controls.options)

    async def replay(self, picture_id: str, text: str) -> None:
        """Send again what a permanent link names."""
        try:
            self._take(self._pictures.get(picture_id))
            options = equivalent.read_replay(text)
        except (SemLinkError, ValueError) as error:
            self._error.say(f"this link cannot be replayed: {error}")
            return
        await self._send(options)

    async def _send(self, options: Mapping[str, Any]) -> None:
        chosen = self._chosen
        self._error.say("")
        self._button.disable()
        try:
            request: Any = {**options, "trace": True}
            delivery = await self._link.near.send(chosen.data, **request)
            item = await self._link.knowledge_base(lambda client: client.get_item(delivery.item_id))
        except SemLinkError as error:
            self.prepare().clear()
            self._error.say(str(error))
        except TypeError as error:  # a permanent link with an option that there is not
            self._error.say(str(error))
        else:
            self.prepare().show(chosen, options, delivery, item)
        finally:
            self._answers += 1
            self._button.enable().props(f"data-answers={self._answers}")

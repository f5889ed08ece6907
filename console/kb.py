"""The tab Knowledge base: browse, search, add, relabel, remove, snapshot, restore."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

from nicegui import app, events, ui

from client import KnowledgeBaseClient, NewItem
from console import kb_map
from console.answer import RECEIVED
from console.gallery import Gallery
from console.link import Link
from console.parts import ErrorLine, Latest, labelled, picture, tagged

_SHOWN: Final = 48
_SEARCH_SECONDS: Final = 120.0
"""The first search by text waits until the receiver has loaded CLIP."""


class Shown(NamedTuple):
    """An item as the tab shows it. distance: from the query, None where it was browsed."""

    item_id: str
    label: str
    thumbnail: bytes
    distance: float | None = None


class KnowledgeBaseTab:
    """One page's tab."""

    def __init__(self, link: Link, _: Gallery) -> None:
        self._link = link
        self._latest, self._maps = Latest(), Latest()
        self._map: kb_map.Map | None = None
        self._fallen: object = None
        self._away = True
        with ui.card().classes("w-full"):
            with ui.row().classes("items-center gap-4"):
                self._about = tagged(ui.label(), "kb-about")
                ui.button("Snapshot", icon="photo_camera", on_click=self._snapshot).props("flat")
                ui.button("Restore", icon="history", on_click=self._restore).props("flat")
                self._name = ui.input("name of the snapshot").classes("w-44")
            self._queries()
            self._error = ErrorLine("kb-error")
            opened = ui.expansion("Map of the embeddings, and where the last one that was received falls")
            with tagged(opened.classes("w-full"), "kb-map-open"):
                with ui.row().classes("items-center gap-4"):
                    self._method = ui.select([kb_map.PCA, kb_map.UMAP], value=kb_map.PCA, label="map by")
                    tagged(self._method.classes("w-28"), "kb-map-method").on_value_change(self._draw_map)
                    self._drawing = labelled(ui.spinner(size="md"), "the map is being made")
                    self._drawing.set_visibility(False)
                    self._map_error = ErrorLine("kb-map-error")
                self._chart = ui.echart({"series": []}).classes("w-full h-96")
                tagged(self._chart, "kb-map")
            opened.on_value_change(lambda event: self._draw_map() if event.value else None)
            ui.timer(0.5, self._follow)
        self._items = tagged(ui.row().classes("w-full justify-center gap-3"), "kb-items")

    def _queries(self) -> None:
        with ui.row().classes("w-full items-center gap-4"):
            self._text = tagged(ui.input("search by words").on("keydown.enter", self._search), "kb-text")
            tagged(ui.button("Search", icon="search", on_click=self._search), "kb-search")
            self._label = tagged(ui.input("browse a label").on("keydown.enter", self._browse), "kb-label")
            tagged(ui.button("Browse", on_click=self._browse).props("flat"), "kb-browse")
            ui.upload(label="search by picture", auto_upload=True, on_upload=self._search_picture).props(
                'flat dense accept="image/*"'
            ).classes("w-56")
        with ui.expansion("Add an item").classes("w-full"), ui.row().classes("items-center gap-4"):
            self._new_id = ui.input("id")
            self._new_label = ui.input("label")
            ui.upload(label="its picture", auto_upload=True, on_upload=self._add).props(
                'flat dense accept="image/*"'
            ).classes("w-56 semlink-kb-add")

    async def _ask(self, question: Callable[[KnowledgeBaseClient], Any]) -> Any:
        """What the receiver answers, or None with the error shown."""
        return await self._error.answer_of(self._link.knowledge_base(question, _SEARCH_SECONDS))

    async def _browse(self) -> None:
        label = str(self._label.value or "").strip() or None
        found = await self._latest.answer_of(self._ask(partial(_listed, label=label)))
        if found is not None:
            self._show(found)
            await self._describe()

    async def _follow(self) -> None:
        """Browse once the receiver is there, again after it was away, and draw what was received meanwhile."""
        away = bool(self._link.away["receiver"])
        if self._away and not away:
            await self._browse()
        self._away = away
        await self._fall()

    async def _describe(self) -> None:
        info = await self._ask(lambda client: client.describe())
        if info is not None:
            words = f"{info.items} items, {info.labels} labels, engine {info.engine}, CLIP {info.clip}"
            self._about.set_text(f"{words}, version {info.version}")

    async def _search(self) -> None:
        await self._find(text=str(self._text.value or ""))

    async def _search_picture(self, event: events.UploadEventArguments) -> None:
        await self._find(picture=await event.file.read())
        event.sender.run_method("reset")

    async def _find(self, **query: Any) -> None:
        found = await self._latest.answer_of(self._ask(partial(_found, query=query)))
        if found is not None:
            self._show(found)

    async def _draw_map(self) -> None:
        """Read the items, and draw them; where that cannot be, there is no map."""
        self._map = None
        self._chart.set_visibility(False)
        asked = self._link.knowledge_base(partial(kb_map.read_map, method=self._method.value), _SEARCH_SECONDS)
        self._drawing.set_visibility(True)
        found = await self._maps.answer_of(self._map_error.answer_of(asked))
        self._drawing.set_visibility(False)
        if found is not None:
            self._map, self._fallen = found, None
            self._chart.set_visibility(True)
            await self._fall()

    async def _fall(self) -> None:
        """Draw the map where something new was received, or nothing was drawn yet."""
        received, found = app.storage.client.get(RECEIVED), self._map
        if found is None or self._fallen is (received or found):
            return
        self._fallen = received or found
        options = await asyncio.to_thread(kb_map.chart, found, received)
        if found is not self._map:
            return
        self._chart.options.clear()
        self._chart.options.update(options)
        self._chart.update()

    def _show(self, items: Iterable[Shown]) -> None:
        self._items.clear()
        with self._items:
            for item in items:
                self._card(item)

    def _card(self, item: Shown) -> None:
        with tagged(ui.card().classes("w-40 items-center gap-1 p-2"), "kb-item"):
            if item.thumbnail:
                picture(item.thumbnail, item.label, "w-24 h-24 object-contain")
            ui.label(item.label).classes("font-bold")
            ui.label(item.item_id).classes("text-xs opacity-70 break-all")
            if item.distance is not None:
                ui.label(f"distance {item.distance:.3f}").classes("text-xs")
            with ui.row().classes("gap-0"):
                near = ui.button(icon="search", on_click=lambda: self._find(item_id=item.item_id))
                label = ui.button(icon="label", on_click=lambda: self._relabel(item))
                away = ui.button(icon="delete", on_click=lambda: self._remove(item))
            for button, text in ((near, "search by this item"), (label, "relabel"), (away, "remove")):
                labelled(button, f"{text}: {item.item_id}").props("flat dense size=sm").tooltip(text)

    async def _relabel(self, item: Shown) -> None:
        with ui.dialog(value=True) as dialog, ui.card():
            new = tagged(ui.input(f"new label of {item.item_id}", value=item.label), "kb-new-label")
            new.on("keydown.enter", lambda: dialog.submit(new.value))
            tagged(ui.button("Relabel", on_click=lambda: dialog.submit(new.value)), "kb-relabel")
        label = await dialog
        if not label or label == item.label:
            return
        if await self._ask(lambda client: client.relabel({item.item_id: label})) is not None:
            await self._find(item_id=item.item_id)
            await self._describe()
            with self._items:
                undo = ui.button(f"Undo: {item.label} again", icon="undo", on_click=lambda: self._undo(item))
                tagged(undo.classes("w-full"), "kb-undo").move(target_index=0)

    async def _undo(self, item: Shown) -> None:
        await self._ask(lambda client: client.relabel({item.item_id: item.label}))
        await self._find(item_id=item.item_id)
        await self._describe()

    async def _remove(self, item: Shown) -> None:
        if not await _confirmed(f"Remove {item.item_id}? Only a snapshot brings it back.", "Remove"):
            return
        if await self._ask(lambda client: client.remove([item.item_id])) is not None:
            await self._browse()

    async def _add(self, event: events.UploadEventArguments) -> None:
        data = await event.file.read()
        item = NewItem(str(self._new_id.value or event.file.name), str(self._new_label.value or ""), picture=data)
        added = await self._ask(lambda client: list(client.add([item])))
        event.sender.run_method("reset")
        if added and added[0].error is not None:
            self._error.say(str(added[0].error))
        elif added:
            await self._find(item_id=item.item_id)
            await self._describe()

    async def _snapshot(self) -> None:
        made = await self._ask(lambda client: client.snapshot(str(self._name.value or "")))
        if made is not None:
            ui.notify(f"snapshot {made.name}: {made.items} items, at {made.path} of the receiver")

    async def _restore(self) -> None:
        name = str(self._name.value or "")
        if await _confirmed(
            f"Restore snapshot {name!r}? Changes since then are lost; make a snapshot first.", "Restore"
        ):
            await self._ask(lambda client: client.restore(name))
            await self._browse()


async def _confirmed(question: str, verb: str) -> bool:
    with ui.dialog(value=True) as dialog, ui.card():
        ui.label(question)
        with ui.row():
            ui.button(verb, color="negative", on_click=lambda: dialog.submit(True))
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
    return bool(await dialog)


def _listed(client: KnowledgeBaseClient, label: str | None) -> list[Shown]:
    lines = islice(client.list_items(label, page_items=_SHOWN), _SHOWN)
    return [Shown(line.item_id, line.label, client.get_item(line.item_id).thumbnail) for line in lines]


def _found(client: KnowledgeBaseClient, query: Any) -> list[Shown]:
    hits = client.search(top_k=12, **query).hits
    return [Shown(hit.item_id, hit.label, client.get_item(hit.item_id).thumbnail, hit.distance) for hit in hits]

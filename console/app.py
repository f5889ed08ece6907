"""The page, and the server of it."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from fastapi import Request, Response
from nicegui import app, ui

from console.ask import AskTab
from console.compare import CompareTab
from console.gallery import Gallery, drawn
from console.kb import KnowledgeBaseTab
from console.link import SERVICES, Link
from console.live import LiveTab
from console.parts import labelled
from console.results import ResultsTab
from console.send import SendTab
from console.style import STYLE
from console.take import SCRIPT
from shared.errors import NotFound, Unavailable

_LOOK_SECONDS: Final = 2.0
_RECONNECT_SECONDS: Final = 30.0
"""A page that lost its connection for so long is forgotten, with all that it showed: a loaded machine may take some."""
_TABS: Final[dict[str, Callable[[Link, Gallery], object]]] = {
    "Live": LiveTab,
    "Compare": CompareTab,
    "Knowledge base": KnowledgeBaseTab,
    "Ask": AskTab,
    "Results": ResultsTab,
}
"""The tabs after Send, and what draws each."""
_CHARTS: Final = 'import("nicegui-echart")'
"""Loads what draws the charts, 1.1 MB, before the first one is wanted."""
_KEEP: Final = {"Cache-Control": "max-age=86400"}


def serve(link: Link, host: str, port: int, *, show: bool, ready: Callable[[str], None]) -> None:
    """Serve the console until Ctrl-C or SIGTERM. port: 0 lets the system choose. ready: called with the address.

    Raises Unavailable for a port that is taken.
    """
    chosen = _port(host, port)
    pictures = Gallery()

    @ui.page("/", title="SemLink", reconnect_timeout=_RECONNECT_SECONDS)
    async def page(request: Request) -> None:
        await _page(link, pictures, request)

    @app.get("/pictures/{picture_id}")
    async def shown(picture_id: str) -> Response:
        try:
            data = pictures.get(picture_id).data
        except NotFound as error:
            return Response(str(error), status_code=404)
        return Response(data, media_type="image/png", headers=_KEEP)

    async def start() -> None:
        await asyncio.to_thread(drawn)  # takes a second or two, and every page shows them
        ready(f"http://{host}:{chosen}")

    app.on_startup(start)
    app.on_shutdown(link.close)
    app.timer(_LOOK_SECONDS, link.look)
    ui.run(
        host=host, port=chosen, title="SemLink", dark=None, reload=False, show=show, show_welcome_message=False,
        favicon="📡", tailwind=False,
    )  # fmt: skip


def _port(host: str, port: int) -> int:
    """The port, or a free one for 0."""
    try:
        with socket.create_server((host, port)) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise Unavailable(
            f"the console cannot listen on {host}:{port}: {error.strerror}; choose another with --port, or 0 for any"
        ) from error


async def _page(link: Link, pictures: Gallery, request: Request) -> None:
    ui.add_css(STYLE)
    ui.add_body_html(SCRIPT)
    with ui.header().classes("items-center gap-x-4 gap-y-0 py-1"):
        ui.label("SemLink").classes("text-xl font-bold")
        with ui.tabs().classes("grow").props("dense outside-arrows mobile-arrows align=left") as tabs:
            names = [ui.tab(name) for name in ("Send", *_TABS)]
        with ui.row().classes("gap-2 items-center") as chips:
            _chips(link, chips)
        dark = ui.dark_mode(None)
        lighten = ui.button(icon="contrast", on_click=lambda: dark.set_value(not dark.value))
        lighten.props('flat round color=white aria-label="Light or dark"')
    with ui.tab_panels(tabs, value=names[0], animated=False, keep_alive=True).classes("w-full bg-transparent"):
        with ui.tab_panel(names[0]):
            send = SendTab(link, pictures)
        panels = [ui.tab_panel(name) for name in names[1:]]

    async def complete() -> None:
        """Draw the other tabs after the first paint, one after the other."""
        ui.run_javascript(_CHARTS)
        send.prepare()
        for panel, make in zip(panels, _TABS.values(), strict=True):
            with panel:
                make(link, pictures)
            await asyncio.sleep(0.02)

    ui.timer(0.05, complete, once=True)
    _follow(link, chips, send)
    replay, picture = request.query_params.get("replay"), request.query_params.get("picture")
    if replay and picture:
        await ui.context.client.connected()
        await send.replay(picture, replay)


def _chips(link: Link, place: ui.row) -> None:
    """Which services answer."""
    place.clear()
    with place:
        for service in SERVICES:
            away = link.away[service]
            colour = "negative" if away else "positive"
            chip = ui.badge(service, color=colour).props(f"data-testid=service-{service}")
            labelled(chip, f"{service} {'is away' if away else 'is there'}").tooltip(
                away or f"ready at {link.addresses[service]}"
            )


def _follow(link: Link, chips: ui.row, send: SendTab) -> None:
    """Draw the services anew when one goes or comes, and offer its codecs again when the transmitter is back."""
    told: list[object] = []

    def look() -> None:
        now = [dict(link.away), link.info]
        if now == told:
            return
        told[:] = now
        _chips(link, chips)
        send.controls.refresh()

    ui.timer(0.5, look)

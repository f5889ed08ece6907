"""Where the pictures of a live stream come from: the query set, a folder of this machine, or the browser's camera."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from itertools import cycle, islice
from typing import Final, NamedTuple

from nicegui import Client

from console import gallery
from shared.datasets import open_source
from shared.errors import InvalidInput, Unavailable

QUERY_SET, FOLDER, CAMERA = "query set", "folder", "camera"
SOURCES: Final = (QUERY_SET, FOLDER, CAMERA)
VIDEO: Final = "semlink-live-video"
_MOST: Final = 2000


class Frame(NamedTuple):
    """A picture file, and its label; empty where the truth is not known."""

    data: bytes
    label: str


async def frames(source: str, folder: str, client: Client) -> AsyncGenerator[Frame]:
    """Pictures without end. folder: what to open, as `--source` takes it, for `folder`; of it the first 2,000.

    Raises a SemLinkError for a folder that cannot be read, or a camera that gives nothing.
    """
    if source == CAMERA:
        async for frame in _camera(client):
            yield frame
        return
    kept = await asyncio.to_thread(_read, folder) if source == FOLDER else _drawn()
    for frame in cycle(kept):
        yield frame


def _drawn() -> list[Frame]:
    return [Frame(chosen.data, chosen.label) for chosen in gallery.drawn().values()]


def _read(folder: str) -> list[Frame]:
    if not folder.strip():
        raise InvalidInput("no folder: give one with a sub-folder of pictures for each label, or drawn")
    found = [Frame(one.encoded(), one.label) for one in islice(open_source(folder.strip()), _MOST)]
    if not found:
        raise InvalidInput(f"{folder!r} holds no pictures")
    return found


async def _camera(client: Client) -> AsyncGenerator[Frame]:
    refused = await client.run_javascript(f"return await semlinkCamera('.{VIDEO}')", timeout=120.0)
    if refused:
        raise Unavailable(f"no picture from the camera: {refused}")
    try:
        while True:
            url = await client.run_javascript(f"return semlinkFrame('.{VIDEO}')", timeout=10.0)
            if url:
                yield Frame(base64.b64decode(url.partition(",")[2]), "")
            else:
                await asyncio.sleep(0.1)  # it has not begun
    finally:
        if client.has_socket_connection:
            client.run_javascript(f"semlinkCameraOff('.{VIDEO}')")

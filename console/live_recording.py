"""A recording of the channel, made on the page: SigMF in one archive, which `semlink channel replay` takes."""

import asyncio
import io
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from client import ChannelControl
from client.recording import RecordingWriter
from shared.errors import NotFound

NAME: Final = "semlink-live"


class Tape:
    """Records every burst that passes the channel at `address`, from `start` to `stop`."""

    def __init__(self, address: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._writer = RecordingWriter(Path(self._folder.name) / NAME, sent=False)
        self._control = ChannelControl(address)
        self._written: asyncio.Task[None] | None = None

    @property
    def bursts(self) -> int:
        """How many were recorded so far."""
        return self._writer.bursts

    async def start(self) -> "Tape":
        """Begin. Raises Unavailable without the channel."""
        self._recording = await asyncio.to_thread(self._control.record)
        self._written = asyncio.create_task(asyncio.to_thread(self._write))
        return self

    async def stop(self) -> bytes:
        """End; the archive. Raises NotFound if nothing passed, Exhausted if writing was too slow."""
        self._recording.stop()
        assert self._written is not None
        try:
            await self._written
            if not self._writer.bursts:
                raise NotFound("nothing passed the channel while it was recorded")
            return await asyncio.to_thread(self._archive)
        finally:
            self._control.close()
            self._folder.cleanup()

    def _write(self) -> None:
        with self._recording, self._writer:
            for recorded in self._recording:
                self._writer.add(recorded)

    def _archive(self) -> bytes:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name in map(Path, self._writer.files):
                archive.add(name, f"{NAME}/{name.name}")
        return file.getvalue()

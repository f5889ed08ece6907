"""Pictures and texts to embeddings, with the CLIP that the knowledge base was made with.

CLIP is loaded at first use, in a thread; a receiver that only decodes bursts does not load it.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import structlog

from receiver.knowledge_base import ItemRecord
from receiver.knowledge_base.ingest.pictures import UNREADABLE, prepare
from receiver.settings import ReceiverSettings
from shared.datasets import Picture
from shared.device import use_threads
from shared.errors import InvalidPicture, Mismatch
from shared.runtime.batching import Batcher
from shared.runtime.deadline import Deadline
from shared.types import Embedding, Embeddings, Pixels

if TYPE_CHECKING:
    from shared.clip import Clip
    from shared.clip.preprocess import Preprocess

_BATCH = 64
_WAIT_SECONDS = 0.002

log = structlog.get_logger()


class Embedder:
    """Embeds in batches, off the event loop.

    clip: name of the knowledge base's CLIP, loaded unless the settings name another. fingerprint: that it must have.
    """

    def __init__(self, settings: ReceiverSettings, clip: str, fingerprint: str) -> None:
        self._settings = settings
        self._name = settings.clip or clip
        self._fingerprint = fingerprint
        self._clip: Clip | None = None
        self._loading = threading.Lock()
        threads = partial(use_threads, settings.threads)
        self._pictures = Batcher(self._embed_pictures, _BATCH, _WAIT_SECONDS, "pictures", before=threads)
        self._texts = Batcher(self._embed_texts, _BATCH, _WAIT_SECONDS, "texts", before=threads)

    async def item(self, picture: Picture, deadline: Deadline, *, copy: bool = False) -> ItemRecord:
        """An item of a picture, ready to be stored. copy: with its file. Raises InvalidPicture for one unreadable.

        Like `text` it raises NotFound or InvalidSetting, and says what to set, where CLIP's weights are not there, and
        Mismatch for another CLIP than the knowledge base's.
        """
        return (await self._pictures.submit((picture, copy), deadline))[0]

    async def text(self, text: str, deadline: Deadline) -> Embedding:
        """A sentence's embedding: [dim]."""
        return (await self._texts.submit(text, deadline))[0]

    def pixels(self, pictures: Pixels) -> Embeddings:
        """Embeddings [B, dim] of decoded pictures [B, H, W, 3], uint8; for the decoder's thread. Raises as `item`."""
        from shared.clip import embed_pictures  # noqa: PLC0415 - see `_load`

        return embed_pictures(pictures, self._loaded())

    async def stop(self) -> None:
        """End the threads."""
        await self._pictures.stop()
        await self._texts.stop()

    def _loaded(self) -> "Clip":
        with self._loading:
            if self._clip is None:
                self._clip = self._load()
            return self._clip

    def _load(self) -> "Clip":
        from shared.clip import MODEL, load_clip  # noqa: PLC0415 - takes seconds, and few receivers need it

        settings = self._settings
        log.info("loading CLIP", clip=self._name)
        clip = load_clip(
            self._name if settings.bundle is None else MODEL,
            settings.weights,
            settings.device,
            download=settings.download,
            engine=settings.clip_engine,
            bundle=settings.bundle,
        )
        if clip.fingerprint != self._fingerprint:
            raise Mismatch(
                f"CLIP {clip.name!r} has fingerprint {clip.fingerprint}, and the knowledge base was made with "
                f"{self._fingerprint}; start the receiver with the --clip and --weights that it was built with"
            )
        return clip

    def _embed_pictures(self, given: Sequence[tuple[Picture, bool]]) -> list[ItemRecord | Exception]:
        clip = self._loaded()
        prepared = [_prepared(picture, copy, clip.preprocess) for picture, copy in given]
        pixels = [one[0] for one in prepared if isinstance(one, tuple)]
        embeddings = iter(clip.embed_images(np.stack(pixels)) if pixels else ())
        return [replace(one[1], embedding=next(embeddings)) if isinstance(one, tuple) else one for one in prepared]

    def _embed_texts(self, texts: Sequence[str]) -> list[Embedding | Exception]:
        return list(self._loaded().embed_texts(texts))


def _prepared(picture: Picture, copy: bool, preprocess: "Preprocess") -> tuple[Pixels, ItemRecord] | Exception:
    """A picture as CLIP takes it, and its item; the decoded one is dropped before the next is read."""
    try:
        image, item = prepare(picture, copy=copy)
        return preprocess(image), item
    except UNREADABLE as error:
        return error if isinstance(error, InvalidPicture) else InvalidPicture(f"{picture.id}: {error}")

"""Start-up of the receiver: open or build its knowledge base, load its codecs."""

import time

import numpy as np
import structlog

from receiver.knowledge_base import EngineSettings, HasWriter, KnowledgeBase, WriterLock, build_knowledge_base
from receiver.settings import ReceiverSettings
from shared.clip import codecs_of
from shared.codecs import AnyCodec, CodecShelf
from shared.codecs.base.weight_files import use_weights_dir
from shared.device import device_type
from shared.errors import NotFound
from shared.types import Progress

_TELL_SECONDS = 10.0
_WAIT_SECONDS = 1.0  # for another receiver that builds
_FOLLOW_SECONDS = 0.25  # one look at an unchanged knowledge base takes some 50 us

log = structlog.get_logger()


def open_knowledge_base(settings: ReceiverSettings) -> KnowledgeBase:
    """The knowledge base in `settings.kb`, built from `settings.kb_source` when there is none.

    With `settings.share`, of several receivers that start at once one builds it and the others wait until it is there.
    Raises NotFound, with the command to type, when there is none and no source is set; HasWriter when another process
    writes it that it cannot be shared with.
    """
    waiting = False
    while True:
        try:
            return _opened_or_built(settings)
        except HasWriter as error:
            if not settings.share:
                raise
            if not waiting:
                log.info("waiting until another process has built the knowledge base", reason=str(error))
            waiting = True
            time.sleep(_WAIT_SECONDS)


def load_codecs(settings: ReceiverSettings, clip_fingerprint: str) -> tuple[CodecShelf, list[AnyCodec]]:
    """Every codec that fits the knowledge base's CLIP; quick ones are run once, so that the first burst is as fast."""
    use_weights_dir(settings.weights_dir or codecs_of(settings.bundle))
    shelf = CodecShelf(device_type(settings.device), clip_fingerprint, settings.own_codec)
    codecs = shelf.load_all()
    for codec in codecs:
        if codec.quick:
            codec.decode(np.ones((1, codec.symbols), np.complex64), np.ones((1, codec.symbols), np.float32))
    return shelf, codecs


def _opened_or_built(settings: ReceiverSettings) -> KnowledgeBase:
    try:
        return _open(settings)
    except NotFound:
        if settings.kb_source is None:
            raise
    _build(settings, settings.kb_source)
    return _open(settings)


def _open(settings: ReceiverSettings) -> KnowledgeBase:
    if not settings.read_only:
        try:
            return KnowledgeBase.open(settings.kb, _engine(settings), writable=True)
        except HasWriter as error:
            if not settings.share:
                raise
            log.info("only reading the knowledge base, and following its writer", reason=str(error))
    return KnowledgeBase.open(settings.kb, _engine(settings), follow_seconds=_FOLLOW_SECONDS)


def _engine(settings: ReceiverSettings) -> EngineSettings:
    return EngineSettings(settings.engine, settings.device, settings.threads, settings.engine_uri)


def _telling() -> Progress:
    """Log how far a build is, at most every ten seconds: whoever waits for the service sees that it is at work."""
    told = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal told
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            log.info("building the knowledge base", seen=done, of=of)

    return tell


def _build(settings: ReceiverSettings, source: str) -> None:
    WriterLock(settings.kb).release()  # notice another builder before loading CLIP

    from shared.clip import MODEL, load_clip  # noqa: PLC0415 - CLIP takes seconds to import and only building needs it
    from shared.datasets import open_collection  # noqa: PLC0415

    clip = load_clip(
        settings.clip or MODEL,
        settings.weights,
        settings.device,
        download=settings.download,
        engine=settings.clip_engine,
        bundle=settings.bundle,
    )
    log.info("building the knowledge base", source=source, directory=str(settings.kb), clip=clip.name)
    report = build_knowledge_base(
        open_collection(source, settings.kb_split),
        settings.kb,
        clip,
        on_progress=_telling(),
        settings=_engine(settings),
    )
    log.info("built the knowledge base", items=report.items, seconds=round(report.seconds, 2))
    for item_id, why in report.skipped:
        log.warning("skipped", picture=item_id, reason=why)

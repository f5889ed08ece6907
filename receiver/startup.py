"""Opening the knowledge base, and building it first where the settings ask for that."""

import structlog

from receiver.knowledge_base import KnowledgeBase, build_knowledge_base
from receiver.settings import ReceiverSettings
from shared.errors import NotFound

log = structlog.get_logger()


def open_knowledge_base(settings: ReceiverSettings) -> KnowledgeBase:
    """The knowledge base in `settings.kb`, built from `settings.kb_source` when there is none.

    Raises NotFound, with the command to type, when there is none and no source is set.
    """
    try:
        return KnowledgeBase.open(settings.kb, settings.device)
    except NotFound:
        if settings.kb_source is None:
            raise
    _build(settings, settings.kb_source)
    return KnowledgeBase.open(settings.kb, settings.device)


def _build(settings: ReceiverSettings, source: str) -> None:
    from shared.clip import load_clip  # noqa: PLC0415 - CLIP takes seconds to import and only building needs it
    from shared.datasets import open_source  # noqa: PLC0415

    clip = load_clip(settings.clip, settings.weights, settings.device, download=settings.download)
    log.info("building the knowledge base", source=source, directory=str(settings.kb), clip=clip.name)
    report = build_knowledge_base(open_source(source, settings.kb_split), settings.kb, clip)
    log.info("built the knowledge base", items=report.items, seconds=round(report.seconds, 2))
    for item_id, why in report.skipped:
        log.warning("skipped", picture=item_id, reason=why)

"""`python -m lab.bench.instant_receiver`: a receiver that answers at once, for the benchmark of what lies before it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from receiver.kb_service import KnowledgeBaseService
from receiver.service import ReceiverService
from receiver.settings import ReceiverSettings
from shared.frame.burst import LinkConfiguration
from shared.frame.reception import Hit, Reception
from shared.rpc.main import main
from shared.rpc.status import answer_control
from shared.rpc.streams import StreamAnswerer
from shared.wire.link import reception_to_wire

_TOP = tuple(Hit(f"item-{place}", "label", 0.1 * place) for place in range(5))


async def _held(configuration: LinkConfiguration, timeout_seconds: float) -> None:
    """It needs none."""


class InstantReceiver(ReceiverService):
    """Decodes nothing and searches nothing."""

    def __init__(self, settings: ReceiverSettings) -> None:
        nothing: Any = None
        self._streams = StreamAnswerer(settings.max_in_flight)
        self._knowledge_service = KnowledgeBaseService(nothing, nothing)

    @classmethod
    @asynccontextmanager
    async def load(cls, settings: ReceiverSettings) -> AsyncIterator[Self]:
        """Nothing to load."""
        yield cls(settings)

    async def _answer(self, message: Any) -> Any:
        if message.HasField("configure"):
            return await answer_control(message, _held)
        return reception_to_wire(Reception(message.burst_id, _TOP, 0.9, True, "", (), 1e-6, "none"))


if __name__ == "__main__":
    main("python -m lab.bench.instant_receiver", ReceiverSettings, InstantReceiver)

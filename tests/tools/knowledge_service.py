"""A receiver over a knowledge base, and how it is asked."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from client import KnowledgeBaseClient
from receiver.service import ReceiverService
from receiver.settings import ReceiverSettings
from tests.tools.rpc import PATIENCE

Result = TypeVar("Result")


def receiver(directory: Path, **settings) -> tuple[type[ReceiverService], ReceiverSettings]:
    chosen = ReceiverSettings(kb=directory, device="cpu", grace_seconds=1, log_level="error", **settings)
    return ReceiverService, chosen


async def ask(address: str, work: Callable[[KnowledgeBaseClient], Result]) -> Result:
    """What a blocking client says, in a thread, so that the server of this loop can answer."""

    def call() -> Result:
        with KnowledgeBaseClient(address, timeout=PATIENCE) as client:
            return work(client)

    return await asyncio.to_thread(call)

"""The link that a console shows: its addresses, its clients, and which services answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from client import AsyncSemLink, ChannelControl, KnowledgeBaseClient, SemLinkError, TransmitterInfo

SERVICES: Final = ("transmitter", "channel", "receiver")
_SECONDS: Final = 3.0
Answer = TypeVar("Answer")
Made = TypeVar("Made", KnowledgeBaseClient, ChannelControl)


@dataclass
class Link:
    """Addresses by service. results: folder of the laboratory. away: why a service does not answer, empty if it does.

    info: of the transmitter, None until it has answered once.
    """

    addresses: dict[str, str]
    results: Path
    away: dict[str, str] = field(default_factory=lambda: dict.fromkeys(SERVICES, "not asked yet"))
    info: TransmitterInfo | None = None
    _near: AsyncSemLink | None = None
    _clients: dict[tuple[object, float], KnowledgeBaseClient | ChannelControl] = field(default_factory=dict)

    @property
    def near(self) -> AsyncSemLink:
        """The client of the transmitter, one for all pages."""
        if self._near is None:  # made inside the event loop, which it belongs to
            self._near = AsyncSemLink(self.addresses["transmitter"])
        return self._near

    async def knowledge_base(self, ask: Callable[[KnowledgeBaseClient], Answer], seconds: float = 30.0) -> Answer:
        """What `ask` gets of the knowledge base, in a thread."""
        return await asyncio.to_thread(ask, self._client(KnowledgeBaseClient, "receiver", seconds))

    async def channel(self, ask: Callable[[ChannelControl], Answer]) -> Answer:
        """What `ask` gets of the channel, in a thread."""
        return await asyncio.to_thread(ask, self._client(ChannelControl, "channel", _SECONDS))

    def _client(self, kind: Callable[[str, float], Made], service: str, seconds: float) -> Made:
        """A client that is kept: to connect takes longer than most answers."""
        if (kind, seconds) not in self._clients:
            self._clients[kind, seconds] = kind(self.addresses[service], seconds)
        return cast(Made, self._clients[kind, seconds])

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if self._near is not None:
            await self._near.close()

    async def look(self) -> None:
        """Ask every service whether it is there."""
        await asyncio.gather(
            self._ask("transmitter", self._describe()),
            self._ask("channel", self.channel(lambda client: client.get())),
            self._ask("receiver", self.knowledge_base(lambda client: client.describe(), _SECONDS)),
        )

    async def _describe(self) -> None:
        async with asyncio.timeout(_SECONDS):
            self.info = await self.near.describe()

    async def _ask(self, service: str, question: Any) -> None:
        try:
            await question
            self.away[service] = ""
        except TimeoutError:
            self.away[service] = f"{self.addresses[service]} does not answer"
        except SemLinkError as error:
            self.away[service] = str(error)

"""Who uses the link while it breaks: four senders, each in its own way, and a curator; and what they must not see."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Final

import numpy as np

from client import AsyncSemLink, Delivery, KnowledgeBaseClient, NewItem
from shared.errors import SemLinkError

_SLACK_SECONDS: Final = 10.0
"""Beyond a deadline on a busy machine: of the client's own process."""
WAYS: Final[Sequence[Mapping[str, Any]]] = (
    {"codec": "raw", "timeout": 20},
    {"codec": "raw", "timeout": 5},
    {"codec": "nested", "timeout": 20, "ask_for_more": True},
    {"codec": "raw", "timeout": 20, "framing": "ideal"},
)
"""Options of the senders; the last one uses a stream."""


@dataclass
class Sender:
    """Sends pictures again and again. right: the item of each, as it was when all was well."""

    address: str
    pictures: Sequence[bytes]
    way: Mapping[str, Any]
    streamed: bool = False
    right: dict[int, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    last_delivery: float = 0.0
    sent: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; answers that are due are waited for."""
        async with AsyncSemLink(self.address) as client:
            while not stop.is_set():
                await (self._stream(client) if self.streamed else self._one(client))
                await asyncio.sleep(0.05)

    async def _one(self, client: AsyncSemLink) -> None:
        place, start = self.sent % len(self.pictures), monotonic()
        self.sent += 1
        try:
            outcome: Delivery | SemLinkError = await client.send(self.pictures[place], **self.way)
        except SemLinkError as error:
            outcome = error
        self._judge(place, outcome, monotonic() - start)

    async def _stream(self, client: AsyncSemLink) -> None:
        start, answered = monotonic(), Counter[int]()
        self.sent += len(self.pictures)
        try:
            async for place, outcome in client.send_many(self.pictures, **self.way):
                answered[place] += 1
                self._judge(place, outcome, 0.0)
        except SemLinkError as error:
            self.outcomes[f"stream: {type(error).__name__}"] += 1
            self._require_clear(error)
        if monotonic() - start > self.way["timeout"] * 2 + _SLACK_SECONDS:
            self.wrong.append(f"a stream of {len(self.pictures)} took {monotonic() - start:.1f} s")
        if max(answered.values(), default=0) > 1 or (not self.wrong and len(answered) > len(self.pictures)):
            self.wrong.append(f"pictures of a stream were answered more than once: {answered}")

    def _judge(self, place: int, outcome: Delivery | SemLinkError, seconds: float) -> None:
        kind = "delivered" if isinstance(outcome, Delivery) else type(outcome).__name__
        self.outcomes[kind] += 1
        if seconds > self.way["timeout"] + _SLACK_SECONDS:
            self.wrong.append(f"{kind} after {seconds:.1f} s, with a deadline of {self.way['timeout']} s")
        if isinstance(outcome, SemLinkError):
            self._require_clear(outcome)
            return
        self.last_delivery = monotonic()
        if self.right.setdefault(place, outcome.item_id) != outcome.item_id:
            self.wrong.append(f"picture {place} was {self.right[place]}, and now {outcome.item_id}")

    def _require_clear(self, error: SemLinkError) -> None:
        if type(error) is SemLinkError or not str(error):
            self.wrong.append(f"an error of no kind: {error}")


@dataclass
class Curator:
    """Adds, relabels and removes items one by one. sure: what is acknowledged, label by id; None for removed.

    unsure: ids whose last change may have happened or not.
    """

    address: str
    clip: str
    rng: Random
    sure: dict[str, str | None] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop."""
        number = 0
        while not stop.is_set():
            number += 1
            await asyncio.to_thread(self._change, number)
            await asyncio.sleep(0.1)

    def check(self) -> None:
        """Compare the knowledge base with what was acknowledged."""
        with KnowledgeBaseClient(self.address, timeout=60) as client:
            found = {item.item_id: item.label for item in client.list_items()}
            problems = client.verify().problems
        for item_id, label in self.sure.items():
            if item_id not in self.unsure and found.get(item_id) != label:
                self.wrong.append(f"{item_id} was acknowledged as {label!r} and is {found.get(item_id)!r}")
        self.wrong += problems

    def _change(self, number: int) -> None:
        there = [one for one, label in self.sure.items() if label is not None and one not in self.unsure]
        what = self.rng.choice(("add", "add", "relabel", "remove")) if there else "add"
        item_id = f"c-{number}" if what == "add" else self.rng.choice(there)
        label = None if what == "remove" else f"label {number}"
        self.unsure.add(item_id)
        try:
            with KnowledgeBaseClient(self.address, timeout=10) as client:
                self._do(client, what, item_id, str(label))
        except SemLinkError as error:
            self.outcomes[f"{what}: {type(error).__name__}"] += 1
            if type(error) is SemLinkError:
                self.wrong.append(f"an error of no kind: {error}")
            return
        self.outcomes[what] += 1
        self.unsure.discard(item_id)
        self.sure[item_id] = label

    def _do(self, client: KnowledgeBaseClient, what: str, item_id: str, label: str) -> None:
        if what == "remove":
            client.remove([item_id])
        elif what == "relabel":
            client.relabel({item_id: label})
        else:
            vector = np.random.default_rng(self.rng.getrandbits(32)).standard_normal(512).astype(np.float32)
            (added,) = client.add([NewItem(item_id, label, embedding=vector)], self.clip)
            if added.error is not None:
                raise added.error

"""Bursts that wait at the same time travel together in one message, and so do answers.

Nothing waits for company: what is there when the stream is free to be written goes out, one alone as a rule.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, TypeVar

from protos.semlink.v1 import link_pb2 as pb
from shared.rpc.streams import StreamAnswerer
from shared.wire.limits import check_limits

MOST_TOGETHER: Final = 64
"""Bursts, or answers, of one message."""
_BYTES: Final = 1 << 20
"""Of a message; one burst alone may have more."""

Part = TypeVar("Part", pb.Burst, pb.Reception)


def fitting(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """The parts in their order, as many in each message as fit."""
    if len(parts) == 1:
        yield parts
        return
    together: list[Part] = []
    held = 0
    for part in parts:
        size = part.ByteSize()
        if together and (held + size > _BYTES or len(together) == MOST_TOGETHER):
            yield together
            together, held = [], 0
        together.append(part)
        held += size
    if together:
        yield together


async def answer_bursts(
    streams: StreamAnswerer,
    messages: AsyncIterable[pb.Bursts],
    answer: Callable[[pb.Burst], Coroutine[Any, Any, pb.Reception]],
) -> AsyncIterator[pb.Receptions]:
    """The stream of answers to a stream of bursts, each answered by `answer`. Raises InvalidInput for too many."""
    async for receptions in streams.map_together(_bursts(messages), answer, MOST_TOGETHER):
        for together in fitting(receptions):
            yield pb.Receptions(receptions=together)


async def _bursts(messages: AsyncIterable[pb.Bursts]) -> AsyncIterator[Sequence[pb.Burst]]:
    async for message in messages:
        check_limits(message)  # their number; of each burst whoever answers it
        yield message.bursts

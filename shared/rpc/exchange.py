"""The far end of a hop: one burst in, one reception out, whatever happens in between."""

from collections.abc import Awaitable, Callable

import structlog

from protos.semlink.v1 import link_pb2 as pb
from shared.errors import SemLinkError
from shared.frame.burst import Burst
from shared.wire.failure import failure_from
from shared.wire.link import burst_from_wire

log = structlog.get_logger()


async def answer_burst(message: pb.Burst, handle: Callable[[Burst], Awaitable[pb.Reception]]) -> pb.Reception:
    """The answer of `handle` to one burst; what it raises becomes the reception's failure."""
    try:
        return await handle(burst_from_wire(message))
    except SemLinkError as error:
        log.info("burst refused", burst=message.burst_id, reason=str(error))
        return refusal(message.burst_id, error)
    except Exception as error:  # the stream must go on for the other bursts
        return refusal(message.burst_id, error)


def refusal(burst_id: int, error: Exception) -> pb.Reception:
    """The answer to a burst that could not be served."""
    return pb.Reception(burst_id=burst_id, failure=failure_from(error))

"""What a proxy answered to many bursts, and the faults that were drawn for them."""

import asyncio
from typing import Any

from shared.phy import ChannelSettings
from shared.phy.conditions.faults import draw_faults

PATIENCE = 60.0


async def outcomes(link, bursts) -> list[Any]:
    """The answer or error of each."""
    async with asyncio.timeout(2 * PATIENCE):
        return await asyncio.gather(*(link.exchange(burst) for burst in bursts), return_exceptions=True)


def predicted(count: int, **settings: Any):
    return [draw_faults(ChannelSettings(**settings), 0, counter) for counter in range(1, count + 1)]

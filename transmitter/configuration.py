"""Configurations of the link: each is sent before its first burst, and again where a receiver does not hold it.

burst --> configuration acknowledged? --yes--> next hop --Unconfigured--> configure, and once more
                        '--no--> configure, wait, next hop
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Final

from shared.errors import Unconfigured
from shared.frame.burst import Burst, LinkConfiguration
from shared.frame.reception import Reception
from shared.runtime.deadline import Deadline
from transmitter.harq import NextHop

Configure = Callable[[LinkConfiguration], Awaitable[None]]
"""Sends a configuration to the receiver, and returns when it is acknowledged."""
_MOST: Final = 4096


class Configurator:
    """The configurations of one transmitter, each under a version of its own. configure: sends one.

    Beyond 4,096 of them the oldest one is forgotten; what is sent in its way later gets a new version.
    """

    def __init__(self, configure: Configure) -> None:
        self._configure = configure
        self._versions = count((secrets.randbits(47) << 16) + 1)  # those of other transmitters differ
        self._named: OrderedDict[LinkConfiguration, LinkConfiguration] = OrderedDict()
        self._acknowledged: dict[int, asyncio.Task[None]] = {}

    def named(self, configuration: LinkConfiguration) -> LinkConfiguration:
        """The configuration under its version. configuration: of version 0."""
        if configuration not in self._named:
            self._named[configuration] = replace(configuration, version=next(self._versions))
            if len(self._named) > _MOST:
                self._acknowledged.pop(self._named.popitem(last=False)[1].version, None)
        return self._named[configuration]

    def begin(self, configuration: LinkConfiguration) -> None:
        """Send a configuration before its first burst, so that the receiver gets ready meanwhile."""
        if configuration.version not in self._acknowledged:
            self._acknowledged[configuration.version] = asyncio.create_task(_sent(self._configure, configuration))

    def hop(self, next_hop: NextHop, configuration: LinkConfiguration) -> NextHop:
        """The next hop for bursts of a configuration, which the receiver then holds."""

        async def exchange(burst: Burst) -> Reception:
            deadline = Deadline.after(burst.timeout_seconds)
            acknowledged = self._acknowledged.get(configuration.version)
            if not _holds(acknowledged):
                acknowledged = await self._held(configuration, deadline)
                burst = replace(burst, timeout_seconds=deadline.remaining())
            try:
                return await next_hop(burst)
            except Unconfigured:  # the receiver, or the channel, is another since, or was started anew
                if self._acknowledged.get(configuration.version) is acknowledged:
                    del self._acknowledged[configuration.version]
            await self._held(configuration, deadline)
            return await next_hop(replace(burst, timeout_seconds=deadline.remaining()))

        return exchange

    async def stop(self) -> None:
        """Give up configurations that are not acknowledged yet."""
        for task in self._acknowledged.values():
            task.cancel()
        await asyncio.gather(*self._acknowledged.values(), return_exceptions=True)

    async def _held(self, configuration: LinkConfiguration, deadline: Deadline) -> asyncio.Task[None]:
        """Wait until the receiver holds a configuration; many bursts wait for one message."""
        task = self._acknowledged.get(configuration.version)
        if task is None or (task.done() and not _holds(task)):
            task = asyncio.create_task(_sent(self._configure, configuration))
            self._acknowledged[configuration.version] = task
        if not task.done():
            async with deadline.enforced():
                await asyncio.shield(task)
        return task


def _holds(acknowledged: asyncio.Task[None] | None) -> bool:
    """Whether a configuration was acknowledged."""
    return acknowledged is not None and (
        acknowledged.done() and not acknowledged.cancelled() and acknowledged.exception() is None
    )


async def _sent(configure: Configure, configuration: LinkConfiguration) -> None:
    await configure(configuration)

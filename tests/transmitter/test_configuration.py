"""Configurations are sent once, waited for by all, and sent again to a receiver that lost them."""

import asyncio
from dataclasses import replace

import pytest

from shared.errors import Expired, Unavailable, Unconfigured
from shared.frame.burst import Burst, CodecSpec, LinkConfiguration
from shared.frame.reception import Reception
from tests.tools.rpc import make_burst
from transmitter.configuration import Configurator

ONE = LinkConfiguration(0, "implicit", (CodecSpec("raw", 512, "", ""),), (0.0,), "none")


class Far:
    """A receiver of a few lines."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.configured: list[int] = []
        self.ready = asyncio.Event()
        self.ready.set()

    async def configure(self, configuration: LinkConfiguration) -> None:
        self.configured.append(configuration.version)
        await self.ready.wait()
        self.held.add(configuration.version)

    async def receive(self, burst: Burst) -> Reception:
        if burst.configuration not in self.held:
            raise Unconfigured("configure the link")
        return Reception(burst.burst_id, (), 1.0, True, "", (), 0.0, "")


def burst(number: int, configuration: LinkConfiguration, seconds: float = 0.0) -> Burst:
    return replace(make_burst(number), framing="implicit", configuration=configuration.version, timeout_seconds=seconds)


async def test_it_is_sent_once_whoever_waits_for_it() -> None:
    far = Far()
    configurator = Configurator(far.configure)
    one, two = configurator.named(ONE), configurator.named(replace(ONE, top_k=3))
    assert one.version != two.version
    assert configurator.named(ONE) is one
    assert Configurator(far.configure).named(ONE).version >> 16 != one.version >> 16, "another transmitter's differ"
    hop = configurator.hop(far.receive, one)
    await asyncio.gather(*(hop(burst(n, one)) for n in range(1, 20)))
    assert far.configured == [one.version]
    await configurator.hop(far.receive, two)(burst(20, two))
    assert far.configured == [one.version, two.version]


async def test_a_receiver_that_was_started_anew_is_configured_again_once() -> None:
    far = Far()
    configurator = Configurator(far.configure)
    one = configurator.named(ONE)
    hop = configurator.hop(far.receive, one)
    await hop(burst(1, one))
    far.held.clear()
    await asyncio.gather(*(hop(burst(n, one)) for n in range(2, 12)))
    assert far.configured == [one.version] * 2


async def test_a_receiver_that_never_holds_it_is_an_error() -> None:
    far = Far()
    configurator = Configurator(far.configure)
    one = configurator.named(ONE)

    async def forgetful(burst: Burst) -> Reception:
        raise Unconfigured("configure the link")

    with pytest.raises(Unconfigured):
        await configurator.hop(forgetful, one)(burst(1, one))
    assert far.configured == [one.version] * 2


async def test_a_channel_out_of_reach_is_tried_again_by_the_next_burst() -> None:
    far = Far()
    tries = 0

    async def configure(configuration: LinkConfiguration) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Unavailable("nobody there")
        await far.configure(configuration)

    configurator = Configurator(configure)
    one = configurator.named(ONE)
    hop = configurator.hop(far.receive, one)
    with pytest.raises(Unavailable):
        await hop(burst(1, one))
    assert (await hop(burst(2, one))).burst_id == 2


async def test_who_has_no_time_left_does_not_wait_and_spoils_it_for_nobody() -> None:
    far = Far()
    far.ready.clear()
    configurator = Configurator(far.configure)
    one = configurator.named(ONE)
    hop = configurator.hop(far.receive, one)
    patient = asyncio.create_task(hop(burst(1, one)))
    with pytest.raises(Expired):
        await hop(burst(2, one, seconds=0.05))
    far.ready.set()
    assert (await patient).burst_id == 1
    assert far.configured == [one.version]
    await configurator.stop()

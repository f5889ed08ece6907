"""What the channel may cost: processor time beyond a relay that only forwards, and symbols a second of one core."""

import os

import pytest

from lab.bench.channel import ChannelBench, bench_channel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BEYOND_FORWARDING_US = 60.0
SYMBOLS_PER_SECOND = {"awgn": 20e6, "jakes": 5e6}


def test_the_channel_is_cheap() -> None:
    if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        pytest.skip("this machine does other work, which costs of tens of microseconds cannot be told from")
    found = bench_channel(ChannelBench())
    assert max(found["beyond_forwarding_us"].values()) <= BEYOND_FORWARDING_US
    for name, least in SYMBOLS_PER_SECOND.items():
        assert found["computed_symbols_per_second"][name] >= least, name

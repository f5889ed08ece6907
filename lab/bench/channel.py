"""What the channel costs: the proxy against a relay that only forwards, and the physics alone.

sender --> relay --> instant receiver        processor time of the relay, per burst, turn and turn about
"""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic, process_time
from typing import Any, Final

import numpy as np
import uvloop

from client.channel_control import ChannelControl
from client.channel_options import ChannelOptions
from lab.bench.processor import processor_seconds
from local.service_process import ServiceProcess
from shared.frame.burst import Burst, CodecSpec
from shared.phy import ChannelSettings, Link, Sending, place_pilots
from shared.phy.power import normalize_power
from shared.rpc.burst_link import link_to_channel
from shared.types import Complex

PILOTS: Final = 8
RELAYED: Final[dict[str, ChannelOptions]] = {"awgn": {"fading": "none"}, "rayleigh": {"fading": "rayleigh"}}
"""Channels of the proxy whose cost beyond the forwarding is measured."""
COMPUTED: Final = {
    "awgn": ChannelSettings(),
    "rayleigh": ChannelSettings(fading="rayleigh"),
    "jakes": ChannelSettings(fading="rayleigh", doppler_hz=100.0, burst_interval_seconds=0.1),
}
"""Channels whose pure computing is measured."""
_READY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class ChannelBench:
    """What to measure.

    bursts: of each turn. turns: how often forwarding and each channel take turns. in_flight: bursts unanswered at a
    time. k: real dimensions of a relayed payload. computed_k: of a computed one. batch: bursts computed together.
    seconds: of processor time for each channel that is computed.
    """

    bursts: int = 4000
    turns: int = 5
    in_flight: int = 64
    k: int = 64
    computed_k: int = 4096
    batch: int = 16
    seconds: float = 1.0


def bench_channel(bench: ChannelBench) -> dict[str, Any]:
    """Processor time beyond the forwarding, microseconds a burst; and symbols a second of one core."""
    costs = uvloop.run(_relay_costs(bench))
    forwarding = statistics.median(costs["forwarding"])
    beyond = {
        name: statistics.median(cost - base for cost, base in zip(costs[name], costs["forwarding"], strict=True))
        for name in RELAYED
    }
    rates = {name: compute_rate(settings, bench) for name, settings in COMPUTED.items()}
    return {
        "k": bench.k,
        "bursts": bench.bursts,
        "turns": bench.turns,
        "forwarding_us": forwarding,
        "proxy_us": {name: statistics.median(costs[name]) for name in RELAYED},
        "beyond_forwarding_us": beyond,
        "ratio": {name: (forwarding + cost) / forwarding for name, cost in beyond.items()},
        "computed_k": bench.computed_k,
        "computed_symbols_per_second": rates,
    }


def compute_rate(settings: ChannelSettings, bench: ChannelBench) -> float:
    """Complex symbols that one core puts through the link in a second of processor time, several bursts together."""
    link = Link.from_settings(settings)
    x = payload(bench.computed_k // 2)
    counters = count()
    done, start = 0, process_time()
    while (spent := process_time() - start) < bench.seconds:
        link.transmit_many([Sending(x, 0, next(counters)) for _ in range(bench.batch)])
        done += bench.batch * x.size
    return done / spent


def payload(symbols: int) -> Complex:
    """[symbols], complex64, unit mean power."""
    rng = np.random.default_rng(0)
    drawn = (rng.normal(size=(1, symbols)) + 1j * rng.normal(size=(1, symbols))).astype(np.complex64)
    unit: Complex = normalize_power(drawn)[0]
    return unit


async def _relay_costs(bench: ChannelBench) -> dict[str, list[float]]:
    """Microseconds of processor time per burst, turn by turn: of the forwarder, and of the proxy for each channel."""
    costs: dict[str, list[float]] = {name: [] for name in ("forwarding", *RELAYED)}
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder, _relays(Path(folder)) as relays:
        forwarder, proxy = relays
        for relay in relays:
            await _microseconds(relay, bench)  # warm
        for _ in range(bench.turns):
            costs["forwarding"].append(await _microseconds(forwarder, bench))
            for name, settings in RELAYED.items():
                await asyncio.to_thread(_set, proxy, settings)
                costs[name].append(await _microseconds(proxy, bench))
    return costs


@contextmanager
def _relays(folder: Path) -> Iterator[Sequence[ServiceProcess]]:
    """A forwarder and a proxy, each before the same receiver; quiet, so that no log is measured."""
    with ExitStack() as stack:

        def start(name: str, *flags: str) -> ServiceProcess:
            process = ServiceProcess(name, folder, ["--log-level", "error", *flags])
            process.start()
            stack.callback(process.kill)
            process.wait_ready(monotonic() + _READY_SECONDS)
            return process

        receiver = _address(start("lab.bench.instant_receiver"))
        yield [start(name, "--receiver-address", receiver) for name in ("lab.bench.forwarder", "channel_proxy")]


def _address(process: ServiceProcess) -> str:
    return process.address(monotonic() + _READY_SECONDS)


def _set(proxy: ServiceProcess, settings: ChannelOptions) -> None:
    with ChannelControl(_address(proxy)) as control:
        control.set(**settings)


async def _microseconds(relay: ServiceProcess, bench: ChannelBench) -> float:
    """Processor time, user and system, that the relay's process takes for a burst."""
    before = processor_seconds(relay.pid)
    await _send(_address(relay), bench)
    return 1e6 * (processor_seconds(relay.pid) - before) / bench.bursts


async def _send(address: str, bench: ChannelBench) -> None:
    """All bursts of a turn, `in_flight` at a time."""
    link = link_to_channel(address)
    symbols = place_pilots(payload(bench.k // 2), PILOTS, "preamble")
    numbers = iter(range(bench.bursts))

    async def send() -> None:
        for number in numbers:
            await link.exchange(
                Burst(
                    burst_id=number,
                    stream=0,
                    counter=number,
                    codec=CodecSpec("kbsc", bench.k, "0" * 16, "0" * 16),
                    pilot_symbols=PILOTS,
                    symbols=symbols,
                    csi="pilot",
                    timeout_seconds=60.0,
                )
            )

    try:
        await asyncio.gather(*(send() for _ in range(bench.in_flight)))
    finally:
        await link.close()

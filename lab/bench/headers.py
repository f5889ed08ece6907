"""How often the receiver takes noise for a header: `python -m lab.bench.headers`.

Noise alone is the worst case, and among links the one with pilots and HARQ: it looks for two kinds of header at twelve
turns of the phase. At its design SNR at most 1 % of a class's headers fail, and only a header that fails can
be read as another one, so undetected errors are a hundred times rarer there.
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

from lab.simulate.chain import Chain
from receiver.framing import Deframer
from shared.frame.burst import NO_CODEC, Burst
from shared.frame.header import header_class
from shared.phy import ChannelSettings
from shared.phy.channel.conditions import Conditions

_TOGETHER: Final = 250
_LENGTHS: Final = (8, 16, 32, 64, 128, 256)


class Undetected(NamedTuple):
    """Of `headers` bursts of noise, `read` had a header, by what the receiver found."""

    read: int
    headers: int

    def __str__(self) -> str:
        upper = binomtest(self.read, self.headers).proportion_ci(0.95, "wilson").high
        return f"{self.read} of {self.headers:,} (95 %: below {upper:.1e})"


def undetected(class_db: float, seed: int, bursts: int = _TOGETHER) -> Undetected:
    """Give a receiver bursts of white Gaussian noise of unit power, pilots included."""
    chain = Chain(Conditions(ChannelSettings()), framing="explicit", header_snr_db=class_db)
    codecs = [replace(NO_CODEC, codec="nested", k=k) for k in _LENGTHS]
    configuration = chain.configuration(codecs, [0.99] * (len(codecs) - 1) + [0.0])
    deframer = Deframer()
    deframer.hold(configuration)
    size = configuration.header_symbols + configuration.pilot_symbols + _LENGTHS[0] // 2
    noise = np.random.default_rng(seed).standard_normal((bursts, 2 * size), np.float32) * np.float32(0.5**0.5)
    heard = [
        Burst(0, 0, 0, NO_CODEC, 0, symbols, csi="pilot", framing="explicit", configuration=configuration.version)
        for symbols in noise.view(np.complex64)
    ]
    return Undetected(sum(isinstance(found, Burst) for found in deframer.read_many(heard)), bursts)


def table(classes_db: Sequence[float], headers: int, jobs: int) -> Iterator[str]:
    """Rows of a Markdown table, one for each class."""
    yield "| class | symbols | read of noise |"
    yield "|---|---|---|"
    with get_context("spawn").Pool(jobs) as pool:
        for each in map(header_class, classes_db):
            seeds = range(-(-headers // _TOGETHER))
            batches = pool.imap_unordered(partial(undetected, each.snr_db), seeds)
            found = list(
                track(batches, f"{each.snr_db:g} dB", len(seeds), console=Console(stderr=True), transient=True)
            )
            total = Undetected(*map(sum, zip(*found, strict=True)))
            yield f"| {each.snr_db:g} dB | {each.symbols}, {each.short_symbols} | {total} |"


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description="How often the receiver takes noise for a header of framing explicit.")
    parser.add_argument("--headers", type=int, default=40_000, help="bursts of noise for each row")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--class-db", type=float, nargs="+", default=[0.0, 7.0], help="design SNRs of the classes, dB")
    given = parser.parse_args()
    for row in table(given.class_db, given.headers, given.jobs):
        print(row, flush=True)


if __name__ == "__main__":
    main()

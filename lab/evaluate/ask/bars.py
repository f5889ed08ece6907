"""What asking has to reach, and what it reaches: rows of `semlink evaluate ask` against bars set before."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from lab.evaluate.ask.points import AGNOSTIC, HARQ, LONG

RATES: Final = (192, 384, 768)
GAIN: Final = {"judge": 0.10, "witness": 0.08}
OVER_RANDOM: Final = 0.15
LEARNED: Final = {96: 0.62, 192: 0.65, 384: 0.72, 768: 0.80}
"""Of `uo-isc`; the first one is for about 100 bits."""
APART: Final = 0.05
"""Judge less witness, at most; and seen less unseen combinations."""
LOST: Final = 0.10
LOSES: Final = 0.02


class Bar(NamedTuple):
    """text, wanted, found: in words. met: whether it is reached."""

    text: str
    wanted: str
    found: str
    met: bool


def reached(table: pl.DataFrame) -> list[Bar]:
    """All bars that the table can tell."""
    clean = table.filter(pl.col("snr_db").is_null())
    bars = [*_gains(clean), _over_random(clean), *_learned(clean), *_fair(clean)]
    protected = [("none", "klt-relevance"), *(("rayleigh", f"klt-relevance{way}") for way in ("", HARQ, LONG))]
    return [*bars, *(bar for fading, scheme in protected for bar in _protected(table, fading, scheme))]


def value(clean: pl.DataFrame, split: str, scheme: str, bits: int, name: str = "match") -> float:
    """A figure of an error-free point."""
    return float(clean.filter(split=split, scheme=scheme, bits=bits)[name][0])


def _gains(clean: pl.DataFrame) -> Iterator[Bar]:
    for scheme in ("klt-relevance", "uo-isc"):
        for who, least in GAIN.items():
            for split in ("seen", "unseen-combinations"):
                found = [value(clean, split, scheme, bits, f"gain_{who}") for bits in RATES]
                text = f"{scheme} less {AGNOSTIC}, {who}, {split}, {_slashed(RATES)} bits"
                yield _bar(text, least, found, points=True)


def _over_random(clean: pl.DataFrame) -> Bar:
    found = [value(clean, "seen", "klt-relevance", bits) - value(clean, "seen", "klt-random", bits) for bits in RATES]
    return _bar(f"relevance less random blocks, seen, {_slashed(RATES)} bits", OVER_RANDOM, found, points=True)


def _learned(clean: pl.DataFrame) -> Iterator[Bar]:
    for bits, least in LEARNED.items():
        yield _bar(f"uo-isc, seen, {bits} bits", least, [value(clean, "seen", "uo-isc", bits)])
    lead = [value(clean, "seen", "uo-isc", bits) - value(clean, "seen", "klt-relevance", bits) for bits in LEARNED]
    yield _bar(f"uo-isc less klt-relevance, seen, {_slashed(LEARNED)} bits", 0.0, lead, points=True)


def _fair(clean: pl.DataFrame) -> Iterator[Bar]:
    """Judge and witness agree on what the pictures show, and unseen combinations are sent as well as seen ones."""
    for scheme in ("klt-relevance", "uo-isc"):
        apart = [
            value(clean, "seen", scheme, bits, "match_witness") - value(clean, "seen", scheme, bits) for bits in RATES
        ]
        yield _bar(f"{scheme}, witness less judge, seen, {_slashed(RATES)} bits", -APART, apart, points=True)
    fall = [value(clean, "unseen-combinations", "uo-isc", b) - value(clean, "seen", "uo-isc", b) for b in RATES]
    yield _bar(f"uo-isc, unseen combinations less seen, {_slashed(RATES)} bits", -APART, fall, points=True)


def _protected(table: pl.DataFrame, fading: str, scheme: str) -> Iterator[Bar]:
    """What a scheme loses at the highest SNR at which the uncoded link has lost 10 points."""
    air = table.filter(fading=fading).filter(pl.col("snr_db").is_not_null())
    best = value(table.filter(pl.col("snr_db").is_null()), "seen", "klt-relevance", 384)
    uncoded = air.filter(scheme="klt-relevance-8psk").sort("snr_db", descending=True)
    fallen = uncoded.filter(pl.col("match") <= best - LOST)
    if not len(fallen):
        return  # nothing was lost at these SNRs
    snr_db = float(fallen["snr_db"][0])
    left = float(air.filter(scheme=scheme, snr_db=snr_db)["match"][0])
    name = "AWGN" if fading == "none" else "Rayleigh"
    text = f"{scheme} over LDPC, {name}, {snr_db:g} dB, where uncoded 8-PSK has lost 10 points: less error-free"
    yield _bar(text, -LOSES, [left - best], points=True)


def _bar(text: str, least: float, found: list[float], *, points: bool = False) -> Bar:
    if points:
        wanted, said = f"{100 * least:+.0f} points", " / ".join(f"{100 * each:+.1f}" for each in found)
    else:
        wanted, said = f"{least:.2f}", " / ".join(f"{each:.3f}" for each in found)
    return Bar(text, wanted, said, min(found) >= least)


def _slashed(numbers: "tuple[int, ...] | dict[int, float]") -> str:
    return " / ".join(map(str, numbers))

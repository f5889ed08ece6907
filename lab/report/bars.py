"""The bars that `nested` has to clear, held against every point at which both sides were measured."""

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from lab.report.results import Results, channel_name

AWGN, RAYLEIGH = ("none", "none"), ("rayleigh", "pilot")
USEFUL_LIMIT = 0.3
"""Below it the channel leaves too little for a share of the limit to mean much."""
LONG_K, SHORT_K = 64, 64
"""Real dimensions from which on fidelity counts, and up to which a codec without labels has to win."""


class Bar(NamedTuple):
    """One bar. asked: the least value. found: what there is, at `place`; points: how many of them were looked at."""

    what: str
    channel: str
    asked: float
    found: float
    place: str
    points: int

    @property
    def holds(self) -> bool:
        """Whether it is cleared."""
        return self.found >= self.asked


def bars(results: Results) -> list[Bar]:
    """Every bar whose rows were measured."""
    share = _share_of_limit(results)
    accuracy = "semantic_accuracy"
    looked = [
        _worst(f"`nested`: accuracy over limit, where the limit is above {USEFUL_LIMIT:g}", AWGN, 0.90, share),
        _mean("the same in the mean", AWGN, 0.97, share),
    ]
    for channel in (AWGN, RAYLEIGH):
        less = _difference(results, "nested", "label", channel, accuracy)
        looked.append(_worst("`nested` less `label`: accuracy", channel, -0.01, less))
    for column, name in (("cosine", "mean cosine"), ("knn_overlap_at_10", "10-NN overlap")):
        less = _difference(results, "nested-nearest", "kbsc", AWGN, column).filter(pl.col("k") >= LONG_K)
        looked.append(_worst(f"`nested-nearest` less `kbsc`: {name}, k ≥ {LONG_K}", AWGN, 0.0, less))
    less = _difference(results, "nested-unlabelled", "kbsc", AWGN, accuracy).filter(pl.col("k") <= SHORT_K)
    looked.append(_worst(f"`nested-unlabelled` less `kbsc`: accuracy, k ≤ {SHORT_K}", AWGN, 0.0, less))
    return [bar for bar in looked if bar is not None]


def bar_lines(found: Iterable[Bar]) -> list[dict[str, float | str]]:
    """Lines of a table."""
    return [
        {
            "bar": bar.what,
            "channel": bar.channel,
            "at least": f"{bar.asked:g}",
            "found": f"{bar.found:.3f}",
            "at": bar.place,
            "points": str(bar.points),
            "": "holds" if bar.holds else "**missed**",
        }
        for bar in found
    ]


def _share_of_limit(results: Results) -> pl.DataFrame:
    rows = results.of(scheme="nested", fading=AWGN[0], csi=AWGN[1]).filter(pl.col("limit") > USEFUL_LIMIT)
    return rows.select("k", "snr_db", value=pl.col("semantic_accuracy") / pl.col("limit"))


def _difference(results: Results, one: str, other: str, channel: tuple[str, str], column: str) -> pl.DataFrame:
    """Values of one scheme less those of another, wherever both were sent: k, snr_db, value."""
    first, second = (results.of(scheme=name, fading=channel[0], csi=channel[1]) for name in (one, other))
    both = first.join(second, on=["k", "snr_db"], suffix="_other")
    return both.select("k", "snr_db", value=pl.col(column) - pl.col(f"{column}_other"))


def _worst(what: str, channel: tuple[str, str], asked: float, values: pl.DataFrame) -> Bar | None:
    if values.is_empty():
        return None
    worst = values.sort("value").row(0, named=True)
    place = f"k = {worst['k']}, {worst['snr_db']:g} dB".replace("-", "−")
    return Bar(what, channel_name(*channel), asked, worst["value"], place, len(values))


def _mean(what: str, channel: tuple[str, str], asked: float, values: pl.DataFrame) -> Bar | None:
    if values.is_empty():
        return None
    return Bar(what, channel_name(*channel), asked, float(values["value"].to_numpy().mean()), "all", len(values))

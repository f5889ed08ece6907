"""What `nested` saves at equal accuracy: decibels at equal bandwidth, bandwidth at equal SNR."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.report.gain import HALF, snr_needed, symbols_needed
from lab.report.results import Results
from lab.report.style import MUTED, look_of
from shared.types import Doubles

OURS, BASE = "nested", "kbsc"
GAIN_CAPTION = (
    f"What `{OURS}` saves at equal accuracy, by straight lines between measured points. "
    f"Dashed: at least so much, since `{OURS}` needs less than was measured."
)

_LEVELS = np.arange(0.1, 0.7, 0.005)
_SHADES = ("#93c5fd", "#3b82f6", "#1e3a8a")


def draw_gain(results: Results, channel: tuple[str, str]) -> Figure | None:
    """Left the SNR saved over `kbsc` at each accuracy, right the bandwidth over each scheme; None without both."""
    here = results.of(fading=channel[0], csi=channel[1])
    if not {OURS, BASE} <= set(here["scheme"]):
        return None
    figure = Figure(figsize=(7.4, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    _decibels(left, results, channel)
    _bandwidth(right, results, channel)
    return figure


def _decibels(axes: Axes, results: Results, channel: tuple[str, str]) -> None:
    here = results.of(fading=channel[0], csi=channel[1])
    lengths = sorted(here.filter(scheme=BASE)["k"].unique())
    for k, shade in zip(lengths, _SHADES, strict=False):
        base, ours = (
            np.array([snr_needed(results, name, channel, k, level) for level in _LEVELS.tolist()])
            for name in (BASE, OURS)
        )
        known, bound = _differences(base, ours, min(here["snr_db"].to_list()))
        _draw(axes, _LEVELS, known, bound, {"color": shade, "linewidth": 1.8, "label": f"k = {k}"})
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set(xlabel="semantic accuracy", ylabel=f"SNR saved over {BASE} in dB")
    axes.legend(loc="best")


def _bandwidth(axes: Axes, results: Results, channel: tuple[str, str]) -> None:
    """Differences of logarithms of bandwidths."""
    here = results.of(fading=channel[0], csi=channel[1])
    snrs = np.array(sorted(here["snr_db"].unique()))
    needs = {
        scheme: _log([symbols_needed(results, scheme, channel, snr_db, HALF) for snr_db in snrs.tolist()])
        for scheme in results.schemes
    }
    shortest = float(np.log(min(here.filter(scheme=OURS)["k"].to_list()) / 2))
    for scheme, needed in needs.items():
        known, bound = _differences(needed, needs[OURS], shortest)
        if scheme != OURS and np.isfinite(bound).any():
            _draw(axes, snrs, np.exp(known), np.exp(bound), {**look_of(scheme).options(), "label": scheme})
    axes.axhline(1, color=MUTED, linewidth=0.8)
    axes.set(xlabel="average Es/N0 in dB", ylabel=f"bandwidth for accuracy {HALF:g},\nas a multiple of {OURS}'s")
    axes.set_yscale("log")
    axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.set_yticks([], minor=True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=7)
    else:
        axes.text(0.5, 0.5, "nothing to compare", ha="center", color=MUTED, transform=axes.transAxes)


def _differences(base: Doubles, ours: Doubles, least: float) -> tuple[Doubles, Doubles]:
    """What base needs less what ours does: where both are known, and where ours may also be less than `least`.

    least: the least that was measured.
    """
    base = np.where(np.isfinite(base), base, np.nan)
    return base - np.where(np.isfinite(ours), ours, np.nan), base - np.where(np.isneginf(ours), least, ours)


def _log(symbols: list[float]) -> Doubles:
    """Logarithms; minus infinity stays what it is: less than was measured."""
    values = np.array(symbols)
    return np.where(np.isneginf(values), values, np.log(np.where(values > 0, values, np.nan)))


def _draw(axes: Axes, x: Doubles, known: Doubles, bound: Doubles, look: dict[str, Any]) -> None:
    axes.plot(x, bound, **(look | {"linestyle": (0, (2, 2)), "linewidth": 1.0, "label": None}))
    axes.plot(x, known, **look)

"""What `nested` saves at equal accuracy: decibels at equal bandwidth, bandwidth at equal SNR."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.report.gain import HALF, snr_needed, symbols_needed
from lab.report.results import Results
from lab.report.style import INK, MUTED, look_of

OURS = "nested"
GAIN_CAPTION = f"What `{OURS}` saves at equal accuracy, by straight lines between measured points."

_LEVELS = np.arange(0.1, 0.7, 0.01)
_SHADES = ("#93c5fd", "#3b82f6", "#1e3a8a")


def draw_gain(results: Results, channel: tuple[str, str]) -> Figure | None:
    """Left the SNR saved over `kbsc` at each accuracy, right the bandwidth over every scheme; None without both."""
    here = results.of(fading=channel[0], csi=channel[1])
    if not {OURS, "kbsc"} <= set(here["scheme"]):
        return None
    figure = Figure(figsize=(7.4, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    _decibels(left, results, channel, sorted(here.filter(scheme="kbsc")["k"].unique()))
    _bandwidth(right, results, channel)
    return figure


def _decibels(axes: Axes, results: Results, channel: tuple[str, str], lengths: list[int]) -> None:
    for k, shade in zip(lengths, _SHADES, strict=False):
        needs = [
            [snr_needed(results, name, channel, k, level) for level in _LEVELS.tolist()] for name in ("kbsc", OURS)
        ]
        saved = np.where(np.isfinite(needs).all(axis=0), np.subtract(*needs), math.nan)
        axes.plot(_LEVELS, saved, color=shade, linewidth=1.8, label=f"k = {k}")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set(xlabel="semantic accuracy", ylabel="SNR saved over kbsc in dB")
    axes.legend(loc="best")


def _bandwidth(axes: Axes, results: Results, channel: tuple[str, str]) -> None:
    here = results.of(fading=channel[0], csi=channel[1])
    snrs = sorted(here["snr_db"].unique())
    ours = np.array([symbols_needed(results, OURS, channel, snr_db, HALF) for snr_db in snrs])
    for scheme in results.schemes:
        needed = np.array([symbols_needed(results, scheme, channel, snr_db, HALF) for snr_db in snrs])
        both = np.isfinite(needed) & np.isfinite(ours)
        if scheme == OURS or not both.any():
            continue
        axes.plot(np.array(snrs)[both], (needed / ours)[both], **look_of(scheme).options(), label=scheme)
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.set(xlabel="average Es/N0 in dB", ylabel=f"bandwidth for accuracy {HALF:g},\nas a multiple of {OURS}'s")
    axes.set_yscale("log")
    axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.set_yticks([], minor=True)
    axes.legend(loc="best", fontsize=7)

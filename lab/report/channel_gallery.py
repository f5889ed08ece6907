"""The channel's effects in one figure: `python -m lab.report.channel_gallery docs/physics/channel.png`.

noise, interference | amplifier, converters | oscillators, levels | fading in time | echoes, and how they are followed
"""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.report.style import BLUE, GREEN, ORANGE, RC
from shared.phy import ChannelSettings, Link, Sending, equalize, pilot_positions, place_pilots, track_channel
from shared.types import Complex, Doubles

_RC: Final[Any] = {**RC, "axes.titlelocation": "left", "axes.titlesize": 9.5, "savefig.bbox": "standard"}
_SYMBOLS: Final = 960
Panel = Callable[[Axes], None]


def constellation(title: str, *, told: bool = False, bursts: int = 1, **settings: Any) -> Panel:
    """16-QAM as it arrives, or, with `told`, after zero forcing by perfect CSI."""

    def draw(axes: Axes) -> None:
        received, sent = [], _qam(_SYMBOLS // bursts)
        for one in _link(**settings).transmit_many([Sending(sent, 0, counter) for counter in range(bursts)]):
            gain = np.broadcast_to(one.gain, sent.size)
            n0 = np.zeros(1, np.float32)
            received.append(equalize(one.y[None], gain[None], n0, "zf")[0][0] if told else one.y)
        y = np.concatenate(received)
        axes.plot(y.real, y.imag, ".", color=BLUE, markersize=2.2, alpha=0.6)
        axes.plot(sent.real, sent.imag, "x", color=ORANGE, markersize=4)
        axes.set(xlim=(-1.75, 1.75), ylim=(-1.75, 1.75), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        axes.set_title(title)

    return draw


def envelopes(title: str, curves: dict[str, dict[str, Any]], *, symbols: int, counters: int = 1) -> Panel:
    """|h|^2 in dB, from symbol to symbol or from burst to burst."""

    def draw(axes: Axes) -> None:
        for (label, settings), colour in zip(curves.items(), (BLUE, ORANGE, GREEN), strict=False):
            bursts = [Sending(np.ones(symbols, np.complex64), 0, counter) for counter in range(counters)]
            gains = [np.broadcast_to(one.gain, symbols) for one in _link(**settings).transmit_many(bursts)]
            axes.plot(_decibels(np.concatenate(gains)), color=colour, linewidth=1, label=label)
        axes.set(ylim=(-32, 12), ylabel="|h|², dB", xlabel="burst" if counters > 1 else "symbol")
        axes.legend(loc="lower right", framealpha=0.9, edgecolor="none", fontsize=7.5)
        axes.set_title(title)

    return draw


def responses(axes: Axes) -> None:
    """|H|^2 over frequency of three delay profiles."""
    for name, colour in (("tdl-a", BLUE), ("tdl-c", ORANGE), ("tdl-d", GREEN)):
        one = _link(fading=name, waveform="ofdm", seed=4).transmit(_qam(64), 0, 3)
        axes.plot(_decibels(one.gain), color=colour, linewidth=1.2, label=name)
    axes.set(ylim=(-32, 12), ylabel="|H|², dB", xlabel="subcarrier")
    axes.legend(loc="lower right", framealpha=0.9, edgecolor="none", fontsize=7.5)
    axes.set_title("fading = tdl-a, c, d: one burst")


def waterfall(axes: Axes) -> None:
    """|H|^2 over frequency and time."""
    of = _link(fading="tdl-c", waveform="ofdm", doppler_hz=10, burst_interval_seconds=0.002)
    gains = [one.gain for one in of.transmit_many([Sending(_qam(64), 0, counter) for counter in range(150)])]
    image = axes.imshow(_decibels(np.stack(gains)).T, aspect="auto", origin="lower", vmin=-25, vmax=8, cmap="viridis")
    axes.figure.colorbar(image, ax=axes, label="|H|², dB", pad=0.02)
    axes.grid(visible=False)
    axes.set(xlabel="burst, 2 ms each", ylabel="subcarrier")
    axes.set_title("fading = tdl-c, doppler_hz = 10")


def followed(title: str, pilots: int, **settings: Any) -> Panel:
    """The true gain, and what the receiver makes of scattered pilots."""

    def draw(axes: Axes) -> None:
        of = _link(snr_db=15, **settings)
        sent = place_pilots(_qam(256), pilots, "scattered")
        one = of.transmit(sent, 0, 5)
        known = track_channel(one.y[None], pilots, "scattered", of.settings.grid)
        places = pilot_positions(pilots, sent.size, "scattered")
        at_pilots = one.y[places] / sent[places]
        for part, colour in ((np.real, BLUE), (np.imag, ORANGE)):
            axes.plot(part(one.gain), color=colour, linewidth=0.8, linestyle="--")
            axes.plot(part(known.gain[0]), color=colour, linewidth=1.4)
            axes.plot(places, part(at_pilots), ".", color=colour, markersize=4)
        axes.set(xlabel="symbol", ylabel="h: I blue, Q orange", ylim=(-2.4, 2.4))
        axes.set_title(title)

    return draw


_OFDM: Final[dict[str, Any]] = {"waveform": "ofdm"}
_RAYLEIGH: Final[dict[str, Any]] = {"fading": "rayleigh", "seed": 8}
PANELS: Final[Sequence[Panel]] = (
    constellation("snr_db = 20", snr_db=20),
    constellation("impulses = bernoulli, snr_db = 25", snr_db=25, impulses="bernoulli", impulse_probability=0.05),
    constellation("impulses = middleton, snr_db = 20", snr_db=20, impulses="middleton"),
    constellation("sir_db = 15", sir_db=15),
    constellation("pa_backoff_db = 1", pa_backoff_db=1, snr_db=35),
    constellation("the same with waveform = ofdm", pa_backoff_db=1, snr_db=35, **_OFDM),
    constellation("adc_bits = 4, adc_clip_db = 4", adc_bits=4, adc_clip_db=4, snr_db=30),
    constellation("adc_bits = 4, the same with ofdm", adc_bits=4, adc_clip_db=4, snr_db=30, **_OFDM),
    constellation("cfo_hz = 60, phase_deg = 5", cfo_hz=60, phase_deg=5, snr_db=30),
    constellation("phase_noise_hz = 4", phase_noise_hz=4, snr_db=30),
    constellation("path_loss_db = 3", path_loss_db=3, snr_db=30),
    constellation("fading = kbsc", fading="kbsc", snr_db=30),
    envelopes("doppler_hz = 2000", {"rayleigh": {**_RAYLEIGH, "doppler_hz": 2000},
              "rician, 10 dB": {"fading": "rician", "rician_k_db": 10, "doppler_hz": 2000}}, symbols=3000),
    envelopes("coherence_symbols", {"64": {**_RAYLEIGH, "coherence_symbols": 64},
              "8": {"fading": "rayleigh", "coherence_symbols": 8}}, symbols=320),
    envelopes("shadowing_db = 4, shadowing_bursts = 20", {"alone": {"shadowing_db": 4, "shadowing_bursts": 20},
              "with rayleigh": {**_RAYLEIGH, "shadowing_db": 4, "shadowing_bursts": 20}}, symbols=1, counters=200),
    responses,
    waterfall,
    constellation("tdl-d, no prefix, perfect CSI", told=True, fading="tdl-d", delay_spread_seconds=2e-6,
                  cyclic_prefix_symbols=0, bursts=3, **_OFDM),
    followed("32 scattered pilots, doppler_hz = 5000, 15 dB", 32, fading="rayleigh", doppler_hz=5000),
    followed("32 scattered pilots, tdl-c, 15 dB", 32, fading="tdl-c", delay_spread_seconds=3e-7, **_OFDM),
)  # fmt: skip


def draw_gallery(path: Path) -> None:
    """Write the figure as PNG."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(15, 17.5), layout="constrained")
        FigureCanvasAgg(figure)
        for panel, axes in zip(PANELS, figure.subplots(-(-len(PANELS) // 4), 4).flat, strict=True):
            panel(axes)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)


def _link(**settings: Any) -> Link:
    return Link.from_settings(ChannelSettings(**({"snr_db": math.inf, "seed": 2} | settings)))


def _qam(n: int) -> Complex:
    """16-QAM of unit power, all points as often: [n]; n divides by 16."""
    levels = np.array([-3, -1, 1, 3]) / math.sqrt(10)
    points = (levels[:, None] + 1j * levels).ravel()
    shuffled: Complex = np.random.default_rng(1).permutation(np.tile(points, n // 16)).astype(np.complex64)
    return shuffled


def _decibels(gain: Complex) -> Doubles:
    decibels: Doubles = 20 * np.log10(np.abs(gain) + 1e-9)
    return decibels


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?", default=Path("out/channel.png"), help="where to write the PNG")
    draw_gallery(parser.parse_args().path)

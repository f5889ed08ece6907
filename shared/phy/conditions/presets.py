"""Presets: settings of typical situations, with the sources of their values.

All assume one picture every 0.1 s, so that motion and shadowing are visible from one picture to the next. A Doppler
shift is speed x carrier / c. A shadowing lasts for its correlation distance: distance / speed / 0.1 s bursts. No source
gives one SNR for a situation: those are chosen, typical of a good cell and of its edge.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import NotFound
from shared.phy.conditions.settings import ChannelSettings

_PICTURE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Preset:
    """A situation. settings: the fields that differ from the defaults. source: of its values."""

    name: str
    description: str
    source: str
    settings: Mapping[str, Any]

    def applied(self, seed: int = 0) -> ChannelSettings:
        """All settings of the channel in this situation, with defaults for the others."""
        return ChannelSettings(seed=seed).updated(**self.settings)


_ALL: Final = (
    Preset(
        "ideal",
        "Nothing happens: no fading, no noise.",
        "A definition.",
        {"snr_db": math.inf},
    ),
    Preset(
        "indoor",
        "An office, line of sight, walking at 3 km/h, carrier 3.5 GHz: 9.7 Hz Doppler; shadowing over 10 m.",
        "3GPP TR 38.901 V16.1: InH-Office LOS, shadowing 3 dB (Table 7.4.1-1), K 7 dB and 10 m (Table 7.5-6 part 2), "
        "3 km/h (Table 7.2-2)",
        {
            "snr_db": 25,
            "fading": "rician",
            "rician_k_db": 7,
            "doppler_hz": 9.7,
            "burst_interval_seconds": _PICTURE_SECONDS,
            "shadowing_db": 3,
            "shadowing_bursts": 120,
        },
    ),
    Preset(
        "pedestrian",
        "A street canyon, no line of sight, walking at 3 km/h, carrier 2 GHz: 5.6 Hz Doppler; shadowing over 13 m.",
        "3GPP TR 38.901 V16.1: UMi-Street Canyon NLOS, shadowing 7.82 dB (Table 7.4.1-1), 13 m (Table 7.5-6 part 1), "
        "3 km/h (Table 7.2-1)",
        {
            "snr_db": 25,
            "fading": "rayleigh",
            "doppler_hz": 5.6,
            "burst_interval_seconds": _PICTURE_SECONDS,
            "shadowing_db": 7.82,
            "shadowing_bursts": 156,
        },
    ),
    Preset(
        "vehicular",
        "A city from a car, no line of sight, 54 km/h, carrier 2 GHz: 100 Hz Doppler; shadowing over 50 m. OFDM with "
        "64 subcarriers of 15 kHz. Use scattered pilots: the gain differs from one subcarrier to the next.",
        "3GPP TS 38.101-4, Table B.2.2-1: TDLC300-100, delay spread 300 ns, 100 Hz. 3GPP TR 38.901 V16.1: UMa NLOS, "
        "shadowing 6 dB (Table 7.4.1-1), 50 m (Table 7.5-6 part 1)",
        {
            "snr_db": 20,
            "fading": "tdl-c",
            "delay_spread_seconds": 300e-9,
            "doppler_hz": 100,
            "burst_interval_seconds": _PICTURE_SECONDS,
            "shadowing_db": 6,
            "shadowing_bursts": 33,
            "waveform": "ofdm",
            "fft_size": 64,
            "cyclic_prefix_symbols": 5,
            "symbol_rate_hz": 960e3,
        },
    ),
    Preset(
        "rural",
        "Open country from a fast car, line of sight, 120 km/h, carrier 700 MHz: 78 Hz Doppler; shadowing over 37 m.",
        "3GPP TR 38.901 V16.1: RMa LOS, shadowing 4 dB (Table 7.4.1-1), K 7 dB and 37 m (Table 7.5-6 part 2). 120 km/h "
        "and 700 MHz: 3GPP TR 38.913, Table 6.1.3-1",
        {
            "snr_db": 12,
            "fading": "rician",
            "rician_k_db": 7,
            "doppler_hz": 78,
            "burst_interval_seconds": _PICTURE_SECONDS,
            "shadowing_db": 4,
            "shadowing_bursts": 11,
        },
    ),
    Preset(
        "satellite",
        "A satellite at 600 km, 50 degrees high, carrier 2 GHz, 760 km away: 2.5 ms. Its Doppler is compensated but "
        "for 0.1 ppm, its amplifier works 3 dB under saturation.",
        "3GPP TR 38.811 V15: NTN-TDL-C, K 10.224 dB (Table 6.9.2-3), shadowing 1.42 dB at 50 degrees (Table 6.6.2-3). "
        "0.1 ppm: 3GPP TS 38.101-5, clause 6.4.1. The back-off is chosen",
        {
            "snr_db": 8,
            "fading": "rician",
            "rician_k_db": 10.224,
            "burst_interval_seconds": _PICTURE_SECONDS,
            "shadowing_db": 1.42,
            "shadowing_bursts": 10,
            "propagation_seconds": 0.0025,
            "cfo_hz": 200,
            "pa_backoff_db": 3,
        },
    ),
    Preset(
        "jammed",
        "A tone 5 dB under the signal, impulses in 1 % of the symbols, and a pulsed jammer that hits runs of bursts, "
        "five long on average.",
        "Kinds of jamming: Simon, Omura, Scholtz, Levitt, Spread Spectrum Communications Handbook, part 1. The figures "
        "are chosen",
        {
            "snr_db": 20,
            "sir_db": 5,
            "interferer_hz": 5e4,
            "impulses": "bernoulli",
            "impulse_probability": 0.01,
            "impulse_ratio_db": 20,
            "good_to_bad": 0.02,
            "bad_to_good": 0.2,
            "loss_bad": 0.8,
        },
    ),
)

PRESETS: Final[Mapping[str, Preset]] = {preset.name: preset for preset in _ALL}


def preset_named(name: str) -> Preset:
    """The preset of that name. Raises NotFound for another."""
    try:
        return PRESETS[name]
    except KeyError:
        raise NotFound(f"preset {name!r}: choose from {', '.join(PRESETS)}") from None

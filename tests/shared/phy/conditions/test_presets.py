"""Presets: each names its sources, is allowed, and gives a link that something can be sent over."""

import math
import re

import numpy as np
import pytest

from shared.errors import NotFound
from shared.phy import (
    ChannelSettings,
    Link,
    Sending,
    equalize,
    estimate_channel,
    payload_positions,
    place_pilots,
    track_channel,
)
from shared.phy.conditions.faults import draw_faults
from shared.phy.conditions.presets import PRESETS, preset_named

PILOTS, PAYLOAD, BURSTS = 8, 32, 400
PILOT_PATTERNS = ("preamble", "scattered")


def usable(name):
    """Which placings of pilots a preset takes: its description says where only one."""
    return ("scattered",) if "Use scattered pilots" in PRESETS[name].description else PILOT_PATTERNS


def error_rates(settings, pilot_pattern):
    """Bit error rate of QPSK in each burst that arrives, each on a stream of its own: [bursts]."""
    bits = np.random.default_rng(5).choice([-1, 1], (BURSTS, PAYLOAD, 2))
    payload = (bits @ np.array([1, 1j]) * math.sqrt(0.5)).astype(np.complex64)
    sendings = [Sending(place_pilots(payload[c], PILOTS, pilot_pattern), c, c) for c in range(BURSTS)]
    arrives = [not draw_faults(settings, c, c).lost for c in range(BURSTS)]
    y = np.stack([sent.y for sent in Link.from_settings(settings).transmit_many(sendings)])
    if pilot_pattern == "preamble" and settings.grid is None:
        known = estimate_channel(y[:, :PILOTS])
    else:
        known = track_channel(y, PILOTS, pilot_pattern, settings.grid)
    places = payload_positions(PILOTS, y.shape[1], pilot_pattern)
    gain = known.gain if known.gain.ndim == 1 else known.gain[:, places]
    x_hat, _ = equalize(y[:, places], gain, known.n0, "zf")
    wrong = np.stack([x_hat.real, x_hat.imag], axis=2) * bits < 0
    return wrong.mean(axis=(1, 2))[arrives]


@pytest.mark.parametrize(
    ("name", "pilot_pattern"),
    [(name, pilot_pattern) for name in PRESETS for pilot_pattern in PILOT_PATTERNS if pilot_pattern in usable(name)],
)
def test_every_preset_gives_a_usable_link(name, pilot_pattern):
    rates = error_rates(preset_named(name).applied(seed=7), pilot_pattern)
    assert rates.mean() < 0.06
    assert np.mean(rates > 0.15) < 0.15
    assert rates.size > 0.85 * BURSTS


def test_the_seven_situations():
    assert set(PRESETS) == {"ideal", "indoor", "pedestrian", "vehicular", "rural", "satellite", "jammed"}
    for preset in PRESETS.values():
        assert preset.description.endswith(".")
        assert len(preset.source) > 10


def test_the_ideal_channel_is_an_ordinary_link_without_a_stage():
    assert Link.from_settings(preset_named("ideal").applied()).stages == ()


def test_a_preset_leaves_nothing_of_before():
    assert preset_named("rural").applied(seed=3) == ChannelSettings(seed=3, **preset_named("rural").settings)


@pytest.mark.parametrize("preset", [p for p in PRESETS.values() if p.settings.get("doppler_hz")])
def test_doppler_is_that_of_speed_and_carrier(preset):
    speed = float(re.search(r"([\d.]+) km/h", preset.description)[1]) / 3.6
    carrier, unit = re.search(r"carrier ([\d.]+) (.Hz)", preset.description).groups()
    shift_hz = speed * float(carrier) * {"GHz": 1e9, "MHz": 1e6}[unit] / 299_792_458
    assert preset.settings["doppler_hz"] == pytest.approx(shift_hz, rel=0.01)
    distance = float(re.search(r"over (\d+) m", preset.description)[1])
    bursts = distance / speed / preset.settings["burst_interval_seconds"]
    assert preset.settings["shadowing_bursts"] == pytest.approx(bursts, rel=0.05)


def test_an_unknown_preset_is_refused_with_a_choice():
    with pytest.raises(NotFound, match="preset 'moon': choose from ideal, indoor"):
        preset_named("moon")

"""Schedules with changes, faults and losses: on a single carrier, and on OFDM through imperfect hardware."""

import asyncio

from shared.phy.conditions.schedule import Schedule
from shared.phy.conditions.timeline import Change

SINGLE_CARRIER = """
name = "drive"
repeat_seconds = 2.5

[settings]
seed = 3
snr_db = 12
fading = "rayleigh"
doppler_hz = 7
burst_interval_seconds = 0.1
shadowing_db = 4
shadowing_bursts = 5
good_to_bad = 0.1
bad_to_good = 0.5

[[ramp]]
from_seconds = 0.5
to_seconds = 1.6
snr_db = -2
doppler_hz = 40

[[at]]
seconds = 1.8
snr_db = 20
loss_probability = 0.2
duplicate_probability = 0.3
reset_probability = 0.1

[[blackout]]
from_seconds = 2.2
to_seconds = 2.4
"""
OFDM = """
repeat_seconds = 1.5

[settings]
seed = 4
snr_db = 15
fading = "tdl-c"
waveform = "ofdm"
doppler_hz = 20
burst_interval_seconds = 0.05
phase_noise_hz = 2
cfo_hz = 20
pa_backoff_db = 6
adc_bits = 8
impulses = "bernoulli"
loss_probability = 0.1

[[ramp]]
from_seconds = 0.2
to_seconds = 1.0
snr_db = 0
delay_spread_seconds = 3e-6
"""


RAMP = Schedule(
    "ramp",
    {"seed": 9, "snr_db": 20.0, "burst_interval_seconds": 0.5, "fading": "rayleigh"},
    changes=(Change(1.0, {"snr_db": 0.0}, ramp_seconds=4.0), Change(6.0, {"blackout": True})),
)


async def in_thread(function, *arguments, **named):
    """The blocking client beside a service in this loop."""
    return await asyncio.wait_for(asyncio.to_thread(function, *arguments, **named), 60)

"""The link: its chain of stages, what it reports, and what it refuses."""

import math
import subprocess
import sys

import numpy as np
import pytest

from shared.errors import InvalidSetting, InvalidSymbols
from shared.phy import ChannelSettings
from shared.phy.channel.registry import STAGES, stages_of
from shared.phy.channel.stage import Draw, Signal
from tests.tools.channel import ASKING, burst, link, mean_power

FADING = ("none", "rayleigh", "rician", "kbsc")


def test_a_change_of_fading_leaves_the_noise():
    x = np.zeros(32, np.complex64)
    assert np.array_equal(link(snr_db=10).transmit(x, 0, 0).y, link(fading="rayleigh", snr_db=10).transmit(x, 0, 0).y)


def test_a_change_of_snr_only_scales_the_noise():
    x = np.zeros(32, np.complex64)
    quiet, loud = (link(snr_db=snr_db).transmit(x, 0, 0).y for snr_db in (20, 0))
    assert np.allclose(quiet * 10, loud, rtol=1e-6)


def test_a_transparent_link_changes_no_bit():
    x = np.array([-0.0, complex(0, -0.0), 1e-45, -3e38 + 2j, 1 - 1j], np.complex64)
    sent = link().transmit(x, 0, 0)
    assert sent.y.tobytes() == x.tobytes()
    assert (sent.gain, sent.n0, sent.noise_power, sent.snr_db_achieved) == (1, 0, 0, math.inf)


def test_fading_without_noise_is_the_gain_alone():
    x = burst()
    sent = link(fading="rayleigh").transmit(x, 0, 1)
    assert np.array_equal(sent.y, x * np.complex64(sent.gain))
    assert sent.snr_db_achieved == math.inf


@pytest.mark.parametrize("fading", FADING)
def test_the_report_tells_what_happened(fading):
    x, of = burst(200), link(fading=fading, snr_db=7, seed=3)
    sent = of.transmit(x, 4, 5)
    wanted = x * np.complex64(sent.gain)
    assert sent.signal_power == pytest.approx(mean_power(wanted), rel=1e-5)
    assert sent.noise_power == pytest.approx(mean_power(sent.y - wanted), rel=1e-4)
    assert sent.snr_db_achieved == pytest.approx(10 * math.log10(sent.signal_power / sent.noise_power))
    assert (sent.settings, sent.stream, sent.counter) == (of.settings, 4, 5)
    assert (sent.air_symbols, sent.seconds) == (200, pytest.approx(5 * 216e-6))
    assert sent.papr_db == pytest.approx(10 * math.log10(np.max(np.abs(x) ** 2) / mean_power(x)), abs=1e-4)
    assert sent.n0 == pytest.approx(10**-0.7)
    assert (sent.y.dtype, sent.y.shape) == (np.complex64, x.shape)


def test_an_interval_moves_the_time_line():
    assert link(burst_interval_seconds=0.25).transmit(burst(), 0, 7).seconds == 1.75


def test_the_peak_is_that_of_what_left_the_amplifier():
    """A hard limiter at the mean power leaves little of a Gaussian burst's peak, and the fading behind it nothing."""
    x = burst(500)
    linear, limited = link(fading="kbsc"), link(fading="kbsc", pa_backoff_db=0, pa_smoothness=10)
    peak, cut = (of.transmit(x, 0, 0).papr_db for of in (linear, limited))
    assert peak == link().transmit(x, 0, 0).papr_db > 6
    assert 0 < cut < 3


@pytest.mark.parametrize("fading", FADING)
def test_the_burst_that_is_sent_stays_as_it_was(fading):
    x = burst()
    x.flags.writeable = False
    before = x.tobytes()
    link(fading=fading, snr_db=10).transmit(x, 0, 0)
    assert x.tobytes() == before


@pytest.mark.parametrize("name", list(STAGES))
def test_every_stage_draws_from_its_generator_alone_and_applies_without_changing(name):
    number, stage, _ = STAGES[name]
    settings = ASKING[name]
    x, n = burst(80)[None], burst(80, seed=2)[None]
    drawn, again = (stage.draw(Draw(0, 0, 0, number, 0.0), settings, 80)[None] for _ in range(2))
    assert drawn.tobytes() == again.tobytes()
    arrays = (x, n, np.ones((1, 1), np.complex64), drawn)
    before = [a.tobytes() for a in arrays]
    stage.apply(Signal(*arrays[:3]), drawn, settings)
    assert [a.tobytes() for a in arrays] == before


def test_fading_acts_on_noise_that_came_before_it():
    settings, h = ChannelSettings(), np.array([[2j]], np.complex64)
    x, n = burst(8)[None], burst(8, seed=2)[None]
    faded = STAGES["rayleigh"].stage.apply(Signal(x, n, h / 2), h, settings)
    assert np.array_equal(faded.wanted, 2j * x)
    assert np.array_equal(faded.noise, 2j * n)
    assert faded.gain == -2
    twice = STAGES["awgn"].stage.apply(faded, n, settings)
    assert np.array_equal(twice.received, 2j * x + (2j * n + n))


@pytest.mark.parametrize(
    "x", [np.empty(0, np.complex64), np.ones((2, 3), np.complex64), np.ones(4, np.complex128), np.ones(4, np.float32)]
)
def test_what_is_no_burst_is_refused(x):
    with pytest.raises(InvalidSymbols, match=r"complex64 \[n\]"):
        link().transmit(x, 0, 0)


@pytest.mark.parametrize("snr_db", [0, math.inf])
@pytest.mark.parametrize("which", [(-1, 0), (0, -1), (1 << 64, 0), (0, 1 << 64)])
def test_a_stream_or_counter_out_of_range_is_refused(which, snr_db):
    with pytest.raises(InvalidSetting, match=r"0 to 2\^64 - 1"):
        link(snr_db=snr_db).transmit(burst(), *which)


def test_settings_ask_for_their_stage():
    assert set(ASKING) == set(STAGES)
    for name, settings in ASKING.items():
        assert STAGES[name] in stages_of(settings)


def test_stage_numbers_are_never_shared():
    numbers = [row.number for row in STAGES.values()]
    assert len(set(numbers)) == len(numbers)


def test_the_channel_pulls_no_heavy_package():
    program = "import sys, shared.phy; print({'torch', 'faiss', 'scipy', 'sionna', 'grpc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "set()"

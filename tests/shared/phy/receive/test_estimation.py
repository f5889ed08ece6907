"""A gain that changes, followed from pilots: its error, the noise found, and that it knows how much it errs."""

import numpy as np
import pytest

from shared.errors import InvalidSymbols
from shared.phy import Grid, Sending, equalize, estimate_channel, payload_positions, place_pilots, track_channel
from shared.phy.receive.tracking import MAX_PILOTS, check_trackable
from shared.types import Complex
from shared.units import ratio_to_db
from tests.tools.channel import HALF_DB, burst, link, refused, spoiled

BURSTS = 500
MOVING = {"fading": "rayleigh", "doppler_hz": 1000.0, "burst_interval_seconds": 0.37}  # bursts are independent
SELECTIVE = {"fading": "tdl-c", "waveform": "ofdm"}


def sent(of, pilots, pilot_pattern, payload=256, bursts=BURSTS) -> tuple[Complex, Complex, Complex]:
    """What was sent, what arrived, and the true gain of each symbol: [bursts, n] each."""
    x = [place_pilots(burst(payload, seed), pilots, pilot_pattern) for seed in range(bursts)]
    through = of.transmit_many([Sending(one, 0, counter) for counter, one in enumerate(x)])
    gain = np.stack([np.broadcast_to(one.gain, one.y.size) for one in through])
    return np.stack(x), np.stack([one.y for one in through]), gain


def followed(of, pilots, pilot_pattern="scattered", **shape):
    x, y, gain = sent(of, pilots, pilot_pattern, **shape)
    return x, y, gain, track_channel(y, pilots, pilot_pattern, of.settings.grid)


def squared(values) -> float:
    return float(np.mean(np.abs(values) ** 2))


def interpolated(y, x, gain, pilots):
    """Squared error of straight lines between the least-squares gains at the pilots."""
    places = np.setdiff1d(np.arange(y.shape[1]), payload_positions(pilots, y.shape[1], "scattered"))
    at = y[:, places] / x[:, places]
    n = np.arange(y.shape[1])
    lines = [np.interp(n, places, one.real) + 1j * np.interp(n, places, one.imag) for one in at]
    return squared(np.stack(lines) - gain)


def check_still(of):
    """A gain that stands still is averaged over the pilots: N0/p, and the noise is N0, each to 0.35 dB."""
    n0 = 10 ** (-of.settings.snr_db / 10)
    _, _, gain, known = followed(of, 32)
    assert squared(known.gain - gain) == pytest.approx(n0 / 32, rel=0.15)
    assert known.n0.mean() == pytest.approx(n0, rel=0.03)


@pytest.mark.parametrize("waveform", ["single", "ofdm"])
def test_without_motion_or_echoes_all_pilots_are_averaged(waveform):
    good = link(fading="rayleigh", snr_db=20, waveform=waveform)
    check_still(good)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check_still(spoiled(good, "awgn", lambda n, factor=factor: n * factor))


def check_noise(of):
    """With 64 pilots the noise is found to 0.25 dB; what is counted as noise by mistake is under 4 %."""
    _, _, _, known = followed(of, 64)
    assert abs(ratio_to_db(float(known.n0.mean())) + of.settings.snr_db) < 0.25


@pytest.mark.parametrize("snr_db", [0, 10, 25])
@pytest.mark.parametrize("effects", [MOVING, SELECTIVE])
def test_the_noise_is_found(effects, snr_db):
    good = link(snr_db=snr_db, **effects)
    check_noise(good)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check_noise(spoiled(good, "awgn", lambda n, factor=factor: n * factor))


def test_the_leak_between_subcarriers_in_motion_counts_as_noise():
    """To 10 %; it doubles the noise here."""
    x, y, gain, known = followed(link(snr_db=25, **MOVING, waveform="ofdm"), 64)
    leak = squared(y - gain * x)
    assert leak > 2 * 10**-2.5
    assert known.n0.mean() == pytest.approx(leak, rel=0.1)


@pytest.mark.parametrize("snr_db", [0, 10, 25])
@pytest.mark.parametrize("effects", [MOVING, SELECTIVE | {"delay_spread_seconds": 3e-7}])
@pytest.mark.parametrize("pilots", [8, 32])
def test_it_errs_less_than_straight_lines_and_than_one_gain(effects, snr_db, pilots):
    x, y, gain, known = followed(link(snr_db=snr_db, **effects), pilots)
    error = squared(known.gain - gain)
    front = x[:, :pilots], y[:, :pilots]
    one = np.mean(front[1] / front[0], axis=1, keepdims=True)
    assert error < 0.6 * squared(one - gain)
    if "waveform" not in effects:  # straight lines across subcarriers would need another reference
        assert error < 0.7 * interpolated(y, x, gain, pilots)


@pytest.mark.parametrize("snr_db", [5, 25])
@pytest.mark.parametrize("effects", [MOVING, SELECTIVE, {"fading": "rayleigh"}])
def test_it_knows_how_much_it_errs(effects, snr_db):
    """The error that it names is the error it has, to a factor of 2; 64 pilots. Between y and h_hat x lies both."""
    x, y, gain, known = followed(link(snr_db=snr_db, **effects), 64)
    assert 0.5 < squared(known.gain - gain) / known.error.mean() < 2
    payload = payload_positions(64, x.shape[1], "scattered")
    between = squared((y - known.gain * x)[:, payload])
    assert known.disturbance[:, payload].mean() == pytest.approx(between, rel=0.12)


def test_a_preamble_on_the_first_ofdm_symbol_serves_all_of_them():
    of = link(snr_db=20, **SELECTIVE)
    _, _, gain, known = followed(of, 64, "preamble")
    assert squared(known.gain - gain) < 0.25 * 0.01


@pytest.mark.parametrize("doppler_hz", [500.0, 2000.0])
def test_spread_pilots_beat_pilots_in_front_under_motion(doppler_hz):
    """Squared error of the payload after zero forcing, in the median: a mean is that of the deepest fades."""
    of = link(snr_db=20, **MOVING | {"doppler_hz": doppler_hz})
    payload = payload_positions(16, 272, "scattered")
    x, y, _, known = followed(of, 16)
    spread, _ = equalize(y[:, payload], known.gain[:, payload], known.disturbance[:, payload], "zf")
    ahead, behind, _ = sent(of, 16, "preamble")
    one = estimate_channel(behind[:, :16])
    front, _ = equalize(behind[:, 16:], one.gain, one.disturbance, "zf")
    errors = np.median(np.abs(spread - x[:, payload]) ** 2), np.median(np.abs(front - ahead[:, 16:]) ** 2)
    assert errors[0] < 0.3 * errors[1]


def test_a_carrier_offset_turns_the_gain_and_spread_pilots_follow_it():
    """1 kHz over a burst of 288 us: 0.288 turns."""
    _, _, gain, known = followed(link(cfo_hz=1000.0, snr_db=20), 32, bursts=200)
    turned = np.angle(known.gain[:, -1] * known.gain[:, 0].conj()) / (2 * np.pi)
    assert turned.mean() == pytest.approx(0.287, abs=0.005)
    assert squared(known.gain - gain) < 0.25 * 0.01


def test_phase_noise_shows_in_the_pilots():
    """Wiener phase noise of linewidth b: E|phi(t) - phi(0)|^2 = 2 pi b t, and one gain is off by that."""
    x, y, _ = sent(link(phase_noise_hz=50.0, snr_db=60), 288, "preamble", payload=1, bursts=1500)
    phase = np.angle(y[:, 1:288] / x[:, 1:288] * (x[:, :1] / y[:, :1]))
    for t in (50, 150, 287):
        assert np.mean(phase[:, t - 1] ** 2) == pytest.approx(2 * np.pi * 50 * t / 1e6, rel=0.12)
    one = estimate_channel(y[:, :288])
    assert one.n0.mean() == pytest.approx(2 * np.pi * 50 * 288 / 6 / 1e6, rel=0.12)


@pytest.mark.parametrize("pilots", [2, 3, 5])
@pytest.mark.parametrize("grid", [None, Grid(64, 16)])
def test_a_few_pilots_are_enough_to_try(pilots, grid):
    of = link(fading="rayleigh", snr_db=20, waveform="single" if grid is None else "ofdm")
    _, _, gain, known = followed(of, pilots, bursts=500)
    assert squared(known.gain - gain) < 0.1
    assert np.isfinite(known.n0).all()
    assert (known.n0 >= 0).all()


def test_bursts_are_followed_each_for_itself_bit_for_bit():
    _, y, _, together = followed(link(snr_db=10, **SELECTIVE), 16, bursts=20)
    for row in range(20):
        alone = track_channel(y[row : row + 1], 16, "scattered", Grid(64, 16))
        assert alone.gain.tobytes() == together.gain[row].tobytes()
        assert alone.n0[0] == together.n0[row]


@pytest.mark.parametrize("scale", [0, 1e-30, 1e15])
def test_bursts_of_absurd_size_come_out_finite(scale):
    y = np.float32(scale) * burst(72)[None]
    known = track_channel(y, 8, "scattered")
    assert np.isfinite(known.gain).all()
    assert np.isfinite(known.disturbance).all()
    x_hat, _ = equalize(y, known.gain, known.disturbance)
    assert np.isfinite(x_hat).all()


@pytest.mark.parametrize(("pilots", "symbols"), [(0, 100), (1, 100), (MAX_PILOTS + 1, 1000), (128, 1 << 16)])
def test_what_cannot_be_followed_is_refused(pilots, symbols):
    with pytest.raises(InvalidSymbols, match=f"{pilots} pilots in a burst of {symbols} symbols"):
        check_trackable(pilots, symbols)

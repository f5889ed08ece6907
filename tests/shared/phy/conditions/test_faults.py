"""Faults: shares and run lengths against theory, and the same fate whatever the order."""

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats

from shared.errors import InvalidSetting
from shared.phy import ChannelSettings
from shared.phy.conditions import faults
from shared.phy.conditions.faults import _BLOCK, GILBERT_ELLIOTT, NO_FAULT, draw_faults, is_bad
from shared.phy.randomness import generator
from shared.units import db_to_ratio

BURSTS = 30_000
HALF_DB = db_to_ratio(0.5)  # power, and so a share


@cache
def fates(**settings):
    of = ChannelSettings(seed=2024, **settings)
    return [draw_faults(of, 3, counter) for counter in range(BURSTS)]


@cache
def states(p, q, stream=3, start=0, bursts=BURSTS):
    of = ChannelSettings(seed=2024, good_to_bad=p, bad_to_good=q)
    return np.array([is_bad(of, stream, start + counter) for counter in range(bursts)])


def check_share(happened, expected):
    """A share of independent events is the one that was asked for, to four standard errors."""
    assert abs(np.mean(happened) - expected) < 4 * math.sqrt(expected * (1 - expected) / len(happened))


def runs_of(bad):
    """Lengths of the runs of bad bursts that begin and end within."""
    edges = np.flatnonzero(np.diff(bad.astype(int)))
    first = edges[0] if not bad[0] else edges[1]
    edges = edges[edges >= first]
    pairs = edges[: edges.size // 2 * 2].reshape(-1, 2)
    return pairs[:, 1] - pairs[:, 0]


def check_mean_run(bad, q):
    """The mean length of a bad run is 1/q to four standard errors."""
    runs = runs_of(bad)
    assert abs(runs.mean() - 1 / q) < 4 * math.sqrt(1 - q) / q / math.sqrt(runs.size) + 1e-12


def check_runs_are_geometric(bad, q):
    """Run lengths are geometric: chi-square at the 0.1 % level."""
    runs = runs_of(bad)
    edges = np.unique(stats.geom(q).ppf(np.linspace(0, 1, 9)[1:-1]))
    seen = np.bincount(np.searchsorted(edges, runs), minlength=edges.size + 1)
    cdf = np.concatenate([[0], stats.geom(q).cdf(edges), [1]])
    assert stats.chisquare(seen, np.diff(cdf) * runs.size).pvalue > 1e-3


def check_bad_share(bad, share, memory):
    """A share of the bursts is bad, to four standard errors of a chain with correlation memory^lag."""
    sigma = math.sqrt(share * (1 - share) / bad.size * (1 + memory) / (1 - memory))
    assert abs(bad.mean() - share) < 4 * sigma


@pytest.mark.parametrize(
    ("settings", "happens"),
    [
        ({"loss_probability": 0.2}, lambda f: f.lost),
        ({"loss_good": 0.2}, lambda f: f.lost),
        ({"duplicate_probability": 0.2}, lambda f: f.copies == 2),
        ({"reorder_probability": 0.2}, lambda f: f.reordered and f.held_seconds == 0.01),
        ({"stall_probability": 0.2}, lambda f: f.stalled_seconds == 1),
        ({"reset_probability": 0.2}, lambda f: f.reset),
    ],
)
def test_share_of_each_fault(settings, happens):
    happened = [happens(f) for f in fates(**settings)]
    check_share(happened, 0.2)
    for wrong in (0.2 * HALF_DB, 0.2 / HALF_DB):
        with pytest.raises(AssertionError):
            check_share(happened, wrong)


@pytest.mark.parametrize(("p", "q"), [(0.05, 0.2), (0.9, 0.8), (0.5, 0.5), (0.3, 1.0), (1.0, 0.3)])
def test_gilbert_elliott_share(p, q):
    bad, share, memory = states(p, q, bursts=4 * BURSTS), p / (p + q), 1 - p - q
    check_bad_share(bad, share, memory)
    for wrong in (share * HALF_DB, share / HALF_DB):
        with pytest.raises(AssertionError):
            check_bad_share(bad, wrong, memory)


@pytest.mark.parametrize(("p", "q"), [(0.05, 0.2), (0.9, 0.3), (0.5, 0.5), (0.05, 0.1)])
@pytest.mark.parametrize("check", [check_mean_run, check_runs_are_geometric])
def test_gilbert_elliott_runs(check, p, q):
    bad = states(p, q, bursts=6 * BURSTS)
    check(bad, q)
    for wrong in (q * HALF_DB, q / HALF_DB):
        with pytest.raises(AssertionError):
            check(bad, wrong)


def test_loss_in_each_state():
    lost = np.array([f.lost for f in fates(good_to_bad=0.1, bad_to_good=0.2, loss_good=0.05, loss_bad=0.6)])
    bad = states(0.1, 0.2)
    check_share(lost[bad], 0.6)
    check_share(lost[~bad], 0.05)
    for wrong in (HALF_DB, 1 / HALF_DB):
        with pytest.raises(AssertionError):
            check_share(lost[bad], 0.6 * wrong)


def walked(p, q, u, start):
    """The chain the plain way, step by step."""
    bad, seen = start, []
    for value in u:
        bad = value < (1 - q if bad else p)
        seen.append(bad)
    return np.array(seen)


@pytest.mark.parametrize(("p", "q"), [(0.05, 0.2), (0.9, 0.8), (1.0, 1.0), (1e-4, 1e-3), (0.999, 0.9995)])
def test_looking_back_is_walking(p, q):
    blocks = 40
    u = np.concatenate([generator(2024, 3, block, GILBERT_ELLIOTT).random(_BLOCK) for block in range(blocks)])
    plain = walked(p, q, u[1:], u[0] < p / (p + q))
    assert np.array_equal(states(p, q, bursts=blocks * _BLOCK)[1:], plain)


@pytest.mark.parametrize(("p", "q"), [(0.05, 0.2), (1.0, 1.0), (1e-3, 1e-6), (1e-300, 1e-3)])
def test_any_counter_is_found_at_once_and_in_any_order(p, q):
    of = ChannelSettings(good_to_bad=p, bad_to_good=q, loss_probability=0.1)
    counters = [(1 << 64) - 1, 5, 1 << 40, 0, 1 << 20, 7]
    assert [draw_faults(of, 0, c) for c in counters] == [draw_faults(of, 0, c) for c in reversed(counters)][::-1]


def test_p_and_q_of_one_alternate():
    bad = states(1.0, 1.0, bursts=3000)
    assert (bad[1:] != bad[:-1]).all()


def test_streams_and_seeds_have_chains_of_their_own():
    one, two = (states(0.2, 0.3, stream=stream, bursts=2 * BURSTS) for stream in (1, 2))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03  # four standard errors, the memory of 0.5 included


def test_one_fault_moves_no_other():
    alone, both = fates(loss_probability=0.2), fates(loss_probability=0.2, reorder_probability=0.5, jitter_seconds=0.1)
    assert [f.lost for f in alone] == [f.lost for f in both]


@pytest.mark.parametrize(
    ("jitter", "law"),
    [
        ("uniform", stats.uniform(0.3, 0.4)),
        ("normal", stats.norm(0.5, 0.2)),
        ("exponential", stats.expon(0.5, 0.2)),
    ],
)
def test_delay_has_its_distribution(jitter, law):
    held = np.array([f.held_seconds for f in fates(delay_seconds=0.5, jitter_seconds=0.2, jitter=jitter)])
    assert (held >= 0).all()
    above = held[held > 0.01]  # the normal one is cut at 0, 2.5 standard deviations away

    def check(law):
        inside = stats.kstest(above, lambda t: (law.cdf(t) - law.cdf(0.01)) / law.sf(0.01))
        assert inside.pvalue > 1e-3

    check(law)
    for wrong in (HALF_DB, 1 / HALF_DB):
        frozen = law.dist(law.args[0], law.args[1] * wrong)
        with pytest.raises(AssertionError):
            check(frozen)


def test_jitter_never_turns_time_back():
    held = [f.held_seconds for f in fates(jitter_seconds=10, jitter="normal")]
    assert min(held) == 0
    assert max(held) > 10


def test_a_lost_burst_names_its_cause():
    assert draw_faults(ChannelSettings(blackout=True), 0, 0).cause == "blackout = true"
    assert draw_faults(ChannelSettings(loss_probability=1), 0, 0).cause == "loss_probability = 1"
    assert draw_faults(ChannelSettings(loss_good=1), 0, 0).cause == "loss_good = 1 in the good state"
    bad = ChannelSettings(good_to_bad=1, bad_to_good=1e-6)
    assert draw_faults(bad, 0, 5).cause == "loss_bad = 1 in the bad state"
    assert draw_faults(bad, 0, 5).lost


def test_without_faults_nothing_happens():
    assert draw_faults(ChannelSettings(snr_db=-5, fading="rayleigh", seed=3), 1, 2) is NO_FAULT
    assert not NO_FAULT.lost


@pytest.mark.parametrize(("p", "q"), [(1e-9, 1e-6), (1e-300, 1e-6), (1.0, 1 - 1e-9)])
def test_a_chain_whose_state_is_found_only_far_back_is_refused(p: float, q: float) -> None:
    """It took up to a second for one burst."""
    with pytest.raises(InvalidSetting, match=r"good_to_bad = .* with bad_to_good = .*: give two whose sum is"):
        ChannelSettings().updated(good_to_bad=p, bad_to_good=q)


@pytest.mark.parametrize(("p", "q"), [(1e-3, 1e-6), (1.0, 1.0), (1.0, 0.999), (1e-3, 1e-3), (1e-12, 1e-3)])
def test_a_state_is_found_within_a_few_blocks(p: float, q: float, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    found = faults._forcing
    monkeypatch.setattr(faults, "_forcing", lambda *given: searched.append(1) or found(*given))
    of = ChannelSettings(good_to_bad=p, bad_to_good=q)
    for stream in range(200):
        draw_faults(of, stream, (1 << 40) + 5)
    assert len(searched) < 200 * 5

"""The upper bound of semantic accuracy, against its published table and against simulation."""

import numpy as np
import pytest
from scipy.stats import norm

from lab.evaluate.classifier import ClassifierSettings, best_accuracy
from lab.evaluate.upper_bound import error_probability, upper_bound
from shared.errors import InvalidSetting

SNRS_DB = (-7, -4, 0, 4, 7)
CONE_BOUND = {
    8: (0.902, 0.807, 0.516, 0.107, 0.004),
    16: (0.757, 0.512, 0.097, 0.000, 0.000),
    32: (0.464, 0.139, 0.001, 0.000, 0.000),
    64: (0.122, 0.005, 0.000, 0.000, 0.000),
    128: (0.004, 0.000, 0.000, 0.000, 0.000),
}


@pytest.mark.parametrize("k", CONE_BOUND)
def test_the_bound_for_100_words(k: int) -> None:
    """The table was made with 200,000 trials: its standard error is 0.001 at most."""
    found = [error_probability(100, k, snr_db) for snr_db in SNRS_DB]
    assert found == pytest.approx(CONE_BOUND[k], abs=2e-3)


def test_two_words_are_antipodal() -> None:
    """With two words the cone is a half space: Pe = Q(sqrt(k Es/N0))."""
    assert error_probability(2, 2, 0.0) == pytest.approx(norm.sf(np.sqrt(2)), rel=1e-6)


def test_fading_averages_over_the_gain() -> None:
    gains = np.random.default_rng(0).exponential(size=4000)
    simulated = np.mean([error_probability(100, 16, float(10 * np.log10(gain))) for gain in gains])
    assert error_probability(100, 16, 0.0, "rayleigh") == pytest.approx(simulated, abs=0.02)


def test_more_power_and_more_dimensions_help() -> None:
    by_snr = [error_probability(100, 32, snr_db) for snr_db in range(-20, 30, 2)]
    by_k = [error_probability(100, k, -7.0) for k in (8, 16, 32, 64, 128, 256, 512)]
    assert sorted(by_snr, reverse=True) == by_snr
    assert sorted(by_k, reverse=True) == by_k
    assert upper_bound(0.7, 100, 256, 30.0) == 0.7
    assert upper_bound(0.7, 100, 256, -60.0) == pytest.approx(0.007, abs=0.001)


@pytest.mark.parametrize(("codewords", "k", "fading"), [(1, 8, "none"), (100, 1, "none"), (100, 8, "tdl-a")])
def test_what_has_no_bound_is_refused(codewords: int, k: int, fading: str) -> None:
    with pytest.raises(InvalidSetting):
        error_probability(codewords, k, 0.0, fading)


def test_the_best_classifier_of_separable_classes() -> None:
    """Three blobs on a sphere, well apart, and a fourth that is the third under another name: 3 of 4 at best."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 32))[[0, 1, 2, 2]]
    labels = np.arange(4000) % 4
    drawn = centres[labels] + 0.3 * rng.normal(size=(4000, 32))
    unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    train, test = (unit[:2000], labels[:2000]), (unit[2000:], labels[2000:])
    settings = (ClassifierSettings(epochs=100), ClassifierSettings(hidden=(16,), noise=0.5))
    assert best_accuracy(train, test, settings) == pytest.approx(0.75, abs=0.03)

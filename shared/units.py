"""Decibels and ratios; the one place where noise power comes from an SNR."""

import math
from typing import TYPE_CHECKING, TypeVar

from shared.types import Doubles, Floats

if TYPE_CHECKING:
    from torch import Tensor

Values = TypeVar("Values", float, Floats, Doubles, "Tensor")


def db_to_ratio(db: float) -> float:
    """Power ratio of `db` decibels."""
    return float(10.0 ** (db / 10.0))


def ratio_to_db(ratio: float) -> float:
    """Decibels of a power ratio >= 0; minus infinity for 0."""
    return 10.0 * math.log10(ratio) if ratio > 0 else -math.inf


def n0_from_snr_db(snr_db: Values) -> Values:
    """Noise power per complex symbol for unit symbol energy, N0 = 10^(-snr_db/10); 0 for +infinity.

    snr_db: average Es/N0, dB. Each real dimension gets N0/2.
    """
    n0: Values = 10.0 ** (-snr_db / 10.0)
    return n0


def decibels(db: float, form: str = "g") -> str:
    """A level for people, "−3 dB"; "no noise" for an infinite SNR. form: how Python formats the number."""
    return f"{db:{form}} dB".replace("-", "−") if math.isfinite(db) else "no noise"


def channel_name(fading: str) -> str:
    """A kind of channel for people: AWGN, Rayleigh, TDL-C."""
    return "AWGN" if fading == "none" else fading.upper() if fading.startswith("tdl") else fading.capitalize()

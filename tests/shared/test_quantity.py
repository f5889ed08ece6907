"""Numbers with units."""

import pytest

from shared.errors import InvalidSetting
from shared.phy import ChannelSettings
from shared.quantity import without_unit


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("snr_db", "5dB", 5),
        ("snr_db", "-5 db", -5),
        ("snr_db", "\N{MINUS SIGN}3dB", -3),
        ("snr_db", "inf dB", float("inf")),
        ("doppler_hz", "20 kHz", 20_000),
        ("symbol_rate_hz", "1.5MHz", 1_500_000),
        ("delay_seconds", "3ms", 0.003),
        ("timeout", "1min", 60),
        ("phase_deg", "90°", 90),
        ("loss_probability", "10%", 0.1),
        ("snr_db", "7", 7),
    ],
)
def test_units_are_read(name: str, text: str, number: float) -> None:
    assert float(without_unit(name, text)) == number


def test_a_unit_that_does_not_fit_is_refused_with_the_right_form() -> None:
    with pytest.raises(ValueError, match="snr_db is in dB; write 5 or 5dB"):
        without_unit("snr_db", "5kHz")
    assert without_unit("codec", "5dB") == "5dB"


def test_settings_of_the_channel_read_units() -> None:
    settings = ChannelSettings().updated(snr_db="5dB", doppler_hz="1 kHz")
    assert (settings.snr_db, settings.doppler_hz) == (5, 1000)
    with pytest.raises(InvalidSetting, match="snr_db = '5 kHz'"):
        ChannelSettings().updated(snr_db="5 kHz")

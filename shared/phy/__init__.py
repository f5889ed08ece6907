"""Physical layer: numpy only, the same code for the services and the lab.

    x --> link (fading, noise) --> y --> estimate or track_channel (pilots) --> equalize --> x_hat, n0_eff

Symbols are complex64 with unit mean power per burst; `snr_db` is the average Es/N0.
"""

from shared.phy.channel.link import Link, Sending, Transmission
from shared.phy.conditions.settings import ChannelSettings, FadingName, Grid
from shared.phy.receive.equalizer import EqualizerName, equalize
from shared.phy.receive.estimation import ChannelEstimate, estimate_channel
from shared.phy.receive.pilots import PilotPattern, payload_positions, pilot_positions, pilot_sequence, place_pilots
from shared.phy.receive.tracking import check_trackable, track_channel

__all__ = [
    "ChannelEstimate",
    "ChannelSettings",
    "EqualizerName",
    "FadingName",
    "Grid",
    "Link",
    "PilotPattern",
    "Sending",
    "Transmission",
    "check_trackable",
    "equalize",
    "estimate_channel",
    "payload_positions",
    "pilot_positions",
    "pilot_sequence",
    "place_pilots",
    "track_channel",
]

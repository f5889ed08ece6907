"""Bursts for a receiver, as a transmitter and a channel would give them."""

from dataclasses import replace

import numpy as np

from shared.codecs import Codec
from shared.frame.burst import Burst, CodecSpec, Genie
from shared.phy import ChannelSettings, Link, place_pilots
from shared.types import Embeddings
from tests.tools.rpc import make_burst

CLIP = "c0ffee"


def spec(codec: Codec) -> CodecSpec:
    return CodecSpec(codec.name, codec.k, codec.fingerprint, CLIP)


def genie(gain: complex, n0: float) -> Genie:
    return Genie(np.array([gain], np.complex64), n0)


def sent(codec: Codec, burst_id: int, embedding: Embeddings, *, pilots: int = 0, channel=(), **fields) -> Burst:
    """A burst as it arrives through a channel of these settings; without noise unless they say otherwise."""
    pilot_pattern, csi = fields.get("pilot_pattern", "preamble"), fields.get("csi", "pilot" if pilots else "none")
    x = place_pilots(codec.encode(embedding[None])[0], pilots, pilot_pattern)
    settings = ChannelSettings(**{"snr_db": np.inf} | dict(channel))
    through = Link.from_settings(settings).transmit(x, 0, burst_id)
    told = Genie(through.gain, through.n0) if csi == "perfect" else None
    fields = {"codec": spec(codec), "csi": csi, "grid": settings.grid, "genie": told} | fields
    return replace(make_burst(burst_id, **fields), symbols=through.y, pilot_symbols=pilots)

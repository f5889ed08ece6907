"""From received symbols to embeddings: channel estimate, equalizer, codec.

symbols [pilots | payload] --> h_hat, n0_hat --> x_hat, n0_eff --> e_hat [512]
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.burst import Burst
from shared.channel import ChannelEstimate, EqualizerName, equalize, estimate_channel
from shared.codecs import Codec, Decoded
from shared.errors import Mismatch
from shared.symbols import Complex
from shared.units import ratio_to_db


@dataclass(frozen=True)
class Equalized:
    """Payloads of a batch. x_hat: [B, n], complex64. n0_eff: [B, n], float32. snr_db: [B], estimated, or NaN."""

    x_hat: Complex
    n0_eff: npt.NDArray[np.float32]
    snr_db: npt.NDArray[np.float64]


def check_codec(codec: Codec, burst: Burst) -> None:
    """Raise Mismatch unless the transmitter's codec is this one."""
    if codec.fingerprint != burst.codec.fingerprint:
        raise Mismatch(
            f"codec {codec.name} k = {codec.k} has fingerprint {burst.codec.fingerprint or 'none'} at the transmitter "
            f"and {codec.fingerprint} here: install the same weights at both ends"
        )
    if burst.payload.size != codec.symbols:
        raise Mismatch(
            f"codec {codec.name} k = {codec.k} takes {codec.symbols} payload symbols, the burst holds "
            f"{burst.payload.size}: send k/2 symbols, or name the k that was used"
        )


def estimate(bursts: Sequence[Burst]) -> ChannelEstimate:
    """What the receiver knows about the channel of bursts of one CSI mode and number of pilots."""
    if bursts[0].csi == "pilot":
        return estimate_channel(np.stack([burst.symbols[: burst.pilots] for burst in bursts]))
    told = [burst.genie for burst in bursts]
    gains = [1.0 if genie is None else genie.gain[0] for genie in told]
    n0 = [np.nan if genie is None else genie.n0 for genie in told]
    return ChannelEstimate(np.array(gains, np.complex64), np.array(n0, np.float32))


def equalize_bursts(bursts: Sequence[Burst], method: EqualizerName) -> Equalized:
    """Undo the channel on bursts of one codec, CSI mode and number of pilots."""
    known = estimate(bursts)
    x_hat, n0_eff = equalize(np.stack([burst.payload for burst in bursts]), known.gain, known.n0, method)
    return Equalized(x_hat, n0_eff, _snr_db(known))


def decode_payloads(codec: Codec, equalized: Equalized) -> Decoded:
    """Embeddings of a batch: [B, 512]."""
    return codec.decode(equalized.x_hat, equalized.n0_eff)


def _snr_db(known: ChannelEstimate) -> npt.NDArray[np.float64]:
    """|h_hat|^2 / n0_hat in dB; NaN where the noise is not known."""
    return np.array(
        [
            ratio_to_db(float(abs(gain)) ** 2 / float(n0)) if n0 > 0 else (np.inf if n0 == 0 else np.nan)
            for gain, n0 in zip(known.gain, known.n0, strict=True)
        ]
    )

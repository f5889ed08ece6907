"""From received symbols to embeddings: channel estimate, equalizer, codec, and for pictures the receiver's own CLIP.

symbols [pilots | payload] --> h_hat, n0_hat --> x_hat, n0_eff --> e_hat [512]
                                                     '--> pixels, grey where nothing arrived --CLIP--> e_hat [512]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from shared.codecs import AnyCodec, Codec, Decoded, FollowingCodec, PictureCodec, QueryCodec
from shared.errors import InvalidInput, Mismatch, NotFound
from shared.frame.burst import Burst
from shared.ledger import Entry, Stage
from shared.phy import ChannelEstimate, EqualizerName, check_trackable, equalize, estimate_channel, track_channel
from shared.types import Complex, Doubles, Embeddings, Floats, Pixels
from shared.units import ratio_to_db

EmbedPictures = Callable[[Pixels], Embeddings]
"""Pictures [B, 32, 32, 3], uint8, to embeddings [B, 512] of unit length."""


@dataclass(frozen=True)
class Equalized:
    """Payloads of a batch.

    x_hat: [B, n], complex64. n0_eff: [B, n], float32, noise power of each symbol of x_hat
    snr_db: [B], float64, estimated mean |h|^2 / N0. n0: [B], float64, its inverse, N0 / mean |h|^2, as a power
    Both are NaN where the noise is not known.
    """

    x_hat: Complex
    n0_eff: Floats
    snr_db: Doubles
    n0: Doubles


class Arrived(NamedTuple):
    """A decoded batch. missing: of each burst, why no picture arrived; empty if one did, or none was sent.

    pixels: [B, H, W, 3], of codecs of pictures. held: of codecs of questions, what they hold of each picture.
    """

    decoded: Decoded
    missing: Sequence[str]
    ledger: tuple[Entry, ...]
    pixels: Pixels | None = None
    held: Sequence[Any] = ()


def check_codec(codec: AnyCodec, burst: Burst) -> None:
    """Raise Mismatch unless the transmitter's codec is this one, InvalidInput where it has no sessions."""
    if burst.session and not (codec.prefixes or isinstance(codec, QueryCodec)):
        raise InvalidInput(
            f"session {burst.session} with codec {codec.name}, whose shorter code does not begin its longer one: "
            "send it whole, in one burst without a session, or choose nested"
        )
    if codec.fingerprint != burst.codec.fingerprint:
        raise Mismatch(
            f"codec {codec.name} k = {codec.k} has fingerprint {burst.codec.fingerprint or 'none'} at the transmitter "
            f"and {codec.fingerprint} here: install the same weights at both ends"
        )
    if burst.question_symbols and not isinstance(codec, QueryCodec):
        raise InvalidInput(f"a question before codec {codec.name}, which takes none: choose uo-isc or klt-relevance")
    held = burst.payload.size - burst.question_symbols
    if burst.offset_symbols + held != codec.symbols:
        raise Mismatch(
            f"codec {codec.name} k = {codec.k} takes {codec.symbols} payload symbols, the burst holds "
            f"{held} from offset {burst.offset_symbols} on: send k/2 symbols less the offset, or name "
            "the k that was used"
        )


def check_csi(burst: Burst) -> None:
    """Raise InvalidInput unless the burst carries what its CSI mode needs, in numbers that this receiver serves."""
    if (burst.csi == "perfect") != (burst.genie is not None):
        told = "without" if burst.genie is None else "with"
        raise InvalidInput(f"csi {burst.csi} {told} a genie: a genie goes with csi perfect, and only with it")
    if burst.genie is not None and burst.genie.gain.size not in (1, burst.symbols.size):
        raise InvalidInput(
            f"genie.gain holds {burst.genie.gain.size} values for {burst.symbols.size} symbols: give one, or one each"
        )
    if burst.csi == "pilot" and burst.pilot_symbols < 2:
        raise InvalidInput(f"{burst.pilot_symbols} pilots with csi pilot: send at least 2, or csi none")
    if burst.csi == "pilot" and _is_tracked(burst):
        check_trackable(burst.pilot_symbols, burst.symbols.size)


def estimate(bursts: Sequence[Burst]) -> ChannelEstimate:
    """Channel estimates of the payloads, of bursts of one group (see `receiver.pipeline`).

    A preamble on a single carrier gives one gain for the burst; scattered pilots, and those on subcarriers, one for
    each symbol.
    """
    first = bursts[0]
    if first.csi != "pilot":
        return _perfect_csi(bursts)
    y = np.stack([burst.symbols for burst in bursts])
    if not _is_tracked(first):
        return estimate_channel(y[:, : first.pilot_symbols])
    payload = first.payload_positions
    gain, n0, error = track_channel(y, first.pilot_symbols, first.pilot_pattern, first.grid)
    return ChannelEstimate(gain.take(payload, axis=1), n0, error.take(payload, axis=1))


def equalize_bursts(bursts: Sequence[Burst], method: EqualizerName) -> Equalized:
    """Undo the channel on bursts of one group."""
    known = estimate(bursts)
    payloads = np.stack([burst.payload for burst in bursts])
    x_hat, n0_eff = equalize(payloads, known.gain, known.disturbance, method)
    powers = (np.abs(known.gain.astype(np.complex128)) ** 2).reshape(len(known.n0), -1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        n0 = np.where(known.n0 == 0, 0.0, known.n0 / powers)
    return Equalized(x_hat, n0_eff, _snr_db(powers, known.n0), n0)


def decode_payloads(codec: Codec, equalized: Equalized) -> Arrived:
    """Embeddings of a batch."""
    start = perf_counter()
    decoded = codec.decode(equalized.x_hat, equalized.n0_eff)
    return Arrived(decoded, [""] * len(equalized.x_hat), (Entry(Stage.DECODE, perf_counter() - start),))


def decode_pictures(
    codec: PictureCodec | QueryCodec, equalized: Equalized, embed: EmbedPictures, held: Sequence[Any] = ()
) -> Arrived:
    """Pictures of a batch, embedded by CLIP. held: see `FollowingCodec.decode_further`."""
    start = perf_counter()
    now: Sequence[Any] = [None] * len(equalized.x_hat)
    if isinstance(codec, FollowingCodec):
        pictures, now = codec.decode_further(equalized.x_hat, equalized.n0_eff, held)
    else:
        pictures = codec.decode(equalized.x_hat, equalized.n0_eff)
    middle = perf_counter()
    decoded = Decoded(embed(pictures.pixels))
    ledger = (Entry(Stage.DECODE, middle - start), Entry(Stage.EMBED, perf_counter() - middle))
    return Arrived(decoded, pictures.missing, ledger, pictures.pixels, now)


def without_clip(_: Pixels) -> Embeddings:
    """Stands in for CLIP in a receiver without one: raises NotFound."""
    raise NotFound("pictures arrived and this receiver has no CLIP to embed them: give it one, or send embeddings")


def _is_tracked(burst: Burst) -> bool:
    return burst.pilot_pattern == "scattered" or burst.grid is not None


def _perfect_csi(bursts: Sequence[Burst]) -> ChannelEstimate:
    """Perfect CSI of the genie, without estimation error; NaN where there is no genie."""
    gains = [np.ones(1) if burst.genie is None else burst.genie.gain for burst in bursts]
    n0 = np.array([np.nan if burst.genie is None else burst.genie.n0 for burst in bursts], np.float32)
    size = max(gain.size for gain in gains)
    gain = np.stack([np.broadcast_to(gain, size) for gain in gains]).astype(np.complex64)
    gain = gain[:, 0] if size == 1 else gain.take(bursts[0].payload_positions, axis=1)
    return ChannelEstimate(gain, n0, np.zeros(gain.shape, np.float32))


def _snr_db(powers: Doubles, n0: Floats) -> Doubles:
    """Mean |h_hat|^2 / n0_hat in dB: [B]; infinite without noise, NaN where the noise is not known."""
    pairs = zip(powers.tolist(), n0.tolist(), strict=True)
    return np.array([ratio_to_db(power / one) if one > 0 else (np.inf if one == 0 else np.nan) for power, one in pairs])

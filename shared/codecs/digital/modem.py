"""Channel coding and modulation by Sionna: 5G LDPC, QAM, soft demapping.

bits [K] -> LDPC -> coded [c] -> repeated [n m] -> QAM -> x [n]
x_hat [n], n0_eff [n] -> LLRs [n m] -> summed [c] -> belief propagation -> bits [K]
"""

from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np

from shared.errors import InvalidSetting, NotFound
from shared.types import Bits, Complex, Floats

MIN_BITS: Final = 12
"""Least number of information bits of the code of 3GPP TS 38.212."""
MAX_BITS: Final = 8448
LOWEST_RATE: Final = 1 / 5
_LONG_BITS: Final = 3824
"""Longer messages have base graph 1, whose code has at least rate 1/3."""
HIGHEST_RATE: Final = 948 / 1024
ITERATIONS: Final = 20
_N0_FLOOR: Final = 1e-4  # -40 dB: keeps LLRs finite without noise


class Mode(NamedTuple):
    """Code rate and modulation. bits: information bits per burst. order: coded bits per QAM symbol, 2, 4 or 6."""

    bits: int
    order: int

    def fits(self, symbols: int) -> bool:
        """Whether a code of this length exists: 12 to 8448 bits, rate at most 948/1024."""
        return MIN_BITS <= self.bits <= MAX_BITS and self.bits <= HIGHEST_RATE * symbols * self.order


def require_sionna(codec: str) -> None:
    """Raise NotFound, with the command that installs it, if Sionna is missing."""
    if find_spec("sionna") is None:
        raise NotFound(f"codec {codec} needs Sionna, which is not installed: pip install 'semlink[services]'")


class Modem:
    """Sends bursts of `mode.bits` bits as `symbols` symbols.

    Below rate 1/5, of more than 3824 bits below 1/3, the codeword is repeated from its start, as in 5G's circular
    buffer, and the receiver adds the LLRs of repeated bits. Raises InvalidSetting for a mode that does not fit.
    """

    def __init__(self, mode: Mode, symbols: int) -> None:
        if not mode.fits(symbols):
            raise InvalidSetting(
                f"{mode.bits} bits in {symbols} symbols of {mode.order} bits: send {MIN_BITS} to {MAX_BITS} bits, at a "
                f"rate of at most {HIGHEST_RATE:.3f}"
            )
        self.mode, self.symbols = mode, symbols
        self._sent = symbols * mode.order
        self._coded = min(self._sent, 3 * mode.bits if mode.bits > _LONG_BITS else int(mode.bits / LOWEST_RATE))
        self._chain = _chain(mode, self._coded, self._sent == self._coded)
        self._places = np.arange(self._sent) % self._coded

    def modulate(self, bits: Bits) -> Complex:
        """Bits [B, K], 0 or 1, to symbols [B, n], complex64, with E|x|^2 = 1 over the constellation."""
        coded = self._chain.encode(as_tensor(bits.astype(np.float32)))
        x: Complex = self._chain.map(coded[:, as_tensor(self._places)]).cpu().numpy().astype(np.complex64)
        return x

    def demodulate(self, x_hat: Complex, n0_eff: Floats, iterations: int = ITERATIONS) -> Bits:
        """Bits [B, K] of zero-forced symbols [B, n] and their noise power [B, n], after so many decoder iterations.

        NaN in n0_eff is replaced by an estimate from the burst, the larger of two: E|x_hat|^2 - 1, which is accurate
        for strong noise, and the squared distance to the nearest points of the constellation, for weak noise.
        """
        noise = as_tensor(np.maximum(np.where(np.isnan(n0_eff), self._estimate(x_hat), n0_eff), _N0_FLOOR))
        llr = self._chain.demap(as_tensor(x_hat), noise)
        summed = llr.new_zeros(len(llr), self._coded).index_add_(1, as_tensor(self._places), llr)
        bits: Bits = self._chain.decode(summed, num_iter=iterations).cpu().numpy().astype(np.uint8)
        return bits

    def _estimate(self, x_hat: Complex) -> Floats:
        """Noise power of each burst, estimated from its symbols alone: [B, 1], float32."""
        moment = np.mean(np.abs(x_hat) ** 2, axis=1) - 1
        nearest = np.abs(x_hat[:, :, None] - self._chain.points).min(axis=2)
        estimate: Floats = np.maximum(moment, np.mean(nearest**2, axis=1))[:, None].astype(np.float32)
        return estimate


def as_tensor(array: "np.ndarray[Any, Any]") -> Any:
    """An array as torch's tensor, which Sionna takes. Torch is loaded with the first one: it takes seconds."""
    from torch import from_numpy  # noqa: PLC0415

    return from_numpy(np.ascontiguousarray(array))


@lru_cache(maxsize=256)
def modem_of(mode: Mode, symbols: int) -> Modem:
    """The modem of a mode, cached."""
    return Modem(mode, symbols)


class _Chain(NamedTuple):
    """Sionna's blocks, on the processor. points: [2^order], complex64, the constellation."""

    encode: Any
    map: Any
    demap: Any
    decode: Any
    points: Complex


@lru_cache(maxsize=256)
def _chain(mode: Mode, coded: int, interleave: bool) -> _Chain:
    """Build the blocks. interleave: 5G's bit interleaver, which spreads the weak bits of a QAM symbol."""
    # Sionna takes seconds to import, and only digital codecs need it.
    from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder  # noqa: PLC0415
    from sionna.phy.mapping import Demapper, Mapper  # noqa: PLC0415

    encoder = LDPC5GEncoder(mode.bits, coded, mode.order if interleave else None, device="cpu")
    mapper = Mapper("qam", mode.order, device="cpu")
    return _Chain(
        encoder,
        mapper,
        Demapper("app", "qam", mode.order, device="cpu"),
        LDPC5GDecoder(encoder, num_iter=ITERATIONS, device="cpu"),
        mapper.constellation.points.cpu().numpy().astype(np.complex64),
    )

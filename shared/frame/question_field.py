"""A question on the air, for a receiver that does not know it: words to bits to coded symbols, and back.

    words [9] --their number--> 50 bits --CRC, polar code, QPSK--> q symbols [question | picture]

It is coded as a header is, for the same SNR: 66 bits with the CRC in place of a header's 50 take a third more symbols.
They are the first ones of the payload, and are equalized, and combined with those of earlier transmissions, with it.
"""

from typing import Final

import numpy as np

from shared.datasets.scenes.words import QUESTION_BITS, from_bits, to_bits, to_text, to_words
from shared.frame.burst import Csi
from shared.frame.header import PHASE_TURNS, header_class
from shared.phy.polar import CRC_BITS, PolarCode
from shared.types import Complex, Floats

SENT_BITS: Final = QUESTION_BITS + CRC_BITS
"""Of a question on the air."""
_HEADER_BITS: Final = 50
_FEWEST: Final = 64
"""Symbols below which no polar code holds the bits."""


def question_symbols(design_snr_db: float) -> int:
    """Symbols of a question that at most 1 % of the bursts lose at this SNR, dB, without fading."""
    return max(_FEWEST, round(header_class(design_snr_db).symbols * SENT_BITS / _HEADER_BITS))


def encode_question(text: str, symbols: int) -> Complex:
    """A question as symbols of unit power: [symbols], complex64. Raises InvalidInput for one that no answerer knows."""
    x: Complex = PolarCode(QUESTION_BITS, symbols).encode(to_bits(to_words(text))[None])[0]
    return x


def decode_questions(x_hat: Complex, n0_eff: Floats, csi: Csi) -> list[str | None]:
    """Questions of equalized symbols [B, q] with their noise powers [B, q]; None for those whose CRC fails.

    Noise powers that are 0 or not known count as equal. csi: what the receiver knows of the channel, see `PHASE_TURNS`.
    """
    code = PolarCode(QUESTION_BITS, x_hat.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        weighted = np.nan_to_num((x_hat / np.where(n0_eff > 0, n0_eff, 1)).astype(np.complex64))
    found: list[str | None] = [None] * len(x_hat)
    for turn in PHASE_TURNS[csi]:
        lost = [row for row, text in enumerate(found) if text is None]
        if not lost:
            break
        messages, right = code.decode(turn * weighted[lost])
        for row, bits in zip(np.array(lost)[right], messages[right], strict=True):
            words = from_bits(bits)
            found[row] = None if words is None else to_text(words)
    return found

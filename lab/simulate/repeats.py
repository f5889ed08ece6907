"""Pictures for questions whose block is sent again while it is lost: HARQ with Chase combining, off line.

payloads --chain--> x_hat, n0_eff --combined with the earlier transmissions--> codec --lost--> once more
"""

from typing import NamedTuple

import numpy as np

from lab.simulate.chain import Chain
from shared.codecs import QueryCodec
from shared.codecs.base.picture import ASKED_SIDE, GREY, DecodedPictures
from shared.phy.receive.combining import combine
from shared.types import Complex, Floats, Ints, Pixels


class Repeated(NamedTuple):
    """pixels: [B, 64, 64, 3], grey where all transmissions were lost. transmissions: of each, [B]."""

    pixels: Pixels
    transmissions: Ints


def carry_repeated(
    chain: Chain, codec: QueryCodec, payloads: Complex, counters: Ints, retransmissions: int, *, stride: int = 1
) -> Repeated:
    """Send each payload, again while it is lost, and let the receiver's codec decode what came so far.

    codec: in the mode of the bursts. payloads: [B, n], complex64. counters: of the first transmissions, [B]; stride: to
    the next one of the same picture.
    """
    pixels = np.full((len(payloads), ASKED_SIDE, ASKED_SIDE, 3), GREY, np.uint8)
    transmissions = np.zeros(len(payloads), np.int64)
    parts: list[list[tuple[Complex, Floats]]] = [[] for _ in payloads]
    lost = np.arange(len(payloads))
    for attempt in range(1 + retransmissions):
        if not lost.size:
            break
        carried = chain.carry(payloads[lost], counters[lost] + attempt * stride, codec.equalizer)
        transmissions[lost] += 1
        heard = np.ones(lost.size, np.bool_) if carried.headers is None else ~carried.headers.lost
        for row in np.flatnonzero(heard):
            parts[lost[row]].append((carried.x_hat[row], carried.n0_eff[row]))
        if not heard.any():
            continue
        rows = lost[heard]
        pictures = _decoded(codec, [parts[row] for row in rows])
        arrived = np.array([not why for why in pictures.missing])
        pixels[rows[arrived]] = pictures.pixels[arrived]
        lost = np.setdiff1d(lost, rows[arrived])
    return Repeated(pixels, transmissions)


def _decoded(codec: QueryCodec, parts: list[list[tuple[Complex, Floats]]]) -> DecodedPictures:
    """What the codec makes of the transmissions of each picture."""
    joined = [each[0] if len(each) == 1 else combine(*zip(*each, strict=True)) for each in parts]
    x_hat, n0_eff = (np.stack(column) for column in zip(*joined, strict=True))
    return codec.decode(x_hat, n0_eff)

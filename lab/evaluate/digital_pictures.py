"""Conventional pictures over 5G LDPC and QAM: `jpeg-ldpc`, `webp-ldpc`, `hevc-ldpc`.

    pixels --format at a budget--> file --CRC, LDPC, QAM--> x --air--> file --> pixels --CLIP--> e_hat

A picture that is lost, or that has no file so small, arrives grey. `jpeg-ldpc-mosaic` and the like are what the
literature does to make such schemes exist at small bandwidths: 1,000 pictures as one, its header left out, in long code
words interleaved over all bursts. What follows the first lost block is lost.
"""

from functools import cache
from time import perf_counter
from typing import Final

import numpy as np
import numpy.typing as npt

from lab.evaluate.air import Air
from lab.evaluate.cost import Cost
from lab.evaluate.data import Pixels
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting
from lab.mcs import BLOCK_SYMBOLS, Adaptation, Mcs, embed
from receiver.decoder import Equalized
from shared.codecs import Decoded
from shared.codecs.base import fingerprint_of
from shared.codecs.digital.modem import Bits, Modem
from shared.codecs.images.formats import FORMATS, Format
from shared.symbols import Complex, normalize_power

CRC_BITS: Final = 24
"""Of each block: how the receiver knows that it is right. Its own rare error, 1 in 16 million, is left out."""
GREY: Final = 128


class DigitalPictures:
    """Each picture a file of its own, in one LDPC block that fills its burst."""

    genie: tuple[str, ...] = ()

    def __init__(self, k: int, setting: Setting, adaptation: Adaptation | None = None) -> None:
        """adaptation: the shipped one by default."""
        self.k, self._setting = k, setting
        self._kind = setting.name.partition("-")[0]
        self._format: Format = FORMATS[self._kind]
        self._adaptation = adaptation or Adaptation.load()
        self.fingerprint = fingerprint_of([setting.name.encode(), repr((k, self._adaptation)).encode()])
        self.cost = Cost(0, 0)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """Send every picture in the MCS that promises the best semantic accuracy."""
        symbols = self.k // 2
        mcs = self._adaptation.choose(_told(batch), _kind_of_fading(air, "block"), self._worth)
        budget = _payload_bytes(mcs, symbols)
        start = perf_counter()
        sent = [self._format.best_within(pixels, budget) for pixels in batch.pixels]
        if not any(sent):
            raise CannotExist(f"no picture has a {self._format.name} file of {budget} bytes, what {mcs} carries")
        modem = modem_of(mcs, symbols)
        bits = np.stack([to_bits(data or b"", modem.mode.bits) for data in sent])
        x = normalize_power(modem.modulate(bits))
        encode_seconds = perf_counter() - start
        equalized = air.carry(x, "zf")
        start = perf_counter()
        found = modem.demodulate(equalized.x_hat, equalized.n0_eff)
        lost = (found != bits).any(axis=1) | np.array([data is None for data in sent])
        files = [b"" if gone else to_bytes(row)[:budget] for row, gone in zip(found, lost, strict=True)]
        pixels = np.stack([_or_grey(self._format.decode(data), batch.pixels[0]) for data in files])
        embeddings = embed(pixels, self._setting.clip)
        return Arrival(Decoded(embeddings), encode_seconds, perf_counter() - start, lost, pixels)

    def _worth(self, mcs: Mcs) -> float:
        return self._adaptation.accuracy(self._kind, _payload_bytes(mcs, self.k // 2))


class DigitalMosaic(DigitalPictures):
    """All pictures of a batch as one."""

    genie = ("header of the file",)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """Send the mosaic in the highest MCS whose threshold the SNR passes."""
        count, total = len(batch.pixels), len(batch.pixels) * self.k // 2
        blocks = max(1, total // BLOCK_SYMBOLS)
        size = total // blocks
        mcs = self._adaptation.choose(_told(batch), _kind_of_fading(air, "fast"), lambda mcs: _payload_bytes(mcs, size))
        budget = blocks * _payload_bytes(mcs, size)
        start = perf_counter()
        data = self._format.best_within(tile(batch.pixels), budget, free_header=True)
        if data is None:
            raise CannotExist(f"{count} pictures have no {self._format.name} mosaic of {budget} bytes and header")
        header = self._format.header_bytes(data)
        modem = modem_of(mcs, size)
        bits = to_blocks(data[header:], blocks, modem.mode.bits)
        x = np.ones(total, np.complex64)  # what the blocks leave is padding
        x[: blocks * size] = modem.modulate(bits).ravel()
        order = np.random.default_rng(0).permutation(total)  # the interleaver, known to both ends
        bursts = normalize_power(x[None])[0][order].reshape(count, -1)
        encode_seconds = perf_counter() - start
        equalized = air.carry_batch(bursts, "zf")
        start = perf_counter()
        y, noise = _deinterleaved(equalized, order, blocks, size)
        found = modem.demodulate(y, noise)
        wrong = (found != bits).any(axis=1)
        whole = int(np.argmax(wrong)) if wrong.any() else blocks
        payload = b"".join(to_bytes(row[:-CRC_BITS]) for row in found[:whole])
        decoded = self._format.decode(data[:header] + payload[: len(data) - header])
        pixels = untile(_or_grey(decoded, tile(batch.pixels)), batch.pixels)
        embeddings = embed(pixels, self._setting.clip)
        return Arrival(Decoded(embeddings), encode_seconds, perf_counter() - start, wrong, pixels)


@cache
def modem_of(mcs: Mcs, symbols: int) -> Modem:
    """Modems take a second to build."""
    return Modem(mcs.mode(symbols), symbols)


def to_bits(data: bytes, count: int) -> Bits:
    """Bits [count] of a message, filled up with zeros (the CRC's place among them)."""
    return np.unpackbits(np.frombuffer(data.ljust(-(-count // 8), b"\0"), np.uint8), count=count)


def to_bytes(bits: Bits) -> bytes:
    """Whole bytes of bits [K]."""
    return np.packbits(bits[: len(bits) // 8 * 8]).tobytes()


def to_blocks(data: bytes, blocks: int, bits: int) -> Bits:
    """A message over blocks of `bits` bits, whole bytes and a CRC each: [blocks, bits]."""
    share = (bits - CRC_BITS) // 8
    return np.stack([to_bits(data[n * share : (n + 1) * share], bits) for n in range(blocks)])


def tile(pixels: Pixels) -> Pixels:
    """Pictures [B, H, W, 3] side by side: [rows H, columns W, 3], what is left over grey."""
    count, height, width, _ = pixels.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    full = np.full((rows * columns, height, width, 3), GREY, np.uint8)
    full[:count] = pixels
    grid = full.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid.reshape(rows * height, columns * width, 3))


def untile(mosaic: Pixels, like: Pixels) -> Pixels:
    """Pictures [B, H, W, 3] of a mosaic that `tile` made of `like`."""
    count, height, width, _ = like.shape
    rows, columns = mosaic.shape[0] // height, mosaic.shape[1] // width
    grid = mosaic.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, height, width, 3)[:count]


def _payload_bytes(mcs: Mcs, symbols: int) -> int:
    mode = mcs.mode(symbols)
    return max(0, mode.bits - CRC_BITS) // 8 if mode.fits(symbols) else 0


def _told(batch: Batch) -> float:
    if batch.snr_db is None:
        raise CannotExist("pictures over LDPC choose their rate by the SNR: set sender_snr = true")
    return batch.snr_db


def _kind_of_fading(air: Air, faded: str) -> str:
    return "none" if air.channel.fading == "none" else faded


def _or_grey(pixels: Pixels | None, like: Pixels) -> Pixels:
    return pixels if pixels is not None and pixels.shape == like.shape else np.full_like(like, GREY)


def _deinterleaved(
    equalized: Equalized, order: npt.NDArray[np.int64], blocks: int, size: int
) -> tuple[Complex, npt.NDArray[np.float32]]:
    """Symbols and their noise power, block by block: [blocks, size] each."""
    y, n0 = np.empty(order.size, np.complex64), np.empty(order.size, np.float32)
    y[order], n0[order] = equalized.x_hat.ravel(), equalized.n0_eff.ravel()
    return y[: blocks * size].reshape(blocks, size), n0[: blocks * size].reshape(blocks, size)

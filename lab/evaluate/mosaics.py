"""What the literature does to make pictures over LDPC exist at small bandwidths: `jpeg-ldpc-mosaic` and the like.

    1,000 pictures side by side --format at a budget, header left out--> blocks --CRC, LDPC, QAM, interleaved--> bursts

No live scheme: a sender has one picture at a time, and nobody is given a file's header. What follows the first lost
block is lost. Each picture a file of its own, `jpeg-ldpc`, is a codec: see `shared.codecs.picture.ldpc`.
"""

from time import perf_counter

import numpy as np

from lab.evaluate.cost import Cost
from lab.evaluate.pictures import DIGITAL
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting, check_joint, expected_fading
from lab.simulate.chain import Chain
from receiver.decoder import Equalized
from shared.clip import embed_pictures
from shared.codecs import Decoded
from shared.codecs.base.contract import fingerprint_of
from shared.codecs.base.picture import GREY
from shared.codecs.digital.modem import modem_of
from shared.codecs.picture.formats import Format
from shared.codecs.picture.ldpc import CRC_BITS, payload_bytes, to_bits, to_bytes
from shared.codecs.picture.link_adaptation import BLOCK_SYMBOLS, Adaptation
from shared.phy.power import normalize_power
from shared.types import Bits, Complex, Floats, Ints, Pixels


class DigitalMosaic:
    """All pictures of a batch as one."""

    genie = ("header of the file",)

    def __init__(self, k: int, setting: Setting, adaptation: Adaptation | None = None) -> None:
        """adaptation: the shipped one by default."""
        self.k, self.lengths, self._setting = k, (k,), setting
        self._format: Format = DIGITAL[setting.name.removesuffix("-mosaic")].format
        self._format.require()
        self._adaptation = adaptation or Adaptation.load()
        self.fingerprint = fingerprint_of([setting.name.encode(), repr((k, self._adaptation)).encode()])
        self.cost = Cost(0, 0)

    def send(self, batch: Batch, chain: Chain) -> Arrival:
        """Send the mosaic in the highest MCS whose threshold the SNR passes."""
        check_joint(chain)
        count, total = len(batch.pixels), len(batch.pixels) * self.k // 2
        blocks = max(1, total // BLOCK_SYMBOLS)
        size = total // blocks
        mcs = self._adaptation.choose(
            _design_snr_db(batch),
            "none" if expected_fading(chain) == "none" else "fast",
            lambda mcs: payload_bytes(mcs, size),
        )
        budget = blocks * payload_bytes(mcs, size)
        start = perf_counter()
        data = self._format.best_within(tile(batch.pixels), budget, free_header=True)
        if data is None:
            raise CannotExist(f"{count} pictures have no {self._format.name} mosaic of {budget} bytes and header")
        header = self._format.header_bytes(data)
        modem = modem_of(mcs.mode(size), size)
        bits = to_blocks(data[header:], blocks, modem.mode.bits)
        x = np.ones(total, np.complex64)  # what the blocks leave is padding
        x[: blocks * size] = modem.modulate(bits).ravel()
        order = np.random.default_rng(0).permutation(total)  # the interleaver, known to both ends
        bursts = normalize_power(x[None])[0][order].reshape(count, -1)
        encode_seconds = perf_counter() - start
        equalized = chain.carry(bursts, batch.counters, "zf", joint=True)
        start = perf_counter()
        y, noise = _deinterleaved(equalized, order, blocks, size)
        found = modem.demodulate(y, noise)
        wrong = (found != bits).any(axis=1)
        whole = int(np.argmax(wrong)) if wrong.any() else blocks
        payload = b"".join(to_bytes(row[:-CRC_BITS]) for row in found[:whole])
        decoded = self._format.decode(data[:header] + payload[: len(data) - header])
        pixels = untile(_or_grey(decoded, tile(batch.pixels)), batch.pixels)
        embeddings = embed_pictures(pixels, self._setting.clip)
        return Arrival(Decoded(embeddings), encode_seconds, perf_counter() - start, wrong, pixels)


def to_blocks(data: bytes, blocks: int, bits: int) -> Bits:
    """A message over blocks of `bits` bits, whole bytes and the place of a CRC each: [blocks, bits].

    Which blocks are wrong is taken from the truth: a CRC is mistaken once in 16 million times.
    """
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


def _design_snr_db(batch: Batch) -> float:
    if batch.snr_db is None:
        raise CannotExist("mosaics over LDPC choose their rate by the SNR: set sender_snr = true")
    return batch.snr_db


def _or_grey(pixels: Pixels | None, like: Pixels) -> Pixels:
    return pixels if pixels is not None and pixels.shape == like.shape else np.full_like(like, GREY)


def _deinterleaved(equalized: Equalized, order: Ints, blocks: int, size: int) -> tuple[Complex, Floats]:
    """Symbols and their noise power, block by block: [blocks, size] each."""
    y, n0 = np.empty(order.size, np.complex64), np.empty(order.size, np.float32)
    y[order], n0[order] = equalized.x_hat.ravel(), equalized.n0_eff.ravel()
    return y[: blocks * size].reshape(blocks, size), n0[: blocks * size].reshape(blocks, size)

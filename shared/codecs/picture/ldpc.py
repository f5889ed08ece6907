"""`jpeg-ldpc`, `webp-ldpc`, `hevc-ldpc`: picture files over 5G LDPC and QAM.

    pixels --format at a budget--> file --CRC, LDPC, QAM--> x [k/2]
    x_hat [k/2] --soft demapping, LDPC, CRC--> file --> pixels, or grey

One LDPC block fills a burst. The sender uses the modulation and coding scheme (MCS) with the highest expected semantic
accuracy at its design SNR, from a table that `lab.train.digital_pictures` makes; the header names it. The picture
quality is the highest that fits. HEVC intra in HEIF stands for BPG.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

import numpy as np

from shared.codecs.base.contract import DesignFading, DesignSnr, ModeSelector, fingerprint_of
from shared.codecs.base.picture import GREY, SIDE, DecodedPictures, PictureCodec, check_pixels
from shared.codecs.digital.modem import Modem, as_tensor, modem_of, require_sionna
from shared.codecs.picture.formats import FORMATS, Format
from shared.codecs.picture.link_adaptation import MCS, Adaptation, Mcs
from shared.errors import InvalidSetting
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Bits, Bools, Complex, Floats, Pixels

CRC_BITS: Final = 24
"""Checksum of each block, by which the receiver detects errors. 3GPP TS 38.212, gCRC24A."""

_FEW_ITERATIONS: Final = 5

LOST: Final = "the picture was lost on the air"
NO_FILE: Final = "the picture had no file as small as this burst"
DAMAGED: Final = "the picture's file cannot be read"


class PictureLdpc(ModeSelector[Pixels, DecodedPictures], PictureCodec):
    """One format and one length."""

    kind: ClassVar[str]  # row of `Adaptation.worth`
    format: ClassVar[Format]
    default_k: ClassVar[int] = 4096
    equalizer: ClassVar[EqualizerName | None] = "zf"  # soft demapping expects unbiased symbols
    quick: ClassVar[bool] = False  # Sionna takes seconds to import

    def __init__(self, k: int, adaptation: Adaptation) -> None:
        self._possible = [number for number, mcs in enumerate(MCS) if payload_bytes(mcs, k // 2)]
        if not self._possible:
            raise InvalidSetting(f"codec {self.name} at k = {k}: no MCS carries a byte, take a larger k")
        self.k = k
        self.fingerprint = fingerprint_of([self.name.encode(), repr((k, CRC_BITS, adaptation)).encode()])
        self._adaptation = adaptation

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - runs on the processor
        """Load the shipped table. Raises NotFound if a library is missing."""
        require_sionna(cls.name)
        cls.format.require()
        return cls(k, Adaptation.load())

    def encode(self, pixels: Pixels, snr_db: DesignSnr | None = None) -> Complex:
        """See `PictureCodec.encode`. A picture whose smallest file is too large is sent as an empty file."""
        check_pixels(self.name, pixels)

        def modulate(rows: Bools, number: int) -> Complex:
            modem = self._modem(number)
            messages = [to_bits(file or b"", modem.mode.bits - CRC_BITS) for file in self.files(pixels[rows], number)]
            return modem.modulate(with_crc(np.stack(messages)))

        return self.send(snr_db, len(pixels), modulate)

    def decode(self, x_hat: Complex, n0_eff: Floats) -> DecodedPictures:
        """See `PictureCodec.decode`."""
        number = self.received_mode
        messages, right = received(self._modem(number), x_hat, n0_eff)
        budget = payload_bytes(MCS[number], self.symbols)
        pixels = np.full((len(messages), SIDE, SIDE, 3), GREY, np.uint8)
        missing = [""] * len(messages)
        for row, message in enumerate(messages):
            found = self._picture(to_bytes(message)[:budget]) if right[row] else LOST
            if isinstance(found, str):
                missing[row] = found
            else:
                pixels[row] = found
        return DecodedPictures(pixels, missing)

    def files(self, pixels: Pixels, mode: int) -> list[bytes | None]:
        """The best file of each picture that fits a burst in this mode; None if even the smallest is too large."""
        budget = payload_bytes(MCS[mode], self.symbols)
        return [self.format.best_within(picture, budget) for picture in pixels]

    def choose(self, snr_db: float, fading: DesignFading) -> int:
        """See `ModeSelector.choose`: the position in `MCS`."""
        best = self._adaptation.choose(snr_db, "none" if fading == "none" else "block", self._worth)
        number = MCS.index(best)
        return number if number in self._possible else self._possible[0]

    @property
    def mode_numbers(self) -> Sequence[int]:
        """See `ModeSelector.mode_numbers`: those that carry at least a byte."""
        return self._possible

    def _modem(self, number: int) -> Modem:
        return modem_of(MCS[number].mode(self.symbols), self.symbols)

    def _worth(self, mcs: Mcs) -> float:
        return self._adaptation.accuracy(self.kind, payload_bytes(mcs, self.symbols))

    def _picture(self, file: bytes) -> Pixels | str:
        """The picture of a received file, or the reason why there is none."""
        if not any(file):
            return NO_FILE
        pixels = self.format.decode(file)
        return pixels if pixels is not None and pixels.shape == (SIDE, SIDE, 3) else DAMAGED


class JpegLdpc(PictureLdpc):
    """JPEG; the smallest file of a 32 x 32 picture has about 300 bytes."""

    name: ClassVar[str] = "jpeg-ldpc"
    kind: ClassVar[str] = "jpeg"
    format: ClassVar[Format] = FORMATS["jpeg"]
    lengths: ClassVar[tuple[int, ...]] = (1024, 2048, 4096, 8192)


class WebpLdpc(PictureLdpc):
    """WebP; the smallest file of a 32 x 32 picture has about 70 bytes."""

    name: ClassVar[str] = "webp-ldpc"
    kind: ClassVar[str] = "webp"
    format: ClassVar[Format] = FORMATS["webp"]
    lengths: ClassVar[tuple[int, ...]] = (512, 1024, 2048, 4096, 8192)


class HevcLdpc(PictureLdpc):
    """HEVC intra in HEIF; the smallest file of a 32 x 32 picture has about 450 bytes, nearly all header."""

    name: ClassVar[str] = "hevc-ldpc"
    kind: ClassVar[str] = "hevc"
    format: ClassVar[Format] = FORMATS["hevc"]
    lengths: ClassVar[tuple[int, ...]] = (2048, 4096, 8192)


def payload_bytes(mcs: Mcs, symbols: int) -> int:
    """Payload of a block in whole bytes, without its CRC; 0 for an MCS that has no code of this length."""
    mode = mcs.mode(symbols)
    return max(0, mode.bits - CRC_BITS) // 8 if mode.fits(symbols) else 0


def to_bits(data: bytes, count: int) -> Bits:
    """Bits [count] of a message, padded with zeros."""
    return np.unpackbits(np.frombuffer(data.ljust(-(-count // 8), b"\0"), np.uint8), count=count)


def to_bytes(bits: Bits) -> bytes:
    """Whole bytes of bits [K]."""
    return np.packbits(bits[: len(bits) // 8 * 8]).tobytes()


def with_crc(messages: Bits) -> Bits:
    """Blocks [B, K] of messages [B, K - 24]."""
    encode, _ = _crc(messages.shape[1])
    blocks: Bits = encode(as_tensor(messages.astype(np.float32))).numpy().astype(np.uint8)
    return blocks


def checked(blocks: Bits) -> tuple[Bits, Bools]:
    """Messages [B, K - 24] of blocks [B, K], and whether each passes its CRC: [B]. 1 in 16 million passes wrongly."""
    _, decode = _crc(blocks.shape[1] - CRC_BITS)
    messages, right = decode(as_tensor(blocks.astype(np.float32)))
    return messages.numpy().astype(np.uint8), right.numpy()[:, 0]


def received(modem: Modem, x_hat: Complex, n0_eff: Floats) -> tuple[Bits, Bools]:
    """Messages [B, K - 24] of received symbols [B, n], and whether each passes its CRC: [B].

    Far above its threshold a block is right after a few iterations, and decoding is what takes longest; only blocks
    whose CRC fails then get all of them.
    """
    messages, right = checked(modem.demodulate(x_hat, n0_eff, _FEW_ITERATIONS))
    if not right.all():
        messages[~right], right[~right] = checked(modem.demodulate(x_hat[~right], n0_eff[~right]))
    return messages, right


@lru_cache(maxsize=64)
def _crc(bits: int) -> tuple[Any, Any]:
    """Sionna's encoder and decoder for messages of `bits` bits."""
    from sionna.phy.fec.crc import CRCDecoder, CRCEncoder  # noqa: PLC0415 - see `shared.codecs.digital.modem`

    encoder = CRCEncoder("CRC24A", k=bits, device="cpu")
    return encoder, CRCDecoder(encoder, device="cpu")

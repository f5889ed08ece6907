"""`vq-digital`: the embedding as the words of a residual quantizer, sent by 5G LDPC and QAM.

    e [512] -> quantizer -> bits [K] -> LDPC, QAM -> x [k/2]
    x_hat [k/2] -> soft demapping, LDPC -> bits [K] -> words -> e_hat [512]

Modulation and code rate (a mode) come from a table by (fading, k, SNR) that the lab made. The header names the mode.
"""

import copy
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from safetensors import SafetensorError, safe_open

from shared.codecs.base.contract import Codec, Decoded, DesignFading, DesignSnr, fingerprint_of
from shared.codecs.base.design_snr import ADAPTIVE_DESIGN_SNR_DB
from shared.codecs.base.weight_files import weights_path
from shared.codecs.digital.modem import Mode, modem_of, require_sionna
from shared.codecs.digital.modes import ModeTable
from shared.codecs.digital.quantizer import ResidualQuantizer, Words
from shared.errors import DataLoss, InvalidInput
from shared.phy.power import normalize_power
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Complex, Embeddings, Floats


class VqDigital(Codec):
    """Quantizer and modes of one length."""

    name: ClassVar[str] = "vq-digital"
    lengths: ClassVar[tuple[int, ...]] = (8, 16, 32, 64, 128, 256)
    default_k: ClassVar[int] = 64
    equalizer: ClassVar[EqualizerName | None] = "zf"  # what soft demapping is made for
    quick: ClassVar[bool] = False  # Sionna takes seconds to import

    def __init__(self, k: int, words: Words, table: ModeTable, clip_fingerprint: str | None) -> None:
        self.k, self.table = k, table
        self.clip_fingerprint = clip_fingerprint
        self.quantizer = ResidualQuantizer(words)
        self.modes = table.modes(k)
        self.fingerprint = fingerprint_of([*(part.tobytes() for part in words), repr((k, self.modes)).encode()])
        self.params = sum(part.size for part in words)
        self._fading: DesignFading = "none"
        self._mode: int | None = None

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - table look-ups and belief propagation, on the processor
        """The quantizer and the table that `semlink train vq-digital` left."""
        require_sionna(cls.name)
        return cls.from_folder(k, weights_path(cls.name, "words.safetensors").parent)

    @classmethod
    def from_folder(cls, k: int, folder: Path) -> Self:
        """Read `words.safetensors` and `modes.json`."""
        try:
            with safe_open(folder / "words.safetensors", framework="np") as file:
                words = Words(*(file.get_tensor(name).astype(np.float32) for name in Words._fields))
                clip = (file.metadata() or {}).get("clip_fingerprint")
        except (OSError, SafetensorError) as error:
            raise DataLoss(f"{folder / 'words.safetensors'} holds no words: {error}") from error
        return cls(k, words, ModeTable.read(folder / "modes.json"), clip)

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:
        """Symbols [B, k/2] of `embeddings`: [B, 512]; snr_db: [B], dB, operating points, NaN for not known."""
        points = np.full(len(embeddings), np.nan) if snr_db is None else snr_db
        numbers = np.array([self.mode(float(point)) for point in points])
        x = np.empty((len(embeddings), self.symbols), np.complex64)
        for number in np.unique(numbers):
            rows, mode = numbers == number, self.modes[number]
            bits = self.quantizer.quantize(embeddings[rows], mode.bits)
            x[rows] = normalize_power(modem_of(mode, self.symbols).modulate(bits))
        return x

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:
        """Find the bits of each burst, and look their words up."""
        bits = modem_of(self._told(), self.symbols).demodulate(x_hat, n0_eff)
        return Decoded(self.quantizer.dequantize(bits))

    def quantized(self, embeddings: Embeddings) -> Embeddings:
        """Embeddings [B, 512] as their words say them in the mode of `with_mode`: what arrives without an error."""
        return self.quantizer.dequantize(self.quantizer.quantize(embeddings, self._told().bits))

    def mode(self, snr_db: float) -> int:
        """See `BaseCodec.mode`."""
        told = ADAPTIVE_DESIGN_SNR_DB if np.isnan(snr_db) else snr_db
        return self.modes.index(self.table.choose(self.k, told, self._fading))

    def with_mode(self, mode: int) -> Self:
        """See `BaseCodec.with_mode`."""
        if not 0 <= mode < len(self.modes):
            raise InvalidInput(f"codec {self.name} k = {self.k} has no mode {mode}: it has 0 to {len(self.modes) - 1}")
        other = copy.copy(self)
        other._mode = mode
        return other

    def for_fading(self, fading: DesignFading) -> Self:
        """See `BaseCodec.for_fading`."""
        other = copy.copy(self)
        other._fading = fading
        return other

    def _told(self) -> Mode:
        """The mode that the header said; without one that of the default operating point."""
        return self.modes[self.mode(np.nan) if self._mode is None else self._mode]

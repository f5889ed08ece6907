"""`vq-digital`: the embedding as the words of a residual quantizer, sent by 5G LDPC and QAM.

    e [512] -> quantizer -> bits [K] -> LDPC, QAM -> x [k/2]
    x_hat [k/2] -> which mode? -> soft demapping, LDPC -> bits [K] -> words -> e_hat [512]

Modulation and code rate (a mode) come from a table by (k, SNR) that the lab made. The receiver is not told the mode: it
tries each of its k and takes the most probable.
"""

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from safetensors import SafetensorError, safe_open

from shared.channel.equalizer import EqualizerName
from shared.codecs.base import Codec, Decoded, Embeddings, OperatingPoint, fingerprint_of
from shared.codecs.digital.modem import Bits, Mode, Modem, Reals
from shared.codecs.digital.modes import ModeTable, detect
from shared.codecs.digital.quantizer import ResidualQuantizer, Words
from shared.codecs.weights_dir import weights_path
from shared.errors import DataLoss
from shared.symbols import Complex, normalize_power

DEFAULT_SNR_DB: Final = 5.0
"""Operating point of a sender that is told none."""


class VqDigital(Codec):
    """Quantizer and modems of one length."""

    name: ClassVar[str] = "vq-digital"
    lengths: ClassVar[tuple[int, ...]] = (8, 16, 32, 64, 128, 256)
    default_k: ClassVar[int] = 64
    equalizer: ClassVar[EqualizerName | None] = "zf"  # what soft demapping is made for

    def __init__(self, k: int, words: Words, table: ModeTable, clip_fingerprint: str | None) -> None:
        self.k, self.table = k, table
        self.clip_fingerprint = clip_fingerprint
        self.quantizer = ResidualQuantizer(words)
        modes = table.modes(k)
        self.fingerprint = fingerprint_of([*(part.tobytes() for part in words), repr((k, modes)).encode()])
        self.params = sum(part.size for part in words)

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - table look-ups and belief propagation, on the processor
        """The quantizer and the table that `semlink train vq-digital` left."""
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

    def encode(self, embeddings: Embeddings, snr_db: OperatingPoint | None = None) -> Complex:
        """Symbols [B, k/2] of `embeddings`: [B, 512]; snr_db: [B], dB, operating points, NaN for not known."""
        points = np.full(len(embeddings), np.nan) if snr_db is None else snr_db
        chosen = [self.table.choose(self.k, DEFAULT_SNR_DB if np.isnan(point) else float(point)) for point in points]
        x = np.empty((len(embeddings), self.symbols), np.complex64)
        for mode in set(chosen):
            rows = [row for row, other in enumerate(chosen) if other == mode]
            x[rows] = self.modulate(self.quantizer.quantize(embeddings[rows], mode.bits), mode)
        return x

    def decode(self, x_hat: Complex, n0_eff: Reals) -> Decoded:
        """Find mode and bits of each burst, and look its words up."""
        found = detect(list(self.modems.values()), x_hat, n0_eff)
        return Decoded(np.concatenate([self.quantizer.dequantize(bits[None]) for bits in found]))

    def modulate(self, bits: Bits, mode: Mode) -> Complex:
        """Symbols [B, k/2], unit power per row, of bits [B, mode.bits]."""
        return normalize_power(self.modems[mode].modulate(bits))

    def demodulate(self, x_hat: Complex, n0_eff: Reals, mode: Mode) -> Bits:
        """Bits [B, mode.bits] of bursts whose mode the header said."""
        return self.modems[mode].demodulate(x_hat, n0_eff)

    @cached_property
    def modems(self) -> dict[Mode, Modem]:
        """A modem for each mode of this length."""
        return {mode: Modem(mode, self.symbols) for mode in self.table.modes(self.k)}

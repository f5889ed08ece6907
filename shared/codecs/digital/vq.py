"""`vq-digital`: the embedding as the words of a residual quantizer, sent by 5G LDPC and QAM.

    e [512] -> quantizer -> bits [K] -> LDPC, QAM -> x [k/2]
    x_hat [k/2] -> soft demapping, LDPC -> bits [K] -> words -> e_hat [512]

Modulation and code rate (a mode) come from a table by (fading, k, SNR) that the lab made. The header names the mode.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from shared.codecs.base.contract import Codec, Decoded, DesignFading, DesignSnr, fingerprint_of
from shared.codecs.base.mode_selector import ModeSelector
from shared.codecs.base.weight_files import read_weights, weights_path
from shared.codecs.digital.modem import modem_of, require_sionna
from shared.codecs.digital.modes import ModeTable
from shared.codecs.digital.quantizer import Codebooks, ResidualQuantizer
from shared.errors import DataLoss
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Bools, Complex, Embeddings, Floats


class VqDigital(ModeSelector[Embeddings, Decoded], Codec):
    """Quantizer and modes of one length."""

    name: ClassVar[str] = "vq-digital"
    lengths: ClassVar[tuple[int, ...]] = (8, 16, 32, 64, 128, 256)
    default_k: ClassVar[int] = 64
    equalizer: ClassVar[EqualizerName | None] = "zf"  # what soft demapping is made for
    quick: ClassVar[bool] = False  # Sionna takes seconds to import

    def __init__(self, k: int, codebooks: Codebooks, table: ModeTable, clip_fingerprint: str | None) -> None:
        self.k, self.table = k, table
        self.clip_fingerprint = clip_fingerprint
        self.quantizer = ResidualQuantizer(codebooks)
        self.modes = table.modes(k)
        self.fingerprint = fingerprint_of([*(part.tobytes() for part in codebooks), repr((k, self.modes)).encode()])
        self.params = sum(part.size for part in codebooks)

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - table look-ups and belief propagation, on the processor
        """The quantizer and the table that `semlink train vq-digital` left."""
        require_sionna(cls.name)
        return cls.from_folder(k, weights_path(cls.name, "words.safetensors").parent)

    @classmethod
    def from_folder(cls, k: int, folder: Path) -> Self:
        """Read `words.safetensors` and `modes.json`."""
        path = folder / "words.safetensors"
        tensors, metadata = read_weights(path, cls.name)
        try:
            codebooks = Codebooks(*(tensors[name].numpy() for name in Codebooks._fields))
        except KeyError as error:
            raise DataLoss(f"{path} holds no weights of {cls.name}: {error} is missing") from error
        return cls(k, codebooks, ModeTable.read(folder / "modes.json"), metadata.get("clip_fingerprint"))

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:
        """Symbols [B, k/2] of `embeddings`: [B, 512]. snr_db: [B], dB, design SNR, NaN for the default."""

        def modulate(rows: Bools, number: int) -> Complex:
            mode = self.modes[number]
            return modem_of(mode, self.symbols).modulate(self.quantizer.quantize(embeddings[rows], mode.bits))

        return self.send(snr_db, len(embeddings), modulate)

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:
        """Demodulate the bits of each burst and look their codewords up."""
        bits = modem_of(self.modes[self.received_mode], self.symbols).demodulate(x_hat, n0_eff)
        return Decoded(self.quantizer.dequantize(bits))

    def quantized(self, embeddings: Embeddings) -> Embeddings:
        """Embeddings [B, 512] quantized in the mode of `with_mode`: what a receiver without errors decodes."""
        return self.quantizer.dequantize(self.quantizer.quantize(embeddings, self.modes[self.received_mode].bits))

    def choose(self, snr_db: float, fading: DesignFading) -> int:
        """See `ModeSelector.choose`: the place in `modes`."""
        return self.modes.index(self.table.choose(self.k, snr_db, fading))

    @property
    def mode_numbers(self) -> Sequence[int]:
        """See `ModeSelector.mode_numbers`."""
        return range(len(self.modes))

"""`vq-digital`: the embedding quantized by a residual quantizer, sent by 5G LDPC and QAM.

    e [512] -> quantizer -> bits [K] -> LDPC, QAM -> x [k/2]
    x_hat [k/2] -> soft demapping, LDPC -> bits [K] -> codewords -> e_hat [512]

Modulation and code rate (a mode) come from a table by (fading, k, SNR) that the lab made. The header names the mode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Self

from pydantic import TypeAdapter

from shared.codecs.base.contract import Codec, Decoded, DesignFading, DesignSnr, ModeSelector, fingerprint_of
from shared.codecs.base.weight_files import holding_weights, read_arrays, weights_path, write_rows
from shared.codecs.digital.modem import Mode, modem_of, require_sionna
from shared.codecs.digital.quantizer import Codebooks, ResidualQuantizer
from shared.errors import DataLoss, NotFound
from shared.files import readable
from shared.phy.receive.equalizer import EqualizerName
from shared.types import Bools, Complex, Embeddings, Floats

_ROWS: Final = TypeAdapter(dict[str, dict[int, list[tuple[float, Mode]]]])


@dataclass(frozen=True)
class ModeTable:
    """The mode to use at each SNR: fading name -> k -> (snr_db, mode), ascending in SNR. A k without rows has no mode.

    The lab makes it.
    """

    rows: Mapping[str, Mapping[int, Sequence[tuple[float, Mode]]]]

    def choose(self, k: int, snr_db: float, fading: str = "none") -> Mode:
        """The mode of the highest row that is not above `snr_db`; below all rows that of the lowest."""
        rows = self.rows[fading].get(k, ())
        if not rows:
            raise NotFound(f"no mode for k = {k}; the table has {', '.join(map(str, sorted(self.rows[fading])))}")
        fitting = [mode for least, mode in rows if least <= snr_db]
        return fitting[-1] if fitting else rows[0][1]

    def modes(self, k: int) -> tuple[Mode, ...]:
        """All modes that a burst of this k may be sent in; the header names one by its position."""
        return tuple(sorted({mode for table in self.rows.values() for _, mode in table.get(k, ())}))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote. Raises DataLoss for anything else."""
        with readable(f"{path} holds no table of modes", DataLoss):
            return cls(_ROWS.validate_json(path.read_bytes()))

    def write(self, path: Path) -> None:
        """Write JSON, one line for each k."""
        write_rows(path, self.rows)


class VqDigital(ModeSelector[Embeddings, Decoded], Codec):
    """Quantizer and modes of one length."""

    name: ClassVar[str] = "vq-digital"
    lengths: ClassVar[tuple[int, ...]] = (8, 16, 32, 64, 128, 256)
    default_k: ClassVar[int] = 64
    equalizer: ClassVar[EqualizerName | None] = "zf"  # soft demapping expects unbiased symbols
    quick: ClassVar[bool] = False  # Sionna takes seconds to import

    def __init__(self, k: int, codebooks: Codebooks, table: ModeTable, clip_fingerprint: str | None) -> None:
        self.k, self.table = k, table
        self.clip_fingerprint = clip_fingerprint
        self.quantizer = ResidualQuantizer(codebooks)
        self.modes = table.modes(k)
        self.fingerprint = fingerprint_of([*(part.tobytes() for part in codebooks), repr((k, self.modes)).encode()])
        self.params = sum(part.size for part in codebooks)

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - runs on the processor
        """The quantizer and the mode table that `semlink train vq-digital` wrote."""
        require_sionna(cls.name)
        return cls.from_folder(k, weights_path(cls.name, "words.safetensors").parent)

    @classmethod
    def from_folder(cls, k: int, folder: Path) -> Self:
        """Read `words.safetensors` and `modes.json`."""
        path = folder / "words.safetensors"
        arrays, metadata = read_arrays(path, cls.name)
        with holding_weights(path, cls.name):
            codebooks = Codebooks(*(arrays[name] for name in Codebooks._fields))
        return cls(k, codebooks, ModeTable.read(folder / "modes.json"), metadata.get("clip_fingerprint"))

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:
        """Symbols [B, k/2] of `embeddings`: [B, 512]. snr_db: [B], dB, design SNR, NaN for the default."""

        def modulate(rows: Bools, number: int) -> Complex:
            mode = self.modes[number]
            return modem_of(mode, self.symbols).modulate(self.quantizer.quantize(embeddings[rows], mode.bits))

        return self.send(snr_db, len(embeddings), modulate)

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:
        """Demodulate each burst and sum the codewords that its bits name."""
        bits = modem_of(self.modes[self.received_mode], self.symbols).demodulate(x_hat, n0_eff)
        return Decoded(self.quantizer.dequantize(bits))

    def quantized(self, embeddings: Embeddings) -> Embeddings:
        """Embeddings [B, 512] quantized in the mode of `with_mode`: the result of decoding without bit errors."""
        return self.quantizer.dequantize(self.quantizer.quantize(embeddings, self.modes[self.received_mode].bits))

    def choose(self, snr_db: float, fading: DesignFading) -> int:
        """See `ModeSelector.choose`: the place in `modes`."""
        return self.modes.index(self.table.choose(self.k, snr_db, fading))

    @property
    def mode_numbers(self) -> Sequence[int]:
        """See `ModeSelector.mode_numbers`."""
        return range(len(self.modes))

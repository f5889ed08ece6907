"""Which modulation and code rate carries a picture at which SNR: 5G's own table, its thresholds simulated here.

Run `python -m lab.mcs --data DIR` to simulate them anew.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import typer
from PIL import Image
from rich.console import Console
from rich.progress import track

from lab.semantics import semantic_accuracy
from shared.clip import Clip, load_clip
from shared.codecs.base import Embeddings
from shared.codecs.digital.modem import Mode, Modem
from shared.codecs.images.formats import FORMATS, Format, Pixels
from shared.datasets.cifar100 import read_cifar100
from shared.errors import DataLoss
from shared.units import n0_from_snr_db


class Mcs(NamedTuple):
    """order: coded bits of a QAM symbol. rate: information bits of a coded bit."""

    order: int
    rate: float

    def mode(self, symbols: int) -> Mode:
        """The mode that fills so many symbols."""
        return Mode(int(symbols * self.order * self.rate), self.order)


# 3GPP TS 38.214, table 5.1.3.1-1, before it the low rates of table 5.1.3.1-3: rates in 1/1024.
_RATES = {
    2: (30, 40, 50, 64, 78, 99, 120, 157, 193, 251, 308, 379, 449, 526, 602, 679),
    4: (340, 378, 434, 490, 553, 616, 658),
    6: (438, 466, 517, 567, 616, 666, 719, 772, 822, 873, 910, 948),
}
MCS: Final = tuple(Mcs(order, rate / 1024) for order, rates in _RATES.items() for rate in rates)

BLOCK_SYMBOLS: Final = 1024
BACK_OFF_DB: Final = {"none": 0.5, "fast": 1.5, "block": 0.5}
"""Above the simulated threshold: for shorter blocks, because a mosaic is lost with one of its many blocks, and under
fading because the gain is an estimate."""
_TARGET: Final = 0.01
_BATCH: Final = 500
_BYTES: Final = (80, 100, 120, 160, 200, 260, 320, 400, 500, 640, 800, 1000)


@dataclass(frozen=True)
class Adaptation:
    """What a sender of pictures adapts by.

    thresholds_db: SNR from which on at most 1 % of blocks are lost, one for each of `MCS`: `none` over AWGN, `fast`
    with a Rayleigh gain of its own for each symbol, known. worth: format -> (bytes, accuracy) of single pictures.
    """

    thresholds_db: Mapping[str, Sequence[float]]
    worth: Mapping[str, Sequence[tuple[int, float]]]

    def choose(self, snr_db: float, fading: str, worth_of: Callable[[Mcs], float]) -> Mcs:
        """The MCS with the highest expected worth; the most robust one where none is worth anything.

        fading: `none` or `fast` for a threshold; `block` for one Rayleigh gain for the whole block, which is then
        decoded with probability P(|h|^2 SNR > threshold) = exp(-threshold / SNR).
        """
        thresholds = np.array(self.thresholds_db["fast" if fading == "fast" else "none"]) + BACK_OFF_DB[fading]
        if fading == "block":
            decoded = np.exp(-np.power(10.0, (thresholds - snr_db) / 10))
        else:
            decoded = (thresholds <= snr_db).astype(float)
        expected = decoded * [worth_of(mcs) for mcs in MCS]
        return MCS[int(np.argmax(expected))]

    def accuracy(self, kind: str, size: int) -> float:
        """Semantic accuracy that single pictures of `size` bytes have; 0 under the smallest measured."""
        sizes, values = zip(*self.worth[kind], strict=True)
        return float(np.interp(size, sizes, values, left=0.0))

    @classmethod
    def load(cls) -> Self:
        """Read the shipped one."""
        with as_file(files("assets") / "digital-pictures" / "adaptation.json") as path:
            try:
                return cls(**json.loads(path.read_text()))
            except (OSError, ValueError, TypeError) as error:
                raise DataLoss(f"{path} holds no adaptation ({error}): run `python -m lab.mcs --data DIR`") from error


def threshold_db(mcs: Mcs, fast: bool, blocks: int = 100, seed: int = 0) -> float:
    """Lowest SNR, in steps of 0.25 dB, from which on at most 1 % of `blocks` blocks are lost."""
    modem = Modem(mcs.mode(BLOCK_SYMBOLS), BLOCK_SYMBOLS)
    low, high = -48, 120  # in quarters of a decibel: lost, decoded
    while high - low > 1:
        middle = (low + high) // 2
        lost = _lost(modem, middle / 4, fast, blocks, seed)
        low, high = (low, middle) if lost <= _TARGET else (middle, high)
    return high / 4


def _lost(modem: Modem, snr_db: float, fast: bool, blocks: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (blocks, modem.mode.bits), dtype=np.uint8)
    x = modem.modulate(bits)
    gain = np.abs(_normal(rng, x.shape)) if fast else np.ones(x.shape)
    n0 = n0_from_snr_db(snr_db)
    x_hat = x + _normal(rng, x.shape) * np.sqrt(n0) / gain
    found = modem.demodulate(x_hat.astype(np.complex64), (n0 / gain**2).astype(np.float32))
    return float(np.mean((found != bits).any(axis=1)))


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.complex128]:
    """CN(0, 1)."""
    drawn: npt.NDArray[np.complex128] = rng.normal(size=shape, scale=0.5**0.5) + 1j * rng.normal(
        size=shape, scale=0.5**0.5
    )
    return drawn


def worth_of_bytes(kind: Format, data: Path, clip: Clip, asking: int = 500, answering: int = 5000) -> list[float]:
    """Semantic accuracy of single pictures within each of `_BYTES`, on pictures of the train split.

    A picture that has no file so small is wrong.
    """
    part = read_cifar100(data, "train")
    sent, labels = part.pixels[-asking:], part.targets[-asking:]
    items = embed(part.pixels[:answering], clip)
    found = []
    for size in _BYTES:
        encoded = [kind.best_within(pixels, size) for pixels in sent]
        decoded = [None if data is None else kind.decode(data) for data in encoded]
        rows = [row for row, pixels in enumerate(decoded) if pixels is not None]
        pictures = [pixels for pixels in decoded if pixels is not None]
        right = 0.0
        if rows:
            right = semantic_accuracy(embed(pictures, clip), labels[rows], items, part.targets[:answering])
        found.append(right * len(rows) / asking)
    return found


def embed(pictures: Sequence[Pixels] | Pixels, clip: Clip) -> Embeddings:
    """Embed decoded pictures [H, W, 3], uint8, as a receiver does: [B, 512]."""
    batches = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
    parts = [
        clip.embed_images(np.stack([clip.preprocess(Image.fromarray(pixels)) for pixels in batch])) for batch in batches
    ]
    return np.concatenate(parts)


_CARD = """# digital-pictures

What `jpeg-ldpc`, `webp-ldpc`, `hevc-ldpc` and their mosaics choose modulation and code rate by (`lab/mcs.py`).

- `thresholds_db`: for each of the {count} pairs of 3GPP TS 38.214 (table 5.1.3.1-1, before it the low rates of table
  5.1.3.1-3), in the order of `lab.mcs.MCS`, the SNR from which on at most 1 % of 100 blocks of {symbols} symbols are
  lost, in steps of 0.25 dB: `none` over AWGN, `fast` with an independent Rayleigh gain for each symbol, known.
- `worth`: semantic accuracy of 500 single pictures of CIFAR-100's train split, decoded from files of at most so many
  bytes, embedded by clip-tiny, against 5,000 others. clip-tiny has seen them all, so it is for choosing alone.

Made by `python -m lab.mcs --data DIR`.
"""


def main(
    data: Annotated[Path, typer.Option(help="Folder with CIFAR-100 in the official lay-out.")],
    *,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("assets/digital-pictures/adaptation.json"),
) -> None:
    """Simulate the thresholds of every modulation and code rate, and what pictures of so many bytes are worth."""
    clip, console = load_clip(device="cpu", precision="float32"), Console(stderr=True)
    worth = {
        name: [(size, round(value, 3)) for size, value in zip(_BYTES, worth_of_bytes(kind, data, clip), strict=True)]
        for name, kind in track(FORMATS.items(), "worth of bytes", console=console)
    }
    thresholds = {
        name: [threshold_db(mcs, fast) for mcs in track(MCS, f"thresholds, {name}", console=console)]
        for name, fast in (("none", False), ("fast", True))
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in thresholds.items()]
    more = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in worth.items()]
    table = ['  "thresholds_db": {\n' + ",\n".join(lines) + "\n  }", '  "worth": {\n' + ",\n".join(more) + "\n  }"]
    (out.parent / "README.md").write_text(_CARD.format(count=len(MCS), symbols=BLOCK_SYMBOLS))
    out.write_text("{\n" + ",\n".join(table) + "\n}\n")


if __name__ == "__main__":
    typer.run(main)

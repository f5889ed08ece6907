"""Simulates from which SNR on each modulation and code rate of 5G carries a picture, see `shared.codecs.picture`.

Run `python -m lab.train.digital_pictures.train --data DIR` to simulate them anew.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track

from lab.evaluate.metrics import semantic_accuracy
from shared.clip import Clip, embed_pictures, load_clip
from shared.codecs.digital.modem import Modem
from shared.codecs.picture.formats import FORMATS, Format
from shared.codecs.picture.link_adaptation import BLOCK_SYMBOLS, MCS, Mcs
from shared.datasets.cifar100 import read_cifar100
from shared.units import n0_from_snr_db

_TARGET: Final = 0.01
_BYTES: Final = (80, 100, 120, 160, 200, 260, 320, 400, 500, 640, 800, 1000)


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
    items = embed_pictures(part.pixels[:answering], clip)
    found = []
    for size in _BYTES:
        encoded = [kind.best_within(pixels, size) for pixels in sent]
        decoded = [None if data is None else kind.decode(data) for data in encoded]
        rows = [row for row, pixels in enumerate(decoded) if pixels is not None]
        pictures = [pixels for pixels in decoded if pixels is not None]
        right = 0.0
        if rows:
            right = semantic_accuracy(embed_pictures(pictures, clip), labels[rows], items, part.targets[:answering])
        found.append(right * len(rows) / asking)
    return found


_CARD = """# digital-pictures

What `jpeg-ldpc`, `webp-ldpc`, `hevc-ldpc` and their mosaics choose modulation and code rate by
(`lab/train/digital_pictures`).

- `thresholds_db`: for each of the {count} pairs of 3GPP TS 38.214 (table 5.1.3.1-1, before it the low rates of table
  5.1.3.1-3), in the order of `MCS` in `shared/codecs/picture/link_adaptation.py`, the SNR from which on at
  most 1 % of 100 blocks of {symbols} symbols are lost, in steps of 0.25 dB: `none` over AWGN, `fast`
  with an independent Rayleigh gain for each symbol, known.
- `worth`: semantic accuracy of 500 single pictures of CIFAR-100's train split, decoded from files of at most so many
  bytes, embedded by clip-tiny, against 5,000 others. clip-tiny has seen them all, so it is for choosing alone.

Made by `python -m lab.train.digital_pictures.train --data DIR`.
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

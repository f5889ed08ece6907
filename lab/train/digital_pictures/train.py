"""Simulates the lowest SNR at which each modulation and code rate of 5G carries a picture; see `shared.codecs.picture`.

The result is the table by which `jpeg-ldpc`, `webp-ldpc` and `hevc-ldpc` adapt to the link.
"""

import time
from typing import Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from lab.evaluate.metrics import semantic_accuracy
from lab.train.common.output import write_card
from lab.train.digital_pictures import DigitalPicturesSettings
from shared.clip import Clip, embed_pictures, load_clip
from shared.codecs.base.weight_files import write_rows
from shared.codecs.digital.modem import Modem
from shared.codecs.picture.formats import FORMATS, Format
from shared.codecs.picture.link_adaptation import BLOCK_SYMBOLS, MCS, Mcs
from shared.datasets.cifar100 import read_cifar100
from shared.files import make_directory, replacing
from shared.units import n0_from_snr_db

_TARGET: Final = 0.01
_BYTES: Final = (80, 100, 120, 160, 200, 260, 320, 400, 500, 640, 800, 1000)


def threshold_db(mcs: Mcs, fast: bool, settings: DigitalPicturesSettings) -> float:
    """Lowest SNR, in steps of 0.25 dB, at which at most 1 % of `settings.blocks` blocks are lost."""
    modem = Modem(mcs.mode(BLOCK_SYMBOLS), BLOCK_SYMBOLS)
    low, high = -48, 120  # in quarters of a decibel: lost, decoded
    while high - low > 1:
        middle = (low + high) // 2
        lost = _lost(modem, middle / 4, fast, settings.blocks, settings.seed)
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
    real, imaginary = (rng.normal(size=shape, scale=0.5**0.5) for _ in range(2))
    drawn: npt.NDArray[np.complex128] = real + 1j * imaginary
    return drawn


def worth_of_bytes(kind: Format, settings: DigitalPicturesSettings, clip: Clip) -> list[float]:
    """Semantic accuracy of single pictures within each of `_BYTES`, on pictures of the train split.

    A picture that has no file so small is wrong.
    """
    part, count = read_cifar100(settings.data, "train"), settings.queries
    sent, labels = part.pixels[-count:], part.targets[-count:]
    items, item_labels = embed_pictures(part.pixels[: settings.items], clip), part.targets[: settings.items]
    found = []
    for size in _BYTES:
        encoded = [kind.best_within(pixels, size) for pixels in sent]
        decoded = [None if data is None else kind.decode(data) for data in encoded]
        arrived = {row: pixels for row, pixels in enumerate(decoded) if pixels is not None}
        right = 0.0
        if arrived:
            right = semantic_accuracy(embed_pictures([*arrived.values()], clip), labels[[*arrived]], items, item_labels)
        found.append(round(right * len(arrived) / count, 3))
    return found


def train_digital_pictures(settings: DigitalPicturesSettings) -> None:
    """Simulate the thresholds of every modulation and code rate, and the accuracy of pictures of so many bytes."""
    started, console = time.monotonic(), Console(stderr=True)
    clip = load_clip(device="cpu", precision="float32")
    worth = {
        name: list(zip(_BYTES, worth_of_bytes(kind, settings, clip), strict=True))
        for name, kind in track(FORMATS.items(), "worth of bytes", console=console)
    }
    thresholds = {
        name: [threshold_db(mcs, fast, settings) for mcs in track(MCS, f"thresholds, {name}", console=console)]
        for name, fast in (("none", False), ("fast", True))
    }
    make_directory(settings.out)
    with replacing(settings.out / "adaptation.json") as draft:
        write_rows(draft, {"thresholds_db": thresholds, "worth": worth})
    values = {"count": len(MCS), "symbols": BLOCK_SYMBOLS}
    write_card("digital_pictures/card.md.j2", settings, time.monotonic() - started, **values)

"""The comparison with real networks: the codec and its ablations against picture files of as many bits.

questions of a split --train each scheme--> rebuilt pictures --answerer--> answers --authors' rule--> match
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from lab.evaluate.ask.measures import interval
from lab.train.common.fit import fit
from lab.vqa.answerer import VqaAnswerer
from lab.vqa.samples import Sample, split_samples
from lab.vqa.settings import VqaSettings
from lab.vqa.train import VqaTraining, read_picture, rebuilt_by
from lab.vqa.vision import Vision, load_vision
from shared.codecs.answerers.matching import match
from shared.codecs.base.picture import GREY, fit_picture
from shared.codecs.picture.formats import FORMATS
from shared.codecs.query.tokens import SEGMENT_BITS
from shared.device import resolve_device
from shared.files import make_directory, replacing
from shared.types import Pixels, Progress

SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "uo-isc": {},
    "without-alignment": {"alignment": False},
    "without-intent": {"intent": 0.0},
    "without-adversary": {"adversary": 0.0},
}
_FILES: Final = ("jpeg", "webp")
_TOGETHER: Final = 8
Rebuild = Callable[[Pixels, Sequence[str]], Pixels]
"""Pictures [B, S, S, 3] with questions to what arrives."""


@dataclass(frozen=True)
class _Real:
    """The frozen networks, and the questions."""

    vision: Vision
    answerer: VqaAnswerer
    learned: Sequence[Sample]
    tested: Sequence[Sample]


def compare_vqa(settings: VqaSettings, report: Progress) -> list[dict[str, Any]]:
    """Train what is not trained yet, and measure; writes `uo-isc.csv` into `settings.out`. Gives a row for each scheme.

    A row: bits of a picture, the share of questions that the answerer answers alike on the original and on what
    arrived, with its interval, the share that is right, and the PSNR in dB.
    """
    real, rows = _loaded(settings), []
    ways: list[tuple[str, Callable[[], Rebuild]]] = [(name, _trained(settings, real, name)) for name in SCHEMES]
    ways += [(name, _as_file(name, _bits(settings))) for name in _FILES]
    for done, (name, make) in enumerate(ways):
        report(done, len(ways))
        own = {"split": settings.split, "scheme": name, "bits": _bits(settings)}
        rows.append(own | _measured(settings, real, make()))
    report(len(ways), len(ways))
    make_directory(settings.out)
    with replacing(settings.out / "uo-isc.csv") as draft, draft.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return rows


def _loaded(settings: VqaSettings) -> _Real:
    device = str(resolve_device(settings.device))
    learned, tested = split_samples(Path(settings.data), settings.split)
    dice = np.random.default_rng(settings.seed)
    return _Real(
        load_vision(settings.vision, settings.side, device, download=settings.download),
        VqaAnswerer(settings.answerer, device, download=settings.download, code=settings.remote_code),
        *(
            [part[row] for row in sorted(dice.permutation(len(part))[:most].tolist())]
            for part, most in ((learned, settings.learned), (tested, settings.tested))
        ),
    )


def _trained(settings: VqaSettings, real: _Real, scheme: str) -> Callable[[], Rebuild]:
    def make() -> Rebuild:
        own = settings.model_copy(update=SCHEMES[scheme])
        training = VqaTraining(own, real.vision, real.answerer, real.learned)
        fit(training, own, f"{own.split}-{scheme}-tokens{own.tokens}-segments{own.segments}-seed{own.seed}", own.rounds)
        network = training.network.to(resolve_device(settings.device)).eval()
        return lambda pixels, questions: rebuilt_by(network, real.vision, pixels, questions)

    return make


def _as_file(name: str, bits: int) -> Callable[[], Rebuild]:
    """The best file of as many bits, at the largest size of which there is one; grey where there is none."""

    def one(picture: Pixels) -> Pixels:
        side = picture.shape[0]
        for scale in (1, 2, 4, 8, 16):
            file = FORMATS[name].best_within(fit_picture(Image.fromarray(picture), side // scale), bits // 8)
            found = None if file is None else FORMATS[name].decode(file)
            if found is not None:
                return fit_picture(Image.fromarray(found), side)
        return np.full_like(picture, GREY)

    return lambda: lambda pixels, _: np.stack([one(picture) for picture in pixels])


def _measured(settings: VqaSettings, real: _Real, rebuild: Rebuild) -> dict[str, float]:
    matched: list[bool] = []
    right: list[bool] = []
    errors: list[float] = []
    for start in range(0, len(real.tested), _TOGETHER):
        samples = real.tested[start : start + _TOGETHER]
        pixels = np.stack([read_picture(sample, settings.side) for sample in samples])
        questions = [sample.question for sample in samples]
        arrived = rebuild(pixels, questions)
        wanted, said = (real.answerer.answer(each, questions) for each in (pixels, arrived))
        matched += [match(*each) for each in zip(questions, said, wanted, strict=True)]
        right += [match(sample.question, text, sample.answer) for sample, text in zip(samples, said, strict=True)]
        errors += np.square(arrived.astype(np.float64) - pixels).mean((1, 2, 3)).tolist()
    pictures = np.unique([str(sample.picture) for sample in real.tested], return_inverse=True)[1]
    low, high = interval(np.array(matched, np.float64), pictures)
    psnr_db = float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-2))))
    shares = {"match": float(np.mean(matched)), "match_low": low, "match_high": high, "right": float(np.mean(right))}
    return {"questions": len(matched), **shares, "psnr_db": psnr_db}


def _bits(settings: VqaSettings) -> int:
    return settings.tokens**2 * settings.segments * SEGMENT_BITS

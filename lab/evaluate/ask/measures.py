"""What rebuilt pictures are worth: answers that match, answers that are right, and the pictures' error."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.evaluate.ask.questions import CHUNK, Exam, answered, matches
from shared.codecs.answerers import Answerer
from shared.codecs.answerers.answerer import to_unit_range
from shared.datasets.scenes import KINDS
from shared.datasets.scenes.words import NO, YES
from shared.types import Bools, Doubles, Ints, Pixels

_RESAMPLINGS = 1000
_PEAK = 255.0


@dataclass(frozen=True)
class Found:
    """What came of each question [Q]: whether the answers match those on the originals, and squared errors.

    error, error_inside: mean over the picture, and over the asked objects; NaN without one. distance: see
    `Examiner`
    """

    judge: Bools
    witness: Bools
    right: Bools
    right_witness: Bools
    off_query: Bools
    error: Doubles
    error_inside: Doubles
    distance: Doubles


@dataclass(frozen=True)
class Figures:
    """Means over a split. Intervals of 95 %, over scenes: questions about one scene are not independent.

    match, match_witness: share of answers that match those on the original. accuracy: against the ground truth
    off_query: match when a picture that was sent for one question is asked another; NaN where that was not asked
    distance: see `Examiner`. by_kind: match
    """

    questions: int
    scenes: int
    match: float
    match_low: float
    match_high: float
    match_witness: float
    accuracy: float
    accuracy_witness: float
    off_query: float
    yes_recall: float
    no_recall: float
    psnr_db: float
    psnr_db_region: float
    distance: float
    by_kind: dict[str, float] = field(default_factory=dict)


def judged(exam: Exam, rebuilt: Pixels, judge: Answerer, witness: Answerer, *, off_query: bool = True) -> Found:
    """Ask both answerers about the rebuilt picture of each question: [Q, 64, 64, 3]. off_query: ask another one too."""
    return Examiner(exam, judge, witness).found(rebuilt, off_query=off_query)


class Examiner:
    """Asks both answerers, and asks nothing twice: over a channel most pictures are those without errors, or grey.

    The distance of two pictures is that of the judge's features at unit length, as LPIPS without learned weights.
    """

    def __init__(self, exam: Exam, judge: Answerer, witness: Answerer) -> None:
        self._exam, self._judge, self._witness = exam, judge, witness
        self._region, self._originals = exam.region(), exam.originals().pixels
        self._known: dict[tuple[int, bytes, bool], tuple[float, ...]] = {}

    def found(self, rebuilt: Pixels, *, off_query: bool = True) -> Found:
        """See `judged`."""
        keys = [(row, blake2b(picture.tobytes(), digest_size=16).digest(), off_query) for row, picture in
                enumerate(rebuilt)]  # fmt: skip
        new = np.array([key[0] for key in keys if key not in self._known], np.int64)
        if len(new):
            values = self._judged(rebuilt[new], new, off_query=off_query)
            self._known |= {keys[row]: each for row, each in zip(new.tolist(), values, strict=True)}
            if off_query:
                self._known |= {(*keys[row][:2], False): self._known[keys[row]] for row in new.tolist()}
        answers, errors = np.split(np.array([self._known[key] for key in keys]).T, [5])
        judge, witness, right, right_witness, other = answers.astype(np.bool_)
        return Found(judge, witness, right, right_witness, other if off_query else other[:0], *errors)

    def _judged(self, rebuilt: Pixels, rows: Ints, *, off_query: bool) -> list[tuple[float, ...]]:
        """The fields of `Found` of each row."""
        exam, other = self._exam, self._exam.another()[rows]
        texts, words = [exam.texts[row] for row in rows], exam.asked.words
        pictures, picture = np.unique(rebuilt.reshape(len(rebuilt), -1), axis=0, return_inverse=True)
        shown, picture = pictures.reshape(-1, *rebuilt.shape[1:]), picture.reshape(-1)
        by_witness = answered(self._witness, shown, words[rows], picture)
        both = np.concatenate([words[rows], words[other]]) if off_query else words[rows]
        said = answered(self._judge, shown, both, np.resize(picture, len(both)))
        asked_other = said[len(rows) :] if off_query else exam.judge[other]
        said = said[: len(rows)]
        squared = np.square(rebuilt.astype(np.float32) - self._originals[rows]).mean(3)
        region = self._region[rows]
        size = region.sum((1, 2))
        columns = (
            matches(texts, said, exam.judge[rows]),
            matches(texts, by_witness, exam.witness[rows]),
            said == exam.asked.answer[rows],
            by_witness == exam.asked.answer[rows],
            matches([exam.texts[row] for row in other], asked_other, exam.judge[other]),
            squared.mean((1, 2), dtype=np.float64),
            np.where(size > 0, (squared * region).sum((1, 2)) / np.maximum(size, 1), np.nan),
            self._distance(rebuilt, exam.asked.scene[rows]),
        )
        return [tuple(map(float, each)) for each in zip(*columns, strict=True)]

    @torch.inference_mode()
    def _distance(self, rebuilt: Pixels, scene: Ints) -> Doubles:
        """Distance of pictures [R, 64, 64, 3] to the originals in the features of the judge's tower: [R].

        As LPIPS (Zhang et al., 2018) without learned weights: features of unit length at each place, squared
        difference, mean over places, sum over two layers. It is no LPIPS: the features are those of an answerer.
        """
        found = []
        for start in range(0, len(rebuilt), CHUNK):
            rows = torch.from_numpy(scene[start : start + CHUNK])
            parts = _unit_features(self._judge, rebuilt[start : start + CHUNK])
            pairs = zip(parts, self._features, strict=True)
            apart = [(one - every[rows]).square().sum(1).mean((1, 2)) for one, every in pairs]
            found.append(torch.stack(apart).sum(0))
        distances: Doubles = torch.cat(found).double().numpy()
        return distances

    @cached_property
    @torch.inference_mode()
    def _features(self) -> list[Tensor]:
        """Of the originals."""
        pixels = self._exam.pixels
        parts = [_unit_features(self._judge, pixels[start : start + CHUNK]) for start in range(0, len(pixels), CHUNK)]
        return [torch.cat(each) for each in zip(*parts, strict=True)]


def _unit_features(judge: Answerer, pixels: Pixels) -> list[Tensor]:
    return [F.normalize(each, dim=1) for each in judge.network.maps(to_unit_range(pixels))]


def figures(exam: Exam, found: Found) -> Figures:
    """Means of what was found, with intervals."""
    exists = exam.asked.kind == KINDS.index("exists")
    low, high = interval(found.judge.astype(float), exam.asked.scene)
    inside = found.error_inside[~np.isnan(found.error_inside)]
    return Figures(
        questions=len(exam.texts),
        scenes=len(exam.pixels),
        match=_mean(found.judge),
        match_low=low,
        match_high=high,
        match_witness=_mean(found.witness),
        accuracy=_mean(found.right),
        accuracy_witness=_mean(found.right_witness),
        off_query=_mean(found.off_query),
        yes_recall=_mean(found.right[exists & (exam.asked.answer == YES)]),
        no_recall=_mean(found.right[exists & (exam.asked.answer == NO)]),
        psnr_db=_psnr_db(found.error),
        psnr_db_region=_psnr_db(inside),
        distance=float(found.distance.mean()),
        by_kind={kind: _mean(found.judge[exam.asked.kind == number]) for number, kind in enumerate(KINDS)},
    )


def interval(values: Doubles, scene: Ints) -> tuple[float, float]:
    """95 % of the mean of values [Q], by a bootstrap over scenes; of a difference, if the values are differences."""
    sums, counts = np.bincount(scene, values), np.bincount(scene)
    drawn = np.random.default_rng(0).integers(len(sums), size=(_RESAMPLINGS, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _mean(values: Bools) -> float:
    return float(values.mean()) if len(values) else math.nan


def _psnr_db(errors: Doubles) -> float:
    """Mean over pictures of the PSNR; a picture without an error counts as half a level."""
    return math.nan if not len(errors) else float(np.mean(10 * np.log10(_PEAK**2 / np.maximum(errors, 0.25))))

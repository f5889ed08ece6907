"""The pictures of a comparison: who asks, who answers, and checks that neither knows the other."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from lab.data.features import (
    CLIP_TINY,
    ClipChoice,
    Features,
    cached_features,
    check_apart,
    load_choice,
    load_features,
    save_features,
)
from shared.datasets import PictureSource, open_source
from shared.errors import InvalidInput
from shared.types import Embeddings, Ints, Labels, Pixels, Progress

NO_CLIP = ClipChoice("ready embeddings")


@dataclass(frozen=True)
class TestSet:
    """Pictures that ask and pictures that answer, embedded by one CLIP model.

    queries, items: features, N and M pictures; the labels are for the scorer alone, no scheme sees them
    pixels: [N, H, W, 3], uint8, of the queries as they are before CLIP's preprocessing
    clip_fingerprint: of the model. clip: which it is
    """

    __test__ = False  # no test of pytest's

    queries: Features
    items: Features
    pixels: Pixels
    clip_fingerprint: str
    clip: ClipChoice = CLIP_TINY

    @classmethod
    def of_embeddings(cls, queries: tuple[Embeddings, Labels], items: tuple[Embeddings, Labels]) -> Self:
        """A test set of embeddings [N, D] and labels [N] alone, as if of pictures 32 x 32, for codecs of embeddings."""
        asking, answering = (
            Features(embeddings, labels.astype(np.str_), np.arange(len(labels)).astype(np.str_))
            for embeddings, labels in (queries, items)
        )
        return cls.of_features(asking, answering)

    @classmethod
    def of_features(cls, queries: Features, items: Features, clip_fingerprint: str = "") -> Self:
        """A test set of ready embeddings, as if of pictures 32 x 32, for codecs of embeddings."""
        pixels = np.broadcast_to(np.zeros((), np.uint8), (len(queries.labels), 32, 32, 3))
        return cls(queries, items, pixels, clip_fingerprint, NO_CLIP)

    @property
    def has_pictures(self) -> bool:
        """Whether the queries are pictures, not ready embeddings alone."""
        return self.clip != NO_CLIP

    @cached_property
    def names(self) -> list[str]:
        """Each label once, sorted."""
        return sorted({*self.queries.labels.tolist(), *self.items.labels.tolist()})

    @cached_property
    def query_labels(self) -> Ints:
        """Positions in `names`: [N]."""
        return np.searchsorted(self.names, self.queries.labels)

    @cached_property
    def item_labels(self) -> Ints:
        """Positions in `names`: [M]."""
        return np.searchsorted(self.names, self.items.labels)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over all that a result depends on."""
        digest = hashlib.sha256(self.clip_fingerprint.encode())
        for part in (self.queries.embeddings, self.items.embeddings, self.query_labels, self.item_labels, self.pixels):
            digest.update(part.tobytes())
        return digest.hexdigest()[:16]

    @property
    def source_values(self) -> int:
        """3 H W of a source picture, which `cbr` refers to."""
        return int(np.prod(self.pixels.shape[1:]))

    def save(self, folder: Path) -> None:
        """Write what `load` reads."""
        save_features(folder / "queries.npz", self.queries)
        save_features(folder / "items.npz", self.items)
        np.savez(folder / "pixels.npz", pixels=self.pixels)
        about = {"clip_fingerprint": self.clip_fingerprint, "clip": self.clip}
        (folder / "clip.json").write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        queries, items = load_features(folder / "queries.npz"), load_features(folder / "items.npz")
        about = json.loads((folder / "clip.json").read_text(encoding="utf-8"))
        with np.load(folder / "pixels.npz", allow_pickle=False) as arrays:
            return cls(queries, items, arrays["pixels"], about["clip_fingerprint"], ClipChoice(*about["clip"]))


def open_test_set(spec: str, choice: ClipChoice, folder: Path, progress: Progress | None = None) -> TestSet:
    """Embed the `query` and `kb` parts of a source, or take the embeddings from the folder.

    spec: `drawn`, `cifar100:DIR`, or a folder with CIFAR-100, or with the sub-folders `query` and `kb`
    """
    clip = load_choice(choice)
    asking, answering = open_source(spec, "query"), open_source(spec, "kb")
    queries = cached_features(asking, clip, folder, progress)
    items = cached_features(answering, clip, folder, progress)
    if queries.skipped:
        raise InvalidInput(f"{spec}: {queries.skipped[0]}; take it away, so that pictures and embeddings pair up")
    test_set = TestSet(queries, items, _stacked(asking), clip.fingerprint, choice)
    check_apart(test_set.queries, test_set.items)
    return test_set


def _stacked(source: PictureSource) -> Pixels:
    pictures = [np.asarray(picture.image()) for picture in source]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) != 1:
        raise InvalidInput(f"queries have {len(sizes)} sizes: cbr needs one, so bring all to the same height and width")
    return np.stack(pictures)

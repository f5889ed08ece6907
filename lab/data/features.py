"""Embeddings of a whole collection of pictures, computed once and kept in a file."""

import hashlib
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from receiver.knowledge_base.index.exact_search import exact_nearest
from shared.clip import Clip, load_clip
from shared.datasets import Picture, PictureSource, open_source
from shared.errors import DataLoss, Exhausted, InvalidPicture, Mismatch, NotFound
from shared.files import readable, replacing
from shared.types import Floats, Progress

SAME_COSINE = 1 - 1e-5
"""Embeddings nearer than this are of the same pixels, up to rounding in bfloat16 on another machine."""
DUPLICATES = 0.005
"""Share of queries that a data set may itself repeat; CIFAR-100's test part repeats 0.04 %."""


class ClipChoice(NamedTuple):
    """Which CLIP model embeds pictures, as `load_clip` takes it."""

    model: str = "clip-tiny"
    weights: str | None = None


CLIP_TINY = ClipChoice()


@cache
def load_choice(choice: ClipChoice, device: str = "auto") -> Clip:
    """Load a model in float32, so that results are the same on every machine."""
    return load_clip(choice.model, choice.weights, device, precision="float32")


@dataclass(frozen=True)
class Features:
    """Embeddings in the source's order.

    embeddings: [N, 512], float32, L2-normalised
    labels, ids: [N], text
    skipped: what was wrong with each picture that could not be read
    clip, clip_fingerprint: the CLIP model; empty for a file of before it was kept
    """

    embeddings: Floats
    labels: npt.NDArray[np.str_]
    ids: npt.NDArray[np.str_]
    skipped: tuple[str, ...] = ()
    clip: str = ""
    clip_fingerprint: str = ""


def extract_features(
    source: PictureSource, clip: Clip, batch_size: int = 128, progress: Progress | None = None
) -> Features:
    """Embed every picture of a source.

    progress: called with (pictures done, skipped ones included, pictures in all)
    """
    embeddings, labels, ids, skipped = [np.empty((0, clip.dim), dtype=np.float32)], [], [], []
    done, total, walk = 0, len(source), iter(source)
    while pictures := list(islice(walk, batch_size)):
        readable, wrong = _readable(pictures, clip)
        skipped += wrong
        if readable:
            embeddings.append(clip.embed_images(np.stack([pixels for _, pixels in readable])))
        labels += [picture.label for picture, _ in readable]
        ids += [picture.id for picture, _ in readable]
        done += len(pictures)
        if progress:
            progress(done, total)
    names, numbers = np.array(labels, np.str_), np.array(ids, np.str_)
    return Features(np.concatenate(embeddings), names, numbers, tuple(skipped), clip.name, clip.fingerprint)


def _readable(pictures: list[Picture], clip: Clip) -> tuple[list[tuple[Picture, npt.NDArray[np.uint8]]], list[str]]:
    """The pictures that can be read, preprocessed, and the complaints about the others."""
    readable, wrong = [], []
    for picture in pictures:
        try:
            readable.append((picture, clip.preprocess(picture.image())))
        except (InvalidPicture, Exhausted) as error:
            wrong.append(str(error))
    return readable, wrong


_CLIP = ("clip", "clip_fingerprint")
_ARRAYS = ("embeddings", "labels", "ids", *_CLIP)


def save_features(path: Path, features: Features) -> None:
    """Write the arrays `embeddings`, `labels`, `ids`, and which CLIP; a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{name: getattr(features, name) for name in _ARRAYS})


def load_features(path: Path) -> Features:
    """Read what `save_features` wrote; no pickle is opened."""
    if not path.is_file():
        raise NotFound(f"There are no features at {str(path)!r}; make them with `semlink features`.")
    remedy = "make them again with `semlink features`"
    with readable(f"{path} holds no features", DataLoss, remedy), np.load(path, allow_pickle=False) as arrays:
        clip = {name: str(arrays[name]) for name in _CLIP if name in arrays}
        return Features(arrays["embeddings"], arrays["labels"], arrays["ids"], **clip)  # type: ignore[arg-type]


def training_source(spec: str) -> PictureSource:
    """The train part of a source; of the drawn set the first 20,000, because it is easy and never ends."""
    return open_source("first:200:drawn" if spec == "drawn" else spec, "train")


def cached_features(source: PictureSource, clip: Clip, folder: Path, progress: Progress | None = None) -> Features:
    """Embeddings of a whole source, kept in a folder under its content and the CLIP model."""
    digest = hashlib.sha256()
    for picture in source:
        digest.update(f"{picture.id}\n{picture.label}\n".encode())
        digest.update(picture.content.tobytes() if isinstance(picture.content, np.ndarray) else picture.encoded())
    path = folder / f"{clip.fingerprint}-{source.name}-{source.split or 'all'}-{digest.hexdigest()[:16]}.npz"
    if not path.exists():
        save_features(path, extract_features(source, clip, progress=progress))
    return load_features(path)


def check_apart(first: Features, second: Features) -> None:
    """Raise Mismatch when two sets share pictures: queries with the knowledge base, or a test set with training.

    By id none may be shared, by embedding no more than a data set may itself repeat.
    """
    shared = sorted({*first.ids.tolist()} & {*second.ids.tolist()})
    if shared:
        raise Mismatch(f"{len(shared)} pictures are on both sides, {shared[0]!r} among them: take them out of one")
    squared = exact_nearest(second.embeddings, first.embeddings, 1)[1][:, 0]
    same = np.flatnonzero(1 - squared / 2 > SAME_COSINE)
    if same.size > DUPLICATES * len(squared):
        name = first.ids[same[0]]
        raise Mismatch(f"{same.size} of {len(squared)} pictures, {name!r} among them, have a twin on the other side")

"""Posteriors of labels: one for all codecs that have the same categories, and made anew when items change."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from receiver.knowledge_base import KnowledgeBase, Origin, write_store
from receiver.label_posterior import LabelPosteriors
from shared.clip import load_clip
from shared.codecs import Codec, CodecShelf
from shared.codecs.base.contract import LogProbabilities
from shared.types import Embeddings


@pytest.fixture(scope="module")
def fingerprint() -> str:
    return load_clip(device="cpu").fingerprint


@pytest.fixture
def knowledge_base(tmp_path: Path, fingerprint: str) -> Iterator[KnowledgeBase]:
    drawn = np.random.default_rng(2).normal(size=(60, 512)).astype(np.float32)
    with write_store(tmp_path / "kb", Origin("synthetic", "clip-tiny", fingerprint, 512)) as writer:
        for number, embedding in enumerate(_unit(drawn)):
            writer.add(f"item-{number}", f"label {number % 7}", embedding)
    with KnowledgeBase.open(tmp_path / "kb", writable=True) as found:
        yield found


def _unit(rows: Embeddings) -> Embeddings:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _codec(shelf: CodecShelf, name: str, k: int) -> Codec:
    found = shelf.get(name, k)
    assert isinstance(found, Codec)
    return found


def test_codecs_of_the_same_categories_share_one(knowledge_base: KnowledgeBase, fingerprint: str) -> None:
    shelf, posteriors = CodecShelf("cpu", fingerprint), LabelPosteriors()
    view = knowledge_base.view
    first = posteriors.of(_codec(shelf, "nested", 8), view)
    assert first is not None
    assert posteriors.of(_codec(shelf, "nested", 256), view) is first
    assert posteriors.of(_codec(shelf, "label", 64), view) is first, "both take the categories of clip-tiny"
    assert posteriors.of(_codec(shelf, "raw", 512), view) is None


def test_other_categories_have_one_of_their_own(knowledge_base: KnowledgeBase, fingerprint: str) -> None:
    class Other:
        name, fingerprint = "other", "0123456789abcdef"

        def categories(self, embeddings: Embeddings) -> LogProbabilities:
            return np.full((len(embeddings), 2), np.log(0.5), np.float32)

    posteriors, other = LabelPosteriors(), cast(Codec, Other())
    first = posteriors.of(_codec(CodecShelf("cpu", fingerprint), "nested", 8), knowledge_base.view)
    second = posteriors.of(other, knowledge_base.view)
    assert second is not None
    assert second is not first
    assert second.log_prior.shape == (2,)


def test_it_is_made_anew_once_for_all_when_labels_change(knowledge_base: KnowledgeBase, fingerprint: str) -> None:
    shelf, posteriors = CodecShelf("cpu", fingerprint), LabelPosteriors()
    short, long = _codec(shelf, "nested", 8), _codec(shelf, "nested", 256)
    before = posteriors.of(short, knowledge_base.view)
    knowledge_base.relabel({"item-0": "a label that was not there"})
    after = posteriors.of(long, knowledge_base.view)
    assert after is not before
    assert posteriors.of(short, knowledge_base.view) is after

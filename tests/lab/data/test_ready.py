"""Ready embeddings: their parts, their CLIP, a knowledge base as a source, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from lab.data.cones import cone, save_cone
from lab.data.ready import ClipName, open_ready
from receiver.knowledge_base import EngineSettings, Origin, write_store
from shared.errors import InvalidInput, InvalidSetting, Mismatch

CLIP = ClipName("CLIP", "0123456789abcdef")


def test_a_cone_is_as_narrow_as_asked() -> None:
    for cosine in (0.5, 0.8):
        e, _ = cone(1000, 0, cosine, 20)
        np.testing.assert_allclose(np.linalg.norm(e, axis=1), 1, atol=1e-5)
        assert (e @ e.T)[np.triu_indices(1000, 1)].mean() == pytest.approx(cosine, abs=0.03)


def test_named_parts_are_kept_apart(tmp_path: Path) -> None:
    save_cone(tmp_path / "cone.npz", 300, 0.65)
    ready = open_ready(str(tmp_path / "cone.npz"))
    assert (len(ready.train), len(ready.query), len(ready.kb), ready.labelled) == (300, 500, 1000, True)
    data = ready.codec_data(seed=1)
    assert (len(data.train.labels), len(data.sender.labels), len(data.kb.labels)) == (240, 30, 30)
    ((query, kb),) = data.tests.values()
    names = ready.features.labels[ready.query]
    same = query.labels[:, None] == kb.labels[None]
    np.testing.assert_array_equal(same, names[:, None] == ready.features.labels[ready.kb][None])


def test_without_parts_one_of_ten_asks_always_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", 3 * cone(200, 0, 0.65, 10)[0])
    first, second = (open_ready(str(tmp_path / "e.npy"), CLIP) for _ in range(2))
    np.testing.assert_array_equal(first.query, second.query)
    assert (len(first.query), len(first.train)) == (20, 180)
    assert not {*first.query} & {*first.kb}
    query, kb = first.test()
    right = np.flatnonzero(kb.ids == query.labels[3])
    assert (query.embeddings[3] @ kb.embeddings.T).argmax() == right, "without labels the nearest item is the answer"
    data = first.codec_data(seed=1)
    assert not data.labelled
    assert len({*data.kb.labels.tolist()}) == len(data.kb.labels)


def test_a_knowledge_base_is_a_source(tmp_path: Path) -> None:
    e, labels = cone(60, 0, 0.65, 3)
    with write_store(tmp_path / "kb", Origin("test", "vit", "c0ffee", 512), EngineSettings()) as store:
        for row, (vector, label) in enumerate(zip(e, labels, strict=True)):
            store.add(f"item-{row}", f"label {label}", vector)
    ready = open_ready(str(tmp_path / "kb"))
    assert ready.clip == ("vit", "c0ffee")
    assert ready.labelled
    np.testing.assert_allclose(np.sort(ready.features.embeddings[:, 0]), np.sort(e[:, 0]), atol=1e-3)


def test_what_is_refused_names_the_remedy(tmp_path: Path) -> None:
    save_cone(tmp_path / "cone.npz", 100, 0.65)
    e = cone(60, 0, 0.65, 3)[0]
    np.save(tmp_path / "e.npy", e)
    np.save(tmp_path / "few.npy", e[:9])
    np.save(tmp_path / "zero.npy", np.concatenate([e, np.zeros((1, 512), np.float32)]))
    np.savez(tmp_path / "odd.npz", embeddings=e, splits=np.repeat(["train", "dev"], 30))
    np.savez(tmp_path / "few.npz", embeddings=e, splits=np.repeat(["train", "query"], [10, 50]))
    with pytest.raises(InvalidSetting, match="--clip-fingerprint HEX"):
        open_ready(str(tmp_path / "e.npy"))
    with pytest.raises(Mismatch, match="not by 0123456789abcdef"):
        open_ready(str(tmp_path / "cone.npz"), CLIP)
    with pytest.raises(InvalidInput, match="holds 9 embeddings"):
        open_ready(str(tmp_path / "few.npy"), CLIP)
    with pytest.raises(InvalidInput, match="1 embeddings are zero"):
        open_ready(str(tmp_path / "zero.npy"), CLIP)
    with pytest.raises(InvalidInput, match=r"part train of .*few\.npz holds 10 embeddings"):
        open_ready(str(tmp_path / "few.npz"), CLIP)
    with pytest.raises(InvalidInput, match="splits dev, train and no query"):
        open_ready(str(tmp_path / "odd.npz"), CLIP)

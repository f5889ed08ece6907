"""Collections of ready embeddings: npz, npy, Parquet, and the folders of clip-retrieval."""

from pathlib import Path

import numpy as np
import pytest

from shared.datasets import EmbeddingSource, Reading, open_collection, open_source
from shared.errors import InvalidInput, InvalidSetting
from tests.tools.collection_files import embeddings, save_npz


def test_npz_npy_and_parquet_hold_embeddings(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    np.save(tmp_path / "bare.npy", embeddings())
    table = {
        "id": ["a", "b", "c", "ü"],
        "label": list("wxyz"),
        "embedding": embeddings().tolist(),
        "caption": ["k"] * 4,
    }
    parquet.write_table(arrow.table(table), tmp_path / "table.parquet")
    named = open_collection(str(save_npz(tmp_path / "named.npz")))
    bare, rows = (open_collection(str(tmp_path / name)) for name in ("bare.npy", "table.parquet"))
    for source in (named, bare, rows):
        assert isinstance(source, EmbeddingSource)
        assert (len(source), source.dim) == (4, 8)
        np.testing.assert_array_equal(np.stack([one.embedding for one in source]), embeddings())
    assert [(one.id, one.label) for one in named] == [("a", "w"), ("b", "x"), ("c", "y"), ("ü", "z")]
    assert [(one.id, one.label) for one in bare] == [(f"bare/{row}", "") for row in range(4)]
    assert [one.caption for one in rows] == ["k"] * 4
    with pytest.raises(InvalidSetting, match="pictures are needed"):
        open_source(str(tmp_path / "named.npz"))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"ids": ["a", "b"]}, "different lengths, it has 4 embeddings, 2 ids"),
        ({"embeddings": np.zeros(4)}, r"must be floats \[N, dim\]"),
        ({"embeddings": np.zeros((4, 8), np.int64)}, r"int64 \[4, 8\]"),
        ({"ids": np.array([object()] * 4, object)}, "no .npz file"),
    ],
)
def test_arrays_that_do_not_belong_together_are_named(tmp_path: Path, arrays, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        open_collection(str(save_npz(tmp_path / "x.npz", **arrays)))


def test_an_npz_without_the_arrays_says_which(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", mystery=embeddings())
    with pytest.raises(InvalidInput, match=r"no array 'embeddings' .*it has mystery: .*--embeddings-key"):
        open_collection(str(tmp_path / "x.npz"))


def test_a_folder_of_clip_retrieval_is_read_in_the_order_of_its_parts(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    (tmp_path / "img_emb").mkdir()
    (tmp_path / "metadata").mkdir()
    for part in (0, 2, 10):
        np.save(tmp_path / "img_emb" / f"img_emb_{part}.npy", np.full((2, 4), part + 1, np.float16))
        rows = {"image_path": [f"{part}/a.jpg", f"{part}/b.jpg"], "caption": ["a", None], "class": [7, 8]}
        parquet.write_table(pyarrow.table(rows), tmp_path / "metadata" / f"metadata_{part}.parquet")
    whole = open_collection(str(tmp_path))
    assert isinstance(whole, EmbeddingSource)
    assert whole.embeddings[:, 0].tolist() == [1, 1, 3, 3, 11, 11]
    assert whole.ids[2:4] == ["2/a.jpg", "2/b.jpg"]
    assert (whole.item_labels[:2], list(whole.captions)[:2]) == (["7", "8"], ["a", ""])
    single = open_collection(str(tmp_path / "img_emb" / "img_emb_2.npy"))
    assert [one.id for one in single] == ["2/a.jpg", "2/b.jpg"]
    np.save(tmp_path / "img_emb" / "img_emb_2.npy", np.ones((3, 4), np.float16))
    reading = Reading()
    assert len(open_collection(str(tmp_path), reading=reading)) == 4
    assert "has 3 embeddings and" in reading.skipped[0][1]
    (tmp_path / "metadata" / "metadata_2.parquet").unlink()
    reading = Reading()
    assert len(open_collection(str(tmp_path), reading=reading)) == 4
    assert "img_emb_2.npy are missing" in reading.skipped[0][1]


def test_arrays_are_found_by_usual_names_or_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "usual.npz", image_embeddings=embeddings())
    np.savez(tmp_path / "named.npz", mystery=embeddings(), who=list("wxyz"))
    assert [one.id for one in open_collection(str(tmp_path / "usual.npz"))] == [f"usual/{row}" for row in range(4)]
    reading = Reading(keys={"embeddings": "mystery", "ids": "who"})
    assert [one.id for one in open_collection(str(tmp_path / "named.npz"), reading=reading)] == list("wxyz")
    np.save(tmp_path / "bare.npy", embeddings())
    (tmp_path / "names.txt").write_text("e\nf\ng\nh\n", encoding="utf-8")
    named = Reading(names=str(tmp_path / "names.txt"))
    assert [one.id for one in open_collection(str(tmp_path / "bare.npy"), reading=named)] == list("efgh")
    (tmp_path / "names.txt").write_text("one\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"has 1 lines and .* has 4 embeddings"):
        open_collection(str(tmp_path / "bare.npy"), reading=named)

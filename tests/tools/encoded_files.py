"""Files of collections as bytes, whole ones and damaged ones."""

import io
import tarfile
from typing import Any

import numpy as np
import pytest
from PIL import Image


def npy(array: Any) -> bytes:
    """An .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    """An .npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def tar(**members: bytes) -> bytes:
    """A tar file; _ in a name stands for its dot."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def parquet(columns: dict[str, Any], **metadata: bytes) -> bytes:
    """A Parquet file."""
    arrow, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table, file = arrow.table(columns).replace_schema_metadata(metadata), io.BytesIO()
    writer.write_table(table, file)
    return file.getvalue()


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (16, 12), **options: Any) -> bytes:
    """A picture file. options: of Pillow's `save`."""
    file = io.BytesIO()
    Image.effect_mandelbrot(size, (-3, -2.5, 2, 2.5), 20).convert(mode).save(file, kind, **options)
    return file.getvalue()


def blank(size: tuple[int, int]) -> bytes:
    """A black PNG of one bit a pixel; large ones take milliseconds."""
    file = io.BytesIO()
    Image.new("1", size).save(file, "PNG")
    return file.getvalue()


VECTORS = np.eye(4, 8, dtype=np.float32)
WHOLE = {
    "a.npy": npy(VECTORS),
    "a.npz": npz(embeddings=VECTORS, ids=np.array(["a", "b", "c", "d"])),
    "a.csv": b"path,label\na.png,x\nb.png,y\n",
    "a.parquet": parquet({"id": ["a", "b"], "embedding": [[1.0, 2.0], [3.0, 4.0]]}),
    "a.tar": tar(a_png=picture("PNG", size=(64, 64)), a_cls=b"cat", b_png=picture("PNG")),
}
DAMAGED = {
    "ids without a dimension.npz": npz(embeddings=VECTORS, ids=np.array("a")),
    "splits without a dimension.npz": npz(embeddings=VECTORS, splits=np.array("a")),
    "objects.npz": npz(embeddings=np.array([{"a": 1}], dtype=object)),
    "objects.npy": npy(np.array([print], dtype=object)),
    "structured.npy": npy(np.zeros(3, dtype=[("a", "f4")])),
    "ragged.parquet": parquet({"id": ["a", "b"], "embedding": [[1.0, 2.0], None]}),
    "no json.parquet": parquet({"path": ["a"], "label": [7]}, huggingface=b"{"),
    "no features.parquet": parquet({"path": ["a"], "label": [7]}, huggingface=b'{"info": {"features": [1]}}'),
    "no such class.parquet": parquet(
        {"path": ["a"], "label": [7]}, huggingface=b'{"info": {"features": {"label": {"names": ["x"]}}}}'
    ),
    "cut.tar": WHOLE["a.tar"][:700],
    "nul.csv": b"path,label\na\x00.png,x\n\xff\xfe",
}
CIFAR = {"meta": {"fine_label_names": ["a", "b"]}, "test": {"data": [[0] * 3072] * 2, "fine_labels": [0, 1]}}

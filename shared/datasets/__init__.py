"""Collections of pictures and of embeddings, read with numpy and Pillow alone; Parquet needs pyarrow as well."""

from shared.datasets.picture import Embedded, EmbeddingSource, Picture, PictureSource
from shared.datasets.reading import Reading
from shared.datasets.source import open_collection, open_collections, open_embeddings, open_source

__all__ = [
    "Embedded",
    "EmbeddingSource",
    "Picture",
    "PictureSource",
    "Reading",
    "open_collection",
    "open_collections",
    "open_embeddings",
    "open_source",
]

"""How files of strangers are read: the usual names of columns and arrays, and what a user says of them.

A name is found in any case. What the user names has to be there; else the first usual name that is there counts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.errors import InvalidInput

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "path": (
        "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "imagepath", "img",
        "img_path", "image_file", "image_name", "picture",
    ),
    "label": ("label", "class", "class_name", "classname", "category", "target", "tag", "label_name", "y"),
    "caption": ("caption", "text", "description", "title", "alt", "sentence"),
    "id": ("id", "item_id", "image_id", "img_id", "uid", "key"),
    "embedding": ("embedding", "embeddings", "image_embedding", "img_emb", "image_emb", "vector", "emb", "features",
        "image_embeds", "image_embeddings",
    ),
}  # fmt: skip
"""Usual names of a table's columns, the first that is there counts."""
ARRAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "embeddings": (
        "embeddings", "embedding", "image_embeddings", "image_embedding", "img_emb", "img_embs", "image_features",
        "features", "vectors", "embs", "emb", "arr_0",
    ),
    "ids": ("ids", "id", "item_ids", "image_ids", "keys", "names", "paths", "image_paths", "filenames", "files"),
    "labels": ("labels", "label", "classes", "class_names", "targets", "target", "y"),
    "captions": ("captions", "caption", "texts", "text"),
}  # fmt: skip
"""Usual names of the arrays in an .npz."""
_FLAGS: Final = {"embeddings": "--embeddings-key", "ids": "--ids-key", "labels": "--labels-key"}


@dataclass(frozen=True)
class Reading:
    """How to read sources.

    strict: stop at a source that is missing or damaged, which is else listed in `skipped`, with the reason
    columns: name of a column in a table, by what it holds: path, label, caption, id, embedding
    keys: name of an array in an .npz, by what it holds: embeddings, ids, labels
    separator, encoding: of a table of text; None to detect the separator, and UTF-8 or the encoding of its mark
    names: text file with one id a line, for embeddings that come without ids
    follow_links: read pictures of a folder that are links out of it. anywhere: read those that a table names outside of
    its own folder
    """

    strict: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None
    encoding: str | None = None
    names: str | None = None
    follow_links: bool = False
    anywhere: bool = False
    skipped: list[tuple[str, str]] = field(default_factory=list, compare=False)

    def column(self, there: Collection[str], what: str, where: object) -> str | None:
        """Which column of a table holds `what`; None where there is none. Raises InvalidInput for one that is not."""
        return _chosen(there, self.columns.get(what), SYNONYMS[what], f"{where}: --{what}-column")

    def array(self, there: Collection[str], what: str, where: object) -> str | None:
        """Which array of an .npz holds `what`; None where there is none. Raises InvalidInput for one that is not."""
        return _chosen(there, self.keys.get(what), ARRAYS[what], f"{where}: {_FLAGS.get(what, what)}")


PLAIN: Final = Reading(strict=True)
"""Nothing said by the user."""


def _chosen(there: Collection[str], named: str | None, usual: Collection[str], flag: str) -> str | None:
    by_case = {name.strip().lower(): name for name in reversed(list(there))}
    if named is not None:
        if named not in there and named.lower() not in by_case:
            raise InvalidInput(f"{flag} {named}: there is no such name; there are {', '.join(there) or 'none'}")
        return named if named in there else by_case[named.lower()]
    return next((by_case[name] for name in usual if name in by_case), None)

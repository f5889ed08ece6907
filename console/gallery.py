"""The pictures that one can send: those of the drawn query set, and what was dropped on the page, by id."""

import hashlib
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from shared.datasets import open_source
from shared.errors import NotFound

DRAWN: Final = 24
_MOST_UPLOADS: Final = 200


class Chosen(NamedTuple):
    """A picture. name: of its file. label: its category; empty where the truth is not known."""

    picture_id: str
    name: str
    label: str
    data: bytes

    @property
    def address(self) -> str:
        """Where the console serves it."""
        return f"/pictures/{self.picture_id}"


@lru_cache(maxsize=1)
def drawn() -> dict[str, Chosen]:
    """One picture each of the first categories of the query set, by id."""
    found: dict[str, Chosen] = {}
    labels = set()
    for picture in islice(open_source("drawn", "query"), 40 * DRAWN):
        if picture.label in labels:
            continue
        labels.add(picture.label)
        name = f"{picture.label.replace(' ', '-')}.png"
        found[f"drawn-{len(found)}"] = Chosen(f"drawn-{len(found)}", name, picture.label, picture.encoded())
        if len(found) == DRAWN:
            break
    return found


class Gallery:
    """Pictures by id; of those that were dropped the last 200 are kept while the console runs."""

    def __init__(self) -> None:
        self._uploads: dict[str, Chosen] = {}

    def add(self, name: str, data: bytes) -> Chosen:
        """Keep a picture under an id that its content gives."""
        chosen = Chosen(hashlib.sha256(data).hexdigest()[:16], name, "", data)
        self._uploads[chosen.picture_id] = chosen
        while len(self._uploads) > _MOST_UPLOADS:
            del self._uploads[next(iter(self._uploads))]
        return chosen

    def get(self, picture_id: str) -> Chosen:
        """The picture. Raises NotFound for one that is not kept any more."""
        found = self._uploads.get(picture_id) or drawn().get(picture_id)
        if found is None:
            raise NotFound(f"picture {picture_id!r} is not kept here any more: drop it on the page again")
        return found

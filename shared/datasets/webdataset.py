"""WebDataset: a tar file whose members belong together by name, such as 0001.jpg, 0001.cls, 0001.txt.

KEY.jpg|png|webp ...   the picture
KEY.cls, KEY.label     its label, as text
KEY.txt, KEY.caption   its caption
KEY.json               an object with `label` and `caption`
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from shared.datasets.decoding import MAX_BYTES
from shared.datasets.folder import SUFFIXES
from shared.datasets.picture import Picture
from shared.errors import InvalidInput
from shared.files import readable

_TEXTS = {"label": (".cls", ".label"), "caption": (".txt", ".caption")}
_TEXT_BYTES = 1 << 20

Members = dict[str, tarfile.TarInfo]


class TarSource:
    """The pictures of a WebDataset tar, read while one walks over it. Nothing is unpacked."""

    split = None

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path
        with readable(f"{path} is no tar file that can be read"), tarfile.open(path) as archive:
            self._groups = _groups(archive)
        if not self._groups:
            raise InvalidInput(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))})")

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels."""
        return tuple(sorted({picture.label for picture in self}))

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Picture]:
        with tarfile.open(self._path) as archive:
            for key, members in self._groups.items():
                with readable(f"{self._path}, member {key!r}: it cannot be read"):
                    picture = _read(archive, members[_picture_suffix(members) or ""], MAX_BYTES + 1)
                    described = _json(archive, members)
                    label, caption = (_text(archive, members, described, name) for name in _TEXTS)
                yield Picture(key, label, picture, caption)


def _groups(archive: tarfile.TarFile) -> dict[str, Members]:
    """Members by key and suffix, of each key that has a picture, in the order of the file."""
    groups: dict[str, Members] = {}
    for member in archive:
        path = PurePosixPath(member.name)
        name = path.name
        if member.isfile() and not name.startswith("."):
            stem, dot, suffix = name.partition(".")  # WebDataset splits at the first dot
            groups.setdefault(str(path.with_name(stem)), {})[(dot + suffix).lower()] = member
    parted = {each: part for key, members in groups.items() for each, part in _parted(key, members).items()}
    return {key: members for key, members in parted.items() if _picture_suffix(members)}


def _parted(key: str, members: Members) -> dict[str, Members]:
    """A group as it is; several pictures without one called just KEY.jpg are names with dots, such as v1.0.jpg."""
    pictures = [suffix for suffix in members if _is_picture(suffix)]
    if len(pictures) < 2 or any(suffix.count(".") == 1 for suffix in pictures):
        return {key: members}
    found: dict[str, Members] = {}
    for suffix, member in members.items():
        stem, dot, last = suffix.rpartition(".")
        found.setdefault(f"{key}{stem}", {})[dot + last] = member
    return found


def _picture_suffix(members: Members) -> str | None:
    return next(filter(_is_picture, members), None)


def _is_picture(suffix: str) -> bool:
    return f".{suffix.rpartition('.')[2]}" in SUFFIXES


def _text(archive: tarfile.TarFile, members: Members, described: dict[str, Any], name: str) -> str:
    """The label or the caption, from a member of its own or from `described`; empty where there is none."""
    for suffix in _TEXTS[name]:
        if suffix in members:
            return _read(archive, members[suffix], _TEXT_BYTES).decode("utf-8", "replace").strip()
    return str(described.get(name, ""))


def _json(archive: tarfile.TarFile, members: Members) -> dict[str, Any]:
    if ".json" not in members:
        return {}
    try:
        described = json.loads(_read(archive, members[".json"], _TEXT_BYTES))
    except ValueError:
        return {}
    return described if isinstance(described, dict) else {}


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read(most)

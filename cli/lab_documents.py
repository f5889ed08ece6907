"""What the commands of the laboratory print with --json."""

from typing import Any

from typing_extensions import TypedDict

from cli.kb.documents import SkippedSource


class Features(TypedDict):
    """`semlink features`."""

    file: str
    items: int
    dim: int
    clip: str
    clip_fingerprint: str
    skipped: list[str]
    skipped_sources: list[SkippedSource]


class Exported(TypedDict):
    """`semlink export`. bytes: of all files. about: of CLIP. files: SHA-256 of each, by its path in the bundle.

    words: that the text tower knows; null for all.
    """

    bundle: str
    bytes: int
    about: dict[str, Any]
    files: dict[str, str]
    licence: str
    version: str
    words: list[str] | None


class Measured(TypedDict):
    """`semlink evaluate`."""

    file: str
    points: int


class Page(TypedDict):
    """`semlink report`."""

    file: str


class Paper(TypedDict):
    """`semlink paper`."""

    file: str
    points: int
    weights: str


class PaperUoisc(TypedDict):
    """`semlink paper-uoisc`. rows: of the table, one for each scheme."""

    file: str
    rows: list[dict[str, Any]]

"""What the commands of `semlink kb` print with --json, where it is no dataclass of `shared.frame.kb`."""

from typing import Any

from typing_extensions import TypedDict


class Skipped(TypedDict):
    """An item that was not stored."""

    item_id: str
    reason: str


class SkippedSource(TypedDict):
    """A shard that was not read."""

    source: str
    reason: str


class Duplicate(TypedDict):
    """An item with the same picture as an earlier one."""

    item_id: str
    same_as: str


class Conflict(Duplicate):
    """Such an item with another label."""

    label: str
    label_of_that: str


class Built(TypedDict):
    """`semlink kb build`."""

    items: int
    labels: int
    seconds: float
    skipped: list[Skipped]
    duplicates: list[Duplicate]
    conflicts: list[Conflict]
    resumed: int
    directory: str
    skipped_sources: list[SkippedSource]


class Added(TypedDict):
    """`semlink kb add`."""

    added: int
    refused: list[Skipped]
    seconds: float
    version: int


class Item(TypedDict):
    """`semlink kb get`."""

    item_id: str
    label: str
    caption: str
    path: str
    thumbnail_bytes: int
    embedding: list[float]


class Line(TypedDict):
    """One line of `semlink kb list`."""

    item_id: str
    label: str
    caption: str
    path: str


class Removed(TypedDict):
    """`semlink kb remove`."""

    removed: int


class Relabelled(TypedDict):
    """`semlink kb relabel`."""

    relabelled: int


class Tuned(TypedDict):
    """`semlink kb tune`."""

    chosen: dict[str, Any]
    points: list[dict[str, Any]]
    plot: str


class Calibrated(TypedDict):
    """`semlink kb calibrate`. ece: expected calibration error, of share of votes, shipped and fitted."""

    models: dict[str, Any]
    ece: dict[str, float]
    file: str
    plot: str


class KbReport(TypedDict):
    """`semlink kb report`."""

    retrieval: list[dict[str, Any]]
    auroc: dict[str, float]
    plot: str


class Thinned(TypedDict):
    """`semlink kb thin`."""

    steps: list[dict[str, Any]]
    directory: str

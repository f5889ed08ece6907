"""What each command prints with --json, as types; `python -m tests.tools.write_json_schemas` makes docs/schemas.

An infinity and NaN, which JSON does not know, are null. Keys are added, never renamed.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, get_type_hints

from pydantic import ConfigDict, Field, create_model
from typing_extensions import TypedDict

from cli.doctor.checks import Finding
from cli.kb.documents import (
    Added,
    Built,
    Calibrated,
    Item,
    KbReport,
    Line,
    Relabelled,
    Removed,
    Thinned,
    Tuned,
)
from cli.lab_documents import Exported, Features, Measured, Page, Paper, PaperUoisc
from shared.frame.channel_records import ChannelStatistics
from shared.frame.delivery import Delivery
from shared.frame.kb import Found, Kept, KnowledgeBaseInfo, Snapshot, Verification
from shared.frame.question import Asked
from shared.frame.reception import Hit
from shared.phy import ChannelSettings
from shared.phy.conditions.presets import Preset
from shared.phy.conditions.settings import FadingName

Pairs = Annotated[list[tuple[float, float]], Field(description="Complex numbers as [real, imaginary].")]


class Channel(TypedDict):
    """The channel's report. With settings, seed, stream and counter the burst can be replayed bit for bit."""

    snr_db_asked: float
    snr_db_achieved: float
    fading: FadingName
    seed: int
    stream: int
    counter: int
    signal_power: float
    noise_power: float
    seconds: float
    air_symbols: int
    papr_db: float
    settings: Annotated[dict[str, Any], Field(description="Settings that differ from the defaults.")]
    gain: tuple[float, float]


class Constellations(TypedDict):
    """Symbols of the payload, with --trace."""

    sent: Pairs
    received: Pairs
    equalized: Pairs


class Problem(TypedDict):
    """Why there is no answer. kind: of the tree of SemLink's errors."""

    kind: str
    message: str


class Failed(TypedDict):
    """A picture that was not delivered."""

    image: str
    error: Problem


def _delivered(name: str, further: dict[str, Any]) -> Any:
    """A delivery as `Delivery.to_json` gives it, with the name of the picture. further: kinds of what else it has."""
    own = {field: kind for field, kind in get_type_hints(Delivery).items() if field not in {"trace", "asked"}}
    kinds = own | {"channel": Channel} | further
    fields: dict[str, Any] = {"image": (str, ...), **{name: (kind, ...) for name, kind in kinds.items()}}
    fields["trace"] = (Constellations, None)
    return create_model(name, __config__=ConfigDict(extra="forbid"), __doc__=Delivery.__doc__, **fields)


Delivered: Final = _delivered("Delivered", {})
Answered: Final = _delivered(
    "Answered", {name: kind for name, kind in get_type_hints(Asked).items() if name != "picture"}
)


class Replayed(TypedDict):
    """The receiver's answer to one burst of a recording."""

    stream: int
    counter: int
    item_id: str
    label: str
    distance: float
    confidence: float
    accepted: bool
    reason: str
    top: list[Hit]


class ReplayFailed(TypedDict):
    """A burst without an answer."""

    stream: int
    counter: int
    error: Problem


class Scheduled(TypedDict, total=False):
    """`semlink channel schedule`. schedule: null where none runs, and then nothing else."""

    schedule: str | None
    seconds: float
    clock: str
    repeat_seconds: float | None
    settings: dict[str, Any]
    changes: list[dict[str, Any]]


class Recorded(TypedDict):
    """`semlink channel record`."""

    bursts: int
    lost: int
    symbols: int
    files: list[str]


class Addresses(TypedDict):
    """`semlink up`, once it is ready: HOST:PORT."""

    transmitter: str
    channel: str
    receiver: str


class Stopped(TypedDict):
    """A link that `semlink down` has stopped."""

    pid: int
    addresses: dict[str, str]


class Down(TypedDict):
    """`semlink down`."""

    stopped: list[Stopped]


class Examined(TypedDict):
    """`semlink doctor`. The status is 1 if the state of a finding is `fault`."""

    findings: list[Finding]


class Demo(TypedDict):
    """`semlink demo`, and its demo.json. rows: the clean reference first."""

    images: int
    clip: str
    precision: str
    knowledge_base: str
    concurrency: int
    latency: str
    seconds: float
    rows: list[dict[str, Any]]


Figures = Annotated[dict[str, Any], Field(description="Measured figures by name; units are in the names.")]


class TokenLine(TypedDict):
    """One token that services accept. rate: calls a second. bytes: of its requests at work; null for no limit."""

    name: str
    roles: list[str]
    rate: float | None
    bytes: int | None


class NewToken(TypedDict):
    """A token that was made. token: the secret, null where it was written into a file."""

    name: str
    roles: list[str]
    token: str | None


Certificates = Annotated[dict[str, str], Field(description="Until when each certificate is valid, ISO 8601, by name.")]

DOCUMENTS: Final[Mapping[str, Any]] = {
    "up": Addresses,
    "down": Down,
    "doctor": Examined,
    "demo": Demo,
    "send": Delivered | list[Delivered | Failed],  # type: ignore[valid-type]
    "ask": Answered | list[Answered],  # type: ignore[valid-type]
    "export": Exported,
    "features": Features,
    "evaluate": Measured,
    "report": Page,
    "paper": Paper,
    "paper-uoisc": PaperUoisc,
    "certs init": Certificates,
    "certs renew": Certificates,
    "certs list": Certificates,
    "token new": NewToken,
    "token list": list[TokenLine],
    "token remove": list[TokenLine],
    "channel get": ChannelSettings,
    "channel set": ChannelSettings,
    "channel reset": ChannelSettings,
    "channel presets": list[Preset],
    "channel schedule": Scheduled,
    "channel watch": ChannelStatistics,
    "channel record": Recorded,
    "channel replay": list[Replayed | ReplayFailed],
    "bench link": Figures,
    "bench latency": Figures,
    "bench encoder": Figures,
    "bench ask": Figures,
    "bench channel": Figures,
    "bench kb": Figures,
    "bench metrics": Figures,
    "bench more": Figures,
    "kb build": Built,
    "kb add": Added,
    "kb remove": Removed,
    "kb relabel": Relabelled,
    "kb info": KnowledgeBaseInfo,
    "kb get": Item,
    "kb search": Found,
    "kb list": list[Line],
    "kb snapshot": Snapshot,
    "kb snapshots list": list[Kept],
    "kb snapshots remove": list[Kept],
    "kb restore": KnowledgeBaseInfo,
    "kb verify": Verification,
    "kb compact": KnowledgeBaseInfo,
    "kb tune": Tuned,
    "kb calibrate": Calibrated,
    "kb report": KbReport,
    "kb thin": Thinned,
}
"""What a command prints; `channel watch` prints one such object a line."""

"""Which role a call needs: one table of all methods of all services.

send      pictures and embeddings, and what the services pass on to one another for them
curate    change the knowledge base
operate   change the channel, record and replay
observe   look at everything, change nothing
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

Role: TypeAlias = Literal["send", "curate", "operate", "observe"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


class Rule(NamedTuple):
    """What a method asks for.

    roles: any of them will do. changes: the call leaves a line of audit. waits: its stream of requests may bring none
    for as long as it likes.
    """

    roles: tuple[Role, ...]
    changes: bool = False
    waits: bool = False


_ANY: Final = Rule(ROLES)
_SEND: Final = Rule(("send",))
_LOOK: Final = Rule(("observe", "operate", "curate"))
_CURATE: Final = Rule(("curate",), changes=True)
_OPERATE: Final = Rule(("operate",), changes=True)

RULES: Final[Mapping[str, Rule]] = {
    "/semlink.v1.Transmitter/Describe": _ANY,
    "/semlink.v1.Transmitter/SendEmbedding": _SEND,
    "/semlink.v1.Transmitter/SendImage": _SEND,
    "/semlink.v1.Transmitter/SendImages": _SEND,
    "/semlink.v1.Channel/GetChannel": _LOOK,
    "/semlink.v1.Channel/GetSchedule": _LOOK,
    "/semlink.v1.Channel/ListPresets": _LOOK,
    "/semlink.v1.Channel/RecordChannel": _OPERATE._replace(waits=True),  # what others send is in it
    "/semlink.v1.Channel/Relay": _SEND,
    "/semlink.v1.Channel/Replay": _OPERATE,
    "/semlink.v1.Channel/ResetChannel": _OPERATE,
    "/semlink.v1.Channel/SetChannel": _OPERATE,
    "/semlink.v1.Channel/SetSchedule": _OPERATE,
    "/semlink.v1.Channel/WatchChannel": _LOOK,
    "/semlink.v1.Receiver/Describe": _ANY,
    "/semlink.v1.Receiver/Receive": _SEND,
    "/semlink.v1.KnowledgeBase/Add": _CURATE,
    "/semlink.v1.KnowledgeBase/Compact": _CURATE,
    "/semlink.v1.KnowledgeBase/Describe": _ANY,
    "/semlink.v1.KnowledgeBase/GetItem": _LOOK,
    "/semlink.v1.KnowledgeBase/List": _LOOK,
    "/semlink.v1.KnowledgeBase/ListSnapshots": _LOOK,
    "/semlink.v1.KnowledgeBase/Relabel": _CURATE,
    "/semlink.v1.KnowledgeBase/Remove": _CURATE,
    "/semlink.v1.KnowledgeBase/RemoveSnapshot": _CURATE,
    "/semlink.v1.KnowledgeBase/Restore": _CURATE,
    "/semlink.v1.KnowledgeBase/Search": _LOOK,
    "/semlink.v1.KnowledgeBase/Snapshot": _CURATE,
    "/semlink.v1.KnowledgeBase/Verify": Rule(("curate", "observe")),
}
"""By full name. Health checks and reflection ask for no token: who asks them learns what the .proto files say."""

"""SemLink: semantic image transmission over a simulated radio link, through real sockets.

    from semlink import SemLink

    with SemLink("127.0.0.1:50051") as link:
        delivery = link.send("cat.jpg", snr_db=5, fading="rayleigh", k=64)
        print(delivery.label, delivery.confidence, delivery.total_seconds)

This is the public face: the client library and its errors. It needs neither torch nor faiss, and knows nothing of the
command line, which is `semlink`, or `python -m semlink`.
"""

from client import (
    AsyncSemLink,
    ChannelControl,
    ChannelOptions,
    ChannelSettings,
    Delivery,
    KnowledgeBaseClient,
    NewItem,
    Security,
    SemLink,
    SendOptions,
)
from shared.errors import (
    DataLoss,
    Exhausted,
    Expired,
    InvalidInput,
    InvalidPicture,
    InvalidSetting,
    InvalidSymbols,
    Lost,
    Mismatch,
    NotFound,
    PermissionDenied,
    SemLinkError,
    Unauthenticated,
    Unavailable,
)
from shared.version import VERSION

__version__ = VERSION

__all__ = [
    "AsyncSemLink",
    "ChannelControl",
    "ChannelOptions",
    "ChannelSettings",
    "DataLoss",
    "Delivery",
    "Exhausted",
    "Expired",
    "InvalidInput",
    "InvalidPicture",
    "InvalidSetting",
    "InvalidSymbols",
    "KnowledgeBaseClient",
    "Lost",
    "Mismatch",
    "NewItem",
    "NotFound",
    "PermissionDenied",
    "Security",
    "SemLink",
    "SemLinkError",
    "SendOptions",
    "Unauthenticated",
    "Unavailable",
    "__version__",
]

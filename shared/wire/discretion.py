"""What an error tells a caller on another machine: what is wrong and what to do, and nothing of where things lie here.

The log has the whole message; an unexpected error is found there by the id that the caller gets.
"""

import re
from contextvars import ContextVar
from typing import Final

caller_is_local: Final[ContextVar[bool]] = ContextVar("caller_is_local", default=True)
"""Whether the call that this task serves comes from this machine."""

_LOCAL: Final = ("ipv4:127.", "ipv6:%5B::1%5D", "ipv6:[::1]", "ipv6:%5B::ffff:127.", "ipv6:[::ffff:127.", "unix:")
_HIDDEN: Final = (
    (re.compile(r"\bpid \d+ on [\w.-]+"), "another process"),
    (re.compile(r"(?<![\w/:.])~?/(?:[^\s/:;,'\"()]+/)*([^\s/:;,'\"()]*)"), r"\1"),  # of a path its last part
    (
        re.compile(r"(?:\b(?:ipv[46]:|dns:///))?(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.%]+\]):\d+\b"),
        "the next service",
    ),
    (re.compile(r"(?:\bdns:///)?\b[A-Za-z][\w.-]*:\d{4,5}\b"), "the next service"),
)


def is_local(peer: str) -> bool:
    """Whether a caller, as gRPC names it, is on this machine."""
    return peer.startswith(_LOCAL)


def told(message: str) -> str:
    """The message of an error as the caller gets it: whole, or without paths, processes and addresses."""
    if caller_is_local.get():
        return message
    for pattern, instead in _HIDDEN:
        message = pattern.sub(instead, message)
    return message

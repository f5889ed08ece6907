"""The audit: one line of log for each change of the channel or the knowledge base. Who, what, from where, and the end.

A stream that changes things has two lines, one when it begins and one with the number of its requests.
"""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from google.protobuf.message import Message

log = structlog.get_logger()

_MOST_LETTERS: Final = 80
_MOST_FIELDS: Final = 24


def record(who: Mapping[str, str], method: str, peer: str, status: str, **about: Any) -> None:
    """One line. who: the caller's token and certificate, where it has them. about: what was asked, see `summary`."""
    log.info("audit", **who, what=method, peer=peer, status=status, **about)


def summary(request: Any) -> dict[str, Any]:
    """The fields of a request that are set: short ones as they are, of lists, maps, pictures and arrays the length."""
    if not isinstance(request, Message):
        return {}
    return {field.name: _short(field, value) for field, value in request.ListFields()[:_MOST_FIELDS]}


def _short(field: Any, value: Any) -> Any:
    if field.is_repeated or isinstance(value, bytes):
        return f"{len(value)} {'entries' if field.is_repeated else 'bytes'}"
    if isinstance(value, Message):
        return summary(value)
    if isinstance(value, str):
        return value[:_MOST_LETTERS]
    known = None if field.enum_type is None else field.enum_type.values_by_number.get(value)
    return value if known is None else known.name  # a number without a meaning is what was asked for, too

"""The tree of SemLink's errors.

    SemLinkError
    ├── InvalidInput          wrong input of the caller: picture, setting, request
    │   ├── InvalidPicture    not an image, truncated, empty, too many pixels
    │   ├── InvalidSetting    a setting out of its range
    │   └── InvalidSymbols    a burst whose bytes, count or power are wrong
    ├── Mismatch              parts that do not match: codec, CLIP, knowledge base
    │   └── Unconfigured      a burst sent by a configuration that the receiver does not hold
    ├── Unauthenticated       no token, or one that is not known
    ├── PermissionDenied      a token without the role that the call needs
    ├── NotFound              an item, codec, file or weight that does not exist
    ├── Exhausted             a limit was reached: too large, or too much in flight
    ├── Expired               the deadline passed before the work was done
    ├── Unavailable           a service that cannot be reached now
    │   └── Lost              a burst that the channel lost, as its settings require
    └── DataLoss              a stored file that is damaged

A message names the wrong value and the remedy. `shared.wire.failure` maps the tree to gRPC status codes.
"""


class SemLinkError(Exception):
    """Base of all errors that SemLink raises itself."""


class InvalidInput(SemLinkError):
    """The input of the caller is wrong."""


class InvalidPicture(InvalidInput):
    """The bytes are not a picture that can be sent."""


class InvalidSetting(InvalidInput):
    """A setting is out of its range."""


class InvalidSymbols(InvalidInput):
    """The bytes, the number or the power of a burst's symbols are wrong."""


class Mismatch(SemLinkError):
    """Parts that must match differ, such as codec and CLIP."""


class Unconfigured(Mismatch):
    """The receiver does not hold the configuration that a burst was sent by."""


class Unauthenticated(SemLinkError):
    """The caller gave no token, or one that the service does not know."""


class PermissionDenied(SemLinkError):
    """The caller's token has not the role that the call needs."""


class NotFound(SemLinkError):
    """An item, codec, file or weight does not exist."""


class Exhausted(SemLinkError):
    """A limit on size or on work in flight was reached."""


class Expired(SemLinkError):
    """The deadline passed before the work was done."""


class Unavailable(SemLinkError):
    """A service cannot be reached now."""


class Lost(Unavailable):
    """The channel lost the burst, as its settings require; no service failed."""


class DataLoss(SemLinkError):
    """A stored file is damaged."""

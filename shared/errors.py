"""Every error that SemLink raises on purpose.

    SemLinkError
    ├── InvalidInput          what the caller gave is wrong: picture, setting, request
    │   ├── InvalidPicture    not an image, truncated, empty, too many pixels
    │   ├── InvalidSetting    a setting out of its range
    │   └── InvalidSymbols    a burst whose bytes, count or power are wrong
    ├── Mismatch              two halves that do not belong together: codec, CLIP, knowledge base
    ├── NotFound              an item, codec, file or weight that does not exist
    ├── Exhausted             too large, or too much in flight; try later or smaller
    ├── Expired               the deadline passed before the work was done
    ├── Unavailable           a service that cannot be reached now
    │   └── Lost              a burst that the channel lost, as its settings ask it to
    └── DataLoss              a stored file that is damaged

A message names the wrong value and says what to do. `shared.wire.failure` maps the tree to gRPC status codes.
"""


class SemLinkError(Exception):
    """Base of every error that SemLink raises on purpose."""


class InvalidInput(SemLinkError):
    """What the caller gave is wrong."""


class InvalidPicture(InvalidInput):
    """The bytes are no picture that can be sent."""


class InvalidSetting(InvalidInput):
    """A setting is out of its range."""


class InvalidSymbols(InvalidInput):
    """A burst's bytes, count or power are wrong."""


class Mismatch(SemLinkError):
    """Two halves that do not belong together."""


class NotFound(SemLinkError):
    """Something that was named does not exist."""


class Exhausted(SemLinkError):
    """A limit on size or on work in flight was reached."""


class Expired(SemLinkError):
    """The deadline passed before the work was done."""


class Unavailable(SemLinkError):
    """A service cannot be reached now."""


class Lost(Unavailable):
    """The channel lost the burst, as its settings ask it to; nothing is broken."""


class DataLoss(SemLinkError):
    """A stored file is damaged."""

"""Every conversion between plain values and protobuf messages.

The generic `converter` does all but the burst (`link`) and the channel's settings (`channel`); importing the package
makes them known to it.
"""

from shared.wire import channel, failure, link
from shared.wire.converter import from_message, to_message

__all__ = ["channel", "failure", "from_message", "link", "to_message"]

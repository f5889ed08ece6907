"""What came of a question."""

from client import Delivery
from shared.frame.question import Asked


def outcome(delivery: Delivery) -> Asked:
    """That of a delivery, which must have one."""
    assert delivery.asked is not None
    return delivery.asked

"""What a check of `semlink doctor` finds, and how one that fails by itself is told."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import SemLinkError
from shared.files import said


class State(StrEnum):
    """fine: nothing to do. note: works, but there is something to know. fault: something does not work."""

    FINE = "fine"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """What one check found. check: its subject. remedy: what to do; empty where there is nothing to do."""

    check: str
    state: State
    found: str
    remedy: str = ""


def fine(check: str, found: str) -> Finding:
    """A finding with nothing to do."""
    return Finding(check, State.FINE, found)


def note(check: str, found: str, remedy: str = "") -> Finding:
    """A finding that one should know."""
    return Finding(check, State.NOTE, found, remedy)


def fault(check: str, found: str, remedy: str) -> Finding:
    """A finding that ends `semlink doctor` with status 1."""
    return Finding(check, State.FAULT, found, remedy)


def findings(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `look` finds; an error that it raises is a fault too, so that the other checks go on."""
    try:
        yield from look()
    except SemLinkError as error:
        yield fault(check, str(error), "see the message")
    except OSError as error:
        yield fault(check, said(error), "see the message")
    except ImportError as error:
        yield fault(check, f"cannot be imported: {error}", "install it again: pip install --force-reinstall")

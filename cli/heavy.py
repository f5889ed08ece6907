"""Commands that need more than the light install."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from shared.errors import NotFound

_OWN = {"client", "lab", "protos", "receiver", "shared", "transmitter"}


@contextmanager
def heavy() -> Iterator[None]:
    """Import torch, faiss or open_clip in the body; where one is not installed, say how to get it.

    What is behind the door logs to standard error from then on: standard output is for the command's answer.
    """
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OWN:
            raise
        raise NotFound(
            f"this command needs {error.name}, which is not installed: pip install 'semlink[lab]'"
        ) from error

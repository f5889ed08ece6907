"""Commands that need more than the light install."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import NotFound

_OWN = {"client", "lab", "protos", "receiver", "shared", "transmitter"}


@contextmanager
def heavy() -> Iterator[None]:
    """Import torch, faiss or open_clip in the body; where one is not installed, say how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OWN:
            raise
        raise NotFound(
            f"this command needs {error.name}, which is not installed: pip install 'semlink[lab]'"
        ) from error

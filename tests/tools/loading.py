"""Where codecs are loaded: it may import libraries, for seconds, and must not do so on the event loop."""

import threading
from typing import Any

import pytest

from shared.codecs import CodecShelf


def threads_that_load(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The thread of each codec that is loaded from now on."""
    found, load = [], CodecShelf._load

    def noted(shelf: CodecShelf, *about: Any) -> Any:
        found.append(threading.current_thread())
        return load(shelf, *about)

    monkeypatch.setattr(CodecShelf, "_load", noted)
    return found

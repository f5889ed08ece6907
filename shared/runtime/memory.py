"""Memory that is free goes back to the system: glibc keeps it, unless it is told otherwise."""

import ctypes
import gc
import sys
from typing import Any, Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 4 << 20
_KEPT_BYTES: Final = 64 << 20


def return_large_blocks() -> None:
    """Let blocks of 4 MiB and more, such as pictures, go back as soon as they are free; for the start of a process.

    glibc would raise its own threshold to 32 MiB with the first of them, and keep those below. What is free at the end
    of the heap is kept up to 64 MiB, for `give_back_memory`: glibc would return it at 128 KiB, and numpy's temporaries
    of some hundred KiB would cost a page fault for each 4 KiB, every time.
    """
    if (libc := _libc()) is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_memory() -> None:
    """Give back what is free now, and what is held by cycles alone; takes some ms, so off the event loop.

    A call that failed leaves a cycle of its exception, its frames and its request, which may have many megabytes; the
    collector counts objects, not bytes, so it would not come for a long time.
    """
    gc.collect()
    if (libc := _libc()) is not None:
        libc.malloc_trim(0)


def _libc() -> Any:
    """glibc; None on systems with another allocator."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") else None

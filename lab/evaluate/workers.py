"""The end of worker processes, of those who compute much: nobody would wait for what they go on with."""

import os
from multiprocessing import parent_process
from threading import Thread


def end_with_parent() -> None:
    """End this worker, from now on, when the process that started it has ended, also by SIGTERM or SIGKILL."""
    Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

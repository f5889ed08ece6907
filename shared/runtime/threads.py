"""Threads of numpy's matrix products."""

import os

from threadpoolctl import ThreadpoolController


def use_one_numpy_thread() -> None:
    """Let numpy's own BLAS run on the calling thread alone, unless the environment sets OPENBLAS_NUM_THREADS.

    Products of a burst are tens of microseconds of arithmetic. On a busy machine a second thread that must be waited
    for costs milliseconds. FAISS has a BLAS of its own, which keeps its threads.
    """
    if "OPENBLAS_NUM_THREADS" in os.environ:
        return
    for library in ThreadpoolController().select(internal_api="openblas").lib_controllers:
        if getattr(library, "threading_layer", "") == "pthreads":
            library.set_num_threads(1)

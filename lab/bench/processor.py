"""Processor time of another process."""

import sys
import time

import psutil

from shared.errors import NotFound

_OF_PROCESS = 2
"""CPUCLOCK_SCHED of Linux: the clock of all threads of a process, to the nanosecond."""


def processor_seconds(pid: int | None) -> float:
    """Seconds, user and system, of all threads of a process; in steps of some 10 ms where the system is not Linux.

    Raises NotFound for None, the number of a process that is not started.
    """
    if pid is None:
        raise NotFound("the process is not started, so it has no processor time")
    if sys.platform.startswith("linux"):
        return time.clock_gettime(~pid << 3 | _OF_PROCESS)  # clock_getcpuclockid(3), which Python has not
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)

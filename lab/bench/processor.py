"""Processor time of another process."""

import sys
import time

import psutil

_OF_PROCESS = 2
"""CPUCLOCK_SCHED of Linux: the clock of all threads of a process, to the nanosecond."""


def processor_seconds(pid: int) -> float:
    """Seconds, user and system, of all threads of a process; in steps of some 10 ms where the system is not Linux."""
    if sys.platform.startswith("linux"):
        return time.clock_gettime(~pid << 3 | _OF_PROCESS)  # clock_getcpuclockid(3), which Python has not
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)

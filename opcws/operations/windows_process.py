"""The resources of this process on Windows, like those that the library of Prometheus reports on
Linux.

The names are those of the library; as in its version for Go, handles count as file descriptors, and
committed memory as virtual memory (the address space says nothing on Windows).

Threads: any.
"""

import ctypes
import sys
from typing import Iterable, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

#: FILETIME counts 100 ns since 1601; this is the difference to 1970.
_UNIX_EPOCH = 116444736000000000


class Taken(NamedTuple):
    """Seconds of the processor, bytes of memory, handles; *started* in seconds since 1970."""

    cpu_s: float
    resident_bytes: int
    committed_bytes: int
    handles: int
    started: float


class _MemoryCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS_EX."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        *[
            (name, ctypes.c_size_t)
            for name in (
                "peak_working_set",
                "working_set",
                "peak_paged_pool",
                "paged_pool",
                "peak_nonpaged_pool",
                "nonpaged_pool",
                "pagefile",
                "peak_pagefile",
                "private",
            )
        ],
    ]


def taken() -> Taken:
    """Raises :exc:`OSError`."""
    if sys.platform != "win32":
        raise OSError("this is no Windows")
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    times = (ctypes.c_uint64 * 4)()  # creation, end, time in the kernel, time in user mode
    memory = _MemoryCounters(size=ctypes.sizeof(_MemoryCounters))
    handles = ctypes.c_uint32()
    each = [ctypes.byref(times, 8 * number) for number in range(4)]
    if not (
        kernel.GetProcessTimes(process, *each)
        and kernel.K32GetProcessMemoryInfo(process, ctypes.byref(memory), memory.size)
        and kernel.GetProcessHandleCount(process, ctypes.byref(handles))
    ):
        raise ctypes.WinError(ctypes.get_last_error())
    return Taken(
        (times[2] + times[3]) / 1e7,
        memory.working_set,
        memory.private or memory.pagefile,  # the first is 0 under Wine, the second on Windows 7
        handles.value,
        (times[0] - _UNIX_EPOCH) / 1e7,
    )


class WindowsProcess(Collector):
    """Replaces :class:`prometheus_client.ProcessCollector`, which reads ``/proc``."""

    def collect(self) -> Iterable[Metric]:
        try:
            found = taken()
        except OSError:
            return
        yield CounterMetricFamily(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            found.cpu_s,
        )
        for name, text, value in (
            ("resident_memory_bytes", "Resident memory size in bytes.", found.resident_bytes),
            ("virtual_memory_bytes", "Committed memory size in bytes.", found.committed_bytes),
            ("open_fds", "Number of open handles.", found.handles),
            ("start_time_seconds", "Start time of the process since unix epoch.", found.started),
        ):
            yield GaugeMetricFamily("process_" + name, text, value)

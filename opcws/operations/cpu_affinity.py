"""Which CPU the process runs on: ``process.cpu_affinity``.

Only one thread at a time holds Python's interpreter lock (GIL), and passing it to a thread on
another CPU costs more than the work of many requests.  A process on a single CPU does not pay for
that, as long as it has the CPU for itself.  Beside another program it gets only half of the CPU,
while others are idle.  So ``auto`` checks again and again.

Rules of ``auto``:

* The process runs on the CPU that other programs use least, if they use at most :data:`FREE` of it.
* When others use more than :data:`BUSY` of this CPU, the process moves to another free one; if
  there is none, the system decides.
* With more than :data:`FEW_THREADS` the system decides.  Each thread that waits for the GIL wakes
  up again and again to request it (:mod:`.thread_switching`); when a thousand clients begin to
  monitor at the same time, one CPU has little time for anything else.
* Without a GIL, with one CPU, and on systems that do not report the load of each CPU (all except
  Linux), it does nothing.

(psutil was looked at: it needs a compiled part, and on Linux it sets only the main thread.)

Threads: :meth:`Affinity.start` and :meth:`Affinity.stop` are called by one thread; the rest runs on
``opcws-cpu``.
"""

import ctypes
import logging
import os
import sys
import threading
from typing import (
    AbstractSet,
    Callable,
    Dict,
    FrozenSet,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Union,
)

from ..model.deadline import Deadline
from ..model.errors import ConfigError

log = logging.getLogger(__name__)

#: Seconds between two checks.
LOOK_S = 5.0
#: The share of a CPU that others may use when opcws moves to it, and while opcws stays.
FREE = 0.15
BUSY = 0.3
#: Most threads of the process (two for each client) for a single CPU, and how often in seconds they
#: are counted, because many clients may come at once.
FEW_THREADS = 128
COUNT_S = 0.1


class Usage(NamedTuple):
    """Ticks of one CPU since the start of the machine: used ones, and all."""

    used: int
    all: int


class Look(NamedTuple):
    """Ticks so far: of each CPU, and of this process."""

    cpus: Mapping[int, Usage]
    own: int


class Affinity:
    """Keeps this process on a CPU; *setting* is ``"auto"``, ``"off"`` or a number."""

    def __init__(self, setting: Union[str, int], look_s: float = LOOK_S) -> None:
        self._setting = setting
        self._look_s = look_s
        self._allowed: FrozenSet[int] = frozenset()
        #: The CPU of the process, if it is limited to one.
        self.held: Optional[int] = None
        self._stopping = threading.Event()
        # A daemon, because it must not keep the process alive; stop() joins it.
        self._thread = threading.Thread(target=self._run, name="opcws-cpu", daemon=True)

    def start(self) -> None:
        """Raises :exc:`~opcws.model.errors.ConfigError` for a CPU that does not exist."""
        if self._setting == "off":
            return
        self._allowed = allowed_cpus()
        if self._setting == "auto":
            if len(self._allowed) > 1 and has_gil() and look() is not None:
                self._thread.start()
            return
        number = int(self._setting)
        if number not in self._allowed:
            numbers = ", ".join(map(str, sorted(self._allowed))) or "none on this system"
            raise ConfigError(
                "process.cpu_affinity: opcws cannot run on CPU %d; expected one of %s, or 'off'"
                % (number, numbers)
            )
        self._hold(number)

    def stop(self, deadline: Deadline) -> None:
        """Let the system decide again."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(deadline.remaining())
        if self.held is not None:
            self._hold(None)

    # --- opcws-cpu ------------------------------------------------------------------------------

    def _run(self) -> None:
        before = look()
        due, pause_s = Deadline(self._look_s), min(COUNT_S, self._look_s)
        while before is not None and not self._stopping.wait(pause_s):
            if threading.active_count() > FEW_THREADS:
                if self.held is not None:
                    self._hold(None)
                continue
            if not due.expired:
                continue
            now = look()
            if now is None:
                return
            wanted = choose(used_by_others(before, now, self.held, self._allowed), self.held)
            # Even if it is the same CPU: a thread that was just starting may have been missed.
            if wanted is not None or self.held is not None:
                self._hold(wanted)
            before, due = now, Deadline(self._look_s)

    def _hold(self, cpu: Optional[int]) -> None:
        if cpu != self.held:
            log.debug("running on %s", "any CPU" if cpu is None else "CPU %d" % cpu)
        if hold(self._allowed if cpu is None else {cpu}):
            self.held = cpu


def used_by_others(
    before: Look, now: Look, held: Optional[int], allowed: FrozenSet[int]
) -> Dict[int, float]:
    """An estimate of the share of each of the *allowed* CPUs that other processes used between two
    checks: while this process is not *held*, its own share is assumed to be spread like the whole
    load."""
    used: Dict[int, int] = {}
    ticks: Dict[int, int] = {}
    for cpu in allowed:
        if cpu in before.cpus and cpu in now.cpus:
            used[cpu] = now.cpus[cpu].used - before.cpus[cpu].used
            ticks[cpu] = max(1, now.cpus[cpu].all - before.cpus[cpu].all)
    own = now.own - before.own
    whole = max(1, sum(used.values()))
    others = {}
    for cpu, busy in used.items():
        mine = own * busy / whole if held is None else own if cpu == held else 0
        others[cpu] = max(0.0, busy - mine) / ticks[cpu]
    return others


def choose(others: Mapping[int, float], held: Optional[int]) -> Optional[int]:
    """The CPU to use, given the shares that *others* use; ``None`` for any."""
    if held is not None and others.get(held, 1.0) <= BUSY:
        return held
    best = min(others, key=lambda cpu: others[cpu], default=None)
    return best if best is not None and others[best] <= FREE else None


# --- the operating system ------------------------------------------------------------------------


def has_gil() -> bool:
    """Whether only one thread of this Python runs at a time (PEP 703)."""
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_enabled()


def allowed_cpus() -> FrozenSet[int]:
    """The CPUs that this process may run on now; none if the system cannot limit it."""
    if sys.platform == "win32":
        return frozenset(each for each in range(64) if _windows_mask() >> each & 1)
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset()


def hold(cpus: AbstractSet[int]) -> bool:
    """Run all threads of this process on *cpus* only; later ones inherit it."""
    try:
        if sys.platform == "win32":
            return bool(_windows_mask(sum(1 << cpu for cpu in cpus)))
        # Each thread has its own CPUs; the second round finds threads started meanwhile.
        for _ in range(2):
            for name in os.listdir("/proc/self/task"):
                try:
                    os.sched_setaffinity(int(name), cpus)
                except ProcessLookupError:
                    pass  # it has ended
        return True
    except (OSError, ValueError) as error:
        log.warning("process.cpu_affinity: the system refuses: %s", error)
        return False


def look() -> Optional[Look]:
    """``None`` if the system does not report it."""
    if sys.platform != "linux":
        return None
    try:
        with open("/proc/stat", encoding="ascii") as stat:
            return Look(parse_stat(stat.readlines()), _own_ticks())
    except (OSError, ValueError):
        return None


def parse_stat(lines: List[str]) -> Dict[int, Usage]:
    """The CPUs of ``/proc/stat`` (proc(5)).  Raises :exc:`ValueError`."""
    cpus: Dict[int, Usage] = {}
    for line in lines:
        name, *columns = line.split()
        if name.startswith("cpu") and name != "cpu":
            # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user and nice.
            ticks = [int(each) for each in columns[:8]]
            cpus[int(name[3:])] = Usage(sum(ticks) - ticks[3] - ticks[4], sum(ticks))
    return cpus


def _own_ticks() -> int:
    times = os.times()
    return int((times.user + times.system) * os.sysconf("SC_CLK_TCK"))


def _windows_mask(wanted: int = 0) -> int:
    """A bit for each CPU of this process after setting the *wanted* ones; 0 if Windows refuses
    these."""
    if sys.platform != "win32":
        return 0
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    if wanted and not kernel.SetProcessAffinityMask(process, ctypes.c_size_t(wanted)):
        return 0
    own, system = ctypes.c_size_t(), ctypes.c_size_t()
    kernel.GetProcessAffinityMask(process, ctypes.byref(own), ctypes.byref(system))
    return own.value

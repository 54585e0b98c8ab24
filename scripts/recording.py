"""Measures the recorder: processor time and bytes per value, and the time to read a day.

    python scripts/recording.py [--only rate,bytes,day,many] [--seconds S] [--minutes M]

bench.py runs it in an environment of its own.  A recorder gets values as from a relay; its file is
in a folder for temporary files: set TMPDIR for another disk.

rate
    20,000 Doubles per second, of 1,000 variables: microseconds of processor time for each, in all
    threads; and the highest possible rate.
bytes
    Bytes in the file of a Double with noise in all its digits, and timestamps to 100 ns.
day
    86,400 values of one variable, a second apart, read for a chart: milliseconds.
many
    10,000 variables, a value of each every second, for *M* minutes.  *late* is the delay of another
    thread that wants to wake every 5 ms.
"""

import argparse
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

CELLS = ("rate", "bytes", "day", "many")
RATE, VARIABLES, MANY, DAY = 20000, 1000, 10000, 86400
#: Approximate numbers of values in one publish response, and in one block of a variable.
RESPONSE, BLOCK = 200, 1024
TICK_S = 0.005
T0, SECOND = 134082792000000000, 10_000_000
PATIENCE_S = 300.0


class Feeder:
    """A recorder of so many *variables*, and rows for it."""

    def __init__(self, folder: str, variables: int) -> None:
        from opcws.config.settings import Variable
        from opcws.model.data_types import DOUBLE, NodeId
        from opcws.recorder.recorder import Recorder
        from opcws.wire.notifications import LAYOUTS, Origin

        found = [
            Variable("Var%d" % each, "bench", NodeId(1, each), "ns=1;i=%d" % each)
            for each in range(variables)
        ]
        self.path = os.path.join(folder, "history.sqlite")
        self.recorder = Recorder(self.path, [(each, 0.0, 0.0) for each in found], 30.0, 2**40)
        self.variables = found
        self._series = [self.recorder.series(each) for each in found]
        both = [each for each in LAYOUTS if each.type == DOUBLE and each.source and each.server]
        self._layout = both[0]
        self._origin = Origin(("http://opcfoundation.org/UA/", "urn:bench"))
        self._random = random.Random(1)
        self._walk = [20.0] * variables
        self.taken = 0
        #: Processor seconds that callers of take() spent.
        self.seconds = 0.0

    def rows(self, numbers: Sequence[int], at: int) -> List[Any]:
        """A value of each variable with one of these *numbers*, at about the moment *at*."""
        rows = []
        for number in numbers:
            self._walk[number] += self._random.gauss(0.0, 0.01)
            source = at + self._random.randrange(20000)
            row = number, self._walk[number], source, source + self._random.randrange(5000)
            rows.append((self._series[number], (self._layout, row, self._origin)))
        return rows

    def take(self, rows: List[Any]) -> None:
        before = time.thread_time()
        self.recorder.take(rows)
        self.seconds += time.thread_time() - before
        self.taken += len(rows)

    def take_all(self, turns: int) -> None:
        """*turns* values of each variable, as fast as the recorder accepts them."""
        pause = threading.Event()
        numbers = range(len(self.variables))
        for turn in range(turns):
            while self.recorder.backlog > 20000:
                pause.wait(0.001)
            self.take(self.rows(numbers, T0 + turn * SECOND))

    def settle(self) -> None:
        """Wait until the recorder has everything."""
        pause = threading.Event()
        while self.recorder.values + self.recorder.dropped < self.taken:
            pause.wait(0.01)

    def own_seconds(self) -> float:
        """Processor seconds of the recorder's threads, and of the callers of take()."""
        clocks = [time.pthread_getcpuclockid(each.ident) for each in self.recorder.threads]
        return self.seconds + sum([time.clock_gettime(each) for each in clocks])

    def stop(self) -> None:
        from opcws.model.deadline import Deadline

        self.recorder.stop(Deadline(PATIENCE_S))


def rate(folder: str, seconds: float, _minutes: float) -> Dict[str, float]:
    feeder = Feeder(folder, VARIABLES)
    feeder.recorder.start()
    feeder.take_all(1)
    feeder.settle()
    pause, responses = threading.Event(), RATE // RESPONSE
    before, started = feeder.own_seconds(), time.perf_counter()
    first = 0
    for turn in range(int(seconds * responses)):
        numbers = [each % VARIABLES for each in range(first, first + RESPONSE)]
        first += RESPONSE
        feeder.take(feeder.rows(numbers, T0 + turn * SECOND // responses))
        pause.wait(max(0.0, started + (turn + 1) / responses - time.perf_counter()))
    took = time.perf_counter() - started
    feeder.settle()
    cost = (feeder.own_seconds() - before) * 1e6 / first
    rows = [feeder.rows(range(VARIABLES), T0 + turn * SECOND) for turn in range(300)]
    before = time.process_time()
    for each in rows:
        while feeder.recorder.backlog > 5 * VARIABLES:
            pause.wait(0.001)
        feeder.take(each)
    feeder.stop()
    most = len(rows) * VARIABLES / (time.process_time() - before)
    return {
        "values/s": first / took,
        "us each": cost,
        "at most/s": most,
        "dropped": feeder.recorder.dropped,
    }


def in_bytes(folder: str, _seconds: float, _minutes: float) -> Dict[str, float]:
    feeder = Feeder(folder, VARIABLES)
    feeder.recorder.start()
    feeder.take_all(0)
    feeder.settle()
    pause, file = threading.Event(), sqlite3.connect(feeder.path, timeout=PATIENCE_S)
    for _block in range(2):
        feeder.take_all(BLOCK)
        while (file.execute("SELECT sum(count) FROM blocks").fetchone()[0] or 0) < feeder.taken:
            pause.wait(0.1)
    feeder.stop()
    pages, free, size = [
        file.execute("PRAGMA " + name).fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    ]
    file.close()
    return {"bytes each": (pages - free) * size / feeder.taken, "values": feeder.taken}


def day(folder: str, _seconds: float, _minutes: float) -> Dict[str, float]:
    feeder = Feeder(folder, 1)
    feeder.recorder.start()
    for hour in range(DAY // 3600):
        rows = [feeder.rows([0], T0 + (hour * 3600 + each) * SECOND)[0] for each in range(3600)]
        feeder.take(rows)
    feeder.settle()
    times = []
    for _ in range(7):
        parts: List[Any] = []
        ended = threading.Event()
        started = time.perf_counter()
        feeder.recorder.columns(
            feeder.variables[0], T0, 2**62, parts.append, lambda _problem, end=ended: end.set()
        )
        ended.wait(PATIENCE_S)
        times.append((time.perf_counter() - started) * 1e3)
    found = sum([len(part.times) for part in parts])
    feeder.stop()
    return {"values": found, "least ms": min(times), "median ms": statistics.median(times)}


def many(folder: str, _seconds: float, minutes: float) -> Dict[str, float]:
    feeder = Feeder(folder, MANY)
    feeder.recorder.start()
    feeder.settle()
    late: List[float] = []
    ended = threading.Event()

    def tick() -> None:
        while not ended.is_set():
            before = time.perf_counter()
            ended.wait(TICK_S)
            late.append((time.perf_counter() - before - TICK_S) * 1e3)

    pause = threading.Event()
    ticking = threading.Thread(target=tick)
    ticking.start()
    before, started = feeder.own_seconds(), time.perf_counter()
    backlog = 0
    for turn in range(int(minutes * 600)):
        first = turn % 10 * (MANY // 10)
        numbers = range(first, first + MANY // 10)
        feeder.take(feeder.rows(numbers, T0 + turn * SECOND // 10))
        backlog = max(backlog, feeder.recorder.backlog)
        pause.wait(max(0.0, started + (turn + 1) / 10 - time.perf_counter()))
    ended.set()
    ticking.join()
    feeder.settle()
    cost = (feeder.own_seconds() - before) * 1e6 / feeder.taken
    feeder.stop()
    late.sort()
    return {
        "values": feeder.taken,
        "us each": cost,
        "bytes each": os.path.getsize(feeder.path) / feeder.taken,
        "backlog <=": backlog,
        "dropped": feeder.recorder.dropped,
        "late p50 ms": late[len(late) // 2],
        "late p99 ms": late[len(late) * 99 // 100],
        "late <= ms": late[-1],
    }


MEASURES: Dict[str, Callable[[str, float, float], Dict[str, float]]] = {
    "rate": rate,
    "bytes": in_bytes,
    "day": day,
    "many": many,
}


def measure(cell: str, seconds: float, minutes: float) -> Dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="opcws-bench-") as folder:
        return MEASURES[cell](folder, seconds, minutes)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Measure what recording costs.")
    parser.add_argument("--only", default=",".join(CELLS), metavar="CELL,...")
    parser.add_argument("--seconds", type=float, default=20.0, help="of rate (default: 20)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of many (default: 10)")
    options = parser.parse_args(arguments)
    if not set(CELLS) >= set(options.only.split(",")):
        parser.error("--only can give: " + ", ".join(CELLS))
    failed = 0
    for cell in options.only.split(","):
        found = measure(cell, options.seconds, options.minutes)
        failed |= int(found.get("dropped", 0) > 0)
        figures = ["%s %.*f" % (name, 2 if n < 1000 else 0, n) for name, n in found.items()]
        print("%-6s %s" % (cell, "   ".join(figures)), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())

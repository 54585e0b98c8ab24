"""Jobs that take long, done by a few threads so that no client waits for ever behind another.

Rules:

* Each owner has a queue of its own and the owners take turns, a job at a time, so that a hundred
  requests of one delay one of another by a job, not by a hundred.
* At most one job of an owner is being done: its order is kept, and one owner whose jobs hang
  takes one thread.
* Both queues are bounded: what one owner may have waiting, and all together.

Threads: every method may be called from any; the jobs are done on ``opcws-ua-NAME-slow-N``.
"""

import logging
import threading
from collections import deque
from typing import Callable, Deque, Dict, Generic, List, Optional, Tuple, TypeVar

from ...model.deadline import Deadline

log = logging.getLogger(__name__)

#: Threads, so jobs that are done at the same time.
THREADS = 3
#: Jobs that may wait: of one owner, and of all.
MAX_OF_ONE = 64
MAX_OF_ALL = 1024

T = TypeVar("T")


class LongJobs(Generic[T]):
    """*perform* does a job and answers it, whatever happens; *tend* is called while there is
    time, does what is due and returns the seconds until more is (``None``: until a job comes).
    """

    def __init__(
        self, name: str, perform: Callable[[T], None], tend: Callable[[], Optional[float]]
    ) -> None:
        self._perform = perform
        self._tend = tend
        # Guards everything below.
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        # Notified when the last job is done; apart, so that it takes no thread's notification.
        self._emptied = threading.Condition(lock)
        # By owner, in the order of their turns.
        self._waiting: Dict[object, Deque[T]] = {}
        self._count = 0
        self._running: Dict[object, T] = {}
        self._stopping = False
        # Daemons, so that a hanging OPC UA server cannot keep the process; stop() joins them.
        self._threads = [
            threading.Thread(
                target=self._run, name="opcws-ua-%s-slow-%d" % (name, number), daemon=True
            )
            for number in range(1, THREADS + 1)
        ]

    @property
    def threads(self) -> List[threading.Thread]:
        return list(self._threads)

    @property
    def backlog(self) -> int:
        """Jobs that wait."""
        return self._count

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, deadline: Deadline) -> List[T]:
        """End the threads within *deadline*; returns the jobs that were not begun."""
        with self._changed:
            self._stopping = True
            left = [job for jobs in self._waiting.values() for job in jobs]
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(deadline.remaining())
        return left

    def drain(self, deadline: Deadline) -> None:
        """Wait until no job waits or is being done."""
        with self._changed:
            self._emptied.wait_for(
                lambda: not self._waiting and not self._running, deadline.remaining()
            )

    def put(self, owner: object, job: T) -> bool:
        """Queue *job*; ``False`` if as many wait already as may."""
        with self._changed:
            jobs = self._waiting.get(owner)
            if self._stopping or self._count >= MAX_OF_ALL:
                return False
            if jobs is not None and len(jobs) >= MAX_OF_ONE:
                return False
            if jobs is None:
                jobs = self._waiting[owner] = deque()
            jobs.append(job)
            self._count += 1
            self._changed.notify()
        return True

    def drop(self, owner: object) -> Tuple[List[T], Optional[T]]:
        """Forget the jobs of *owner*: those that waited, and the one that is being done."""
        with self._changed:
            waiting = list(self._waiting.pop(owner, ()))
            self._count -= len(waiting)
            return waiting, self._running.get(owner)

    def _run(self) -> None:
        while True:
            try:
                due_in = self._tend()
            except Exception:
                log.exception("a defect while tending")
                due_in = None
            with self._changed:
                owner, job = self._take()
                if job is None:
                    if self._stopping:
                        return
                    self._changed.wait(due_in)
                    continue
            self._perform(job)
            with self._changed:
                del self._running[owner]
                if owner in self._waiting:
                    self._changed.notify()
                if not self._waiting and not self._running:
                    self._emptied.notify_all()

    def _take(self) -> Tuple[object, Optional[T]]:
        """The next job of the owner whose turn it is."""
        for owner, jobs in self._waiting.items():
            if owner in self._running:
                continue
            job = jobs.popleft()
            self._count -= 1
            del self._waiting[owner]
            if jobs:
                self._waiting[owner] = jobs  # behind the others
            self._running[owner] = job
            return owner, job
        return None, None

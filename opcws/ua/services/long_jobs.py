"""Long jobs, done by a few threads so that no client waits for ever behind another.

Rules:

* Each owner has its own queue, and the owner that recently used the least time is next: a hundred
  requests of one owner, or of each of twenty, delay another's single request by one job, not by a
  hundred.
* At most one job of an owner runs at a time: its jobs keep their order, and an owner whose jobs
  hang occupies one thread.
* If no job ends while others wait, more threads start, twice as many each time; they end when they
  find nothing to do.  So jobs that hang, of however many owners, delay another's by seconds, not
  until their time is over.
* The waiting jobs of one owner are limited, and those of all owners together: beyond that limit the
  last job of the owner with the most is refused.

Threads: every method may be called from any; the jobs are done on ``opcws-ua-NAME-KIND-N``.
"""

import itertools
import logging
import threading
import time
from collections import deque
from typing import Callable, Deque, Dict, Generic, List, Optional, Set, Tuple, TypeVar

from ...model.deadline import Deadline

log = logging.getLogger(__name__)

#: Seconds after which owners that must wait are checked again.
LOOK_S = 0.05
#: Seconds without the end of a job after which more threads start, and how many there may be.
HANG_S = 2.0
MOST_THREADS = 64
#: Jobs that may wait: of one owner, and of all.
MAX_OF_ONE = 64
MAX_OF_ALL = 4096

T = TypeVar("T")


class LongJobs(Generic[T]):
    """*perform* does a job and answers it, whatever happens, as many at a time as there are
    *threads*; *tend* is called when a thread has time: it does what is due and returns the seconds
    until more is due (``None``: until a job comes).  *is_held* says whether the jobs of an owner
    must wait.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        threads: int,
        perform: Callable[[T], None],
        tend: Callable[[], Optional[float]] = lambda: None,
        is_held: Callable[[object], bool] = lambda owner: False,
    ) -> None:
        self._perform = perform
        self._is_held = is_held
        self._tend = tend
        # Guards everything below.
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        # Notified when the last job is done, and at the end; separate, so that it uses up no
        # notification for a thread.
        self._emptied = threading.Condition(lock)
        # By owner, in the order of arrival.
        self._waiting: Dict[object, Deque[T]] = {}
        self._count = 0
        self._running: Dict[object, T] = {}
        # Seconds that the owners used.  An owner that is not here counts as having used the least,
        # which is what the owner served last had used: an idle owner saves up nothing.
        self._had: Dict[object, float] = {}
        self._least = 0.0
        self._stopping = False
        # Jobs that have ended.
        self._ended = 0
        self._name = "opcws-ua-%s-%s-%%d" % (name, kind)
        self._numbers = itertools.count(1)
        self._threads = [self._thread(self._run) for _ in range(threads)]
        # The additional threads, and the one that checks whether more are needed, if there are any.
        self._further: Set[threading.Thread] = set()
        self._looking: Optional[threading.Thread] = None

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        # A daemon, so that a hanging OPC UA server cannot keep the process; stop() joins it.
        name = self._name % next(self._numbers)
        return threading.Thread(target=target, name=name, daemon=True)

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live."""
        return list(self._threads)

    @property
    def backlog(self) -> int:
        """How many jobs wait."""
        return self._count

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, deadline: Deadline) -> List[T]:
        """End the threads within *deadline*; returns the jobs that did not start."""
        with self._changed:
            self._stopping = True
            left = [job for jobs in self._waiting.values() for job in jobs]
            self._waiting.clear()
            self._changed.notify_all()
            self._emptied.notify_all()
            threads = [*self._threads, *self._further]
            if self._looking is not None:
                threads.append(self._looking)
        for thread in threads:
            thread.join(deadline.remaining())
        return left

    def drain(self, deadline: Deadline) -> None:
        """Wait until no job waits or runs, at most until *deadline*."""
        with self._changed:
            self._emptied.wait_for(
                lambda: not self._waiting and not self._running, deadline.remaining()
            )

    def put(self, owner: object, job: T) -> Optional[T]:
        """Queue *job*; returns the job for which there is no room, which will not be done."""
        with self._changed:
            jobs = self._waiting.get(owner)
            if self._stopping or (jobs is not None and len(jobs) >= MAX_OF_ONE):
                return job
            if jobs is None:
                jobs = self._waiting[owner] = deque()
            jobs.append(job)
            if self._count >= MAX_OF_ALL:
                greediest = max(self._waiting, key=lambda each: len(self._waiting[each]))
                job = self._waiting[greediest].pop()
                if not self._waiting[greediest]:
                    del self._waiting[greediest]
                return job
            self._count += 1
            self._changed.notify()
            self._watch()
        return None

    def drop(self, owner: object) -> Tuple[List[T], Optional[T]]:
        """Forget the jobs of *owner*; returns those that waited, and the one that is running."""
        with self._changed:
            waiting = list(self._waiting.pop(owner, ()))
            self._count -= len(waiting)
            return waiting, self._running.get(owner)

    def _watch(self) -> None:
        """Start the check for hanging jobs, if jobs wait and all threads are busy."""
        if self._looking is None and self._waiting and len(self._running) >= len(self._threads):
            self._looking = self._begin(self._look)

    def _begin(self, target: Callable[[], None]) -> Optional[threading.Thread]:
        thread = self._thread(target)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads are possible; the existing ones continue
            log.warning("%s: %s", thread.name, error)
            return None
        return thread

    def _look(self) -> None:
        """Start more threads while jobs wait and none ends."""
        with self._emptied:
            while self._waiting:
                ended = self._ended
                self._emptied.wait(HANG_S)
                if ended == self._ended:
                    there = len(self._threads) + len(self._further)
                    for _ in range(min(len(self._free()), there, MOST_THREADS - there)):
                        thread = self._begin(self._run_further)
                        if thread is not None:
                            self._further.add(thread)
            self._looking = None

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
                    if self._waiting and (due_in is None or due_in > LOOK_S):
                        due_in = LOOK_S  # jobs of owners that must wait
                    self._changed.wait(due_in)
                    continue
            self._do(owner, job)

    def _run_further(self) -> None:
        while True:
            with self._changed:
                owner, job = self._take()
                if job is None:
                    self._further.discard(threading.current_thread())
                    return
            self._do(owner, job)

    def _do(self, owner: object, job: T) -> None:
        began = time.perf_counter()
        self._perform(job)
        with self._changed:
            self._ended += 1
            del self._running[owner]
            self._charge(owner, time.perf_counter() - began)
            if owner in self._waiting:
                self._changed.notify()
            if not self._waiting and not self._running:
                self._emptied.notify_all()

    def _free(self) -> List[object]:
        """The owners of which a job may start now."""
        return [
            owner
            for owner in self._waiting
            if owner not in self._running and not self._is_held(owner)
        ]

    def _take(self) -> Tuple[object, Optional[T]]:
        """The next job of the owner whose turn it is."""
        free = self._free()
        if not free:
            return None, None
        owner = min(free, key=lambda each: (self._had.get(each, self._least), each in self._had))
        self._least = max(self._least, self._had.get(owner, 0.0))
        jobs = self._waiting.pop(owner)
        job = jobs.popleft()
        self._count -= 1
        if jobs:
            self._waiting[owner] = jobs
        self._running[owner] = job
        self._watch()
        return owner, job

    def _charge(self, owner: object, seconds: float) -> None:
        """Add *seconds* to the time of *owner*; if no job is left, all owners begin at 0 again."""
        # At least 1 ms: a clock may stand still for a while.
        self._had[owner] = max(self._had.get(owner, 0.0), self._least) + max(seconds, 0.001)
        if self._waiting or self._running:
            least = self._least
            self._had = {each: had for each, had in self._had.items() if had >= least}
        else:
            self._had.clear()
            self._least = 0.0

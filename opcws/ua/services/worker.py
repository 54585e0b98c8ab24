"""Combines the operations on one OPC UA server into few, full service calls.

Rules:

* The operations of one client take effect in the order in which they were submitted; clients take
  turns (:mod:`opcws.ua.services.fair_queue`).  Reads (or writes) that arrive during one service
  call become the next call, within the server's OperationLimits.
* A batch of writes ends before a second write to the same node (OPC 10000-4 5.11.4 leaves the order
  within a call open), and no write is ever sent twice.
* Right before a write is sent, the worker checks whether it is still permitted.
* Every operation is answered exactly once: with its result, or with the error that ended it.
* Long jobs (history, browsing, metadata) wait in the same line, for the order; then other threads
  do them (:mod:`opcws.ua.services.long_jobs`), so that they cannot hold up a read; clients' jobs
  and opcws' own have separate threads.

Threads: ``submit`` and ``leave`` may be called from any; the rest runs on ``opcws-ua-NAME-ops``,
clients' long jobs on ``opcws-ua-NAME-slow-N`` and our own on ``opcws-ua-NAME-own-N``.
"""

import logging
import threading
import time
from functools import partial
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from ...config.settings import Server, Variable
from ...gateway.outbox import Outbox
from ...gateway.plant_interface import (
    DEFECT,
    UNKNOWN_OUTCOME,
    Owner,
    ReadResult,
    StandingBy,
    Wake,
    Write,
    WriteResult,
    ignores_range,
    service_error,
)
from ...model import status_codes
from ...model.data_types import DataValue, ValueType
from ...model.deadline import Deadline
from ...model.errors import CodecError, PlantError, ServiceError, ValueRejected
from ...wire.index_range import too_long
from ..channel.framing import MAX_MESSAGE_BYTES, TOO_LARGE
from ..channel.link import Link
from ..encoding import service_bodies
from .address_space import decoded
from .answer_sizes import CALL_BYTES, AnswerSizes
from .fair_queue import FairQueue, Job, Operation, ReadOperation, WriteOperation, parts
from .long_jobs import LOOK_S, MAX_OF_ALL, MAX_OF_ONE, LongJobs

log = logging.getLogger(__name__)


#: Fraction of ``request_timeout_ms`` by which the deadlines in one service call may differ.
PATIENCE_SHARED = 0.1


def _is_held(line: object, first: Operation) -> bool:
    """Whether *line* must wait until its client has received some of its answers; an operation
    whose deadline is over need not wait, so that it is answered."""
    if not isinstance(line, Outbox) or not line.is_full:
        return False
    return not isinstance(first, Job) and not first.deadline.expired


def _must_wait(owner: Any) -> bool:
    """Whether the jobs of *owner* must wait until it has received some of its answers."""
    return bool(owner.outbox.is_full)


class _Asked(NamedTuple):
    """One write of a call: its operation, its index in that, and what is sent."""

    number: int
    place: int
    write: Write
    node_id: bytes
    item: bytes


class Worker:
    """Executes the operations of *server*.

    *link* returns the present generation or ``None``; *node_id* the encoded id of a variable on
    it; *latest* a monitored value that is young enough, and younger than a moment; *learn_types*
    learns the types of variables before they are written; *tend* is called by the threads of the
    long jobs, see :class:`~opcws.ua.services.long_jobs.LongJobs`; *value_type* returns the type of
    a variable's values, as far as it is known; nothing is written while *standing_by* gives a
    reason.
    """

    def __init__(
        self,
        server: Server,
        link: Callable[[], Optional[Link]],
        node_id: Callable[[Link, Variable], bytes],
        latest: Callable[[str, float, float], Optional[DataValue]],
        make: Callable[[Link, Write], DataValue],
        learn_types: Callable[[Link, Sequence[Variable], Deadline], None],
        tend: Callable[[], Optional[float]] = lambda: None,
        value_type: Callable[[Variable], ValueType] = lambda _variable: ValueType(),
        standing_by: StandingBy = lambda: None,
    ) -> None:
        self._server = server
        self._link = link
        self._node_id = node_id
        self._latest = latest
        self._make = make
        self._learn_types = learn_types
        self._standing_by = standing_by
        # Guards _operations and _stopping.  The queue is limited by the pending requests of the
        # clients, and by one create, delete and heartbeat job each.
        self._lock = threading.Lock()
        # Whether the thread waits for an operation.
        self._idle = False
        self._arrived = threading.Condition(self._lock)
        self._sizes = AnswerSizes(value_type)
        self._operations = FairQueue(self._has_longer, _is_held, self._sizes.of)
        self._stopping = False
        # The jobs of clients; those of opcws itself, with two threads, so that learning types need
        # not wait until the whole server has been browsed.
        self._long_jobs: "LongJobs[Job]" = LongJobs(
            server.name, "slow", 3, self._perform_long, tend, _must_wait
        )
        self._own_jobs: "LongJobs[Job]" = LongJobs(server.name, "own", 2, self._perform_long)
        # A daemon, so that a hanging OPC UA server cannot keep the process; stop() joins it.
        self._own_thread = threading.Thread(
            target=self._run, name="opcws-ua-%s-ops" % server.name, daemon=True
        )

    # --- any thread -----------------------------------------------------------------------------

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live."""
        return [self._own_thread, *self._long_jobs.threads, *self._own_jobs.threads]

    @property
    def backlog(self) -> int:
        """How many operations wait, long jobs included."""
        return len(self._operations) + self._long_jobs.backlog + self._own_jobs.backlog

    def start(self) -> None:
        self._own_thread.start()
        self._long_jobs.start()
        self._own_jobs.start()

    def stop(self, timeout: float) -> None:
        """End every thread; waiting operations are answered with BadShutdown."""
        with self._lock:
            self._stopping = True
            self._arrived.notify()
        deadline = Deadline(timeout)
        self._own_thread.join(deadline.remaining())
        left = self._long_jobs.stop(deadline) + self._own_jobs.stop(deadline)
        self._fail_all(left, PlantError("opcws is stopping", "BadShutdown"))

    def change(self, server: Server) -> None:
        """The configuration has changed."""
        self._sizes.change(self._server.variables, server.variables)
        self._server = server

    def drain(self, deadline: Deadline) -> None:
        """Wait until everything that was submitted before has been answered."""
        reached = threading.Event()
        with self._lock:
            if self._stopping:
                return
            # Our own line too: when it has its turn, the present operation is done.
            left = {None, *self._operations.names()}

            def passed(line: object, _arrived: object) -> None:
                left.discard(line)
                if not left:
                    reached.set()

            for line in list(left):
                step = partial(passed, line)
                self._put(Job(step, step), line)
        if reached.wait(deadline.remaining()):
            self._long_jobs.drain(deadline)
            self._own_jobs.drain(deadline)

    def leave(self, owner: Owner) -> None:
        """Do no more for *owner*: its waiting operations are dropped, a running one is given up."""
        with self._lock:
            gone = self._operations.remove(
                lambda operation: isinstance(operation, Job) and operation.owner is owner
            )
            gone += self._operations.remove(
                lambda operation: not isinstance(operation, Job), owner.outbox
            )
        waiting, running = self._long_jobs.drop(owner)
        self._fail_all(gone + list(waiting), PlantError(CLIENT_LEFT, "BadRequestCancelledByClient"))
        if running is not None and running.give_up is not None:
            running.give_up()

    def has_write(self, line: object) -> bool:
        """Whether a write of the client of *line* is still pending."""
        with self._lock:
            return self._operations.has_write(line)

    def submit(self, operation: Operation, line: object = None) -> None:
        """Queue *operation* in the *line* of a client, in which the order counts, or in our own."""
        cut = parts(operation, self._server.max_nodes_per_call, self._sizes.calls)
        with self._lock:
            stopped = self._stopping
            if not stopped:
                for part in cut:
                    self._put(part, line)
        if stopped:
            self._fail_all([operation], PlantError("opcws is stopping", "BadShutdown"))

    # --- under the lock -------------------------------------------------------------------------

    def _put(self, operation: Operation, line: object) -> None:
        self._operations.put(operation, line)
        if self._idle:
            self._idle = False
            self._arrived.notify()

    # --- opcws-ua-NAME-ops ----------------------------------------------------------------------

    def _run(self) -> None:
        # Without the lock: stop() sets it and wakes _next() under the lock.
        while not self._stopping:
            batch = self._next()
            if batch:
                self._perform(batch)
            batch = []  # it must keep no client in memory while this thread waits
        with self._lock:
            left = self._operations.remove(lambda _operation: True)
        self._fail_all(left, PlantError("opcws is stopping", "BadShutdown"))

    def _next(self) -> List[Operation]:
        """Wait for operations that share a call; returns none if every line must wait."""
        with self._lock:
            self._operations.done()
            while not self._operations and not self._stopping:
                self._idle = True
                self._arrived.wait()
            batch = [] if self._stopping else self._operations.take(self._server.max_nodes_per_call)
            if not batch and not self._stopping:
                self._idle = True
                self._arrived.wait(LOOK_S)
            return batch

    def _has_longer(
        self,
        following: Union[ReadOperation, WriteOperation],
        first: Union[ReadOperation, WriteOperation],
    ) -> bool:
        """Whether *following* has so much more time than *first*, whose deadline the call gets,
        that they should not share a call."""
        more_s = following.deadline.longer_than(first.deadline)
        return more_s > PATIENCE_SHARED * self._server.request_timeout_ms / 1000.0

    def _perform(self, batch: List[Operation]) -> None:
        late = [each for each in batch if not isinstance(each, Job) and each.deadline.expired]
        self._fail_all(late, PlantError(WAITED_TOO_LONG, "BadTimeout"))
        batch = [each for each in batch if each not in late] if late else batch
        if batch:
            self._attempt(batch)

    def _attempt(self, batch: List[Operation], deferred: bool = False) -> None:
        """Do *batch*, of one kind, and answer it whatever happens; a long job only when it is
        *deferred*, on a thread that may wait."""
        link = self._link()
        try:
            if link is None:
                raise PlantError(
                    "the connection to %s is down" % self._server.name, "BadNotConnected"
                )
            first = batch[0]
            if isinstance(first, ReadOperation):
                self._read(link, batch)  # type: ignore[arg-type]
            elif isinstance(first, WriteOperation):
                self._write(link, batch)  # type: ignore[arg-type]
            elif first.is_long and not deferred:
                self._defer(first)
            else:
                first.run(link)
        except ServiceError as problem:
            self._fail_all(batch, problem)
        except CodecError as error:
            self._fail_all(batch, PlantError(error.reason, error.status))
        except Exception:
            log.exception("%s: a defect in an operation", self._server.name)
            self._fail_all(batch, ServiceError(DEFECT, "BadInternalError"))

    def _fail_all(self, batch: Sequence[Operation], problem: ServiceError) -> None:
        answers: List[Tuple[Callable[[Any], Optional[Wake]], Any]] = []
        for operation in batch:
            if isinstance(operation, ReadOperation):
                answers.append((operation.done, [problem] * len(operation.variables)))
            elif isinstance(operation, WriteOperation):
                answers.append((operation.done, [problem] * len(operation.writes)))
            else:
                answers.append((operation.failed, problem))
        self._answer(answers)

    def _answer(self, answers: Iterable[Tuple[Callable[[Any], Optional[Wake]], Any]]) -> None:
        """Give each its result; then wake each client once, so that it gets its answers in one
        piece."""
        wakes: Set[Wake] = set()
        for done, result in answers:
            try:
                wake = done(result)
                if wake is not None:
                    wakes.add(wake)
            except Exception:
                log.exception("%s: a defect while answering", self._server.name)
        for wake in wakes:
            try:
                wake()
            except Exception:
                log.exception("%s: a defect while answering", self._server.name)

    def _read(self, link: Link, reads: List[ReadOperation]) -> None:
        results: List[List[ReadResult]] = []
        items: List[bytes] = []
        places: List[Tuple[int, int]] = []
        asked: List[Variable] = []
        max_age_s = min(read.max_age_s for read in reads)
        deadline = reads[0].deadline
        for number, (variables, max_age, _deadline, _done) in enumerate(reads):
            row: List[ReadResult] = []
            results.append(row)
            for variable in variables:
                try:
                    node_id = self._node_id(link, variable)
                    if max_age:
                        # By node: it may have been written under another name.
                        behind = link.written_at.get(node_id, 0.0)
                        known = self._latest(variable.name, max_age, behind)
                        if known is not None:
                            row.append(known)
                            continue
                    items.append(service_bodies.value_of(node_id, variable.index_range))
                    places.append((number, len(row)))
                    asked.append(variable)
                    row.append(_MISSING)
                except ServiceError as problem:
                    row.append(problem)
        for start, stop in self._sizes.calls(asked, link.max_nodes_per_read):
            some = asked[start:stop]
            got = self._read_some(link, items[start:stop], some, max_age_s, deadline)
            for (number, place), variable, result in zip(places[start:stop], some, got):
                if variable.index_range is not None:
                    result = _within_range(variable, result)
                results[number][place] = result
        self._answer(zip([read.done for read in reads], results))

    def read_apart(
        self, link: Link, variables: Sequence[Variable], deadline: Deadline
    ) -> List[ReadResult]:
        """The present values of *variables*, read on one of the worker's threads; values that
        cannot be decoded, even alone, are BadDecodingError."""
        results: List[ReadResult] = [_MISSING] * len(variables)
        items: List[bytes] = []
        places: List[int] = []
        asked: List[Variable] = []
        for place, variable in enumerate(variables):
            try:
                node_id = self._node_id(link, variable)
            except ServiceError as problem:
                results[place] = problem
                continue
            items.append(service_bodies.value_of(node_id, variable.index_range))
            places.append(place)
            asked.append(variable)
        for start, stop in self._sizes.calls(asked, link.max_nodes_per_read):
            some = asked[start:stop]
            got = self._read_some(link, items[start:stop], some, 0.0, deadline)
            for place, result in zip(places[start:stop], got):
                results[place] = result
        return results

    def _read_some(
        self,
        link: Link,
        items: List[bytes],
        variables: List[Variable],
        max_age_s: float,
        deadline: Deadline,
    ) -> List[ReadResult]:
        sizes: Dict[int, int] = {}
        try:
            data, position = link.call(
                service_bodies.READ_REQUEST,
                service_bodies.read_request(items, min(max_age_s, 1e9) * 1000.0),
                deadline,
                "reading from %s" % self._server.name,
            )
            values = decoded(
                link,
                deadline,
                lambda definitions: service_bodies.read_response(
                    data, position, definitions, sizes
                ),
            )
            if len(values) != len(items):
                raise PlantError(
                    "the OPC UA server answered for %d of %d nodes" % (len(values), len(items))
                )
            self._sizes.learn(variables, sizes)
            return list(values)
        except ServiceError as problem:
            if problem.status == "BadCommunicationError" and link.lost.is_set():
                # The next time ask for half as much, or for so much that it certainly fits.
                too_large = TOO_LARGE in link.lost_reason
                self._sizes.ended(variables, MAX_MESSAGE_BYTES if too_large else 2 * CALL_BYTES)
            if problem.status == "BadResponseTooLarge":
                self._sizes.ended(variables, MAX_MESSAGE_BYTES)
                if len(items) == 1:
                    return [PlantError(VALUE_TOO_LARGE, problem.status)]
            if len(items) == 1 or problem.status not in service_bodies.TOO_MUCH:
                return [problem] * len(items)
        except CodecError as error:
            if len(items) == 1:
                return [PlantError(error.reason, "BadDecodingError")]
        # Divide, so that one unreadable or very large value does not affect the others.
        middle = len(items) // 2
        return [
            *self._read_some(link, items[:middle], variables[:middle], max_age_s, deadline),
            *self._read_some(link, items[middle:], variables[middle:], max_age_s, deadline),
        ]

    def _write(self, link: Link, operations: List[WriteOperation]) -> None:
        untyped = [
            write.variable
            for operation in operations
            for write in operation.writes
            if write.value is None or write.variable.index_range is not None
        ]
        if untyped:
            self._learn_types(link, untyped, operations[0].deadline)
        results: List[List[WriteResult]] = [[0] * len(each.writes) for each in operations]
        call: List[_Asked] = []
        nodes: Set[bytes] = set()
        most = link.max_nodes_per_write
        for number, operation in enumerate(operations):
            for place, write in enumerate(operation.writes):
                try:
                    node_id = self._node_id(link, write.variable)
                    value = self._make(link, write)
                    _require_length(value, link.max_array_length)
                    item = service_bodies.write_value(node_id, value, write.variable.index_range)
                except ServiceError as problem:
                    results[number][place] = problem
                    continue
                except Exception:  # affects only this write, not the others in the call
                    log.exception("%s: a defect while writing a value", self._server.name)
                    results[number][place] = ServiceError(DEFECT, "BadInternalError")
                    continue
                if node_id in nodes or len(call) >= most:
                    self._write_some(link, call, results, operations[0].deadline)
                    call, nodes = [], set()
                nodes.add(node_id)
                call.append(_Asked(number, place, write, node_id, item))
        if call:
            self._write_some(link, call, results, operations[0].deadline)
        self._answer(zip([operation.done for operation in operations], results))

    def _write_some(
        self,
        link: Link,
        asked: List[_Asked],
        results: List[List[WriteResult]],
        deadline: Deadline,
    ) -> None:
        call = []
        for each in asked:
            try:
                each.write.require()
                why = self._standing_by()
                if why is not None:
                    raise PlantError(why, "BadNotConnected")
                call.append(each)
            except ServiceError as problem:
                results[each.number][each.place] = problem
        if not call:
            return
        try:
            data, position = link.call(
                service_bodies.WRITE_REQUEST,
                service_bodies.array_of([each.item for each in call]),
                deadline,
                "writing to %s" % self._server.name,
            )
            statuses = service_bodies.write_response(data, position)
        except PlantError as problem:
            if problem.status in service_bodies.NOTHING_DONE and len(call) > 1:
                middle = len(call) // 2
                self._write_some(link, call[:middle], results, deadline)
                self._write_some(link, call[middle:], results, deadline)
                return
            for each in call:
                results[each.number][each.place] = _outcome(problem)
            return
        except CodecError as error:
            for each in call:
                results[each.number][each.place] = PlantError(
                    error.reason + UNKNOWN_OUTCOME, error.status
                )
            return
        finally:
            now = time.monotonic()
            for each in call:
                link.written_at[each.node_id] = now
                self._sizes.written(each.write.variable, len(each.item))
        for index, (number, place, *_) in enumerate(call):
            if index >= len(statuses):
                results[number][place] = PlantError(
                    "the OPC UA server did not answer for this node"
                )
                continue
            status = statuses[index]
            bad = status_codes.is_bad(status)
            results[number][place] = service_error(status) if bad else status

    def _defer(self, job: Job) -> None:
        jobs = self._own_jobs if job.is_own else self._long_jobs
        left = jobs.put(job.owner, job)
        if left is not None:
            self._fail_all([left], PlantError(TOO_MANY_JOBS, "BadTooManyOperations"))

    # --- opcws-ua-NAME-slow-N, -own-N ------------------------------------------------------------

    def _perform_long(self, job: Job) -> None:
        if self._stopping:
            self._fail_all([job], PlantError("opcws is stopping", "BadShutdown"))
        else:
            self._attempt([job], deferred=True)


TOO_MANY_JOBS = (
    "too many reads of history wait already (at most %d of one client and %d of all); ask for "
    "less at a time" % (MAX_OF_ONE, MAX_OF_ALL)
)
CLIENT_LEFT = "the client has left"
WAITED_TOO_LONG = "the OPC UA server is too slow; opcws could not send the request within its time"
VALUE_TOO_LARGE = (
    "the value is too large for one message of OPC UA; name a part of it with index_range"
)

#: After one of these errors it is unknown whether the write was executed.
_MAY_BE_DONE = (
    "BadCommunicationError",
    "BadTimeout",
    "BadDecodingError",
    "BadResponseTooLarge",
)
_MISSING = ServiceError("no answer", "BadNoData")


def _require_length(value: DataValue, most: int) -> None:
    """OPC 10000-5 6.3.2: do not send an array that is too long; the server might disconnect.

    Raises :exc:`~opcws.model.errors.ValueRejected`.
    """
    variant = value.value
    if most and variant is not None and variant.is_array and len(variant.value or ()) > most:
        raise ValueRejected(
            "the OPC UA server accepts arrays of %d elements at most" % most, "BadOutOfRange"
        )


def _within_range(variable: Variable, result: ReadResult) -> ReadResult:
    if variable.index_range is None or isinstance(result, ServiceError):
        return result
    if too_long(result.value, variable.index_range):
        return ignores_range(variable)
    return result


def _outcome(problem: PlantError) -> PlantError:
    """The error of a failed write call; says so if the write may have been executed."""
    if problem.status in _MAY_BE_DONE:
        return PlantError(problem.reason + UNKNOWN_OUTCOME, problem.status)
    return problem

"""The operations that wait for one OPC UA server: a line for each client, and the lines take turns.

Rules:

* The operations of one line are taken in the order of their arrival.
* Each turn makes one service call.  The line whose turn it is decides the kind of call; each of the
  other lines adds its first operation, if it is of that kind and there is room, round after round.
  So calls are full if there are many clients; and if one client asks for a thousand times as much
  as all others, they wait for one of its calls, not for all.
* A call of reads has no more than the answer may bring (:mod:`opcws.ua.services.answer_sizes`).
* Therefore an operation that needs more than one call is cut into parts that need one call each
  (:func:`parts`), and answered when all parts are.
* The line of opcws itself has every second turn: however many lines there are, the jobs that watch
  and repair the connection wait for one call at most.
* A line has no turn while its client has not received enough of its earlier answers: opcws makes an
  answer only when there is room for it.
* A line from which something was taken goes behind the lines from which nothing was taken.

No thread, no lock: the worker guards it.
"""

from collections import deque
from functools import partial
from typing import (
    AbstractSet,
    Any,
    Callable,
    Deque,
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

from ...config.settings import Variable
from ...gateway.plant_interface import ReadDone, Wake, Write, WriteDone
from ...model.data_types import NodeId
from ...model.deadline import Deadline
from ...model.errors import ServiceError
from ..channel.link import Link
from .answer_sizes import CALL_BYTES


class ReadOperation(NamedTuple):
    variables: Sequence[Variable]
    max_age_s: float
    deadline: Deadline
    done: ReadDone


class WriteOperation(NamedTuple):
    writes: Sequence[Write]
    deadline: Deadline
    done: WriteDone


class Job(NamedTuple):
    """Any step that makes service calls itself; *failed* is called instead of it if there is no
    link, and when it raises.  Of consecutive jobs in a line with the same *merge* only the last is
    done, for all.  *give_up* ends a running job of an *owner*."""

    run: Callable[[Link], None]
    failed: Callable[[ServiceError], None]
    is_long: bool = False
    merge: Optional[object] = None
    owner: Optional[object] = None
    give_up: Optional[Callable[[], None]] = None

    @property
    def is_own(self) -> bool:
        """It is a job of opcws itself, not of a client: nobody gives it up."""
        return self.give_up is None


Operation = Union[ReadOperation, WriteOperation, Job]


class FairQueue:
    """The waiting operations, each in the line that :meth:`put` names; ``None`` is opcws' own line.

    *has_longer* says of two reads or writes whether the first has so much more time than the
    second, whose deadline the call gets, that they should not share a call; *is_held* says whether
    a line must wait, given its first operation; *size_of* says about how many bytes variables
    bring.
    """

    def __init__(
        self,
        has_longer: Callable[
            [Union[ReadOperation, WriteOperation], Union[ReadOperation, WriteOperation]], bool
        ],
        is_held: Callable[[object, Operation], bool] = lambda line, first: False,
        size_of: Callable[[Sequence[Variable]], int] = lambda variables: 0,
    ) -> None:
        self._has_longer = has_longer
        self._is_held = is_held
        self._size_of = size_of
        # No line is empty; the first line has the next turn.
        self._lines: Dict[object, Deque[Operation]] = {}
        self._count = 0
        # Whether the last call was for opcws' own line.
        self._own = False
        # The lines with a write in the present call.
        self._writing: Dict[object, None] = {}

    def __len__(self) -> int:
        return self._count

    def put(self, operation: Operation, line: object = None) -> None:
        queue = self._lines.get(line)
        if queue is None:
            queue = self._lines[line] = deque()
        elif isinstance(operation, Job) and operation.merge is not None:
            before = queue[-1]
            if isinstance(before, Job) and before.merge is operation.merge:
                queue[-1] = operation
                return
        queue.append(operation)
        self._count += 1

    def names(self) -> List[object]:
        """The lines in which something waits."""
        return list(self._lines)

    def has_write(self, line: object) -> bool:
        """Whether a write of *line* waits or is being executed."""
        waiting = self._lines.get(line, ())
        return line in self._writing or any(isinstance(each, WriteOperation) for each in waiting)

    def done(self) -> None:
        """The operations that were taken last are done."""
        self._writing = {}

    def take(self, most: int) -> List[Operation]:
        """The operations for the next service call, of at most *most* nodes; none if every line
        must wait."""
        own = self._lines.get(None)
        self._own = not self._own and own is not None and isinstance(own[0], Job)
        name: object = None
        if not self._own:
            for name, queue in self._lines.items():
                if not self._is_held(name, queue[0]):
                    break
            else:
                return []
        queue = self._lines[name]
        first = queue[0]
        if isinstance(first, Job):
            self._count -= 1
            queue.popleft()
            self._behind({name: None})
            return [first]
        batch: List[Operation] = []
        size = bytes_read = 0
        nodes: Set[NodeId] = set()
        served: Dict[object, None] = {}
        more = True
        while more and size < most:
            more = False
            for name, queue in self._lines.items():
                # The call may have taken everything that was in it.
                operation = queue[0] if queue else None
                if isinstance(operation, Job) or type(operation) is not type(first):
                    continue
                assert operation is not None
                amount, written = _needs(operation)
                if self._is_held(name, operation):
                    continue
                brings = 0
                if self._count > 1 and isinstance(operation, ReadOperation):
                    brings = self._size_of(operation.variables)
                if batch and (
                    size + amount > most
                    or bytes_read + brings > CALL_BYTES
                    or nodes & written
                    or self._has_longer(operation, first)
                ):
                    continue
                batch.append(queue.popleft())
                size += amount
                bytes_read += brings
                nodes |= written
                served[name] = None
                more = True
                if size >= most:
                    break
        self._count -= len(batch)
        if isinstance(first, WriteOperation):
            self._writing = served
        self._behind(served)
        return batch

    def _behind(self, served: Dict[object, None]) -> None:
        for name in served:
            queue = self._lines.pop(name)
            if queue:
                self._lines[name] = queue

    def remove(self, unwanted: Callable[[Operation], bool], *lines: object) -> List[Operation]:
        """Remove and return all *unwanted* operations, only from *lines* if any are named."""
        gone: List[Operation] = []
        for name in lines or list(self._lines):
            queue = self._lines.get(name, ())
            found = [each for each in queue if unwanted(each)]
            if found:
                gone += found
                kept = self._lines[name] = deque(each for each in queue if not unwanted(each))
                if not kept:
                    del self._lines[name]
        self._count -= len(gone)
        return gone


def _needs(operation: Union[ReadOperation, WriteOperation]) -> Tuple[int, AbstractSet[NodeId]]:
    """How many nodes *operation* has, and which of them the same call must not write again: the
    order of two writes to one node would be undefined (OPC 10000-4 5.11.4)."""
    if isinstance(operation, ReadOperation):
        return len(operation.variables), _NO_NODES
    return len(operation.writes), {write.variable.node for write in operation.writes}


_NO_NODES: AbstractSet[NodeId] = frozenset()


Calls = Callable[[Sequence[Variable], int], Iterable[Tuple[int, int]]]


def _by_count(variables: Sequence[Variable], most: int) -> Iterable[Tuple[int, int]]:
    return [(start, start + most) for start in range(0, len(variables), most)]


def parts(operation: Operation, most: int, calls_of: Calls = _by_count) -> List[Operation]:
    """*operation*, cut where it needs another service call: after *most* nodes or as much as the
    answer may bring, and before a second write to the same node."""
    if isinstance(operation, ReadOperation) and len(operation.variables) > 1:
        read = operation
        calls = list(calls_of(read.variables, most))
        if len(calls) > 1:
            take = _gather(len(calls), read.done)
            return [
                read._replace(variables=read.variables[start:stop], done=partial(take, place))
                for place, (start, stop) in enumerate(calls)
            ]
    if isinstance(operation, WriteOperation) and len(operation.writes) > 1:
        cut: List[List[Write]] = [[]]
        nodes: Set[NodeId] = set()
        for write in operation.writes:
            if write.variable.node in nodes or len(nodes) >= most:
                cut.append([])
                nodes.clear()
            nodes.add(write.variable.node)
            cut[-1].append(write)
        if len(cut) > 1:
            take = _gather(len(cut), operation.done)
            return [
                operation._replace(writes=some, done=partial(take, place))
                for place, some in enumerate(cut)
            ]
    return [operation]


def _gather(
    count: int, done: Callable[[List[Any]], Optional[Wake]]
) -> Callable[[int, List[Any]], Optional[Wake]]:
    """Answers an operation when its *count* parts are answered; the worker calls it on one
    thread."""
    got: Dict[int, List[Any]] = {}

    def take(place: int, results: List[Any]) -> Optional[Wake]:
        got[place] = results
        if len(got) < count:
            return None
        return done([each for part in range(count) for each in got[part]])

    return take

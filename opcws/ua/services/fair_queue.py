"""What waits for one OPC UA server: a line of operations for each client, which take turns.

Rules:

* The operations of one line are taken in the order in which they came.
* Each turn makes one service call.  The line whose turn it is decides of what kind; of the others
  each adds the operation that is first in it, if it is of that kind and there is room, round
  after round.  So with many clients calls are full, and with one that asks for a thousand times
  as much as all others these wait for one call of its, not for all.
* A call of reads has no more than the answer may bring (:mod:`opcws.ua.services.answer_sizes`).
* Therefore an operation that needs more than one call is cut into parts that need one each
  (:func:`parts`), and answered when all are.
* Our own line has its turn at every second call: however many lines there are, what watches the
  connection and what repairs it waits for one call.
* A line whose client has taken too little of what it was answered already has no turn: what is
  promised is made only when there is room for it.
* A line of which something was taken goes behind those of which nothing was.

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
    """Any step that makes service calls itself; *failed* is called instead of it when there is
    no link, and when it raises.  Of consecutive jobs of a line with the same *merge* the last is
    done, for all.  *give_up* ends one of an *owner* that is being done."""

    run: Callable[[Link], None]
    failed: Callable[[ServiceError], None]
    is_long: bool = False
    merge: Optional[object] = None
    owner: Optional[object] = None
    give_up: Optional[Callable[[], None]] = None

    @property
    def is_own(self) -> bool:
        """It is opcws' own, no client's: nobody gives it up."""
        return self.give_up is None


Operation = Union[ReadOperation, WriteOperation, Job]


class FairQueue:
    """The operations that wait, each in the line that :meth:`put` names; ``None`` is opcws' own.

    *has_longer* says of two reads or writes whether the first has so much more time than the
    second, whose deadline a call takes, that it should not share its fate; *is_held* says whether a
    line must wait, and what is first in it; *size_of* about how many bytes variables bring.
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
        # None of them is empty; the first one's turn is next.
        self._lines: Dict[object, Deque[Operation]] = {}
        self._count = 0
        # The last call was of our own line.
        self._own = False
        # The lines of which a write is being done.
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
        """Those that something waits in."""
        return list(self._lines)

    def has_write(self, line: object) -> bool:
        """Whether a write of *line* waits or is being done."""
        waiting = self._lines.get(line, ())
        return line in self._writing or any(isinstance(each, WriteOperation) for each in waiting)

    def done(self) -> None:
        """What was taken last has been done."""
        self._writing = {}

    def take(self, most: int) -> List[Operation]:
        """What the next service call is made of, of *most* nodes; nothing if every line must
        wait."""
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
                # All that was in it may have been taken.
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
        """Take all *unwanted* ones out, of these *lines* if any are named."""
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
    """How many nodes *operation* has, and which of them a call must not write besides: the order of
    two writes of one would be open (OPC 10000-4 5.11.4)."""
    if isinstance(operation, ReadOperation):
        return len(operation.variables), _NO_NODES
    return len(operation.writes), {write.variable.node for write in operation.writes}


_NO_NODES: AbstractSet[NodeId] = frozenset()


Calls = Callable[[Sequence[Variable], int], Iterable[Tuple[int, int]]]


def _by_count(variables: Sequence[Variable], most: int) -> Iterable[Tuple[int, int]]:
    return [(start, start + most) for start in range(0, len(variables), most)]


def parts(operation: Operation, most: int, calls_of: Calls = _by_count) -> List[Operation]:
    """*operation*, cut where it needs another service call: behind *most* nodes or as much as the
    answer may bring, and before a second write of one."""
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
    """Answers an operation when its *count* parts are, which the worker does on one thread."""
    got: Dict[int, List[Any]] = {}

    def take(place: int, results: List[Any]) -> Optional[Wake]:
        got[place] = results
        if len(got) < count:
            return None
        return done([each for part in range(count) for each in got[part]])

    return take

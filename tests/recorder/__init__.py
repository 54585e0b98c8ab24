"""A recorder on a real file, fed and read as the gateway does it."""

import threading
from pathlib import Path
from typing import Any, Iterable, List, Optional, Sequence, Union

from opcws.config.settings import Variable
from opcws.gateway.plant_interface import HistoryPage, HistoryQuery
from opcws.model.data_types import DOUBLE, DataValue, Variant, parse_node_id
from opcws.model.deadline import Deadline
from opcws.model.errors import ServiceError
from opcws.recorder.recorder import Recorder
from opcws.wire.notifications import LAYOUTS, Notification, Origin, generic

from ..support import PATIENCE
from ..support.sample_values import NAMESPACES

#: 2100-01-01T00:00:00Z, later than any gap between two starts, and a second, in ticks.
T0 = 157_469_184_000_000_000
SECOND = 10_000_000
DAYS, BYTES = 30.0, 2**31
ORIGIN = Origin(NAMESPACES)
DOUBLES = next(each for each in LAYOUTS if each.type == DOUBLE and each.source and each.server)


class Owner:
    """Who asks."""

    def __init__(self) -> None:
        self.closed = False
        self.outbox: Any = None


def variable(name: str = "Level", **more: Any) -> Variable:
    node = "nsu=urn:demo:plant;s=" + name
    return Variable(name, "plant", parse_node_id(node), node, **more)


def number(value: float, ticks: int, status: int = 0) -> DataValue:
    """A Double of the moment *ticks*."""
    return DataValue(Variant(DOUBLE, value), status, ticks, ticks)


def row(value: float, ticks: int) -> Notification:
    """The same, as it comes from the plant."""
    return DOUBLES, (1, value, ticks, ticks), ORIGIN


def update(value: DataValue, arrived: float = 0.0) -> Notification:
    return (*generic(1, value), Origin(NAMESPACES, arrived))


def recorder(
    path: Path, *recorded: Any, keep_days: float = DAYS, max_bytes: int = BYTES
) -> Recorder:
    """A recorder of *recorded*: variables, or with a MinInterval and a deadband each."""
    rules = [each if isinstance(each, tuple) else (each, 0.0, 0.0) for each in recorded]
    return Recorder(str(path), rules, keep_days, max_bytes)


class Running:
    """A recorder that runs within the block."""

    def __init__(self, path: Path, *recorded: Any, **more: Any) -> None:
        self.recorder = recorder(path, *recorded or (variable(),), **more)

    def __enter__(self) -> "Running":
        self.recorder.start()
        return self

    def __exit__(self, *_error: Any) -> None:
        self.stop()

    def stop(self) -> None:
        self.recorder.stop(Deadline(PATIENCE))
        assert not any(thread.is_alive() for thread in self.recorder.threads)

    def take(self, updates: Iterable[Notification], of: Optional[Variable] = None) -> None:
        series = self.recorder.series(of or variable())
        assert series is not None
        self.recorder.take([(series, each) for each in updates])

    def page(self, query: HistoryQuery, owner: Optional[Owner] = None) -> HistoryPage:
        answers: List[Union[HistoryPage, ServiceError]] = []
        answered = threading.Event()

        def done(answer: Union[HistoryPage, ServiceError]) -> None:
            answers.append(answer)
            answered.set()

        self.recorder.history(query, owner or Owner(), done)
        assert answered.wait(PATIENCE)
        (answer,) = answers
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    def pages(self, query: HistoryQuery) -> List[List[DataValue]]:
        found = []
        while True:
            page = self.page(query)
            found.append(page.values)
            if page.continuation_point is None:
                return found
            query = query._replace(continuation_point=page.continuation_point)

    def values(self, of: Optional[Variable] = None) -> List[DataValue]:
        """All that there are, oldest first."""
        return sum(self.pages(query(of=of)), [])


def query(
    start: int = 1,
    end: int = 2**62,
    most: int = 0,
    bounds: bool = False,
    of: Optional[Variable] = None,
) -> HistoryQuery:
    return HistoryQuery(of or variable(), start, end, most, bounds, None, 0.0)


def numbers(values: Sequence[DataValue]) -> List[Any]:
    """What is in *values*; of what has no value, the status."""
    return [each.value.value if each.value else hex(each.status) for each in values]

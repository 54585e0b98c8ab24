"""A few places for work that takes long, given to addresses in turn.

An address with a hundred in line waits longer, not the one with a single one behind them: places
go round the addresses, and to each address's own in the order in which they came.

Threads: any.
"""

import threading
from collections import OrderedDict, deque
from typing import Callable, Deque

from ..model.deadline import Deadline

#: Seconds after which one who waits looks whether it still may.
LOOK_S = 0.2


class Turns:
    """*places* that may be taken at the same time."""

    def __init__(self, places: int) -> None:
        self._free = places
        # Guards both: how many places are free while nobody is in line, and who is in line by
        # address, that whose turn it is first.
        self._lock = threading.Condition()
        self._lines: "OrderedDict[str, Deque[object]]" = OrderedDict()

    def take(
        self, address: str, deadline: Deadline, stopping: Callable[[], bool] = lambda: False
    ) -> bool:
        """Take a place for *address*; false if there was none until *deadline*, or *stopping*."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            ticket = object()
            self._lines.setdefault(address, deque()).append(ticket)
            while ticket in self._lines.get(address, ()):
                if stopping() or deadline.expired:
                    self._leave(address, ticket)
                    return False
                self._lock.wait(deadline.bounded(LOOK_S))
            return True

    def give_back(self) -> None:
        """The place is somebody else's now."""
        with self._lock:
            if not self._lines:
                self._free += 1
                return
            address, line = next(iter(self._lines.items()))
            self._lines.move_to_end(address)
            self._leave(address, line[0])
            self._lock.notify_all()

    def _leave(self, address: str, ticket: object) -> None:
        line = self._lines[address]
        line.remove(ticket)
        if not line:
            del self._lines[address]

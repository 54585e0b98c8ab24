"""A few places for work that takes long, given to addresses in turn.

The addresses take turns, and the requests of each address keep their order.  So an address with a
hundred requests waits longer, and does not delay another with a single one.

Threads: any.
"""

import threading
from collections import OrderedDict, deque
from typing import Callable, Deque

from ..model.deadline import Deadline

#: Seconds between two checks whether a waiting request may still wait.
LOOK_S = 0.2


class Turns:
    """*places* that may be taken at the same time."""

    def __init__(self, places: int) -> None:
        self._free = places
        # Guards both: how many places are free while nobody waits, and who waits, by address, the
        # next one first.
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
        """Give the place to the next in line."""
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

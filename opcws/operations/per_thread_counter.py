"""Counts that many threads add to without waiting.

Rules:

* Each thread adds to a table of its own, so that adding takes no lock and loses nothing: ``+=`` on
  a shared object is not one step in Python.
* A total is the sum of the tables.  The table of an ended thread is added to a permanent one, so
  that a million short connections leave nothing behind.
* The keys must be few: names of requests, services and status codes, never text from a client.

(A ``Counter`` of prometheus_client takes a lock at each step, for which all threads would wait.)

Threads: :meth:`PerThreadCounter.add` and :meth:`PerThreadCounter.totals` may be called from any.
"""

import threading
from typing import Dict, Generic, Hashable, List, Tuple, TypeVar

K = TypeVar("K", bound=Hashable)

#: From how many tables on those of ended threads are searched for; it grows with the number of
#: living threads.
TABLES = 64


class PerThreadCounter(Generic[K]):
    """Totals by key since the start; they never go down."""

    def __init__(self) -> None:
        self._own = threading.local()
        # Guards the three below; taken by a thread's first add and by totals, never by later adds.
        self._lock = threading.Lock()
        self._tables: List[Tuple[threading.Thread, Dict[K, float]]] = []
        self._ended: Dict[K, float] = {}
        self._fold_at = TABLES

    def add(self, key: K, amount: float = 1) -> None:
        try:
            table: Dict[K, float] = self._own.table
        except AttributeError:
            table = self._begin()
        table[key] = table.get(key, 0) + amount

    def totals(self) -> Dict[K, float]:
        """A new dictionary; counts that are being added may be missing."""
        with self._lock:
            self._fold()
            sums = dict(self._ended)
            for _thread, table in self._tables:
                _add_all(sums, table)
        return sums

    def _begin(self) -> Dict[K, float]:
        table: Dict[K, float] = {}
        with self._lock:
            if len(self._tables) >= self._fold_at:
                self._fold()
                self._fold_at = max(TABLES, 2 * len(self._tables))
            self._tables.append((threading.current_thread(), table))
        self._own.table = table
        return table

    def _fold(self) -> None:
        alive = []
        for thread, table in self._tables:
            if thread.is_alive():
                alive.append((thread, table))
            else:
                _add_all(self._ended, table)
        self._tables = alive


def _add_all(sums: Dict[K, float], table: Dict[K, float]) -> None:
    # The copy is one step, in which the table's thread adds no key.
    for key, amount in table.copy().items():
        sums[key] = sums.get(key, 0) + amount

"""How long the service calls on one OPC UA server take, and how they fail.

Threads: all methods may be called from any.
"""

from bisect import bisect_left
from typing import Dict, List, Tuple, Union

from ...operations.per_thread_counter import PerThreadCounter
from ...operations.statistics import DURATIONS_S, Histogram
from ..encoding import service_bodies

#: The services (OPC 10000-4) by the id of their request; all others count as ``Other``.
SERVICES = {
    service_bodies.READ_REQUEST: "Read",
    service_bodies.WRITE_REQUEST: "Write",
    service_bodies.HISTORY_READ_REQUEST: "HistoryRead",
    service_bodies.CREATE_ITEMS_REQUEST: "CreateMonitoredItems",
    service_bodies.DELETE_ITEMS_REQUEST: "DeleteMonitoredItems",
    service_bodies.REPUBLISH_REQUEST: "Republish",
}


class CallStatistics:
    """Durations by service, in the buckets of :data:`~opcws.operations.statistics.DURATIONS_S`."""

    def __init__(self) -> None:
        # By (service, number of the bucket); by (service, "") the total seconds.
        self._durations: PerThreadCounter[Tuple[str, Union[int, str]]] = PerThreadCounter()
        self._failures: PerThreadCounter[Tuple[str, str]] = PerThreadCounter()

    def called(self, type_id: int, seconds: float, status: str) -> None:
        """A call ended with *status* after *seconds*."""
        service = SERVICES.get(type_id, "Other")
        self._durations.add((service, bisect_left(DURATIONS_S, seconds)))
        self._durations.add((service, ""), seconds)
        if status != "Good":
            self._failures.add((service, status))

    def calls(self) -> Dict[str, Histogram]:
        """Durations of every service that was called, failed calls included."""
        counts: Dict[str, List[int]] = {}
        seconds: Dict[str, float] = {}
        for (service, bucket), amount in self._durations.totals().items():
            if isinstance(bucket, int):
                row = counts.setdefault(service, [0] * (len(DURATIONS_S) + 1))
                row[bucket] = int(amount)
            else:
                seconds[service] = amount
        return {
            service: Histogram(tuple(row), seconds.get(service, 0.0))
            for service, row in counts.items()
        }

    def failures(self) -> Dict[Tuple[str, str], int]:
        """Failed calls by service and status."""
        return {key: int(amount) for key, amount in self._failures.totals().items()}

"""Monitored items (OPC 10000-4 5.13): created and deleted in bulk, in the order of the requests.

The relay says which items there should be, whenever a client starts or stops; the worker makes
the service calls.  What gathers while one call is in flight becomes the next.

A monitor takes effect in its place among the other requests of its connection: a write sent
after it is seen by it as a change.  The relay learns of the monitor on a thread of its own, so
the worker, when it comes to that place in its queue, first lets the relay catch up.

Threads: ``create``, ``delete`` on the relay's, ``in_order`` on any, ``_apply`` on the worker's.
"""

import logging
import threading
import time
from typing import Any, Callable, List, Sequence, Tuple

from opcua import ua

from .. import statuscodes
from ..config import Server, Variable
from ..deadline import Deadline
from ..errors import PlantError, ServiceError
from ..relay import Created
from .link import Link
from .metadata import link_node_id, to_library
from .worker import Job, Worker

log = logging.getLogger(__name__)

#: Seconds between two lines of the log that tell how far a creation in bulk is.
PROGRESS_S = 1.0
#: Seconds that the worker gives the relay to catch up; the relay never blocks.
CATCH_UP_S = 1.0


class Items:
    """The monitored items of *server*.  *catch_up* waits until the relay has seen everything
    that was sent to it before; *created* takes what became of items."""

    def __init__(
        self,
        server: Server,
        worker: Worker,
        catch_up: Callable[[float], None],
        created: Callable[[Link, Sequence[Created]], None],
    ) -> None:
        self._server = server
        self._worker = worker
        self._catch_up = catch_up
        self._created = created
        # Guards the three below.
        self._lock = threading.Lock()
        self._wanted: List[Tuple[Link, str, int]] = []
        self._unwanted: List[Tuple[Link, int]] = []
        self._in_order = False

    def in_order(self) -> None:
        """Monitors have just been sent to the relay: create their items at this place of the
        worker's queue."""
        with self._lock:
            self._in_order = True
        self._submit()

    def create(self, link: Link, wanted: Sequence[Tuple[str, int]]) -> None:
        """Create an item for each (variable, client handle) on *link*."""
        with self._lock:
            self._wanted.extend((link, name, handle) for name, handle in wanted)
        self._submit()

    def delete(self, link: Link, item_ids: Sequence[int]) -> None:
        with self._lock:
            self._unwanted.extend((link, item_id) for item_id in item_ids)
        self._submit()

    def _submit(self) -> None:
        self._worker.submit(Job(self._apply, self._fail, merge=self))

    def _fail(self, problem: ServiceError) -> None:
        log.debug("%s: monitored items: %s", self._server.name, problem.reason)

    def _apply(self, link: Link) -> None:
        with self._lock:
            in_order, self._in_order = self._in_order, False
        if in_order:
            self._catch_up(CATCH_UP_S)
        with self._lock:
            wanted, self._wanted = self._wanted, []
            unwanted, self._unwanted = self._unwanted, []
        # What was meant for an older generation went with it.
        mine = [(name, handle) for on, name, handle in wanted if on is link]
        ids = [item_id for on, item_id in unwanted if on is link]
        most = link.max_items_per_call
        began = told = time.monotonic()
        try:
            for start in range(0, len(mine), most):
                some = mine[start : start + most]
                self._created(link, self._create_some(link, some))
                done, now = start + len(some), time.monotonic()
                if now - told >= PROGRESS_S or done == len(mine) > most:
                    told = now
                    log.info(
                        "%s: %d of %d variables monitored after %.1f s",
                        self._server.name,
                        done,
                        len(mine),
                        now - began,
                    )
        except PlantError as problem:
            # No item, or not known which: only a new generation can tell.
            link.kill(problem.reason)
            raise
        for start in range(0, len(ids), most):
            link.subscription.delete_items(ids[start : start + most])

    def _create_some(self, link: Link, wanted: Sequence[Tuple[str, int]]) -> List[Created]:
        made: List[Created] = []
        requests: List[Any] = []
        handles: List[int] = []
        for name, handle in wanted:
            variable = self._server.variables[name]
            try:
                node_id = link_node_id(link, variable)
            except PlantError as problem:
                made.append(Created(handle, None, problem.status, problem.reason))
                continue
            requests.append(self._request(variable, node_id, handle))
            handles.append(handle)
        if requests:
            deadline = Deadline(self._server.request_timeout_ms / 1000.0)
            results = link.subscription.create_items(requests, deadline)
            for handle, result in zip(handles, results):
                if result.StatusCode.is_good():
                    made.append(Created(handle, result.MonitoredItemId, "Good", ""))
                else:
                    status = result.StatusCode.value
                    made.append(
                        Created(handle, None, statuscodes.name(status), statuscodes.reason(status))
                    )
        return made

    def _request(self, variable: Variable, node_id: Any, handle: int) -> Any:
        request = ua.MonitoredItemCreateRequest()
        request.ItemToMonitor.NodeId = to_library(node_id)
        request.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        request.MonitoringMode = ua.MonitoringMode.Reporting
        parameters = request.RequestedParameters
        parameters.ClientHandle = handle
        interval = variable.sampling_interval_ms
        parameters.SamplingInterval = float(
            self._server.sampling_interval_ms if interval is None else interval
        )
        parameters.QueueSize = variable.queue_size or self._server.queue_size
        parameters.DiscardOldest = True
        return request

"""Finds the variables of ``servers.NAME.browse`` by browsing, again and again.

Rules:

* It is looked at once for each generation, every ``browse_interval_s``, and when the OPC UA server
  says that its address space has changed (GeneralModelChangeEvent, OPC 10000-3 9.32).
* After an incomplete result it browses again soon, then less and less often; until a complete one,
  no variable that was found before is removed.  Nodes that this user may never see do not make a
  result incomplete.
* Browsing takes at most a tenth of the time, however often the server reports changes.

Threads: ``tick`` on the supervisor's, ``changed_there`` on the relay's, ``change`` on any; the
rest on the worker's.  Each attribute is set in one step.
"""

import logging
import time
from functools import partial
from typing import Any, Callable, Dict, Optional, Sequence, Set

from opcua import ua

from ..config.settings import Browse, Server, Variable
from ..model import status_codes
from ..model.errors import PlantError, ServiceError
from .channel.link import Link
from .encoding import lasting_statuses
from .services.browsed_variables import find_variables
from .services.fair_queue import Job
from .services.worker import Worker

log = logging.getLogger(__name__)

#: Seconds until what was not told completely is looked at again, at first.
FIRST_PAUSE_S = 1.0
#: The shortest time between the end of one look and the next, in times that the look took.
REST = 9.0
#: ClientHandle of the item that tells of changes; the relay's begin at 1.
MODEL_CHANGES = 0


class Looking:
    """*link* tells the present generation once it is up; *found* is told what *server*'s
    patterns mean now, on a thread that may wait."""

    def __init__(
        self,
        server: Server,
        worker: Worker,
        link: Callable[[], Optional[Link]],
        found: Callable[[str, Sequence[Browse], Sequence[Variable]], None],
    ) -> None:
        self._server = server
        self._worker = worker
        self._link = link
        self._tell_found = found
        # Time of the next look; whether one is running, and whether another must follow.
        self._due = 0.0
        self._busy = False
        self._again = False
        self._rested_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._seen: Optional[Link] = None
        # When to try again to monitor changes.
        self._watch_due = 0.0
        # Of the looking thread: the last result, and the part that was reported.
        self._last: Dict[str, Variable] = {}
        self._told: Set[str] = set()

    def change(self, server: Server) -> None:
        """The configuration has changed."""
        old, self._server = self._server, server
        if old.browse != server.browse:
            self._pause_s = FIRST_PAUSE_S
            self._again, self._due = True, 0.0

    def changed_there(self) -> None:
        """The OPC UA server says that its address space has changed."""
        self._again = True
        self._due = min(self._due, max(time.monotonic(), self._rested_at))

    def tick(self, link: Link) -> None:
        """Look if it is time, on the connected *link*; returns at once."""
        if not self._server.browse:
            return
        if link is not self._seen:
            self._seen = link
            self._pause_s = FIRST_PAUSE_S
            self._busy, self._due = False, 0.0
            self._watch_due = 0.0
        if time.monotonic() >= self._watch_due:
            self._watch_due = float("inf")
            self._worker.submit(Job(self._watch_changes, partial(self._not_watched, link)))
        if self._busy or time.monotonic() < self._due:
            return
        self._busy, self._again = True, False
        server = self._server

        def run(current: Link) -> None:
            if current is link:
                self._look(link, server)

        def failed(problem: ServiceError) -> None:
            if self._link() is link and self._server.browse == server.browse:
                self._warn("looking for variables: %s" % problem.reason)
            self._done(link, time.monotonic(), False)

        self._worker.submit(Job(run, failed, is_long=True, owner=self))

    # --- the worker's threads -------------------------------------------------------------------

    def _look(self, link: Link, server: Server) -> None:
        def before_call() -> None:
            if self._link() is not link or self._server.browse != server.browse:
                raise PlantError("superseded", "BadNotConnected")

        began = time.monotonic()
        # A call that is not answered is made again soon, and one that takes long gets its time.
        patience_s = self._server.request_timeout_ms / 1000.0 * self._pause_s / FIRST_PAUSE_S
        call_s = min(self._server.history_timeout_ms / 1000.0, patience_s)
        found = find_variables(link, server, before_call, call_s, self._warn)
        before_call()
        variables = {each.name: each for each in found.variables}
        if not found.complete:
            most = sum(each.max_variables for each in server.browse)
            for each in list(self._last.values())[: max(0, most - len(variables))]:
                variables[each.name] = each
        else:
            self._told.clear()
        self._last = variables
        self._tell_found(
            server.name, server.browse, [variables[name] for name in sorted(variables)]
        )
        self._done(link, began, found.complete)

    def _done(self, link: Link, began: float, complete: bool) -> None:
        if self._seen is not link:
            return
        now = time.monotonic()
        self._rested_at = now + REST * (now - began)
        interval_s = self._server.browse_interval_s
        if complete:
            self._pause_s = FIRST_PAUSE_S
            wait_s = interval_s or float("inf")
        else:
            wait_s = self._pause_s
            self._pause_s = min(2 * self._pause_s, max(interval_s or 300.0, FIRST_PAUSE_S))
        self._due = self._rested_at if self._again else max(now + wait_s, self._rested_at)
        self._busy = False

    def _warn(self, text: str) -> None:
        """Log *text*, once until all was told."""
        if text not in self._told and len(self._told) < 100:
            self._told.add(text)
            log.warning("%s: %s", self._server.name, text)

    def _watch_changes(self, link: Link) -> None:
        """An item for GeneralModelChangeEvents on the Server object."""
        ((_subscription, result),) = link.subscriptions.create_items([_changes_item()])
        if status_codes.is_bad(result.status):
            name = status_codes.name(result.status)
            raise PlantError("no events: %s" % name, name)

    def _not_watched(self, link: Link, problem: ServiceError) -> None:
        if self._seen is link and lasting_statuses.may_pass(status_codes.code(problem.status)):
            self._watch_due = time.monotonic() + self._server.retry_interval_ms / 1000.0
        log.debug("%s: changes of the address space: %s", self._server.name, problem.reason)


def _changes_item() -> Any:
    """The MonitoredItemCreateRequest (OPC 10000-4 7.21, 7.22.3)."""
    request = ua.MonitoredItemCreateRequest()
    request.ItemToMonitor.NodeId = ua.NodeId(ua.ObjectIds.Server)
    request.ItemToMonitor.AttributeId = ua.AttributeIds.EventNotifier
    request.MonitoringMode = ua.MonitoringMode.Reporting
    parameters = request.RequestedParameters
    parameters.ClientHandle = MODEL_CHANGES
    parameters.SamplingInterval = 0.0
    parameters.QueueSize = 1
    parameters.DiscardOldest = True
    select = ua.SimpleAttributeOperand()
    select.TypeDefinitionId = ua.NodeId(ua.ObjectIds.BaseEventType)
    select.BrowsePath = [ua.QualifiedName("EventType", 0)]
    select.AttributeId = ua.AttributeIds.Value
    wanted = ua.LiteralOperand()
    wanted.Value = ua.Variant(
        ua.NodeId(ua.ObjectIds.GeneralModelChangeEventType), ua.VariantType.NodeId
    )
    element = ua.ContentFilterElement()
    element.FilterOperator = ua.FilterOperator.OfType
    element.FilterOperands = [wanted]
    parameters.Filter = ua.EventFilter()
    parameters.Filter.SelectClauses = [select]
    parameters.Filter.WhereClause.Elements = [element]
    return request

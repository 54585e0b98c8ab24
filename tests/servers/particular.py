"""A python-opcua server with habits that real ones have, as a process that takes orders.

    python -m tests.servers.particular [twice] PORT

``twice``: its namespaces 2 and 3 have one URI; 3 has an ``A`` of its own.  Orders, one JSON object
a line, each answered ``done``: ``{"Name": [values]}`` changes a variable, ``{"add": "Name"}`` and
``{"remove": "Name"}`` are for nodes below ``Folder``, ``{"browse": "BadWaitingForInitialData"}``
is what Browse says of each node but Objects from now on (null: what is below it), and
``{"browse_fault": ...}`` what it says instead of an answer, ``{"translate_fault": ...}`` the
same of TranslateBrowsePathsToNodeIds, ``{"events_fault": ...}`` what becomes of an item for events,
``{"limits": ...}`` the status of MaxNodesPerRead, which is 7 (null: Good), ``{"frozen":
["Name"]}`` are the variables of which no change is published, ``{"event": true}`` sends a
GeneralModelChangeEvent.

* ``Clamped`` takes 100 at most, and says GoodClamped; ``Later`` says GoodCompletesAsynchronously.
* ``Locales`` are those of the session that was activated last.
* ``Clamped`` has a EURange.
* ``Told`` is called a scalar, and is an array.
* ``Past`` has a history of 30 values, one a second from 2026 on, in pages of 4; it has source
  timestamps only, and wants every request with a continuation point as the first was, also the
  one that releases it.  ``Refused`` counts those that it refused for that, ``Unsupported`` those
  that asked for other timestamps, ``Held`` the points that it keeps.  Like open62541 it denies
  the history of the others to everybody, as if a right was missing.
"""

import datetime
import json
import logging
import sys
from typing import Any, Dict, List, Optional, Tuple

from opcua import Server, ua
from opcua.common import utils
from opcua.server.internal_server import InternalSession
from opcua.server.internal_subscription import MonitoredItemService

URI = "urn:test:particular"
OTHER = "urn:test:other"
CLAMPED = 0x00300000
LATER = 0x002E0000
MAX_NODES_PER_READ = 11705
LENGTH, PAGE = 30, 4
_BASE = datetime.datetime(2026, 1, 1)


class Particular:
    def __init__(self, port: int, twice: bool) -> None:
        server = self.server = Server()
        server.set_endpoint("opc.tcp://127.0.0.1:%d" % port)
        self.index = server.register_namespace(URI)
        other = server.register_namespace(OTHER)
        if twice:
            array = server.get_node(ua.ObjectIds.Server_NamespaceArray)
            uris = array.get_value()
            uris[other] = URI
            array.set_value(uris, ua.VariantType.String)
        self.folder = server.get_objects_node().add_folder(
            ua.NodeId("Folder", self.index), ua.QualifiedName("Folder", self.index)
        )
        self.nodes: Dict[str, Any] = {}
        for name, value in {
            "A": ua.Variant(1, ua.VariantType.Int32),
            "B": ua.Variant(2.0, ua.VariantType.Double),
            "Clamped": ua.Variant(50.0, ua.VariantType.Double),
            "Later": ua.Variant(1.0, ua.VariantType.Double),
            "Told": ua.Variant([1], ua.VariantType.UInt16),
            "Past": ua.Variant(0.0, ua.VariantType.Double),
            "Locales": ua.Variant("", ua.VariantType.String),
            **{
                name: ua.Variant(0, ua.VariantType.UInt32)
                for name in ("Refused", "Unsupported", "Held")
            },
        }.items():
            self.add(name, value)
        scalar = ua.DataValue(ua.Variant(-1, ua.VariantType.Int32))
        self.nodes["Told"].set_attribute(ua.AttributeIds.ValueRank, scalar)
        second = server.get_objects_node().add_variable(
            ua.NodeId("A", other), ua.QualifiedName("A2", other), 2, ua.VariantType.Int32
        )
        second.set_writable()
        self.events = server.get_event_generator(ua.ObjectIds.GeneralModelChangeEventType)
        self.points: Dict[bytes, Tuple[Any, int]] = {}
        self.browse: Optional[str] = None
        self.browse_fault: Optional[str] = None
        self.translate_fault: Optional[str] = None
        self.events_fault: Optional[str] = None
        range_ = ua.Range()
        range_.Low, range_.High = 0.0, 100.0
        self.nodes["Clamped"].add_property(0, "EURange", range_)
        self.limits(None)
        self.frozen: List[Any] = []

    def add(self, name: str, value: Any = 7.0) -> None:
        node_id = ua.NodeId(name, self.index)
        node = self.folder.add_variable(node_id, ua.QualifiedName(name, self.index), value)
        node.set_writable()
        self.nodes[name] = node

    def limits(self, status: Optional[str]) -> None:
        value = ua.DataValue(ua.Variant(7, ua.VariantType.UInt32))
        if status is not None:
            value = ua.DataValue()
            value.StatusCode = ua.StatusCode(getattr(ua.StatusCodes, status))
        self.server.get_node(ua.NodeId(MAX_NODES_PER_READ)).set_value(value)

    def count(self, name: str, value: Optional[int] = None) -> None:
        node = self.nodes[name]
        node.set_value(node.get_value() + 1 if value is None else value, ua.VariantType.UInt32)

    # --- services -------------------------------------------------------------------------------

    def patch(self) -> None:
        write, browse = InternalSession.write, InternalSession.browse
        changed = MonitoredItemService.datachange_callback

        def written(session: Any, params: Any) -> Any:
            clamped, later = self.nodes["Clamped"].nodeid, self.nodes["Later"].nodeid
            codes: List[int] = []
            for item in params.NodesToWrite:
                codes.append(LATER if item.NodeId == later else 0)
                if item.NodeId == clamped and item.Value.Value.Value > 100:
                    item.Value = ua.DataValue(ua.Variant(100.0, ua.VariantType.Double))
                    codes[-1] = CLAMPED
            results = write(session, params)
            return [ua.StatusCode(code) if code else one for one, code in zip(results, codes)]

        def browsed(session: Any, params: Any) -> Any:
            if self.browse_fault is not None:
                raise utils.ServiceError(getattr(ua.StatusCodes, self.browse_fault))
            results = browse(session, params)
            if self.browse is not None:
                for item, result in zip(params.NodesToBrowse, results):
                    if item.NodeId != ua.NodeId(ua.ObjectIds.ObjectsFolder):
                        result.References = []
                        result.StatusCode = ua.StatusCode(getattr(ua.StatusCodes, self.browse))
            return results

        translate = InternalSession.translate_browsepaths_to_nodeids

        def translated(session: Any, paths: Any) -> Any:
            if self.translate_fault is not None:
                raise utils.ServiceError(getattr(ua.StatusCodes, self.translate_fault))
            return translate(session, paths)

        InternalSession.translate_browsepaths_to_nodeids = translated

        events = MonitoredItemService._create_events_monitored_item

        def watched(service: Any, params: Any) -> Any:
            if self.events_fault is None:
                return events(service, params)
            result = ua.MonitoredItemCreateResult()
            result.StatusCode = ua.StatusCode(getattr(ua.StatusCodes, self.events_fault))
            return result

        MonitoredItemService._create_events_monitored_item = watched

        def told(service: Any, handle: Any, value: Any, error: Any = None) -> Any:
            mid = service._monitored_datachange.get(handle)
            item = None if mid is None else service._monitored_items.get(mid)
            if item is None or item.mvalue.current_value is None or not self._is_frozen(item):
                changed(service, handle, value, error)

        created = MonitoredItemService._create_data_change_monitored_item

        def create(service: Any, params: Any) -> Any:
            result = created(service, params)
            item = service._monitored_items.get(result.MonitoredItemId)
            if item is not None:
                item.node_id = params.ItemToMonitor.NodeId
            return result

        activate = InternalSession.activate_session

        def activated(session: Any, params: Any) -> Any:
            self.nodes["Locales"].set_value(",".join(params.LocaleIds or []))
            return activate(session, params)

        InternalSession.activate_session = activated
        InternalSession.write = written
        InternalSession.browse = browsed
        InternalSession.history_read = lambda _session, params: self.history(params)
        MonitoredItemService._create_data_change_monitored_item = create
        MonitoredItemService.datachange_callback = told

    def _is_frozen(self, item: Any) -> bool:
        return getattr(item, "node_id", None) in self.frozen

    def history(self, params: Any) -> List[Any]:
        return [self._history(params, item) for item in params.NodesToRead]

    def _history(self, params: Any, item: Any) -> Any:
        details, result = params.HistoryReadDetails, ua.HistoryReadResult()
        point = item.ContinuationPoint
        if item.NodeId != self.nodes["Past"].nodeid:
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
            return result
        asked = (details.StartTime, details.EndTime, details.NumValuesPerNode, details.ReturnBounds)
        asked += (params.TimestampsToReturn,)
        first = 0
        if point:
            before, first = self.points.pop(point, (None, 0))
            self.count("Held", len(self.points))
            if before != asked:
                self.count("Refused")
                result.StatusCode = ua.StatusCode(ua.StatusCodes.BadHistoryOperationInvalid)
                return result
            if params.ReleaseContinuationPoints:
                return result
        if params.TimestampsToReturn != ua.TimestampsToReturn.Source:
            self.count("Unsupported")
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadTimestampNotSupported)
            return result
        behind = min(first + min(PAGE, details.NumValuesPerNode or PAGE), LENGTH)
        result.HistoryData = ua.HistoryData()
        for number in range(first, behind):
            value = ua.DataValue(float(number))
            value.SourceTimestamp = _BASE + datetime.timedelta(seconds=number)
            result.HistoryData.DataValues.append(value)
        if behind < LENGTH:
            result.ContinuationPoint = b"at %d" % behind
            self.points[result.ContinuationPoint] = (asked, behind)
            self.count("Held", len(self.points))
        return result

    # --- orders ---------------------------------------------------------------------------------

    def obey(self, order: Dict[str, Any]) -> None:
        for name, what in order.items():
            if name in (
                "browse",
                "translate_fault",
                "browse_fault",
                "events_fault",
            ):
                setattr(self, name, what)
            elif name == "limits":
                self.limits(what)
            elif name == "frozen":
                self.frozen = [self.nodes[each].nodeid for each in what]
            elif name == "event":
                self.events.trigger(message="the address space has changed")
            elif name == "add":
                self.add(what)
            elif name == "remove":
                self.server.delete_nodes([self.nodes.pop(what)])
            else:
                for value in what:
                    kind = self.nodes[name].get_data_value().Value.VariantType
                    self.nodes[name].set_value(value, kind)


def main() -> None:
    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    particular = Particular(int(sys.argv[-1]), "twice" in sys.argv[1:-1])
    particular.patch()
    particular.server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        particular.obey(json.loads(line))
        print("done", flush=True)
    particular.server.stop()


if __name__ == "__main__":
    main()

"""The simulated plant's server.

The plant follows OPC 10000-4 and OPC 10000-11 where the server of python-opcua does not: it checks
type and range of written values, sets their timestamps, reports changes of the status alone, and
pages and aggregates history.

Threads: ``opcws-demo-loop`` (of the library: network and all service calls) and
``opcws-demo-clock`` (moves the values).  Tests enter through :meth:`Plant.set` and
:meth:`Plant.get` on any thread.
"""

import asyncio
import concurrent.futures
import struct
import threading
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Sequence

from opcua import Server, ua
from opcua.server.internal_server import InternalServer, InternalSession

from ..model import socket_errors
from ..model.deadline import Deadline
from ..model.errors import ListenError
from .boiler import Boiler
from .history import AGGREGATES, NO_TIME, PAGE, History
from .variables import (
    URI,
    Spec,
    make_range,
    make_unit,
    make_variant,
    specs,
    utcnow,
)

_READ = ua.AccessLevel.CurrentRead.mask
_WRITE = ua.AccessLevel.CurrentWrite.mask
_ACCESS = {"read": _READ, "readwrite": _READ | _WRITE, "write": _WRITE}
_HISTORY_PERIOD_S = 1.0
_STOP_S = 5.0
_ACCEPTING_S = 0.5
_TICK = timedelta(microseconds=1)


class _Session(InternalSession):  # type: ignore[misc]
    """The services that the plant answers more strictly than the library."""

    plant: "Plant"

    def read(self, params: Any) -> Any:
        """OPC 10000-4 5.10.2: reading a write-only node is an error, and the response has the
        requested timestamps."""
        results = super().read(params)
        spec_of = self.plant._by_node
        wanted = params.TimestampsToReturn
        for number, item in enumerate(params.NodesToRead):
            if item.AttributeId != ua.AttributeIds.Value or self is self.iserver.isession:
                continue
            spec = spec_of.get(item.NodeId)
            if spec is not None and spec.variable.access == "write":
                status = ua.StatusCode(ua.StatusCodes.BadNotReadable)
                results[number] = ua.DataValue(status=status)
                continue
            value = results[number]
            source = wanted in (ua.TimestampsToReturn.Source, ua.TimestampsToReturn.Both)
            server = wanted in (ua.TimestampsToReturn.Server, ua.TimestampsToReturn.Both)
            # A copy: the stored one is shared with the queues of the subscriptions.
            results[number] = ua.DataValue(
                value.Value,
                value.StatusCode,
                value.SourceTimestamp if source else None,
                serverTimestamp=utcnow() if server else None,
            )
        return results

    def write(self, params: Any) -> Any:
        """OPC 10000-4 5.10.4: the server checks type, shape and range."""
        if self is self.iserver.isession:
            return super().write(params)
        return [self._write(item) for item in params.NodesToWrite]

    def _write(self, item: Any) -> Any:
        if item.NodeId not in self.aspace:
            return ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)
        spec = self.plant._by_node.get(item.NodeId)
        if spec is None or item.AttributeId != ua.AttributeIds.Value:
            params = ua.WriteParameters()
            params.NodesToWrite = [item]
            return super().write(params)[0]
        value = item.Value
        if spec.variable.access == "read":
            return ua.StatusCode(ua.StatusCodes.BadNotWritable)
        if item.IndexRange:
            return ua.StatusCode(ua.StatusCodes.BadWriteNotSupported)
        if not _fits(spec, value.Value):
            return ua.StatusCode(ua.StatusCodes.BadTypeMismatch)
        if spec.range and not spec.range[0] <= value.Value.Value <= spec.range[1]:
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        self.plant._store(spec, value.Value, value.StatusCode, value.SourceTimestamp)
        return ua.StatusCode()

    def create_monitored_items(self, params: Any) -> Any:
        # No change may come between a first value and the changes after it.
        with self.plant._changing:
            return super().create_monitored_items(params)

    def history_read(self, params: Any) -> List[Any]:
        """OPC 10000-11 6.5: raw and processed, page by page."""
        return [self._history_read(params, item) for item in params.NodesToRead]

    def _history_read(self, params: Any, item: Any) -> Any:
        result = ua.HistoryReadResult()
        result.HistoryData = None
        details = params.HistoryReadDetails
        history = self.plant._history.get(item.NodeId)
        if params.ReleaseContinuationPoints:
            return result
        status = None
        if item.NodeId not in self.aspace:
            status = ua.StatusCodes.BadNodeIdUnknown
        elif history is None or getattr(details, "IsReadModified", False):
            status = ua.StatusCodes.BadHistoryOperationUnsupported
        elif isinstance(details, ua.ReadProcessedDetails):
            status = self._processed(details, params.NodesToRead.index(item), item, result)
        elif not isinstance(details, ua.ReadRawModifiedDetails):
            status = ua.StatusCodes.BadHistoryOperationUnsupported
        elif [details.StartTime, details.EndTime, details.NumValuesPerNode or NO_TIME].count(
            NO_TIME
        ) > 1:
            status = ua.StatusCodes.BadHistoryOperationInvalid
        else:
            status = self._raw(details, item, history, result)
        if status is not None:
            result.StatusCode = ua.StatusCode(status)
        return result

    def _raw(self, details: Any, item: Any, history: History, result: Any) -> Optional[int]:
        resume = None
        if item.ContinuationPoint:
            if len(item.ContinuationPoint) != 8:
                return int(ua.StatusCodes.BadContinuationPointInvalid)
            resume = ua.win_epoch_to_datetime(struct.unpack("<q", item.ContinuationPoint)[0])
        with self.plant._changing:
            values, following = history.raw(details, resume)
        result.HistoryData = ua.HistoryData()
        result.HistoryData.DataValues = values
        if following is not None:
            result.ContinuationPoint = struct.pack("<q", ua.datetime_to_win_epoch(following))
        return None

    def _processed(self, details: Any, number: int, item: Any, result: Any) -> Optional[int]:
        kinds = details.AggregateType
        numeric = self.plant._by_node[item.NodeId].variable.type != "String"
        if number >= len(kinds) or kinds[number].Identifier not in AGGREGATES or not numeric:
            return int(ua.StatusCodes.BadAggregateNotSupported)
        span_ms = abs((details.EndTime - details.StartTime).total_seconds()) * 1000.0
        if not span_ms or NO_TIME in (details.StartTime, details.EndTime):
            return int(ua.StatusCodes.BadInvalidTimestampArgument)
        if 0 < details.ProcessingInterval < span_ms / PAGE:
            return int(ua.StatusCodes.BadTooManyOperations)
        result.HistoryData = ua.HistoryData()
        with self.plant._changing:
            history = self.plant._history[item.NodeId]
            result.HistoryData.DataValues = history.processed(details, kinds[number].Identifier)
        return None


def _fits(spec: Spec, variant: Any) -> bool:
    """Whether *variant* may be a value of the variable (OPC 10000-4 table 55)."""
    variable = spec.variable
    if variable.name in ("Types.Any", "Types.Null"):
        return True
    if variant.VariantType != ua.VariantType[variable.type] or variant.is_array != variable.array:
        return False
    rank = 2 if variable.name == "Types.Matrix" else 1
    return not variant.is_array or len(variant.Dimensions or [0]) == rank


class Plant:
    """The simulated plant, one OPC UA server.

    *port* 0 means a free one.  *namespaces_first* are registered before the plant's own, which
    moves its index.  *clock_period_s* is how often the values move; with a large one they stand
    still.  A new plant has an hour of history.

    :meth:`start` raises :exc:`~opcws.model.errors.ListenError` if the port is taken.  A plant
    starts once; make a new one to start again.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        namespaces_first: Sequence[str] = (),
        clock_period_s: float = 0.1,
    ) -> None:
        self._host, self._port = host, port
        self._period_s = clock_period_s
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._run, name="opcws-demo-clock", daemon=True)
        # Guards the order in which values change: they reach the subscriptions and the history
        # in the order in which they are stored.  Taken before any lock of the library.
        self._changing = threading.RLock()
        self._last_change = utcnow()
        session_class = type("_PlantSession", (_Session,), {"plant": self})
        self._by_node: Dict[Any, Spec] = {}
        self._by_name: Dict[str, Spec] = {}
        self._history: Dict[Any, History] = {}
        self._server = Server(iserver=InternalServer(session_cls=session_class))
        self._server.set_application_uri("urn:opcws:demo")
        self._server.set_server_name("opcws simulated plant")
        self._server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for uri in namespaces_first:
            self._server.register_namespace(uri)
        self._index = self._server.register_namespace(URI)
        self._build()
        self._boiler = Boiler()
        self._remember_an_hour()

    # -- any thread ------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """``opc.tcp://host:port``; the port is known once the plant is started."""
        host = "[%s]" % self._host if ":" in self._host else self._host
        return "opc.tcp://%s:%d" % (host, self._port)

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> None:
        """Listen, and let the values move."""
        self._server.set_endpoint(self.endpoint)
        try:
            self._server.start()
        except OSError as error:
            raise ListenError(
                "the plant cannot listen on %s: %s; choose another port"
                % (self.endpoint, socket_errors.text(error))
            ) from error
        self._server.iserver.loop.name = "opcws-demo-loop"
        self._port = self._server.bserver.port
        for description in self._server.iserver.endpoints:
            description.EndpointUrl = self.endpoint
            description.Server.DiscoveryUrls = [self.endpoint]
        self._clock.start()

    def stop(self) -> None:
        """End every connection and both threads; takes at most a few seconds."""
        self._stopping.set()
        if not self._clock.is_alive():
            return
        self._clock.join(_STOP_S)
        # The library's own stop() waits for clients that do not read, and closes transports
        # from the wrong thread.
        loop = self._server.iserver.loop.loop
        concurrent.futures.wait([asyncio.run_coroutine_threadsafe(self._hang_up(), loop)], _STOP_S)
        self._server.iserver.stop()

    def __enter__(self) -> "Plant":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def get(self, name: str) -> Any:
        """The present value of variable *name*, as the library represents it."""
        return self.data_value(name).Value.Value

    def data_value(self, name: str) -> Any:
        """The present value of variable *name* with status and timestamps (``ua.DataValue``)."""
        node = self._node(self._by_name[name])
        return self._server.iserver.aspace.get_attribute_value(node, ua.AttributeIds.Value)

    def set(
        self,
        name: str,
        value: Any,
        status: int = 0,
        source_timestamp: Optional[datetime] = None,
    ) -> None:
        """Change variable *name*: *value* of its type (or a ``ua.Variant`` of any), *status* all
        32 bits, *source_timestamp* in UTC (now, if ``None``).

        Raises :exc:`KeyError` for an unknown name, and what the library raises for a value
        that cannot be encoded.
        """
        spec = self._by_name[name]
        variant = make_variant(spec.variable, value)
        # A value that cannot be encoded would end the library's publishing for good.
        ua.ua_binary.variant_to_binary(variant)
        self._store(spec, variant, ua.StatusCode(status), source_timestamp)

    # -- the library's thread --------------------------------------------------------------

    async def _hang_up(self) -> None:
        # Closing the listener would lose a connection that is accepted, but whose task has not made
        # a transport yet.  The limit is for Windows, where a task waits for the next connection.
        deadline = Deadline(_ACCEPTING_S)
        while not deadline.expired:
            accepting = asyncio.all_tasks() - {asyncio.current_task()}
            if not accepting:
                break
            await asyncio.wait(accepting, timeout=deadline.remaining())
        self._server.bserver._server.close()
        for transport in list(self._server.iserver.asyncio_transports):
            transport.abort()
        # After the loop's calls that report the loss to each connection.
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        loop.call_soon(loop.call_soon, told.set_result, None)
        await told

    # -- building --------------------------------------------------------------------------

    def _node(self, spec: Spec) -> Any:
        return ua.NodeId(spec.variable.name, self._index)

    def _build(self) -> None:
        objects = self._server.get_objects_node()
        plant = objects.add_folder(ua.NodeId("Plant", self._index), self._browse_name("DemoPlant"))
        recipe = self._server.get_node(ua.ObjectIds.Structure).add_data_type(
            ua.NodeId(5001, self._index), self._browse_name("Recipe")
        )
        mode = self._server.get_node(ua.ObjectIds.Enumeration).add_data_type(
            ua.NodeId(5003, self._index), self._browse_name("ModeEnumeration")
        )
        groups: Dict[str, Any] = {}
        for spec in specs(self._index):
            group, name = spec.variable.name.split(".", 1)
            if group not in groups:
                groups[group] = plant.add_object(
                    ua.NodeId("Group." + group, self._index), self._browse_name(group)
                )
            data_type = ua.NodeId(spec.data_type or ua.ObjectIds.Range, 0)
            if spec.variable.name == "Types.UnknownStructure":
                data_type = recipe.nodeid
            elif spec.variable.name == "Motor.Mode":
                data_type = mode.nodeid
            elif spec.variable.type != "ExtensionObject":
                data_type = ua.NodeId(ua.VariantType[spec.variable.type].value, 0)
            self._add_variable(groups[group], name, spec, data_type)
            if spec.enumeration:
                self._add_enum_strings(mode if spec.variable.name == "Motor.Mode" else None, spec)

    def _browse_name(self, name: str) -> Any:
        return ua.QualifiedName(name, self._index)

    def _add_variable(self, parent: Any, name: str, spec: Spec, data_type: Any) -> None:
        variable, node_id = spec.variable, self._node(spec)
        self._by_node[node_id] = self._by_name[variable.name] = spec
        attributes = ua.VariableAttributes()
        attributes.DisplayName = ua.LocalizedText(name)
        attributes.Description = ua.LocalizedText(variable.description)
        attributes.DataType = data_type
        value = make_variant(variable, spec.value)
        attributes.ValueRank = len(value.Dimensions or [0]) if variable.array else -1
        attributes.ArrayDimensions = value.Dimensions or []
        attributes.AccessLevel = _ACCESS[variable.access]
        attributes.AccessLevel |= ua.AccessLevel.HistoryRead.mask if spec.historized else 0
        attributes.UserAccessLevel = attributes.AccessLevel
        attributes.Historizing = spec.historized
        attributes.MinimumSamplingInterval = 0.0
        item = ua.AddNodesItem()
        item.RequestedNewNodeId = node_id
        item.BrowseName = self._browse_name(name)
        item.NodeClass = ua.NodeClass.Variable
        item.ParentNodeId = parent.nodeid
        item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasComponent, 0)
        type_id = ua.ObjectIds.BaseDataVariableType
        if spec.range:
            type_id = ua.ObjectIds.AnalogItemType
        elif spec.enumeration and variable.type == "UInt32":
            type_id = ua.ObjectIds.MultiStateDiscreteType
        item.TypeDefinition = ua.NodeId(type_id, 0)
        item.NodeAttributes = attributes
        self._server.iserver.isession.add_nodes([item])[0].StatusCode.check()
        if spec.historized:
            self._history[node_id] = History()
            self._add_history_configuration(node_id, stepped=variable.access != "read")
        if spec.range:
            self._add_property(node_id, "EURange", make_range(*spec.range), ua.ObjectIds.Range)
        if variable.unit:
            unit = make_unit(variable.unit)
            self._add_property(node_id, "EngineeringUnits", unit, ua.ObjectIds.EUInformation)
        # Not when the node is created: there the library forgets that a null array is an array.
        self._store(spec, value, ua.StatusCode(spec.status), None)

    def _add_history_configuration(self, owner: Any, stepped: bool) -> None:
        """OPC 10000-11 5.2.3: a value that a client sets stays until the next one."""
        name = "HA Configuration"
        item = ua.AddNodesItem()
        item.RequestedNewNodeId = ua.NodeId("%s.%s" % (owner.Identifier, name), self._index)
        item.BrowseName = ua.QualifiedName(name, 0)
        item.NodeClass = ua.NodeClass.Object
        item.ParentNodeId = owner
        item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasHistoricalConfiguration, 0)
        item.TypeDefinition = ua.NodeId(ua.ObjectIds.HistoricalDataConfigurationType, 0)
        item.NodeAttributes = ua.ObjectAttributes()
        item.NodeAttributes.DisplayName = ua.LocalizedText(name)
        self._server.iserver.isession.add_nodes([item])[0].StatusCode.check()
        node = self._server.get_node(item.RequestedNewNodeId)
        node_id = ua.NodeId("%s.Stepped" % item.RequestedNewNodeId.Identifier, self._index)
        node.add_property(node_id, ua.QualifiedName("Stepped", 0), stepped)

    def _add_property(self, owner: Any, name: str, value: Any, data_type: int) -> None:
        node_id = ua.NodeId("%s.%s" % (owner.Identifier, name), self._index)
        kind = ua.VariantType.ExtensionObject
        if data_type == ua.ObjectIds.LocalizedText:
            kind = ua.VariantType.LocalizedText
        node = self._server.get_node(owner)
        node.add_property(node_id, ua.QualifiedName(name, 0), value, kind, ua.NodeId(data_type, 0))

    def _add_enum_strings(self, data_type: Any, spec: Spec) -> None:
        """On the variable (OPC 10000-8 5.3.3.3) or on its enumeration (OPC 10000-3 5.8.3)."""
        texts = [ua.LocalizedText(text) for text in spec.enumeration]
        owner = self._node(spec) if data_type is None else data_type.nodeid
        self._add_property(owner, "EnumStrings", texts, ua.ObjectIds.LocalizedText)

    # -- changing --------------------------------------------------------------------------

    def _store(self, spec: Spec, variant: Any, status: Any, moment: Optional[datetime]) -> None:
        node_id, space = self._node(spec), self._server.iserver.aspace
        with self._changing:
            # Timestamps must rise, even if the system's clock moves in steps of 16 ms: history has
            # only one value for a time.
            now = self._last_change = max(utcnow(), self._last_change + _TICK)
            value = ua.DataValue(variant, status, moment or now, serverTimestamp=now)
            attribute = space[node_id].attributes[ua.AttributeIds.Value]
            old = attribute.value
            space.set_attribute_value(node_id, ua.AttributeIds.Value, value)
            # The library reports only changes of the value; the default trigger of a monitored item
            # includes the status (OPC 10000-4 7.22.2).
            if old.Value == variant and old.StatusCode.value != status.value:
                for handle, callback in list(attribute.datachange_callbacks.items()):
                    callback(handle, value)
            if spec.historized and (spec.variable.access != "read" or moment is not None):
                self._history[node_id].add(value)

    def _remember_an_hour(self) -> None:
        """Run the physics through the hour before now, so that trends have a past."""
        now = utcnow()
        # The present value is newer than the hour that is generated.
        self._history[self._node(self._by_name["Boiler.Setpoint"])] = History()
        for second in range(3600, 0, -1):
            moment = now - timedelta(seconds=second)
            setpoint = 80.0 if second <= 600 else 65.0 + 5.0 * (second // 600 % 4)
            if second % 600 == 0:
                self._move("Boiler.Setpoint", setpoint, moment)
            self._step(1.0, setpoint, moment, True)

    def _step(self, seconds: float, setpoint: Any, moment: datetime, record: bool) -> None:
        changed = self._boiler.step(seconds, setpoint, self.get("Boiler.Valve"))
        batch = int(moment.replace(tzinfo=timezone.utc).timestamp()) // 60 % 1000000
        for name, value in changed.items():
            self._move(name, value, moment if record else None)
        if self.get("Batch.Id") != "B-%06d" % batch:
            self._move("Batch.Id", "B-%06d" % batch, moment)
        self._move("Plant.Time", moment, moment)

    def _move(self, name: str, value: Any, moment: Optional[datetime]) -> None:
        spec = self._by_name[name]
        self._store(spec, make_variant(spec.variable, value), ua.StatusCode(), moment)

    # -- the clock's thread ----------------------------------------------------------------

    def _run(self) -> None:
        recorded = datetime.min
        while not self._stopping.wait(self._period_s):
            now = utcnow()
            record = (now - recorded).total_seconds() >= _HISTORY_PERIOD_S
            recorded = now if record else recorded
            self._step(self._period_s, self.get("Boiler.Setpoint"), now, record)

"""The variables of the simulated plant: one table for the address space, the demo's configuration
and the tests.  Values are those of the OPC UA library."""

import math
import struct
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from opcua import ua

#: The plant's namespace; its index depends on the order of registration, as in real plants.
URI = "urn:demo:plant"

#: Display name of a unit: its UNECE common code and its description.
_UNITS = {
    "°C": ("CEL", "degree Celsius"),
    "bar": ("BAR", "bar"),
    "%": ("P1", "percent"),
    "rpm": ("RPM", "revolutions per minute"),
}


_HISTORIZED = {
    *("Boiler.Temperature", "Boiler.Setpoint", "Boiler.Pressure", "Boiler.Level"),
    *("Batch.Id", "Test.Counter"),
}


class Variable(NamedTuple):
    """One variable of the plant.  ``type`` is the built-in type's name, ``access`` one of
    ``read``, ``readwrite`` and ``write``, ``unit`` the display name or ``""``."""

    name: str
    node: str
    type: str
    array: bool
    access: str
    description: str
    unit: str


class Spec(NamedTuple):
    """A :class:`Variable` with its other attributes in the address space."""

    variable: Variable
    value: Any
    range: Optional[Tuple[float, float]] = None
    historized: bool = False
    data_type: int = 0  # ns=0 node of a subtype of the built-in type
    status: int = 0
    enumeration: Sequence[str] = ()


def utcnow() -> datetime:
    """Now in UTC without a zone, as the library requires."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def make_range(low: float, high: float) -> Any:
    value = ua.Range()
    value.Low, value.High = low, high
    return value


def _raw_structure(index: int, number: int) -> Any:
    """A structure of a type that only this plant has: an Int32, a Double, a String."""
    value = ua.ExtensionObject()
    value.TypeId = ua.NodeId(5002, index)
    value.Encoding = 1
    value.Body = struct.pack("<idi", number, 72.5, 4) + b"Malt"
    return value


def _samples(index: int) -> Dict[str, Tuple[Any, Any]]:
    """Two different values of every built-in type that a variable's scalar can have."""
    moment = datetime(2026, 11, 22, 10, 0, 0, 123456)
    return {
        "Boolean": (True, False),
        "SByte": (-128, 127),
        "Byte": (255, 0),
        "Int16": (-32768, 32767),
        "UInt16": (65535, 0),
        "Int32": (-(2**31), 2**31 - 1),
        "UInt32": (2**32 - 1, 0),
        "Int64": (2**53 + 1, -(2**63)),
        "UInt64": (2**64 - 1, 0),
        "Float": (0.1, -1.5e30),
        "Double": (0.1, -1.5e300),
        "String": ("Grüße, Κόσμε, 世界", ""),
        "DateTime": (moment, moment + timedelta(days=1)),
        "Guid": (uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63"), uuid.UUID(int=0)),
        "ByteString": (b"\x00\xff opcws", b""),
        "XmlElement": (ua.XmlElement("<a>1</a>"), ua.XmlElement("<b/>")),
        "NodeId": (ua.NodeId("Boiler.Temperature", index), ua.NodeId(2258, 0)),
        "ExpandedNodeId": (ua.NodeId("Motor.State", index), ua.NodeId(85, 0)),
        "StatusCode": (ua.StatusCode(0x80340000), ua.StatusCode(0)),
        "QualifiedName": (ua.QualifiedName("Level", index), ua.QualifiedName("Server", 0)),
        "LocalizedText": (ua.LocalizedText("Kessel", "de"), ua.LocalizedText("Boiler", "en")),
        "ExtensionObject": (make_range(0.0, 100.0), make_range(-1.0, 1.0)),
        "DataValue": (
            ua.DataValue(ua.Variant(4.5, ua.VariantType.Double), sourceTimestamp=moment),
            ua.DataValue(ua.Variant(7, ua.VariantType.Int32), ua.StatusCode(0x40900000)),
        ),
    }


def specs(index: int) -> List[Spec]:
    """Every variable; *index* is that of the plant's namespace."""
    table: List[Spec] = []

    def add(
        name: str, type_: str, value: Any, description: str, access: str = "read", **more: Any
    ) -> None:
        unit, array = more.pop("unit", ""), isinstance(value, list) or more.pop("array", False)
        node = "nsu=%s;s=%s" % (URI, name)
        variable = Variable(name, node, type_, array, access, description, unit)
        table.append(Spec(variable, value, historized=name in _HISTORIZED, **more))

    rw = "readwrite"
    celsius: Dict[str, Any] = {"unit": "°C", "range": (0.0, 150.0)}
    percent: Dict[str, Any] = {"unit": "%", "range": (0.0, 100.0)}
    bar: Dict[str, Any] = {"unit": "bar", "range": (0.0, 10.0)}
    rpm: Dict[str, Any] = {"unit": "rpm", "range": (0.0, 3000.0)}
    states = ("Off", "Starting", "Running", "Fault")
    modes = ("Hand", "Automatic", "Service")
    profile = "Temperatures from the bottom to the top"
    alarms = "Alarm word: 1 temperature high, 2 level low, 4 pressure high"
    status = ua.StatusCodes
    add("Boiler.Temperature", "Double", 20.0, "Water temperature, follows the set point", **celsius)
    add("Boiler.Setpoint", "Double", 80.0, "Wanted water temperature", rw, **celsius)
    add("Boiler.Valve", "Double", 40.0, "Outlet valve; opening it lowers the level", rw, **percent)
    add("Boiler.Pressure", "Double", 1.0, "Steam pressure, follows the temperature", **bar)
    add("Boiler.Level", "Double", 66.0, "Water level, follows the valve", **percent)
    add("Boiler.Profile", "Double", [20.0] * 8, profile, unit="°C")
    add("Motor.State", "UInt32", 0, "State of the feed pump's motor", enumeration=states)
    add("Motor.Speed", "Float", 0.0, "Speed of the feed pump's motor", **rpm)
    add("Motor.Mode", "Int32", 1, "Who operates the motor", rw, enumeration=modes)
    add("Batch.Id", "String", "B-000001", "Batch in the boiler, a new one every minute")
    add("Plant.Time", "DateTime", utcnow(), "The plant's clock")
    add("Plant.Alarms", "UInt32", 0, alarms)
    add("Test.Counter", "UInt32", 0, "A number that nobody but its user changes", rw)
    add("Test.WriteOnly", "Double", 0.0, "May be written but not read", "write")
    for name, (value, other) in _samples(index).items():
        add("Types." + name, name, value, "A " + name, rw)
        add("Types.%sArray" % name, name, [value, other], "Two of type " + name, rw)
    numbers = [ua.Variant(7, ua.VariantType.Int32), ua.Variant("seven", ua.VariantType.String)]
    add("Types.VariantArray", "Variant", numbers, "Variants of different types", rw)
    add("Types.Any", "Variant", 7, "Takes a value of any type", rw)
    add(
        "Types.EUInformation",
        "ExtensionObject",
        make_unit("°C"),
        "A structure of the standard",
        rw,
        data_type=ua.ObjectIds.EUInformation,
    )
    unknown = "A structure of a type that only this plant knows"
    add("Types.UnknownStructure", "ExtensionObject", _raw_structure(index, 7), unknown, rw)
    add("Types.Matrix", "Double", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "Two rows of three", rw)
    add("Types.Null", "Variant", None, "No value at all", rw)
    add("Types.NullString", "String", None, "A null string", rw)
    add("Types.EmptyArray", "Double", [], "An array without elements", rw)
    add("Types.NullArray", "Double", None, "A null array", rw, array=True)
    add("Types.NaN", "Double", math.nan, "Not a number", rw)
    add("Types.Infinities", "Double", [math.inf, -math.inf, math.nan], "Not finite", rw)
    add("Types.Int64Big", "Int64", 2**62, "More than a JavaScript number holds", rw)
    uncertain = status.UncertainLastUsableValue
    add("Types.Uncertain", "Double", 20.5, "A value of doubtful quality", rw, status=uncertain)
    add("Types.Bad", "Double", 0.0, "A broken sensor", rw, status=status.BadSensorFailure)
    return table


def variables() -> List[Variable]:
    """Every variable of the plant, in the order of its address space."""
    return [spec.variable for spec in specs(1)]


def config_text(endpoint: str, listen_port: int = 8081) -> str:
    """A configuration (YAML) that offers every variable of the plant at *endpoint*."""
    lines = [
        "# opcws in front of the simulated plant.  Try it, then make it yours.",
        "listen:",
        "  host: 127.0.0.1        # this machine only; 0.0.0.0 for the whole network",
        "  port: %d" % listen_port,
        "",
        "record:",
        "  variables: ['*']       # every value, for trends and for clients that were away",
        "",
        "servers:",
        "  plant:",
        "    endpoint: %s" % endpoint,
        "    publishing_interval_ms: 100",
        "    variables:",
    ]
    group = ""
    for variable in variables():
        if variable.name.split(".")[0] != group:
            group = variable.name.split(".")[0]
            lines += ["", "      # ---- %s" % _GROUPS[group]]
        access = "" if variable.access == "read" else ", access: " + variable.access
        limits = _LIMITS.get(variable.name, "")
        limits = limits and ", limits: {%s}" % limits
        unit = " (%s)" % variable.unit if variable.unit else ""
        lines += [
            "      # %s%s" % (variable.description, unit),
            '      %s: {node: "%s"%s%s}' % (variable.name, variable.node, access, limits),
        ]
    return "\n".join(lines) + "\n"


#: Beyond ``low`` and ``high`` the plant raises its alarms.
_LIMITS = {
    "Boiler.Temperature": "high: 95, high_high: 120",
    "Boiler.Level": "low_low: 32, low: 35",
    "Boiler.Pressure": "high: 2",
}

_GROUPS = {
    "Boiler": "The boiler: the temperature follows the set point, the level the valve.",
    "Motor": "The feed pump's motor.",
    "Batch": "What is being made.",
    "Plant": "The plant as a whole.",
    "Test": "Changed by nobody but you.",
    "Types": "One variable of every built-in type, and the awkward values.",
}


def make_unit(name: str) -> Any:
    """OPC 10000-8 5.6.4.3: the unit's id is its UNECE common code read as a number."""
    code, description = _UNITS[name]
    unit = ua.EUInformation()
    unit.NamespaceUri = "http://www.opcfoundation.org/UA/units/un/cefact"
    unit.UnitId = int.from_bytes(code.encode("ascii"), "big")
    unit.DisplayName = ua.LocalizedText(name)
    unit.Description = ua.LocalizedText(description)
    return unit


def make_variant(variable: Variable, value: Any) -> Any:
    """*value* as a Variant of the variable's type, unless it is a Variant already."""
    if isinstance(value, ua.Variant):
        return value
    if value is None and not variable.array and variable.type != "String":
        return ua.Variant(None, ua.VariantType.Null)
    if variable.name == "Types.Any":
        return ua.Variant(value, ua.VariantType.Int32 if type(value) is int else None)
    return ua.Variant(value, ua.VariantType[variable.type], is_array=variable.array)

"""Namespaces and structures of a plant, and short names for operations of the tests of values."""

import json
import uuid

import pytest

from opcws.model import data_types as dt
from opcws.model.data_types import (
    FieldDefinition,
    NodeId,
    Structure,
    StructureDefinition,
    ValueType,
    Variant,
)
from opcws.model.errors import ValueRejected
from opcws.wire.values_from_json import written_value
from opcws.wire.values_to_json import data_value_members

NAMESPACES = ["http://opcfoundation.org/UA/", "urn:server", "urn:demo:plant", "urn:server"]
TICKS = 134082792001234560  # 2025-11-22T10:00:00.123456Z
TIME = "2025-11-22T10:00:00.123456Z"
GUID = uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")
RANGE_ID = NodeId(2, 5001)
OPTIONAL_ID = NodeId(2, "Optional")
NESTED_ID = NodeId(2, 5003)
RANGE = StructureDefinition(
    "Range", RANGE_ID, (FieldDefinition("Low", dt.DOUBLE), FieldDefinition("High", dt.DOUBLE))
)
OPTIONAL = StructureDefinition(
    "Optional",
    OPTIONAL_ID,
    (
        FieldDefinition("Mask", dt.UINT32),
        FieldDefinition("Id", dt.INT64),
        FieldDefinition("Note", dt.STRING, switch=("Mask", 0)),
        FieldDefinition("Tags", dt.INT32, is_array=True, switch=("Mask", 3)),
    ),
)
NESTED = StructureDefinition(
    "Nested",
    NESTED_ID,
    (
        FieldDefinition("Span", dt.EXTENSIONOBJECT, structure=RANGE),
        FieldDefinition("Spans", dt.EXTENSIONOBJECT, is_array=True, structure=RANGE),
        FieldDefinition("Any", dt.VARIANT),
    ),
)
NODE = NodeId(2, "Name")
DEFINITIONS = {d.type_id: d for d in (RANGE, OPTIONAL, NESTED)}


def span(low, high):
    return Structure((("Low", Variant(dt.DOUBLE, low)), ("High", Variant(dt.DOUBLE, high))))


def read(value, type_id=0, is_array=None):
    """The value that a WRITE of *value* to such a variable would write."""
    return written_value(value, ValueType(type_id, is_array), NAMESPACES, DEFINITIONS.get)


def rejection(value, type_id=0, is_array=None):
    with pytest.raises(ValueRejected) as caught:
        read(value, type_id, is_array)
    assert caught.value.reason.startswith("Body.Value")
    assert len(caught.value.reason) <= 400
    return caught.value.status, caught.value.reason


def out(dv, dialect):
    return json.loads("{%s}" % data_value_members(dv, NAMESPACES, dialect))


def same(one, other):
    """Equality to the last bit: NaN is itself, -0.0 is not 0.0, True is not 1."""
    return repr(one) == repr(other)

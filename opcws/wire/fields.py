"""The fields of a structure that a client writes: an object with the fields by name.

Pure.  Fields that are not there are said by what is given: a mask (OPC 10000-6 5.2.7) or the
number of a union's field (5.2.8) may be left out, and must say the truth where it is given.
"""

from functools import partial
from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence

from ..model.data_types import (
    SWITCH_FIELD,
    TYPE_NAMES,
    UINT32,
    Enumeration,
    FieldDefinition,
    Structure,
    StructureDefinition,
    Variant,
)
from .timestamps import Rejected, at, read_integer, shown


class Reader(Protocol):
    """What reads the fields' values: :mod:`opcws.wire.values_from_json`."""

    def read(self, type_id: int, names: Optional[Enumeration] = None) -> Callable[[Any], Any]: ...

    def items(self, read: Callable[[Any], Any], values: Sequence[Any]) -> List[Any]: ...

    def enter(self) -> None: ...

    def leave(self) -> None: ...


def read_structure(reader: Reader, definition: StructureDefinition, value: Any) -> Structure:
    """*value* as the structure *definition*.  Raises :exc:`~opcws.wire.timestamps.Rejected`."""
    value = {} if value == "" else value
    if not isinstance(value, dict):
        raise Rejected(
            "expected an object with the fields of %s, got %s%s"
            % (
                definition.name,
                shown(value),
                '; base64 needs "Encoding": 1' if isinstance(value, str) else "",
            )
        )
    if definition.is_union:
        return _union(reader, definition, value)
    names = [field.name for field in definition.fields]
    for member in value:
        if member not in names:
            raise Rejected(
                "unknown member %s; the fields of %s are %s"
                % (shown(member), definition.name, ", ".join(names))
            )
    reader.enter()
    masks: Dict[str, int] = {}
    known_bits: Dict[str, int] = {}
    for field in definition.fields:
        if field.switch is not None:
            mask, bit = field.switch
            known_bits[mask] = known_bits.get(mask, 0) | 1 << bit
            masks[mask] = masks.get(mask, 0) | (field.name in value) << bit
    fields = []
    for field in definition.fields:
        name = field.name
        if name in value:
            content = at("." + name, _field, reader, field, value[name])
            if name in masks and content & known_bits[name] != masks[name]:
                raise Rejected(
                    "%s is %d but must be %d for the fields that are given; leave it out"
                    % (name, content, content & ~known_bits[name] | masks[name])
                )
        elif name in masks:
            content = masks[name]
        elif field.switch is not None:
            continue
        else:
            raise Rejected("%s, a field of %s, is missing" % (name, definition.name))
        fields.append((name, Variant(field.type, content, field.is_array)))
    reader.leave()
    return Structure(tuple(fields))


def _union(reader: Reader, definition: StructureDefinition, value: Dict[str, Any]) -> Structure:
    """The one field of a union that is given, or none."""
    names = [field.name for field in definition.fields]
    given = [name for name in value if name != SWITCH_FIELD or name in names]
    for member in given:
        if member not in names:
            raise Rejected(
                "unknown member %s; the fields of %s are %s"
                % (shown(member), definition.name, ", ".join(names))
            )
    if len(given) > 1:
        raise Rejected("%s takes one of its fields, got %s" % (definition.name, ", ".join(given)))
    chosen = names.index(given[0]) + 1 if given else 0
    if SWITCH_FIELD in value and SWITCH_FIELD not in names:
        said = at("." + SWITCH_FIELD, read_integer, UINT32, value[SWITCH_FIELD])
        if said != chosen:
            raise Rejected(
                "%s is %d but must be %d for the field that is given; leave it out"
                % (SWITCH_FIELD, said, chosen)
            )
    fields = [(SWITCH_FIELD, Variant(UINT32, chosen))]
    reader.enter()
    for field in definition.fields[chosen - 1 : chosen]:
        content = at("." + field.name, _field, reader, field, value[field.name])
        fields.append((field.name, Variant(field.type, content, field.is_array)))
    reader.leave()
    return Structure(tuple(fields))


def _field(reader: Reader, field: FieldDefinition, value: Any) -> Any:
    read: Callable[[Any], Any]
    if field.structure is None:
        read = reader.read(field.type, field.names)
    else:
        read = partial(read_structure, reader, field.structure)
    if not field.is_array:
        return read(value)
    if value is None:
        return None
    if value != "" and not isinstance(value, list):
        raise Rejected("expected an array of %s, got %s" % (TYPE_NAMES[field.type], shown(value)))
    return reader.items(read, value)

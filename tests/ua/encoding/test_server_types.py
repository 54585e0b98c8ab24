"""What a server says of its data types, and the values that are read and written by it.

The server here is a table; its answers pass through the codec as a real one's do.
"""

import json
import struct
import threading
import time
from typing import Any, Dict, List, NoReturn, Optional, Sequence, Tuple

import pytest

from opcws.model import data_types as dt
from opcws.model.data_types import (
    DataValue,
    ExtensionObject,
    LocalizedText,
    NodeId,
    QualifiedName,
    Structure,
    StructureDefinition,
    ValueType,
    Variant,
)
from opcws.model.errors import PlantError, ValueRejected
from opcws.ua.encoding import service_bodies
from opcws.ua.encoding.codec import Reader, encode_extension_object, encode_variant
from opcws.ua.encoding.server_types import (
    MAX_TYPES,
    DataTypes,
    enum_names,
    enum_values,
)
from opcws.ua.encoding.standard_types import (
    OF_DEFINITIONS,
    standard_definition,
    standard_structure,
)
from opcws.wire.values_from_json import written_value
from opcws.wire.values_to_json import TYPED, value_text

from ...support import PATIENCE

PLAIN, OPTIONAL, UNION, SUBTYPED = range(4)
STRUCTURE, ENUMERATION = NodeId(0, 22), NodeId(0, 29)
HAS_SUBTYPE = NodeId(0, 45)


def n(number: int) -> NodeId:
    """A data type; its encoding is 1000 more."""
    return NodeId(2, number)


def field(
    name: str, data_type: NodeId, rank: int = -1, optional: bool = False
) -> Tuple[str, NodeId, int, bool]:
    return name, data_type, rank, optional


def said_fields(fields: Sequence[Tuple[str, NodeId, int, bool]]) -> List[Structure]:
    return [
        Structure(
            (
                ("Name", Variant(dt.STRING, name)),
                ("Description", Variant(dt.LOCALIZEDTEXT, LocalizedText(None, None))),
                ("DataType", Variant(dt.NODEID, data_type)),
                ("ValueRank", Variant(dt.INT32, rank)),
                ("ArrayDimensions", Variant(dt.UINT32, None, True)),
                ("MaxStringLength", Variant(dt.UINT32, 0)),
                ("IsOptional", Variant(dt.BOOLEAN, optional)),
            )
        )
        for name, data_type, rank, optional in fields
    ]


class Server:
    """Data types by id: what is above each, what the server says of it, and its encoding."""

    def __init__(self) -> None:
        self.above: Dict[NodeId, NodeId] = {}
        self.said: Dict[NodeId, ExtensionObject] = {}
        self.encodings: Dict[NodeId, NodeId] = {}
        self.values: Dict[Tuple[NodeId, str], Any] = {}
        self.questions = 0
        self.complete = True

    def structure(
        self,
        number: int,
        *fields: Tuple[str, NodeId, int, bool],
        kind: int = PLAIN,
        encoding: Optional[NodeId] = None,
    ) -> None:
        self.above[n(number)] = STRUCTURE
        self.encodings[n(number)] = n(number + 1000)
        body = Structure(
            (
                ("DefaultEncodingId", Variant(dt.NODEID, encoding or n(number + 1000))),
                ("BaseDataType", Variant(dt.NODEID, STRUCTURE)),
                ("StructureType", Variant(dt.INT32, kind)),
                ("Fields", Variant(dt.EXTENSIONOBJECT, said_fields(fields), True)),
            )
        )
        self.said[n(number)] = ExtensionObject(NodeId(0, 122), body)

    def remaining_s(self) -> float:
        return 60.0

    def read(self, items: Sequence[bytes]) -> List[DataValue]:
        self.questions += 1
        return [self._read(item) for item in items]

    def _read(self, item: bytes) -> DataValue:
        reader = Reader(item)
        data_type, attribute = reader.node_id(), reader.uint32()
        if attribute == service_bodies.ATTRIBUTE_BROWSE_NAME:
            name = QualifiedName(2, "T%s" % data_type.identifier)
            return DataValue(Variant(dt.QUALIFIEDNAME, name))
        if data_type not in self.said:
            return DataValue(None, 0x80350000)
        raw = encode_variant(Variant(dt.EXTENSIONOBJECT, self.said[data_type]))
        return DataValue(Reader(raw, 0, OF_DEFINITIONS.get).variant())

    def related(
        self, node_ids: Sequence[NodeId], reference_type: NodeId, forward: bool
    ) -> List[List[Tuple[NodeId, str]]]:
        self.questions += 1
        return [
            [(found, "Default Binary") for found in self._related(each, reference_type, forward)]
            for each in node_ids
        ]

    def _related(self, node_id: NodeId, reference_type: NodeId, forward: bool) -> List[NodeId]:
        if reference_type == HAS_SUBTYPE:
            return [self.above[node_id]] if node_id in self.above else []
        if forward:
            return [self.encodings[node_id]]
        return [each for each, its in self.encodings.items() if its == node_id]

    def properties(self, pairs: Sequence[Tuple[NodeId, str]]) -> List[Any]:
        return [self.values.get(pair) for pair in pairs]


@pytest.fixture
def server() -> Server:
    return Server()


def learned(server: Server, number: int) -> Optional[StructureDefinition]:
    types = DataTypes()
    types.learn(server, [n(number)])
    return types.known(n(number + 1000))


def both_ways(definition: StructureDefinition, fields: Any, body: bytes) -> None:
    """*fields*, as a client writes them, are *body* on the wire and read back as they were."""
    value = {"TypeId": "ns=2;i=%d" % definition.type_id.identifier, "Body": fields}
    made = written_value(
        {"Body": value}, ValueType(dt.EXTENSIONOBJECT, False), (), lambda _id: definition
    )
    assert made.value is not None
    raw = encode_extension_object(made.value.value)
    assert raw.endswith(struct.pack("<i", len(body)) + body)
    again = Reader(raw, 0, lambda _id: definition).extension_object()
    assert again == made.value.value


INT, TEXT = NodeId(0, dt.INT32), NodeId(0, dt.STRING)


def test_a_plain_structure_is_its_fields_in_order(server: Server) -> None:
    server.structure(1, field("A", INT), field("B", NodeId(0, dt.BYTE), 1))
    definition = learned(server, 1)
    assert definition is not None and definition.name == "T1"
    both_ways(definition, {"A": -2, "B": [1, 2]}, b"\xfe\xff\xff\xff\x02\x00\x00\x00\x01\x02")


def test_optional_fields_are_announced_by_a_mask(server: Server) -> None:
    some = (field("A", INT), field("B", TEXT, -1, True), field("C", INT, -1, True))
    server.structure(1, *some, kind=OPTIONAL)
    definition = learned(server, 1)
    assert definition is not None
    both_ways(definition, {"A": 1, "C": 2}, struct.pack("<Iii", 2, 1, 2))
    both_ways(definition, {"A": 1}, struct.pack("<Ii", 0, 1))
    both_ways(
        definition, {"EncodingMask": 1, "A": 1, "B": "x"}, struct.pack("<Iii", 1, 1, 1) + b"x"
    )


def test_a_union_is_the_number_of_its_field_and_that_field(server: Server) -> None:
    server.structure(1, field("A", INT), field("B", TEXT), kind=UNION)
    definition = learned(server, 1)
    assert definition is not None
    both_ways(definition, {"A": 7}, struct.pack("<Ii", 1, 7))
    both_ways(definition, {"SwitchField": 2, "B": "x"}, struct.pack("<Ii", 2, 1) + b"x")
    both_ways(definition, {}, struct.pack("<I", 0))
    for wrong in ({"A": 1, "B": "x"}, {"C": 1}, {"SwitchField": 2, "A": 1}):
        with pytest.raises(ValueRejected):
            both_ways(definition, wrong, b"")
    beyond = encode_extension_object(ExtensionObject(n(1001), struct.pack("<I", 3)))
    kept = Reader(beyond, 0, lambda _id: definition).extension_object()
    assert kept == ExtensionObject(n(1001), struct.pack("<I", 3)), "bytes, not an error"


def test_nested_structures_arrays_of_them_and_standard_ones_are_decoded(server: Server) -> None:
    server.structure(1, field("X", INT))
    server.structure(2, field("One", n(1)), field("Many", n(1), 1), field("R", NodeId(0, 884)))
    definition = learned(server, 2)
    assert definition is not None
    value = {"One": {"X": 1}, "Many": [{"X": 2}, {"X": 3}], "R": {"Low": 0.0, "High": 1.0}}
    both_ways(definition, value, struct.pack("<iiiidd", 1, 2, 2, 3, 0.0, 1.0))


def test_a_field_that_takes_subtypes_is_an_extension_object(server: Server) -> None:
    server.structure(1, field("X", INT))
    server.structure(2, field("Any", n(1), -1, True), field("Fixed", n(1)), kind=SUBTYPED)
    definition = learned(server, 2)
    assert definition is not None
    any_field, fixed = definition.fields
    assert any_field.structure is None and any_field.type == dt.EXTENSIONOBJECT
    assert fixed.structure is not None


def test_a_field_of_an_abstract_number_is_a_variant(server: Server) -> None:
    server.structure(1, field("Number", NodeId(0, 26)))
    definition = learned(server, 1)
    assert definition is not None and definition.fields[0].type == dt.VARIANT


def test_a_field_of_an_enumeration_takes_names(server: Server) -> None:
    server.above[n(5)] = ENUMERATION
    server.values[n(5), "EnumStrings"] = [LocalizedText(None, "Off"), LocalizedText(None, "On")]
    server.structure(1, field("State", n(5)))
    definition = learned(server, 1)
    assert definition is not None
    both_ways(definition, {"State": "On"}, struct.pack("<i", 1))


def test_a_structure_of_another_kind_of_encoding_id_is_found_by_browsing(server: Server) -> None:
    server.structure(1, field("A", INT), encoding=NodeId(0, 0))
    definition = learned(server, 1)
    assert definition is not None and definition.type_id == n(1001)


def test_an_encoding_that_came_in_a_value_is_looked_up_once(server: Server) -> None:
    server.structure(1, field("A", INT))
    types = DataTypes()
    assert types.structure(n(1001)) is None and types.structure(n(4444)) is None
    assert types.pending and types.learn_encodings(server)
    assert not types.pending
    known = types.structure(n(1001))
    assert known is not None and [each.name for each in known.fields] == ["A"]
    asked = server.questions
    assert types.structure(n(4444)) is None and not types.pending
    assert server.questions == asked


def test_who_met_an_encoding_that_another_thread_learns_meanwhile_is_told(server: Server) -> None:
    server.structure(1, field("A", INT))
    types = DataTypes()
    assert types.structure(n(1001)) is None and types.is_unknown(n(1001))
    assert types.learn_encodings(server), "the other thread"
    asked = server.questions
    assert types.learn_encodings(server, {n(1001)}) and not types.is_unknown(n(1001))
    assert server.questions == asked


def test_who_met_an_encoding_asks_itself_if_another_thread_could_not(server: Server) -> None:
    server.structure(1, field("A", INT))
    types = DataTypes()
    assert types.structure(n(1001)) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "related", _lost)
        with pytest.raises(PlantError):
            types.learn_encodings(server)
    assert types.learn_encodings(server, {n(1001)})


def _lost(*_arguments: object, **_named: object) -> NoReturn:
    raise PlantError("the connection is lost")


@pytest.mark.parametrize("rank", [-3, -2, 0, 33])
def test_a_field_that_leaves_its_shape_open_leaves_the_structure_bytes(
    server: Server, rank: int
) -> None:
    server.structure(1, field("M", INT, rank))
    assert learned(server, 1) is None


def test_a_matrix_in_a_structure_has_its_lengths_before_its_elements(server: Server) -> None:
    server.structure(1, field("M", INT, 2), field("A", INT))
    definition = learned(server, 1)
    assert definition is not None
    shape = struct.pack("<3i", 2, 2, 3)
    fields = {"M": [[1, 2, 3], [4, 5, 6]], "A": 7}
    body = shape + struct.pack("<7i", *range(1, 8))
    both_ways(definition, fields, body)
    value = Variant(dt.EXTENSIONOBJECT, Reader(body).structure(definition))
    assert json.loads(value_text(value, (), TYPED))["Body"] == fields
    with pytest.raises(ValueRejected, match="equally long"):
        both_ways(definition, {"M": [[1, 2, 3], [4, 5]], "A": 7}, b"")


def test_a_matrix_of_structures_and_an_empty_one_are_read_and_written(server: Server) -> None:
    server.structure(1, field("A", INT))
    server.structure(2, field("M", n(1), 3))
    definition = learned(server, 2)
    assert definition is not None
    rows = [[[{"A": 1}], [{"A": 2}]]]
    body = struct.pack("<4i2i", 3, 1, 2, 1, 1, 2)
    both_ways(definition, {"M": rows}, body)
    value = Variant(dt.EXTENSIONOBJECT, Reader(body).structure(definition))
    assert json.loads(value_text(value, (), TYPED))["Body"] == {"M": rows}
    both_ways(definition, {"M": []}, struct.pack("<4i", 3, 0, 0, 0))


@pytest.mark.parametrize(
    "sizes", [(3, 2, 3), (2, 2, 2**31 - 1), (1, 6)], ids=["three", "larger than it is", "one"]
)
def test_a_matrix_whose_lengths_are_wrong_leaves_the_value_bytes(
    server: Server, sizes: Tuple[int, ...]
) -> None:
    server.structure(1, field("M", INT, 2))
    definition = learned(server, 1)
    assert definition is not None
    body = struct.pack("<%di" % len(sizes), *sizes) + struct.pack("<6i", *range(6))
    data = encode_variant(Variant(dt.EXTENSIONOBJECT, ExtensionObject(definition.type_id, body)))
    value = Reader(data, 0, {definition.type_id: definition}.get).variant()
    assert value is not None and value.value.body == body


def test_what_contains_itself_stays_bytes_and_so_does_what_contains_that(server: Server) -> None:
    server.structure(1, field("Next", n(2)))
    server.structure(2, field("Back", n(1), 1))
    server.structure(3, field("Inner", n(1)), field("A", INT))
    server.structure(4, field("A", INT))
    types = DataTypes()
    types.learn(server, [n(3), n(4)])
    assert [types.known(n(number + 1000)) for number in (1, 2, 3)] == [None] * 3
    assert types.known(n(1004)) is not None


def test_an_unknown_field_type_or_kind_stays_bytes(server: Server) -> None:
    server.structure(1, field("A", n(99)))
    server.structure(2, field("A", INT), kind=9)
    server.structure(3, field("A", INT), field("A", INT))
    server.structure(4, field("", INT))
    for number in (1, 2, 3, 4):
        assert learned(server, number) is None


def test_types_that_double_at_each_level_cost_no_more_than_their_number(server: Server) -> None:
    for number in range(1, 30):
        server.structure(number, field("A", n(number + 1)), field("B", n(number + 1)))
    server.structure(30)  # no fields: a billion of them would fit into no bytes
    began = time.thread_time()
    flat = learned(server, 1) is not None
    assert not flat, "nothing in it takes a byte"
    assert time.thread_time() - began < 2.0


def test_a_server_without_end_of_types_is_not_followed_for_ever() -> None:
    class Endless(Server):
        def _read(self, item: bytes) -> DataValue:
            number = Reader(item).node_id().identifier
            assert isinstance(number, int)
            self.structure(number, field("A", n(number + 1)), field("B", n(2 * number)))
            return super()._read(item)

        def _related(self, node_id: NodeId, reference_type: NodeId, forward: bool) -> List[NodeId]:
            self.above[node_id] = STRUCTURE
            return super()._related(node_id, reference_type, forward)

    types = DataTypes()
    types.learn(Endless(), [n(1)])
    assert len(types._built_in) <= MAX_TYPES


class Slow(Server):
    """Answers no question before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.told = threading.Event(), threading.Event()

    def related(
        self, node_ids: Sequence[NodeId], reference_type: NodeId, forward: bool
    ) -> List[List[Tuple[NodeId, str]]]:
        self.asked.set()
        assert self.told.wait(PATIENCE)
        return super().related(node_ids, reference_type, forward)


class Hurried(Server):
    def remaining_s(self) -> float:
        return 0.01


def test_who_needs_a_type_that_another_thread_learns_waits_no_longer_than_its_time() -> None:
    slow, types = Slow(), DataTypes()
    slow.above[n(1)] = NodeId(0, dt.DOUBLE)
    thread = threading.Thread(target=types.learn, args=(slow, [n(1)]))
    thread.start()
    try:
        assert slow.asked.wait(PATIENCE)
        for learn in (
            lambda: types.learn(Hurried(), [n(1)]),
            lambda: types.learn_encodings(Hurried()),
        ):
            with pytest.raises(PlantError) as raised:
                learn()
            assert raised.value.status == "BadTimeout"
    finally:
        slow.told.set()
        thread.join(PATIENCE)
    assert types.built_in(n(1)) == dt.DOUBLE


def test_supertypes_in_a_circle_are_of_no_known_type(server: Server) -> None:
    server.above[n(1)], server.above[n(2)] = n(2), n(1)
    types = DataTypes()
    types.learn(server, [n(1)])
    assert types.built_in(n(1)) == 0


def test_a_standard_structure_is_known_without_asking() -> None:
    known = standard_structure(NodeId(0, 884))
    assert known is not None and [each.name for each in known.fields] == ["Low", "High"]
    assert standard_structure(NodeId(2, 884)) is None and standard_structure(TEXT) is None


def test_ids_that_a_server_makes_up_are_not_kept_for_ever() -> None:
    for number in range(10_000):
        assert standard_definition(NodeId(2, number)) is None
        assert standard_structure(NodeId(0, 10_000_000 + number)) is None
    for known in (standard_definition, standard_structure):
        assert known.cache_info().currsize < 5000


def test_a_name_that_two_values_share_is_no_name() -> None:
    texts = [LocalizedText(None, text) for text in ("Off", "On", "On", "")]
    assert enum_names(enum_values(texts)) == {"Off": 0}


def test_a_decoded_structure_is_written_as_json_by_its_fields(server: Server) -> None:
    server.structure(1, field("A", INT), field("B", TEXT), kind=UNION)
    definition = learned(server, 1)
    raw = encode_extension_object(ExtensionObject(n(1001), struct.pack("<Ii", 1, 7)))
    value = Reader(raw, 0, lambda _id: definition).extension_object()
    text = value_text(Variant(dt.EXTENSIONOBJECT, value), (), TYPED)
    assert text == ('{"Type":22,"Body":{"TypeId":"ns=2;i=1001","Body":{"SwitchField":1,"A":7}}}')


class Reluctant(Server):
    """Tells nothing before it is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.is_ready = False

    def read(self, items: Sequence[bytes]) -> List[DataValue]:
        self.complete = self.complete and self.is_ready
        told = super().read(items)
        return told if self.is_ready else [DataValue(None, 0x80320000) for _item in items]

    def related(
        self, node_ids: Sequence[NodeId], reference_type: NodeId, forward: bool
    ) -> List[List[Tuple[NodeId, str]]]:
        self.complete = self.complete and self.is_ready
        told = super().related(node_ids, reference_type, forward)
        return told if self.is_ready else [[] for _node in node_ids]


def test_what_was_not_told_is_asked_again_when_it_may_be() -> None:
    server, types = Reluctant(), DataTypes()
    server.structure(1, ("Number", NodeId(0, dt.DOUBLE), -1, False))
    types.learn(server, [n(1)])
    assert types.structure(n(1001)) is None and types.pending
    types.learn_encodings(server)
    assert types.structure(n(1001)) is None and not types.pending
    assert not types.complete and types.is_open(n(1))
    server.is_ready = True
    types.learn(server, [n(1)])
    assert types.structure(n(1001)) is None, "not before it is its time"
    assert types.ask_again()
    assert types.structure(n(1001)) is None and types.pending
    types.learn(server, [n(1)])
    assert types.structure(n(1001)) is not None
    assert types.complete and not types.is_open(n(1))

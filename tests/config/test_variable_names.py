"""Names of what was found: readable, unique, and the same each time."""

import random
from typing import Dict, List, Sequence, Tuple

from hypothesis import given
from hypothesis import strategies as st

from opcws.config.variable_names import (
    MAX_NAME,
    OBJECT,
    VARIABLE,
    Found,
    Node,
)
from opcws.config.variable_names import variable_names as names_of
from opcws.model.data_types import NodeId, format_node_id


def tree(*rows: Tuple[int, str, int]) -> List[Node]:
    """Nodes of (parent, name, class), the first of which is the starting node."""
    nodes = [Node(NodeId(0, 85), "Objects", OBJECT, -1, 0)]
    for place, (parent, name, node_class) in enumerate(rows, 1):
        depth = nodes[parent].depth + 1
        nodes.append(Node(NodeId(2, 1000 + place), name, node_class, parent, depth))
    return nodes


def names(nodes: Sequence[Node], **options: int) -> List[str]:
    found = names_of(nodes, lambda node: format_node_id(node, ("", "urn:a", "urn:b")), **options)
    return [found[place] for place in sorted(found)]


def test_a_variable_is_named_after_the_way_to_it() -> None:
    nodes = tree((0, "Boiler", OBJECT), (1, "Temperature", VARIABLE), (2, "Low", VARIABLE))
    assert names(nodes) == ["Boiler.Temperature", "Boiler.Temperature.Low"]
    assert names(nodes, unnamed=1) == ["Temperature", "Temperature.Low"]


def test_where_two_have_one_name_neither_has_it() -> None:
    nodes = tree((0, "A", VARIABLE), (0, "A", VARIABLE), (0, "B", OBJECT), (3, "C", VARIABLE))
    nodes += [nodes[4]._replace(node_id=NodeId(1, "x"), name="B.C", parent=0, depth=1)]
    assert names(nodes)[:2] == ["A~i1001", "A~i1002"]
    third, fourth = names(nodes)[2:]
    assert third == "B.C~i1004" and fourth.startswith("B.C~") and len(fourth) == 12


def test_a_tag_is_no_name_of_another() -> None:
    nodes = tree((0, "A", VARIABLE), (0, "A", VARIABLE), (0, "A~i1001", VARIABLE))
    assert len(set(names(nodes))) == 3 and names(nodes)[2] == "A~i1001"


def test_a_name_can_stand_in_a_configuration() -> None:
    awkward = tree((0, '"DB"', OBJECT), (1, " a\r\nb\x00\u2028 ", VARIABLE), (0, "", VARIABLE))
    assert names(awkward) == ["DB.a__b_", "i=1003"]
    (long,) = names(tree((0, "x" * 300, VARIABLE)))
    assert len(long) == MAX_NAME


@given(st.lists(st.sampled_from("A B A.B B.A A~i1001".split()), min_size=1, max_size=8))
def test_names_are_unique_and_do_not_depend_on_the_order(parts: List[str]) -> None:
    nodes = tree(
        (0, "A", OBJECT), *((index % 2, part, VARIABLE) for index, part in enumerate(parts))
    )

    def by_node(each: Sequence[Node]) -> Dict[NodeId, str]:
        found = names_of(each, lambda node: format_node_id(node, ("", "urn:a", "urn:b")))
        assert len(set(found.values())) == len(found) == len(parts)
        return {each[place].node_id: name for place, name in found.items()}

    shuffled = list(range(2, len(nodes)))
    random.Random(len(parts)).shuffle(shuffled)
    assert by_node(nodes) == by_node([*nodes[:2], *(nodes[place] for place in shuffled)])


def test_a_remark_says_type_unit_and_access() -> None:
    assert Found("n", "i=1", "Double", True, "°C", writable=True).remark == "Double[], °C, writable"
    assert Found("n", "i=1").remark == ""
    assert Found("n", "i=1", "Byte", readable=False).remark == "Byte, not readable"

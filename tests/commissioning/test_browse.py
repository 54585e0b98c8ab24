"""What browsing found, as a tree."""

from opcws.commissioning.browse import lone_folder, tree_lines
from opcws.config.variable_names import OBJECT, VARIABLE

from ..config.test_variable_names import tree


def test_a_lone_folder_is_no_part_of_the_names() -> None:
    nodes = tree((0, "Boiler", OBJECT), (1, "Temperature", VARIABLE), (2, "Low", VARIABLE))
    assert lone_folder(nodes) == 1
    assert lone_folder(tree((0, "A", OBJECT), (0, "B", OBJECT))) == 0


def test_the_tree_shows_what_leads_to_the_wanted_and_nothing_else() -> None:
    nodes = tree((0, "A", OBJECT), (1, "x\x1b[2J", VARIABLE), (0, "B", OBJECT), (3, "y", VARIABLE))
    remarks = {2: "Double, \x1b[2J"}
    lines = [(line, remark) for line, remark, _ in tree_lines(nodes, remarks, {2}, True)]
    assert lines == [("Objects", ""), ("`-- A", ""), ("    `-- x?[2J", "Double, ?[2J")]


def test_a_node_without_a_name_is_seen_in_the_tree() -> None:
    lines = [line for line, _, _ in tree_lines(tree((0, " ", VARIABLE)), {}, {1}, True)]
    assert lines == ["Objects", "`-- (no name)"]


def test_a_deep_tree_needs_no_recursion() -> None:
    nodes = tree(*((place, "n", OBJECT) for place in range(3000)))
    assert len(list(tree_lines(nodes, {}, {3000}))) == 3001

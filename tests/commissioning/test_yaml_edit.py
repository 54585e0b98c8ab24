"""A person's file keeps every character; what is put in is what was meant."""

import json
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.commissioning.yaml_edit import Editor
from opcws.commissioning.yaml_text import Entry, entry_lines, flow_text
from opcws.config.yaml_document import Document
from opcws.model.errors import ConfigError

NEW = Entry("B", {"node": "i=2"}, ["what it is"], "Double")


def data(text: str) -> Any:
    document = Document(text, "t")
    assert not document.problems
    return document.data


def inserted(text: str, path: Tuple[str, ...], *entries: Entry) -> str:
    editor = Editor(text)
    editor.insert(path, entries)
    return editor.result()


def test_an_entry_goes_between_its_neighbours_and_their_comments_stay_with_them() -> None:
    text = (
        "v:\n  # of A\n  A: {node: i=1}   # behind A\n\n  # of C\n  C:\n    node: i=3\n# the end\n"
    )
    assert inserted(text, ("v",), NEW) == text.replace(
        "# behind A\n", '# behind A\n  # what it is\n  B: {node: "i=2"}  # Double\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "v:\n  C: {node: i=3}\n  A: {node: i=1} # last\n\nw: 1\n",
        "v:\n    A:\n        node: i=1\n    C:\n        node: i=3\nw: 1\n",
        "v:\n  A: {node: i=1}\n  C: |\n    text\n    more\n\n\nw: 1\n",
        "v:\n  A: {node: i=1}\n  C: >-\n    text\n\n  # remark\nw: 1",
        "v: # comment\n\nw: 1\n",
        "v: {} # comment\nw: 1\n",
        "v: null\nw: 1\n",
        "w: 1\n",
        "w: 1",
        "# only a comment\n",
        "",
        "v: {A: {node: i=1}, C: {node: i=3}}\n",
        "v: {A: {node: i=1},}\n",
        "v: {\n  A: {node: i=1}, # one\n  C: {node: i=3}  # three\n}\nw: 1\n",
        "v: {\n  A: {node: i=1},\n  C: {node: i=3},\n}\n",
        "v:\n  'A': {node: i=1}\n  \"C\": {node: i=3}\n",
        "v:\n  A: [1,\n   2]\n  C: [3]  # x\n",
        "v:\n  A:\n  - 1\n  - x: 2  # two\n  C: 1\n",
        "\ufeffv:\n  A: 1\n",
        "%YAML 1.2\n---\nv:\n  A: 1\n",
        "v:\r\n  A: 1\r\n  # c\r\n  C: 2\r\n",
        "v:\n  Ä€😀: 1  # 世界 😀\n  C: 2 # 😀\n",
    ],
)
def test_in_whatever_way_a_file_is_written_the_entry_is_in_it_and_nothing_else_changes(
    text: str,
) -> None:
    before = data(text) if text.strip() and not text.startswith("#") else {}
    expected = dict(before)
    expected["v"] = {**(before.get("v") or {}), "B": {"node": "i=2"}}
    result = inserted(text, ("v",), NEW)
    assert data(result) == expected
    if "\r\n" in text:
        assert result.count("\r\n") == result.count("\n")
    assert ": \n" not in result
    if "{" not in text.split("#")[0] and "null" not in text:
        left = iter(result.splitlines())
        assert all(line in left for line in text.splitlines())


@pytest.mark.parametrize("indent", [None, 2, 4])
@pytest.mark.parametrize(
    "present", [{}, {"A": {"node": "i=1"}}, {"A": 1, "C": {"x": "\U0001f600"}}]
)
def test_json_stays_json(indent: Any, present: Dict[str, Any]) -> None:
    before = {"s": {"p": {"v": present}}, "w": [1]}
    result = inserted(json.dumps(before, indent=indent), ("s", "p", "v"), NEW)
    expected = {"s": {"p": {"v": {**present, "B": {"node": "i=2"}}}}, "w": [1]}
    assert json.loads(result) == expected


def test_a_nested_mapping_that_is_not_there_is_made() -> None:
    text = "a: 1\ns:\n  p:\n    x: 1\n"
    assert data(inserted(text, ("s", "q", "v"), NEW)) == {
        "a": 1,
        "s": {"p": {"x": 1}, "q": {"v": {"B": {"node": "i=2"}}}},
    }


def test_a_value_is_replaced_and_its_comment_stays() -> None:
    text = "a:\n  x: 1  # one\n  y:   # nothing\n  z:\n    q: 1\n  w: 'a b'\n"
    editor = Editor(text)
    editor.replace(("a", "x"), 2.5)
    editor.replace(("a", "y"), True)
    editor.replace(("a", "z"), {"q": 2, "r": "3"})
    editor.replace(("a", "w"), "yes")
    assert editor.result() == (
        'a:\n  x: 2.5  # one\n  y: true   # nothing\n  z:\n    {q: 2, r: "3"}\n  w: "yes"\n'
    )


def test_an_entry_is_removed_with_its_line() -> None:
    editor = Editor("a:\n  x: 1\n  y:\n    q: 1\n  z: 1\n")
    editor.remove(("a", "y"))
    editor.remove(("a", "z"))
    assert editor.result() == "a:\n  x: 1\n"


def test_what_is_no_yaml_is_told() -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        Editor("a: [")


AWKWARD = st.text(
    st.one_of(
        st.sampled_from("aB1 .:#-{}[]'\"!&*?|>%@`,~\\/\t\u2028\x85é世😀"),
        st.characters(exclude_categories=["Cs", "Cc", "Cn"]),
    ),
    min_size=1,
    max_size=12,
)
SCALARS = st.one_of(
    AWKWARD, st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.dictionaries(AWKWARD, st.one_of(SCALARS, st.dictionaries(AWKWARD, SCALARS)), max_size=4))
def test_every_text_comes_back_as_it_was_written(values: Dict[str, Any]) -> None:
    lines: List[str] = []
    for key, value in values.items():
        lines += entry_lines(Entry(key, value, ["c: " + key], key, block=True))
    first = "longer than any"  # of AWKWARD
    assert data("\n".join([first + ": 1", *lines, ""])) == {first: 1, **values}
    assert data("y: %s\n" % flow_text(values)) == {"y": values}


@given(
    st.dictionaries(AWKWARD, st.dictionaries(AWKWARD, SCALARS, min_size=1), min_size=1, max_size=5),
    st.dictionaries(AWKWARD, st.dictionaries(AWKWARD, SCALARS, min_size=1), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_whatever_is_put_into_a_file_all_of_it_is_there_and_every_line_too(
    present: Dict[str, Any], new: Dict[str, Any], random: Any
) -> None:
    lines = ["v:"]
    for key, value in present.items():
        remarks = ["about " + key] if random.random() < 0.5 else []
        block = random.random() < 0.5
        lines += entry_lines(Entry(key, value, remarks, key * random.randint(0, 1), block), "   ")
        lines += [""] * random.randint(0, 1)
    text = "\n".join([*lines, "w: 1"]) + "\n"
    entries = [Entry(k, new[k], ["new"], "new") for k in sorted(new) if k not in present]
    result = inserted(text, ("v",), *entries)
    expected = {**present, **{each.key: each.value for each in entries}}
    assert data(result) == {"v": expected, "w": 1}
    left = iter(result.split("\n"))
    assert all(line in left for line in text.split("\n"))
    if sorted(present) == list(present):
        assert list(data(result)["v"]) == sorted(expected)

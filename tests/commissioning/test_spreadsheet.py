"""Variables go to a spreadsheet and come back."""

from typing import Any, Dict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.commissioning import spreadsheet
from opcws.commissioning.config_file import ConfigChange
from opcws.config import loads
from opcws.config.settings import AlarmLimits, Deadband, RecordRule
from opcws.config.variable_names import Found
from opcws.model.errors import ConfigError

FILE = """\
servers:
  p:
    endpoint: opc.tcp://h:1
    variables:
      # the first
      a: {node: i=1}  # Double
      b:
        node: i=2  # two
        access: readwrite
        # how often
        sampling_interval_ms: 100.5
        deadband:
          absolute: 1
        limits: {low: -5.5, high_high: 100}
        record:
          deadband: 2
        metadata: {x: [1]}
      c: {node: i=3, type: Int64, array: true, index_range: "1", queue_size: 3,
          discard_oldest: false, trigger: status, description: "=1+1",
          record: false, history: plant}
"""


def lines(*rows: str, delimiter: str = ",") -> spreadsheet.Sheet:
    return spreadsheet.read("\n".join(rows).replace(",", delimiter).encode(), "t.csv")


def imported(text: str, *rows: str) -> ConfigChange:
    return spreadsheet.import_into(text, "f.yaml", lines(*rows), "t.csv")


@pytest.mark.parametrize("delimiter", spreadsheet.DELIMITERS.values())
def test_what_was_exported_changes_nothing_when_it_comes_back(delimiter: str) -> None:
    text = spreadsheet.table(spreadsheet.rows_of_config(loads(FILE)), delimiter)
    assert "'=1+1" in text
    for raw in (
        text.encode(),
        text.encode("utf-8-sig"),
        ("sep=%s\r\n" % delimiter + text).encode(),
    ):
        result = spreadsheet.import_into(FILE, "f", spreadsheet.read(raw, "t.csv"), "t.csv")
        assert (result.after, list(result.added), list(result.changed)) == (FILE, [], [])


def test_an_empty_configuration_filled_from_a_table_is_the_one_it_came_from() -> None:
    rows = spreadsheet.rows_of_config(loads(FILE))
    empty = "servers: {p: {endpoint: 'opc.tcp://h:1'}}\n"
    sheet = spreadsheet.read(spreadsheet.table(rows, ";").encode(), "t.csv")
    result = spreadsheet.import_into(empty, "f", sheet, "t.csv")
    again = loads(result.after)
    assert list(spreadsheet.rows_of_config(again)) == list(rows)
    assert list(result.added) == ["a", "b", "c"]


def test_a_cell_changes_its_setting_and_the_comments_stay() -> None:
    result = imported(
        FILE,
        "name,node,access,sampling_interval_ms,deadband_percent,deadband_absolute,description",
        "a,i=1,readwrite,,,,the first one",
        'b,i=22,read,"0,5",,,',
        "d,i=4,read,,5,,",
    )
    assert (list(result.added), list(result.changed)) == (["d"], ["a", "b"])
    assert "      # the first\n      a: {node: " in result.after
    assert "# two" in result.after and "# how often" in result.after
    variables = loads(result.after).variables
    assert variables["a"].description == "the first one" and variables["a"].writable
    assert (variables["b"].node_text, variables["b"].access) == ("i=22", "read")
    assert variables["b"].sampling_interval_ms == 0.5
    assert variables["b"].deadband is None and variables["b"].metadata == {"x": [1]}
    assert variables["d"].deadband == Deadband(percent=5)
    assert variables["c"] == loads(FILE).variables["c"]


def test_what_is_recorded_is_chosen_in_a_table() -> None:
    result = imported(
        FILE,
        "name,node,record,record_min_interval_ms,record_deadband,history",
        "a,i=1,true,,,own",
        "b,i=2,true,500,,",
        "c,i=3,,,0.5,",
        "d,i=4,FALSE,,,",
        "e,i=5,,,,",
    )
    variables = loads(result.after).variables
    assert (variables["a"].record, variables["a"].history) == (True, "own")
    assert variables["b"].record == RecordRule(min_interval_ms=500)
    assert (variables["c"].record, variables["c"].history) == (RecordRule(deadband=0.5), None)
    assert (variables["d"].record, variables["e"].record) == (False, None)
    told = imported(FILE, "name,node,record_deadband", "b,i=2,")
    assert loads(told.after).variables["b"].record is True
    assert imported(FILE, "name,node,record", "b,i=2,yes").after == FILE
    with pytest.raises(ConfigError, match="t.csv:2: record_deadband: .* is not recorded"):
        imported(FILE, "name,node,record,record_deadband", "a,i=1,false,1")


def test_limits_are_set_in_a_table() -> None:
    result = imported(
        FILE,
        "name,node,limits_low_low,limits_low,limits_high,limits_high_high",
        'a,i=1,-10,,"2,5",',
        "b,i=2,,,,",
        "c,i=3,,,,7",
    )
    variables = loads(result.after).variables
    assert variables["a"].limits == AlarmLimits(low_low=-10, high=2.5)
    assert variables["b"].limits is None
    assert variables["c"].limits == AlarmLimits(high_high=7)
    kept = loads(imported(FILE, "name,node,limits_low", "b,i=2,3").after).variables["b"]
    assert kept.limits == AlarmLimits(low=3, high_high=100)
    with pytest.raises(ConfigError, match="t.csv:2: .*limits.high_high: 100 is not above low"):
        imported(FILE, "name,node,limits_low", "b,i=2,100")


@pytest.mark.parametrize(
    ("cell", "words"),
    [("1e999", '"1e999" is too large'), ("-1e999", "is too large"), ("inf", "expected a number")],
)
def test_a_number_that_is_too_large_is_told_as_such(cell: str, words: str) -> None:
    with pytest.raises(ConfigError, match="t.csv:2: limits_low: .*" + words):
        imported(FILE, "name,node,limits_low", "a,i=1," + cell)


def test_a_column_that_is_not_there_says_nothing() -> None:
    assert imported(FILE, "name,node,unit", "b,i=2,bar").after == FILE


def test_json_stays_json_and_types_are_those_of_a_spreadsheet() -> None:
    text = '{"servers": {"p": {"endpoint": "opc.tcp://h:1", "variables": {"a": {"node": "i=1"}}}}}'
    result = imported(text, "name,node,array,type", "a,i=1,TRUE,double", "b,i=2,FALSCH,int64")
    variables = loads(result.after).variables
    assert (variables["a"].is_array, variables["b"].is_array) == (True, False)
    assert result.after.startswith('{"servers"')


def test_every_wrong_cell_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        imported(
            FILE,
            "server,name,node,type,array,queue_size",
            "q,a,i=1,,,",
            ",,i=1,,,",
            ",b,i=2,Real,,",
            ",d,i=2,,maybe,",
            ",e,i=2,,,many",
            ",f,,,,",
            ",g,i=1,,,",
            ",g,i=1,,,",
        )
    told = [problem.partition(": ") for problem in caught.value.problems]
    assert [where for where, _, _ in told] == ["t.csv:%d" % line for line in (2, 3, 4, 5, 6, 7, 9)]
    words = (
        "no server",
        "no name",
        "built-in type",
        "true or false",
        "a number",
        "no node",
        "twice",
    )
    for word, (_, _, text) in zip(words, told):
        assert word in text


@pytest.mark.parametrize("cell", ["2,500", "2.500", "1.000", "12,000", "-1,000"])
def test_a_number_that_may_be_thousands_or_a_fraction_is_not_guessed_at(cell: str) -> None:
    with pytest.raises(ConfigError, match="t.csv:2: sampling_interval_ms: .* may mean thousands"):
        imported(FILE, "name,node,sampling_interval_ms", 'a,i=1,"%s"' % cell)


@pytest.mark.parametrize(
    "cell, number", [("0,125", 0.125), ("1.125", 1.125), ("2500", 2500), ("2,5", 2.5)]
)
def test_a_fraction_may_have_a_comma(cell: str, number: float) -> None:
    result = imported(FILE, "name,node,sampling_interval_ms", 'a,i=1,"%s"' % cell)
    assert loads(result.after).variables["a"].sampling_interval_ms == number


def test_what_the_configuration_refuses_changes_nothing() -> None:
    with pytest.raises(ConfigError) as caught:
        imported(FILE, "name,node,queue_size", "a,i=1,", "d,DB1.x,", "b b,i=2,-1")
    for problem, words in zip(
        sorted(caught.value.problems),
        ("t.csv:3: servers.p.variables.d.node: ", 't.csv:4: servers.p.variables["b b"].queue_size'),
    ):
        assert problem.startswith(words)
    assert len(caught.value.problems) == 2


def test_words_may_be_in_any_capitals() -> None:
    text = imported(FILE, "name,node,access", "a,i=1,ReadWrite").after
    assert loads(text).variables["a"].access == "readwrite"


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"name;node\nK\xfchler;i=1\n", "t.csv:2: is not UTF-8; in Excel save it as 'CSV UTF-8'"),
        (b"", "expected the names of columns"),
        (b"name,node,colour\n", 'has "colour"; expected'),
        (b"name,node\na,b,c\n", "t.csv:2: has more cells than columns"),
        (b'name,node\n"a,b\n', ""),
        (b"name,node\na,\x00b\n", ""),
    ],
)
def test_what_is_no_table_is_told(raw: bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sheet = spreadsheet.read(raw, "t.csv")
        spreadsheet.import_into(FILE, "f", sheet, "t.csv")
    assert words in caught.value.reason


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@settings(max_examples=50)
@given(
    st.dictionaries(
        TEXT.filter(bool),  # also one that is a blank
        st.fixed_dictionaries(
            {
                "node": TEXT.map("s=x{}".format),
                "description": st.one_of(TEXT, st.just("'=x"), st.just("-1")),
            }
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_a_person_wrote_survives_the_round_trip(variables: Dict[str, Any]) -> None:
    found = [
        Found(name, each["node"], description=each["description"])
        for name, each in variables.items()
    ]
    sheet = spreadsheet.read(
        spreadsheet.table(spreadsheet.rows_of(found, "p")).encode("utf-8-sig"), "t.csv"
    )
    result = spreadsheet.import_into(
        "servers: {p: {endpoint: 'opc.tcp://h:1'}}", "f", sheet, "t.csv"
    )
    again = loads(result.after).variables
    assert {
        name: {"node": each.node_text, "description": each.description or ""}
        for name, each in again.items()
    } == variables


@pytest.mark.parametrize("delimiter", spreadsheet.DELIMITERS.values())
def test_blanks_at_the_ends_of_names_and_texts_stay_and_around_all_else_do_no_harm(
    delimiter: str,
) -> None:
    text = (
        "servers:\n  p:\n    endpoint: opc.tcp://h:1\n    variables:\n"
        '      " a ": {node: "nsu=urn:p;s=Tag ", description: " \\u00a0"}\n'
    )
    table = spreadsheet.table(spreadsheet.rows_of_config(loads(text)), delimiter)
    again = spreadsheet.import_into(text, "f", spreadsheet.read(table.encode(), "t.csv"), "t.csv")
    assert (again.after, list(again.changed)) == (text, [])
    change = imported(FILE, "name,node,type,queue_size", "a,i=1, int32 , 7 ")
    assert loads(change.after).variables["a"].queue_size == 7

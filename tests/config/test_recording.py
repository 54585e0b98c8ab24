"""What the configuration says of recording: which variables, which of their values, and what is
told of patterns and variables that are recorded in vain."""

from typing import List, Tuple

import pytest

from opcws.config import loads
from opcws.config.recording import Recording, recordings
from opcws.config.settings import Config, Record, RecordRule
from opcws.model.errors import ConfigError

SERVER = """
servers:
  p:
    endpoint: opc.tcp://h:1
    variables:
      Boiler.Level: {node: i=1}
      Boiler.Flow: {node: i=2, record: false}
      Boiler.Reset: {node: i=3, access: write}
      Pump: {node: i=4%s}
"""


def load(record: str, pump: str = "") -> Config:
    text = "record: %s" % record if record else ""
    return loads(text + SERVER % (pump and ", " + pump), "f.yaml")


def problems(record: str, pump: str = "") -> List[str]:
    with pytest.raises(ConfigError) as caught:
        load(record, pump)
    return list(caught.value.problems)


def test_nothing_is_recorded_unless_the_configuration_says_so() -> None:
    config = load("")
    assert config.record is None
    assert recordings(config) == {}


def test_a_pattern_records_what_can_be_read_and_does_not_say_no_itself() -> None:
    config = load(
        "{variables: ['Boiler.*'], keep_days: 7, max_bytes: 1.5 GiB, min_interval_ms: 100, "
        "deadband: 0.5}"
    )
    assert config.record == Record(("Boiler.*",), 7, 3 * 2**29, 100, 0.5)
    level = config.variables["Boiler.Level"]
    assert recordings(config) == {"Boiler.Level": Recording(level, 100, 0.5)}


@pytest.mark.parametrize(
    ("section", "pump", "rule"),
    [
        ("", "record: true", (0, 0)),
        ("", "record: {}", (0, 0)),
        ("", "record: {deadband: 2}", (0, 2)),
        ("{min_interval_ms: 5, deadband: 1}", "record: true", (5, 1)),
        ("{min_interval_ms: 5, deadband: 1}", "record: {deadband: 0}", (5, 0)),
        ("{variables: ['*'], deadband: 1}", "record: {min_interval_ms: 7}", (7, 1)),
    ],
)
def test_what_a_variable_says_of_itself_goes_before_the_section(
    section: str, pump: str, rule: Tuple[float, float]
) -> None:
    config = load(section, pump)
    assert not config.warnings
    assert recordings(config)["Pump"] == Recording(config.variables["Pump"], *rule)


def test_a_rule_arrives_in_its_fields_and_history_beside_it() -> None:
    pump = load("", "record: {min_interval_ms: 7, deadband: 0.1}, history: both").variables["Pump"]
    assert pump.record == RecordRule(7, 0.1)
    assert pump.history == "both"


@pytest.mark.parametrize(
    ("section", "pump", "path", "words"),
    [
        (
            "{variables: [pump]}",
            "record: true",
            "record.variables[0]",
            'no variable matches "pump"',
        ),
        ("{variables: ['*.Reset', Pump]}", "", "record.variables[0]", "can only be written"),
        ("{}", "", "record", "records nothing"),
        (
            "",
            "record: true, access: write",
            "servers.p.variables.Pump.record",
            "no values to record",
        ),
        ("", "history: own", "servers.p.variables.Pump.history", "set 'record: true' beside it"),
        (
            "{variables: ['B*']}",
            "history: both",
            "servers.p.variables.Pump.history",
            "'record: true'",
        ),
    ],
)
def test_what_records_nothing_is_a_warning(section: str, pump: str, path: str, words: str) -> None:
    (warning,) = load(section, pump).warnings
    assert ": %s: " % path in warning
    assert words in warning


def test_a_pattern_may_be_for_variables_that_are_found() -> None:
    text = "record: {variables: ['Line.*']}\nservers: {p: {endpoint: 'opc.tcp://h:1', browse: {}}}"
    assert not loads(text).warnings


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("{variable: ['*']}", "did you mean 'variables'?"),
        ("{variables: '*'}", "expected a list"),
        ("{max_bytes: 2 GB}", 'expected a size, such as 64 KiB or 10 MiB or 2 GiB, got "2 GB"'),
        ("{max_bytes: 2 TiB}", "expected at most 1099511627776 bytes, got 2199023255552"),
        ("{max_bytes: true}", "expected a whole number or a size, got true"),
        ("{max_bytes: 1000}", "expected at least 1048576 bytes, got 1000"),
        ("{keep_days: -1}", "expected at least 0 days, got -1"),
        ("true", "expected a mapping, got true"),
    ],
)
def test_a_wrong_section_is_told_with_what_would_be_right(record: str, words: str) -> None:
    (problem,) = problems(record)
    assert problem.startswith("f.yaml:1: record")
    assert words in problem


def test_a_wrong_rule_of_a_variable_is_told_with_what_would_be_right() -> None:
    (problem,) = problems("", "record: yes")
    assert "expected true or false or a mapping, got" in problem
    (problem,) = problems("", "record: {deadbnad: 1}")
    assert "did you mean 'deadband'?" in problem
    (problem,) = problems("", "history: server")
    assert "expected one of plant, own, both" in problem


@pytest.mark.parametrize(
    ("text", "limit"),
    [("64 KiB", 65536), ("1.5MiB", 1572864), ("0.5 GiB", 536870912), ("100000", 100000)],
)
def test_every_size_is_a_number_of_bytes_or_a_text(text: str, limit: int) -> None:
    config = loads(
        "listen: {limits: {outbox_bytes: %s}}\nlog: {max_bytes: %s}" % (text, text) + SERVER % ""
    )
    assert config.listen[0].limits.outbox_bytes == config.log.max_bytes == limit


def test_what_looks_like_a_size_in_metadata_stays_a_text() -> None:
    config = load("", "metadata: {max_bytes: 2 GiB}")
    assert config.variables["Pump"].metadata == {"max_bytes": "2 GiB"}

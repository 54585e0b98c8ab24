"""The table of metrics, and the text that is made of it."""

import re
from typing import Dict, List

import pytest
from prometheus_client.parser import text_string_to_metric_families

from opcws.operations.metrics import (
    COUNTER,
    FAMILIES,
    GAUGE,
    HISTOGRAM,
    Family,
    Metrics,
    Numbers,
)
from opcws.operations.statistics import DURATIONS_S, Histogram

from ..support import readme

#: Labels whose values are the configuration's, the standards' or ours; no client makes any up.
LABELS = {
    *("version", "contract", "python", "form"),
    *("listener", "reason", "type", "status", "limit"),
    *("server", "service", "endpoint"),
}


def text(*numbers: Numbers) -> str:
    return Metrics(lambda: numbers).text().decode("utf-8")


def parsed(numbers: Numbers) -> Dict[str, List[object]]:
    """Samples of our families by the name of the family."""
    return {
        family.name: [(sample.name, sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text(numbers))
        if family.name.startswith("opcws_")
    }


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_name_follows_the_conventions(family: Family) -> None:
    """https://prometheus.io/docs/practices/naming/, as promtool checks it."""
    assert re.fullmatch(r"opcws(_[a-z]+)+", family.name)
    assert (family.kind == COUNTER) == family.name.endswith("_total")
    assert family.kind in (COUNTER, GAUGE, HISTOGRAM)
    assert not re.search(
        r"_(ms|milliseconds|kb|mb|minutes|count|sum|bucket|created)\b", family.name
    )
    assert not re.search(r"_(counter|gauge|histogram)", family.name)
    assert family.text.endswith(".") and "\n" not in family.text
    assert set(family.labels) <= LABELS


def test_no_metric_is_there_twice() -> None:
    names = [re.sub("_total$", "", family.name) for family in FAMILIES]
    assert len(set(names)) == len(names)


def test_the_table_of_the_readme_is_made_of_it() -> None:
    rows = [("Metric", "Kind", "Labels", "What it tells")]
    for family in FAMILIES:
        labels = ", ".join("``%s``" % label for label in family.labels)
        rows.append(("``%s``" % family.name, family.kind, labels, family.text))
    lines = [("   * - " + "\n     - ".join(row)).replace("- \n", "-\n") for row in rows]
    table = "\n".join([".. list-table::", "   :header-rows: 1", "", *lines]) + "\n"
    assert table in readme.section("Metrics")


def test_each_metric_that_the_readme_uses_is_one() -> None:
    text = readme.section("Watching it") + readme.section("Metrics")
    used = set(re.findall(r"opcws_[a-z_]+", text))
    names = {family.name for family in FAMILIES}
    names |= {family.name + "_bucket" for family in FAMILIES if family.kind == HISTOGRAM}
    assert used > {family.name for family in FAMILIES}, "the expressions use some, too"
    assert used <= names


def test_each_family_has_help_and_type_even_without_samples() -> None:
    lines = text().splitlines()
    for family in FAMILIES:
        assert "# HELP %s %s" % (family.name, family.text) in lines
        assert "# TYPE %s %s" % (family.name, family.kind) in lines


def test_a_label_may_have_any_text() -> None:
    name = 'a "b" \\ c\nd ü'
    numbers = Numbers("server", name, {"connected": True})
    found = parsed(numbers)["opcws_plant_connected"]
    assert found == [("opcws_plant_connected", {"server": name}, 1.0)]
    assert "\nd" not in text(numbers), "it begins a line"


def test_a_histogram_is_cumulative_and_its_last_bucket_is_its_count() -> None:
    counts = tuple(range(len(DURATIONS_S) + 1))
    numbers = Numbers("server", "plant", {"calls": {"Read": Histogram(counts, 12.5)}})
    found = parsed(numbers)["opcws_service_duration_seconds"]
    whose = {"server": "plant", "service": "Read"}
    buckets = {
        sample[1]["le"]: sample[2]  # type: ignore[index]
        for sample in found
        if "le" in sample[1]  # type: ignore[index]
    }
    assert [float(bound) for bound in buckets] == [*DURATIONS_S, float("inf")]
    assert list(buckets.values()) == [sum(counts[: end + 1]) for end in range(len(counts))]
    assert ("opcws_service_duration_seconds_count", whose, float(sum(counts))) in found
    assert ("opcws_service_duration_seconds_sum", whose, 12.5) in found

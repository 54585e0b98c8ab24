"""What the page at / says of a value: no digit that is not there, no name that could be another's,
whose time it is, what is beyond its limits, what is old, what has parts."""

import json
import re
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.demo import variables

from ... import support
from ...support import Client, PlantProcess, connected
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = [pytest.mark.own_plant, pytest.mark.drawn]

LINES = [
    "Plant.Hall%d.Line%d.%s.Temperature.%s" % (hall, line, unit, end)
    for hall in (1, 2)
    for line in (2, 3)
    for unit in ("Boiler", "Mixer")
    for end in ("Setpoint", "Measured")
]
LONG = "Site.North.Building07.Line12.Filling.Carousel.Head%d.Temperature.Measured.Filtered.Value"
NAMES = [*LINES, *(LONG % n for n in range(3))]

LIMITS = {"low": 10, "high": 90, "high_high": 120}

WIDTHS = (320, 375, 820, 1280)


@pytest.fixture(scope="module")
def server(plant: PlantProcess) -> Iterator[Server]:
    """With the variables of the plant, and some of long names."""
    listed: Dict[str, Any] = {
        each.name: {"node": each.node, "access": each.access} for each in variables()
    }
    node = "nsu=urn:demo:plant;s=Types.Double"
    listed.update({name: {"node": node} for name in NAMES})
    listed["Boiler.Setpoint"]["limits"] = LIMITS
    with support.served(plant.endpoint, variables=listed) as running:
        yield running


# --- format.js -----------------------------------------------------------------------------------


def said(page: Page, expression: str) -> Any:
    """What *expression*, in which f is format.js, comes to."""
    return page.browser.execute_async_script(
        "const ready = arguments[0];"
        "import('/format.js').then((f) => ready(%s), (error) => ready(String(error)));" % expression
    )


def test_a_number_without_room_has_fewer_digits_and_its_magnitude(page: Page) -> None:
    cases = {
        ("-1.2345678e30", 11): "-1.2346e+30",
        ("1234567.891", 8): "1234568",
        ("1234567.891", 5): "1e+6",
        ("0.000123456", 8): "0.000123",
        ("0.000123456", 7): "1.23e-4",
        ("9.99996", 6): "10.000",
        ("-0.4", 9): "-0.4",
        ("4611686018427387904n", 12): "4.611686e+18",
        ("4611686018427387904n", 19): "4611686018427387904",
        ("-9223372036854775808n", 20): "-9223372036854775808",
        ("18446744073709551615n", 20): "18446744073709551615",
        ("-1e-300", 4): "-1e-300",
        ("NaN", 12): "not a number",
        ("NaN", 7): "NaN",
        ("-Infinity", 7): "−∞",
    }
    asked = ["f.valueText(%s, {}, %d)" % case for case in cases]
    assert dict(zip(cases, said(page, "[%s]" % ", ".join(asked)))) == cases


def test_however_little_room_there_is_the_number_is_the_same_to_its_last_digit(page: Page) -> None:
    wrong = said(
        page,
        """(() => {
          const wrong = [];
          for (const sign of [1, -1]) for (let power = -307; power < 308; power += 1) {
            for (const digits of [1, 1.5, 2.34567890123, 9.9999999]) {
              const value = sign * digits * Math.pow(10, power);
              for (let most = 7; most < 24; most += 1) {
                const text = f.valueText(value, {}, most);
                const off = Math.abs(Number(text) / value - 1);
                const ok = text.length <= most && off <= (most > 9 ? 0.01 : 0.34);
                if (!ok && wrong.length < 9) wrong.push([value, most, text]);
              }
            }
          }
          return wrong;
        })()""",
    )
    assert wrong == []


def test_what_a_value_is_beyond_is_told_from_the_worst(page: Page) -> None:
    limits = {"LowLow": 5, "Low": 10, "High": 90, "HighHigh": 95}
    cases = {
        "10": None,
        "9.99": ["doubt", "▼", "below Low 10"],
        "4": ["bad", "▼▼", "below LowLow 5"],
        "90": None,
        "90.01": ["doubt", "▲", "above High 90"],
        "95": ["doubt", "▲", "above High 90"],
        "96": ["bad", "▲▲", "above HighHigh 95"],
        "96n": ["bad", "▲▲", "above HighHigh 95"],
        "Infinity": ["bad", "▲▲", "above HighHigh 95"],
        "NaN": None,
        "null": None,
        "[96]": None,
        '"96"': None,
        "true": None,
    }
    told = "(one) => one && [one.kind, one.mark, one.text]"
    info = json.dumps({"Limits": limits, "EURange": {"Low": 0, "High": 200}})
    asked = "[%s].map((value) => (%s)(f.limitOf(value, %s)))" % (", ".join(cases), told, info)
    assert dict(zip(cases, said(page, asked))) == cases
    only_range = "f.limitOf(%s, {EURange: {Low: 0, High: 100}})"
    assert said(page, only_range % 100) is None
    assert said(page, only_range % 101)["text"] == "above the range 0 to 100"
    assert said(page, only_range % -1)["kind"] == "bad"
    assert said(page, "f.limitOf(5, {EURange: {Low: 0, High: 0}})") is None, "no range at all"
    assert said(page, "f.limitOf(5, {})") is None


STRUCTURE = '{TypeId: "nsu=urn:m;s=Vector", Body: {x: 1, y: 2.5, name: "a b", list: [1, 2, 3]}}'


@pytest.mark.parametrize(
    ("value", "most", "says"),
    [
        (STRUCTURE, 120, 'Vector {x: 1, y: 2.5, name: "a b", list: [1, 2, 3]}'),
        (STRUCTURE, 30, "Vector {x: 1, y: 2.5, …}"),
        (STRUCTURE, 12, "Vector {…}"),
        ('{TypeId: "i=887", Body: {UnitId: 4}}', 120, "{UnitId: 4}"),
        ('{TypeId: "i=5", Encoding: 1, Body: "aGE="}', 120, "structure of an unknown form"),
        ('{Locale: "de", Text: "Kessel"}', 120, "Kessel"),
        ('{Name: "Level", Uri: "urn:m"}', 120, "Level"),
        ('{Code: 2150891520, Symbol: "BadOutOfService"}', 120, "BadOutOfService"),
        ('[{Locale: "de", Text: "Kessel"}]', 120, "[Kessel]"),
        ("null", 120, "none"),
        ("[]", 120, "[]"),
        ("[1234567, 2345678, 3456789]", 20, "[1234567, …]"),
        ("[null, true, 5n]", 120, "[none, true, 5]"),
    ],
)
def test_what_has_parts_is_told_in_one_line(page: Page, value: str, most: int, says: str) -> None:
    assert said(page, "f.valueText(%s, {Type: 'ExtensionObject'}, %d)" % (value, most)) == says


def test_a_matrix_has_its_rows(page: Page) -> None:
    asked = "f.dataText({value: [1, 2, 3, 4, 5, 6], dimensions: [3, 2]})"
    assert said(page, asked) == "[[1, 2], [3, 4], [5, 6]]"


def test_a_time_of_the_server_is_told_to_be_that(page: Page) -> None:
    times = ["2026-11-22T10:00:00Z", "2026-11-22T10:00:05.1234567Z"]
    asked = (
        "(f.setZone('UTC'), import('/opcws.js')).then(({ DataValue }) =>"
        " [%s].map((body) => new DataValue(body))"
        ".map((data) => [data.time && data.time.getTime(),"
        " f.timeTitle(data).replace('\u202f', ' ')]))"
    ) % ", ".join(
        json.dumps(each)
        for each in (
            {"SourceTimestamp": times[0], "ServerTimestamp": times[1]},
            {"ServerTimestamp": times[1]},
            {},
        )
    )
    assert said(page, asked) == [
        [1795341600000, "The source's timestamp: Nov 22, 2026, 10:00:00 AM UTC"],
        [
            1795341605123,
            "The server's timestamp, as the source has none: Nov 22, 2026, 10:00:05.1234567 AM UTC",
        ],
        [None, ""],
    ]


# --- in the list ---------------------------------------------------------------------------------

#: Cells whose text is cut off, or has too many lines.
CUT = """Array.from(document.querySelectorAll('[data-variable="' + arguments[0] + '"] > *'))
  .filter((cell) => cell.scrollWidth > cell.clientWidth ||
    cell.scrollHeight > cell.clientHeight + 3)
  .map((cell) => cell.className)"""


def cut(page: Page, variable: str) -> List[str]:
    found: List[str] = page.ask(CUT, variable)
    return found


def near(text: str, value: Any) -> bool:
    """Whether *text* is a number like *value*, perhaps with fewer digits."""
    try:
        return float(text) == pytest.approx(float(value), rel=0.01)
    except ValueError:
        return False


@pytest.mark.parametrize("width", WIDTHS)
def test_no_number_is_cut_off_in_the_list(page: Page, client: Client, width: int) -> None:
    page.resize(width)
    values: Dict[str, Any] = {
        "Types.Double": -1.2345678901234567e30,
        "Types.Float": -1.5e-30,
        "Types.Int64": str(-(2**63)),
        "Types.UInt64": str(2**64 - 1),
        "Boiler.Setpoint": 79.123456,
    }
    for name, value in values.items():
        client.write(name, value)
    page.search("Types.")
    for name, value in values.items():
        page.search(name)
        page.shows(lambda n=name, v=value: near(page.cell(n, "value"), v), "the value")
        shown = page.cell(name, "value")
        assert [each for each in cut(page, name) if "value" in each or "unit" in each] == []
        if "Int" in name and width > 320:
            assert shown == value, "whole and exact"
        assert page.ask(
            "document.querySelector('[data-variable=\"%s\"] .value').title" % name
        ).endswith(
            page.ask(
                "typeof arguments[0] === 'number' ? String(arguments[0]) : arguments[0]", value
            )
        ), "every digit"
    page.search("Types.")
    page.picture("values-%d" % width)


@pytest.mark.parametrize("width", WIDTHS)
def test_names_that_differ_anywhere_look_different(page: Page, width: int) -> None:
    page.resize(width)
    for word, names in (("Plant.Hall", LINES), ("Site.", [LONG % n for n in range(3)])):
        page.search(word)
        page.shows(lambda n=names: page.names() == sorted(n), "them")
        page.shows(lambda n=names: page.cell(n[0], "value"), "a value")
        shown = [page.cell(name, "name") for name in names]
        assert len(set(shown)) == len(names), shown
        for name in names:
            assert [each for each in cut(page, name) if "name" in each] == []
            title = "document.querySelector('[data-variable=\"%s\"] .name').title" % name
            assert page.ask(title) == name
        page.picture("names-%d-%s" % (width, word.strip(".")))
    page.look_at(LINES[0])
    assert page.text("#detail-name").replace("\n", "") == LINES[0]


def test_what_is_beyond_its_limits_is_told_apart_in_list_and_detail(
    page: Page, client: Client
) -> None:
    value = "document.querySelector('[data-variable=\"Boiler.Setpoint\"] .value')"
    page.search("Boiler.Setpoint")
    for written, mark, kind, words in (
        (90, "", "", ""),
        (90.004, "▲", "doubt", "above High 90"),
        (9.5, "▼", "doubt", "below Low 10"),
        (121, "▲▲", "bad", "above HighHigh 120"),
    ):
        client.write("Boiler.Setpoint", written)
        title = "%s: %s" % (words, written) if words else str(written)
        page.shows(lambda t=title: page.ask(value + ".title") == t, "the value")
        assert page.ask(value + ".dataset.mark") == mark
        assert [
            each
            for each in ("doubt", "bad")
            if page.ask(value + ".classList.contains(arguments[0])", each)
        ] == [kind][: len(kind)]
        drawn = page.ask("getComputedStyle(%s, '::before').content" % value)
        assert drawn == ('"%s "' % mark if mark else "none")
    page.picture("beyond-in-list")
    page.look_at("Boiler.Setpoint")
    page.shows(lambda: page.text("#detail-limit") == "above HighHigh 120", "in words")
    assert page.ask("document.getElementById('detail-value').classList.contains('bad')")
    page.picture("beyond")
    client.write("Boiler.Setpoint", 80)
    page.shows(lambda: page.text("#detail-limit") == "", "the end of it")
    page.shows(lambda: page.ask(value + ".dataset.mark") == "", "in the list, too")


LOOK = """((cell) => [getComputedStyle(cell).fontStyle, getComputedStyle(cell).color])
  (document.querySelector('[data-variable="' + arguments[0] + '"] .value'))"""


def test_what_is_old_looks_so_and_says_so(page: Page) -> None:
    page.search("Types.Uncertain")
    page.shows(lambda: page.cell("Types.Uncertain", "value"), "the value")
    old = page.ask(LOOK, "Types.Uncertain")
    page.search("Boiler.Level")
    page.shows(lambda: page.cell("Boiler.Level", "value"), "the value")
    fresh = page.ask(LOOK, "Boiler.Level")
    assert (old[0], fresh[0]) == ("italic", "normal")
    assert old[1] != fresh[1]


def test_without_opcws_every_value_is_old_and_beyond_nothing(
    browser: Any, plant: PlantProcess
) -> None:
    listed = {
        name: {"node": "nsu=urn:demo:plant;s=" + name, "access": "readwrite", "limits": LIMITS}
        for name in ("Boiler.Setpoint", "Boiler.Valve")
    }
    with connected(support.serve(plant.endpoint, variables=listed)) as server:
        with Client(server.urls[0]) as client:
            client.write("Boiler.Setpoint", 91)
            page = Page(browser, server.urls[0] + "#Boiler.Setpoint")
            page.shows(lambda: page.text("#detail-limit") == "above High 90", "beyond")
        page.search("Boiler.Setpoint")
    page.shows(lambda: page.cell("Boiler.Setpoint", "quality") == "last known", "the loss")
    value = "document.querySelector('[data-variable=\"Boiler.Setpoint\"] .value')"
    assert page.ask(LOOK, "Boiler.Setpoint")[0] == "italic"
    assert page.ask(value + ".dataset.mark") == ""
    title = "document.querySelector('[data-variable=\"Boiler.Setpoint\"] .quality').title"
    assert "no connection to opcws" in page.ask(title)
    assert page.text("#detail-quality") == "last known"
    assert page.text("#detail-limit") == ""
    page.picture("old")


# --- in the detail -------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_no_number_is_cut_off_or_broken_in_the_detail(
    page: Page, client: Client, width: int
) -> None:
    page.resize(width)
    reading = "document.getElementById('detail-value')"
    for name, value in (
        ("Types.Double", -1.2345678901234567e300),
        ("Types.Int64", str(-(2**63))),
        ("Types.UInt64", str(2**64 - 1)),
    ):
        client.write(name, value)
        page.look_at(name)
        page.shows(lambda v=value: near(page.text("#detail-value"), v), "the value")
        assert page.ask(reading + ".getClientRects().length") == 1, "in one line"
        assert page.ask("document.getElementById('detail').scrollWidth") <= width
        if "Int" in name:
            page.shows(lambda v=value: near(page.text("#trend-series .at"), v), "the legend")
        assert page.ask(
            "((e) => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right"
            " <= innerWidth)(document.querySelector('#trend-series .at').parentElement)"
        )
        page.click("#tab-facts")
        assert page.text("#facts-exact").replace("e+", "e") == str(value).replace("e+", "e")
        page.picture("reading-%d-%s" % (width, name))
        page.browser.execute_script("document.getElementById('detail-close').click()")


def test_the_exact_value_in_details_is_the_present_one(page: Page, client: Client) -> None:
    client.write("Test.Counter", 5)
    page.look_at("Test.Counter")
    page.click("#tab-facts")
    page.shows(lambda: page.text("#facts-exact") == "5", "the value")
    client.write("Test.Counter", 6)
    page.shows(lambda: page.text("#facts-exact") == "6", "the next one")
    assert re.match(r"The source's timestamp: \w{3} \d\d, 20\d\d, ", page.text("#facts-time"))


def test_a_matrix_is_a_table_and_a_structure_a_list(page: Page) -> None:
    page.look_at("Types.Matrix")
    cells = "Array.from(document.querySelectorAll('#detail-parts tr'), (e) => e.innerText)"
    page.shows(lambda: page.ask(cells) == ["1\t2\t3", "4\t5\t6"], "the rows")
    page.picture("matrix")
    page.browser.execute_script("document.getElementById('detail-close').click()")
    page.look_at("Types.EUInformation")
    page.shows(lambda: "UnitId: " in page.text("#detail-parts"), "its fields")
    assert "DisplayName: °C" in page.text("#detail-parts").split("\n")
    page.picture("structure")
    page.browser.execute_script("document.getElementById('detail-close').click()")
    page.look_at("Types.LocalizedText")
    page.shows(lambda: page.text("#detail-value") == "Kessel", "the text")
    assert page.ask("document.getElementById('detail-value').title") == "In the language de"
    assert page.text("#detail-parts") == ""
    page.browser.execute_script("document.getElementById('detail-close').click()")
    page.look_at("Types.Null")
    page.shows(lambda: page.text("#detail-value") == "none", "no value")

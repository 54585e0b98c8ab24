"""How the page at / orders and gathers variables: search, sorting, favourites, the tree."""

from typing import Any, Iterator, List

import pytest

from opcws.app import Server

from ... import support
from ...support import Client, PlantProcess, axe
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

ENTER, TAB, DOWN = "\ue007", "\ue004", "\ue015"

NODES = {
    "Boiler.Level": "Boiler.Level",
    "Boiler.Valve.Position": "Boiler.Valve",
    "Boiler.Valve.Setpoint": "Boiler.Setpoint",
    "Hall/North/Door": "Types.Boolean",
    "Mixer": "Types.String",
    "Mixer.Sensors.Broken": "Types.Bad",
    "Mixer.Sensors.Old": "Types.Uncertain",
    "Mixer.Speed": "Motor.Speed",
    "pump3.Count": "Types.Int16",
    "Pump1.Count": "Types.Byte",
    "Pump10.Count": "Types.UInt16",
    "Pump2.Count": "Test.Counter",
}
NATURAL = [
    "Boiler.Level",
    "Boiler.Valve.Position",
    "Boiler.Valve.Setpoint",
    "Hall/North/Door",
    "Mixer",
    "Mixer.Sensors.Broken",
    "Mixer.Sensors.Old",
    "Mixer.Speed",
    "Pump1.Count",
    "Pump2.Count",
    "pump3.Count",
    "Pump10.Count",
]


@pytest.fixture(scope="module")
def server(plant: PlantProcess) -> Iterator[Server]:
    listed = {
        name: {"node": "nsu=urn:demo:plant;s=" + node, "access": "readwrite"}
        for name, node in NODES.items()
    }
    with support.served(plant.endpoint, variables=listed) as running:
        yield running


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Page]:
    opened = Page(browser, server.urls[0])
    opened.shows(lambda: opened.cell("Boiler.Level", "unit"), "what is known")
    opened.shows(lambda: opened.cell("Pump10.Count", "value"), "the values")
    yield opened
    opened.restore()
    browser.execute_script("localStorage.clear()")


# --- the search ----------------------------------------------------------------------------------


def test_pump2_is_listed_before_pump10(page: Page) -> None:
    assert page.names() == NATURAL


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("boiler.*", ["Boiler.Level", "Boiler.Valve.Position", "Boiler.Valve.Setpoint"]),
        ("*valve*", ["Boiler.Valve.Position", "Boiler.Valve.Setpoint"]),
        ("pump?.count", ["Pump1.Count", "Pump2.Count", "pump3.Count"]),
        ("pump??.*", ["Pump10.Count"]),
        ("boiler.* %", ["Boiler.Level", "Boiler.Valve.Position"]),
        ("valve*", []),
        ("m*r", ["Mixer"]),
        ("[a-z]*", []),
        ("*.* broken", ["Mixer.Sensors.Broken"]),
    ],
)
def test_a_word_with_a_star_is_the_whole_name(page: Page, words: str, found: Any) -> None:
    page.search(words)
    page.shows(lambda: page.names() == found, "what is found")


# --- the order -----------------------------------------------------------------------------------

SORTED = "document.querySelector('[aria-sort]')"


def order(page: Page) -> List[str]:
    """The column that is sorted by, and how."""
    column: str = page.ask(SORTED + ".querySelector('button').dataset.sort")
    return [column, page.ask(SORTED + ".getAttribute('aria-sort')")]


#: All values are numbers, and none is the same as another's.
VALUES = {"Pump1.Count": 7, "Pump2.Count": 5, "pump3.Count": 12000, "Pump10.Count": 800}


@pytest.fixture
def counts(page: Page, client: Client) -> Page:
    for name, value in VALUES.items():
        client.write(name, value)
    page.search("*.count")
    for name, value in VALUES.items():
        page.shows(lambda n=name, v=value: page.cell(n, "value") == str(v), "the value of " + name)
    return page


def test_a_column_sorts_then_reverses_then_it_is_the_natural_order_again(counts: Page) -> None:
    rising = ["Pump2.Count", "Pump1.Count", "Pump10.Count", "pump3.Count"]
    natural = [name for name in NATURAL if name in VALUES]
    assert order(counts) == ["name", "ascending"]
    counts.click("[data-sort=value]")
    counts.shows(lambda: counts.names() == rising, "sorted by value")
    assert order(counts) == ["value", "ascending"]
    counts.shows(
        lambda: "Sorted by the values of" in counts.ask(SORTED + ".firstChild.title"), "of when"
    )
    counts.picture("sorted")
    counts.click("[data-sort=value]")
    counts.shows(lambda: counts.names() == rising[::-1], "reversed")
    assert order(counts) == ["value", "descending"]
    counts.click("[data-sort=value]")
    counts.shows(lambda: counts.names() == natural, "the natural order")
    assert order(counts) == ["name", "ascending"]
    counts.click("[data-sort=name]")
    counts.shows(lambda: counts.names() == natural[::-1], "reversed")
    assert counts.complaints() == []


def test_rows_stay_in_place_when_their_values_change(counts: Page, client: Client) -> None:
    counts.click("[data-sort=value]")
    counts.shows(lambda: counts.names()[0] == "Pump2.Count", "sorted by value")
    counts.shows(
        lambda: "Sorted by the values of" in counts.ask(SORTED + ".firstChild.title"), "of when"
    )
    client.write("Pump2.Count", 99)
    counts.shows(lambda: counts.cell("Pump2.Count", "value") == "99", "the new value")
    assert counts.names()[0] == "Pump2.Count"


def test_quality_and_unit_sort_too_and_what_has_none_comes_last(page: Page) -> None:
    page.click("[data-sort=quality]")
    page.shows(lambda: page.names()[:2] == ["Mixer.Sensors.Broken", "Mixer.Sensors.Old"], "bad")
    page.click("[data-sort=quality]")
    page.shows(lambda: page.names()[-2:] == ["Mixer.Sensors.Old", "Mixer.Sensors.Broken"], "good")
    page.click("[data-sort=unit]")
    with_unit = [name for name in NATURAL if page.cell(name, "unit")]
    units = [page.cell(name, "unit") for name in page.names()[: len(with_unit)]]
    assert units == ["%", "%", "°C", "rpm"]
    page.click("[data-sort=unit]")
    page.shows(lambda: order(page) == ["unit", "descending"], "reversed")
    units = [page.cell(name, "unit") for name in page.names()[: len(with_unit)]]
    assert units == ["rpm", "°C", "%", "%"]


def test_age_sorts_what_changed_last_first(counts: Page, client: Client) -> None:
    for name, value in (("Pump2.Count", 6), ("pump3.Count", 9)):
        client.write(name, value)
        counts.shows(lambda n=name, v=value: counts.cell(n, "value") == str(v), "the new value")
    counts.click("[data-sort=age]")
    counts.shows(lambda: counts.names()[:2] == ["pump3.Count", "Pump2.Count"], "the newest first")
    counts.click("[data-sort=age]")
    counts.shows(lambda: counts.names()[2:] == ["Pump2.Count", "pump3.Count"], "the oldest first")


def test_the_keyboard_sorts(page: Page) -> None:
    page.element("list").send_keys(TAB)
    assert page.ask("document.activeElement.dataset.sort") == "name"
    page.press(ENTER)
    page.shows(lambda: page.names() == NATURAL[::-1], "reversed")
    assert page.text("#detail-name") == "", "no row was opened"


def test_a_phone_without_heads_has_a_list_of_orders(counts: Page) -> None:
    assert not counts.text("#sort")
    counts.resize(375)
    counts.shows(lambda: counts.text("#sort"), "the choice")
    counts.choose("sort", "value-")
    counts.shows(lambda: counts.names()[0] == "pump3.Count", "the highest first")
    counts.picture("sort-phone")


def test_values_out_of_sight_are_read_to_sort_by_them(browser: Any, plant: PlantProcess) -> None:
    first = {"A%03d" % n: {"node": "nsu=urn:demo:plant;s=Types.Int32"} for n in range(200)}
    node = {"node": "nsu=urn:demo:plant;s=Types.Bad"}
    server = support.serve(plant.endpoint, variables={**first, "Z": node})
    try:
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.cell("A000", "value"), "a value")
        page.click("[data-sort=quality]")
        page.shows(lambda: page.names()[0] == "Z", "the bad one from the end")
    finally:
        server.stop()


# --- favourites ----------------------------------------------------------------------------------


def pressed(page: Page, selector: str) -> bool:
    found = "document.querySelector(arguments[0]).getAttribute('aria-pressed')"
    return bool(page.ask(found, selector) == "true")


def test_favourites_survive_a_reload_and_are_shown_alone(page: Page, server: Server) -> None:
    page.click("#favourites")
    assert page.text("#nothing").startswith("No favourites yet")
    page.click("#favourites")
    page.click("[data-variable='Pump2.Count'] .star")
    assert pressed(page, "[data-variable='Pump2.Count'] .star")
    assert page.text("#detail-name") == "", "a star opens nothing"
    page.press(DOWN, "f")
    assert pressed(page, "[data-variable='pump3.Count'] .star")
    page.press("f")
    assert not pressed(page, "[data-variable='pump3.Count'] .star")
    page.look_at("Hall/North/Door")
    page.click("#star")
    assert pressed(page, "#star")

    again = Page(page.browser, server.urls[0])
    again.shows(lambda: again.names() == NATURAL, "the list")
    again.click("#favourites")
    assert again.names() == ["Hall/North/Door", "Pump2.Count"]
    assert again.text("#count") == "2 of %d variables" % len(NATURAL)
    again.search("pump")
    again.shows(lambda: again.names() == ["Pump2.Count"], "searched among the favourites")
    again.picture("favourites")
    again.click("[data-variable='Pump2.Count'] .star")
    assert again.names() == []
    assert again.complaints() == []


@pytest.mark.parametrize("kept", ["nonsense", "7", '{"a": 1}', "[1, null]"])
def test_favourites_that_are_none_harm_nothing(page: Page, server: Server, kept: str) -> None:
    page.browser.execute_script("localStorage.setItem('favourites', arguments[0])", kept)
    again = Page(page.browser, server.urls[0])
    again.shows(lambda: again.names() == NATURAL, "the list")
    again.click("[data-variable='Mixer'] .star")
    assert pressed(again, "[data-variable='Mixer'] .star")
    assert again.complaints() == []


def test_without_storage_favourites_last_as_long_as_the_page(page: Page, server: Server) -> None:
    blocked = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    added = page.browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": blocked}
    )
    try:
        again = Page(page.browser, server.urls[0])
        again.shows(lambda: again.names() == NATURAL, "the list")
        again.click("[data-variable='Mixer'] .star")
        again.click("#favourites")
        assert again.names() == ["Mixer"]
        assert again.complaints() == []
    finally:
        page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
        page.browser.refresh()


# --- looks ---------------------------------------------------------------------------------------


@axe.needed
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_wrong(page: Page, width: int, scheme: str) -> None:
    page.resize(width)
    page.scheme(scheme)
    page.click("[data-variable='Mixer'] .star")
    page.choose("sort", "value-")
    page.shows(lambda: order(page) == ["value", "descending"], "sorted")
    assert axe.judged(page.browser) == []

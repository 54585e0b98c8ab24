"""How the page at / orders and gathers variables: search, sorting, favourites, the tree."""

import re
from typing import Any, Iterator, List

import pytest

from opcws.app import Server

from ... import support
from ...support import Client, PlantProcess, wait_until
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = [pytest.mark.own_plant, pytest.mark.drawn]

ENTER, TAB, DOWN = "\ue007", "\ue004", "\ue015"
LEFT, RIGHT, HOME, END = "\ue012", "\ue014", "\ue011", "\ue010"

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
    counts.search("*2.count")
    counts.search("*.count")
    assert counts.names()[0] == "Pump2.Count", "also after another search"
    counts.choose("sort", "value")
    counts.shows(lambda: counts.names()[1] == "Pump2.Count", "sorted anew")


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


# --- the tree ------------------------------------------------------------------------------------

FOLDED = ["Boiler/", "Hall/North/Door", "Mixer/", "Pump1.Count", "Pump2.Count", "pump3.Count"]
FOLDED += ["Pump10.Count", "Mixer"]


def rows(page: Page) -> List[str]:
    """What the rows are called, at a distance from the edge; folders end in ``/``."""
    found: List[str] = page.ask(
        "Array.from(document.querySelectorAll('#list .space .row:not([hidden])'))"
        ".sort((a, b) => a.dataset.index - b.dataset.index)"
        ".map((row) => '  '.repeat(row.getAttribute('aria-level') - 1)"
        " + row.querySelector('.name').textContent + (row.dataset.folder ? '/' : ''))"
    )
    return found


def folder(page: Page, path: str, column: str) -> str:
    return page.text('[data-folder="%s"] .%s' % (path, column))


@pytest.fixture
def grown(page: Page) -> Page:
    page.click("#tree")
    page.shows(lambda: rows(page) == FOLDED, "the folded tree")
    return page


def test_points_and_slashes_make_folders_that_tell_how_many_are_below(grown: Page) -> None:
    assert folder(grown, "Boiler", "note") == "3 variables"
    assert folder(grown, "Mixer", "note") == "3 variables"
    assert grown.ask("document.getElementById('list').getAttribute('role')") == "treegrid"
    grown.click("[data-folder=Boiler]")
    unfolded = ["Boiler/", "  Valve/", "  Level", *FOLDED[1:]]
    assert rows(grown) == unfolded
    assert folder(grown, "Boiler.Valve", "note") == "2 variables"
    grown.click("[data-folder='Boiler.Valve']")
    grown.shows(lambda: grown.cell("Boiler.Valve.Position", "value"), "the value below")
    assert rows(grown)[:4] == ["Boiler/", "  Valve/", "    Position", "    Setpoint"]
    grown.picture("tree")
    grown.click("[data-folder='Boiler.Valve']")
    assert rows(grown) == unfolded
    grown.click("[data-variable='Boiler.Level']")
    grown.shows(lambda: grown.text("#detail-name") == "Boiler.Level", "the detail")
    assert grown.complaints() == []


def test_a_folder_with_a_single_path_is_joined_with_it(grown: Page) -> None:
    assert "Hall/North/Door" in rows(grown)
    grown.search("boiler.valve.*")
    grown.shows(lambda: rows(grown) == ["Boiler.Valve/", "  Position", "  Setpoint"], "joined")


def test_names_that_read_alike_below_their_folder_have_their_points_and_slashes(page: Page) -> None:
    names = [
        "a.b",
        "a..b",
        "a/b",
        "a.c",
        "x.y.1",
        "x.y.2",
        "x/y.1",
        "x/y.2",
        "x.z",
        "d",
        "d.e",
        "d.f",
    ]
    labels = page.browser.execute_async_script(
        "const [names, ready] = arguments;"
        "import('/tree.js').then(({ Tree }) => { const tree = new Tree(); tree.grow(names, true);"
        " ready(Array.from(tree.rows().values(), ({ label }) => label)); })",
        names,
    )
    assert labels == [
        *("a", ".b", "..b", "/b", "c"),
        *("x", ".y", "1", "2", "/y", "1", "2", "z"),
        *("d", "e", "f", "d"),
    ]


def test_a_search_unfolds_what_it_finds_and_what_was_unfolded_before_returns(grown: Page) -> None:
    grown.search("broken")
    grown.shows(lambda: rows(grown) == ["Mixer.Sensors.Broken"], "what is found")
    grown.search("mixer")
    found = ["Mixer/", "  Sensors/", "    Broken", "    Old", "  Speed", "Mixer"]
    grown.shows(lambda: rows(grown) == found, "unfolded")
    grown.click("[data-folder='Mixer.Sensors']")
    grown.shows(lambda: len(rows(grown)) == 4, "folded in the search")
    grown.search("")
    grown.shows(lambda: rows(grown) == FOLDED, "folded as before")


def test_the_tree_is_remembered_and_left_again(grown: Page, server: Server) -> None:
    again = Page(grown.browser, server.urls[0])
    again.shows(lambda: rows(again) == FOLDED, "the tree again")
    assert pressed(again, "#tree")
    again.click("#tree")
    again.shows(lambda: again.names() == NATURAL, "the list")
    assert again.ask("document.getElementById('list').getAttribute('role')") == "grid"


def test_a_link_unfolds_what_its_variable_is_in(grown: Page, server: Server) -> None:
    linked = Page(grown.browser, server.urls[0] + "#Boiler.Valve.Setpoint")
    linked.shows(lambda: linked.cell("Boiler.Valve.Setpoint", "value"), "the row")
    assert "Mixer.Speed" not in linked.names(), "what it is not in stays folded"


def test_the_worst_quality_below_rolls_up_and_clears(browser: Any, plant: PlantProcess) -> None:
    def node(name: str) -> Any:
        return {"node": "nsu=urn:demo:plant;s=" + name, "access": "readwrite"}

    listed = {"Hall.Oven.Heat": node("Types.Float"), "Hall.Oven.Door": node("Types.Boolean")}
    frail = PlantProcess()
    away = {"endpoint": frail.endpoint, "variables": {"Hall.Crane.Load": node("Types.Double")}}
    server = support.serve(plant.endpoint, variables=listed, more_servers={"crane": away})
    try:
        support.wait_connected(server)
        page = Page(browser, server.urls[0])
        page.click("#tree")
        page.shows(lambda: folder(page, "Hall", "quality") == "Good", "all is well")
        frail.kill()
        page.shows(lambda: folder(page, "Hall", "quality") == "1 bad", "the bad one below")
        kinds = page.ask("document.querySelector('[data-folder=Hall] .quality').className")
        assert kinds == "quality bad"
        title = page.ask("document.querySelector('[data-folder=Hall] .quality').title")
        assert title == "3 of 3 are known: 1 bad, 2 good"
        page.click("[data-folder=Hall]")
        assert rows(page) == ["Hall/", "  Crane.Load", "  Oven/"]
        page.shows(lambda: folder(page, "Hall.Oven", "quality") == "Good", "the other folder")
        assert folder(page, "Hall", "quality") == "1 bad"
        frail.start()
        page.shows(lambda: folder(page, "Hall", "quality") == "Good", "it is well again")
        assert page.cell("Hall.Crane.Load", "quality") == "Good"
    finally:
        browser.execute_script("localStorage.clear()")
        server.stop()
        frail.kill()


def test_of_what_is_below_the_worst_is_told(grown: Page) -> None:
    grown.shows(lambda: folder(grown, "Mixer", "quality") == "1 bad", "the bad one")
    grown.search("mixer.s*d")
    found = ["Mixer/", "  Sensors.Old", "  Speed"]
    grown.shows(lambda: rows(grown) == found, "without the broken one")
    grown.shows(lambda: folder(grown, "Mixer", "quality") == "1 uncertain", "the doubtful one")


def test_the_tree_is_used_with_the_keyboard(grown: Page) -> None:
    active = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"

    def at(what: str = ".querySelector('.name').textContent") -> Any:
        return grown.ask(active + what)

    grown.element("list").send_keys(HOME)
    assert at() == "Boiler"
    assert at(".getAttribute('aria-expanded')") == "false"
    grown.press(RIGHT)
    assert at(".getAttribute('aria-expanded')") == "true"
    assert at() == "Boiler"
    grown.press(RIGHT)
    assert at() == "Valve"
    assert at(".getAttribute('aria-level')") == "2"
    grown.press(ENTER, RIGHT, DOWN)
    assert at() == "Setpoint"
    grown.press("f")
    assert pressed(grown, "[data-variable='Boiler.Valve.Setpoint'] .star")
    grown.press(LEFT)
    assert at() == "Valve"
    grown.press("f", LEFT)
    assert at() == "Valve"
    assert at(".getAttribute('aria-expanded')") == "false"
    grown.press(LEFT)
    assert at() == "Boiler"
    grown.press(LEFT)
    assert rows(grown) == FOLDED
    assert grown.complaints() == []
    grown.press(END, ENTER)
    grown.shows(lambda: grown.text("#detail-name") == "Mixer", "the variable of a folder's name")


def test_ten_thousand_variables_are_a_tree_of_a_few_rows_and_monitors(
    browser: Any, plant: PlantProcess
) -> None:
    node = {"node": "nsu=urn:demo:plant;s=Types.Int32"}
    many = {"Site%d.Line%02d.Tank%03d" % (n // 2000, n // 200, n % 200): node for n in range(9000)}
    away = "opc.tcp://127.0.0.1:%d" % support.free_port()
    more = {"away": {"endpoint": away, "variables": many}}
    near = {"Near.Tank%03d" % n: node for n in range(1000)}
    server = support.serve(plant.endpoint, variables=near, more_servers=more)
    try:
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.text("#count") == "10,000 variables", "all of them")
        page.click("#tree")
        folded = ["Near/"] + ["Site%d/" % n for n in range(5)]
        page.shows(lambda: rows(page) == folded, "the folders")
        assert folder(page, "Site0", "note") == "2,000 variables"
        page.shows(lambda: "bad" in folder(page, "Site0", "quality"), "that it is away")
        title = "document.querySelector('[data-folder=Site0] .quality').title"
        page.shows(
            lambda: re.match(r"\d+ of 2,000 are known: \d+ bad$", page.ask(title)), "how many"
        )
        page.shows(lambda: "good" in folder(page, "Near", "quality").lower(), "that it is well")
        relay = server.plants["plant"].relay
        wait_until(lambda: 0 < relay.health().active <= 2000, "no more is monitored")
        took = page.browser.execute_script(SEARCH, "tank1")
        assert page.count() == 4600 + 1 + 5 + 45, "all unfolded"
        # Generous, as the machine may be busy.
        assert took < 1000 * support.slack_s()
        assert page.ask("document.querySelectorAll('.row').length") < 100
        page.search("")
        page.shows(lambda: rows(page) == folded, "folded")
        page.click("[data-folder=Site4]")
        page.shows(lambda: page.count() == 6 + 5, "the lines of a site")
        page.picture("tree-ten-thousand")
        assert page.complaints() == []
    finally:
        browser.execute_script("localStorage.clear()")
        server.stop()


# How many ms a search takes.
SEARCH = """
const field = document.getElementById("search");
field.value = arguments[0];
const began = performance.now();
field.dispatchEvent(new Event("input"));
return performance.now() - began;
"""


# --- looks ---------------------------------------------------------------------------------------


#: Where the names of variables are in their rows, in px from the top.
TOPS = """Array.from(document.querySelectorAll('[data-variable]')).map((row) => Math.round(
  row.querySelector('.name').getBoundingClientRect().bottom - row.getBoundingClientRect().top))"""


@pytest.mark.parametrize("width", [375, 1280])
def test_short_and_long_names_are_at_the_same_height(page: Page, width: int) -> None:
    page.resize(width)
    page.click("#tree")
    page.search("*n*")  # all but some: unfolded
    page.shows(lambda: "Hall/North/Door" in rows(page), "a long name")
    assert "  Broken" in rows(page) and "Pump10.Count" in rows(page), "and shorter ones"
    page.shows(lambda: len(set(page.ask(TOPS))) == 1, "one height, with their values")

"""The page at / in a real browser: what a person sees and does while the plant lives, dies,
returns.  Pictures of it are left in tests/screenshots/."""

import json
import re
import threading
import urllib.request
from typing import Any, Dict, List, Sequence, Union

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.demo import variables
from opcws.model.errors import PlantError
from opcws.ua.services.metadata import ALL, Metadata

from ... import support
from ...support import PATIENCE, Client, PlantProcess, connected, readme, wait_until
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

STATIC = readme.ROOT / "opcws" / "static"
ENTER, ESCAPE, TAB, DOWN, END, LEFT = "\ue007", "\ue00c", "\ue004", "\ue015", "\ue010", "\ue012"


def natural(name: str) -> List[Union[str, int]]:
    """Int16 before Int8 is for machines."""
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if part.isdigit() else part for part in parts]


def test_the_list_has_every_variable_with_value_unit_quality_and_age(page: Page) -> None:
    names = sorted((variable.name for variable in variables()), key=natural)
    assert page.count() == len(names)
    assert page.names() == names[: len(page.names())]
    assert page.cell("Boiler.Temperature", "unit") == "°C"
    assert float(page.cell("Boiler.Temperature", "value")) > 0
    assert page.cell("Boiler.Temperature", "quality") == "Good"
    assert page.cell("Boiler.Temperature", "age")
    assert page.cell("Boiler.Temperature", "note") == "Water temperature, follows the set point"
    assert page.cell("Motor.Mode", "value") == "Automatic (1)"
    assert page.text("#connection") == "opcws connected"
    assert page.text("#servers") == "plant connected"
    assert page.text("#count") == "%d variables" % len(names)
    page.picture("list")
    assert page.complaints() == []


def test_what_is_not_good_is_said_in_words(page: Page) -> None:
    page.search("Types.Bad")
    page.shows(lambda: page.cell("Types.Bad", "quality") == "BadSensorFailure", "the bad one")
    page.search("Types.Uncertain")
    page.shows(
        lambda: page.cell("Types.Uncertain", "quality") == "UncertainLastUsableValue",
        "the doubtful one",
    )
    page.look_at("Test.WriteOnly")
    page.shows(lambda: page.text("#detail-quality") == "BadNotReadable", "the unreadable one")
    assert "can only be written" in page.text("#detail-reason")


def test_a_change_in_the_plant_appears_without_a_reload(page: Page, client: Client) -> None:
    page.search("Test.Counter")
    for value in (41, 42):
        client.write("Test.Counter", value)
        page.shows(lambda v=value: page.cell("Test.Counter", "value") == str(v), "the new value")


def test_an_integer_beyond_javascripts_numbers_keeps_its_digits(page: Page) -> None:
    page.search("Types.Int64Big")
    page.shows(lambda: page.cell("Types.Int64Big", "value") == "4611686018427387904", "every digit")


def test_the_search_finds_by_name_description_and_unit(page: Page) -> None:
    page.search("MOTOR.")
    assert page.names() == ["Motor.Mode", "Motor.Speed", "Motor.State"]
    assert page.text("#count") == "3 of %d variables" % len(variables())
    page.search("motor rpm")
    assert page.names() == ["Motor.Speed"]
    page.search("steam")
    assert page.names() == ["Boiler.Pressure"]
    page.search("no such thing")
    assert page.names() == []
    assert page.text("#nothing") == "No variable matches."
    page.search("")
    assert page.count() == len(variables())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1440])
def test_nothing_sticks_out_of_a_narrow_window(page: Page, width: int, scheme: str) -> None:
    page.resize(width)
    page.scheme(scheme)
    page.search("Types.Double")
    page.shows(lambda: page.cell("Types.Double", "value") == "0.1", "a value")
    page.search("")
    page.picture("list-%d-%s" % (width, scheme))
    assert page.ask("innerWidth") == width
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.look_at("Boiler.Temperature")
    page.shows(lambda: page.text("#detail-value"), "the value")
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.ask("document.getElementById('detail').scrollWidth") <= width
    beside = page.ask("document.getElementById('variables').offsetWidth > 0")
    assert beside == (width > 1000), "list and detail share the window only if there is room"
    wait_until(lambda: page.points() and page.points()[0] > 5, "a line")
    page.picture("detail-%d-%s" % (width, scheme))
    ground = page.ask("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(",")
    assert (int(ground[0]) < 100) == (scheme == "dark")


def test_light_and_dark_can_be_chosen_and_are_kept(page: Page) -> None:
    page.scheme("light")
    light = page.ask("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    dark = page.ask("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.browser.refresh()
    page.shows(lambda: page.text("#connection") == "opcws connected", "the page again")
    assert page.ask("getComputedStyle(document.body).backgroundColor") == dark
    page.click("#theme")
    assert page.ask("getComputedStyle(document.body).backgroundColor") == light
    page.browser.execute_script("localStorage.clear()")


def test_who_scrolls_and_clicks_gets_the_row_that_was_clicked(page: Page) -> None:
    page.browser.execute_script("document.getElementById('list').scrollTop = 30 * 51 + 25")
    page.shows(lambda: "Boiler.Level" not in page.names(), "the rows there")
    names = page.names()
    name = names[len(names) // 2]
    page.click('[data-variable="%s"]' % name)
    page.shows(lambda: page.text("#detail-name"), "a detail")
    assert page.text("#detail-name") == name


# --- trend


def test_a_trend_begins_with_the_past_and_goes_on_live_with_several_variables(
    page: Page,
) -> None:
    page.look_at("Boiler.Temperature")
    page.shows(lambda: page.points() and page.points()[0] > 50, "what the plant remembers")
    page.click("#pin")
    assert page.text("#pin") == "Kept in trend"
    page.look_at("Boiler.Pressure")
    page.shows(lambda: len(page.points()) == 2 and min(page.points()) > 50, "both")
    before = page.points()
    page.shows(lambda: all(now > old for now, old in zip(page.points(), before)), "it goes on")
    chips = page.text("#trend-series")
    assert "Boiler.Temperature" in chips and "°C" in chips and "bar" in chips
    label = page.ask("document.getElementById('trend-chart').getAttribute('aria-label')")
    assert "Boiler.Pressure" in label and "bar" in label, "a screen reader is told too"
    page.picture("trend")
    page.click("#trend-series .icon")
    page.shows(lambda: len(page.points()) == 1, "one less")
    assert page.complaints() == []


def test_the_trend_is_moved_and_zoomed_with_mouse_and_keyboard_and_goes_back_to_live(
    page: Page,
) -> None:
    page.look_at("Boiler.Temperature")
    page.shows(lambda: page.points() and page.points()[0] > 50, "a line")
    assert page.ask("document.getElementById('trend-live').getAttribute('aria-pressed')") == "true"
    first = picture_of_chart(page)
    page.click("[data-move=in]")
    page.shows(lambda: page.text("#trend-live") == "Back to live", "zoomed, no longer live")
    zoomed = picture_of_chart(page)
    assert zoomed != first
    assert picture_of_chart(page) == zoomed, "it stands still"
    page.element("trend-chart").send_keys(LEFT)
    page.shows(lambda: picture_of_chart(page) != zoomed, "it moved")
    moved = picture_of_chart(page)
    drag(page, 80)
    page.shows(lambda: picture_of_chart(page) != moved, "it was dragged")
    page.click("#trend-live")
    assert page.text("#trend-live") == "Live"


def drag(page: Page, by: int) -> None:
    chains = pytest.importorskip("selenium.webdriver.common.action_chains")
    chart = page.element("trend-chart")
    chains.ActionChains(page.browser).drag_and_drop_by_offset(chart, by, 0).perform()


def picture_of_chart(page: Page) -> str:
    """What the canvas of uPlot, or the lines without it, look like."""
    look: str = page.ask(
        "((e) => e.querySelector('canvas') ? e.querySelector('canvas').toDataURL()"
        " : e.innerHTML)(document.getElementById('trend-chart'))"
    )
    return look


def test_charts_are_drawn_by_uplot_where_it_is_packaged(page: Page) -> None:
    page.look_at("Boiler.Temperature")
    packaged = (STATIC / "uplot.js").exists()
    drawn_by = "document.getElementById('trend-chart').dataset.drawnBy"
    page.shows(lambda: page.ask(drawn_by) == ("uplot" if packaged else "opcws"), "who draws")


def test_without_uplot_there_are_simple_lines_and_a_table(page: Page, client: Client) -> None:
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*uplot*"]})
    try:
        page.browser.refresh()
        page.look_at("Boiler.Temperature")
        path = "(document.querySelector('#trend-chart path') || {getAttribute: () => ''})"
        page.shows(lambda: len(page.ask(path + ".getAttribute('d')") or "") > 200, "a line")
        assert page.ask("document.getElementById('trend-chart').dataset.drawnBy") == "opcws"
        page.click("#trend-table summary")
        rows = "document.querySelectorAll('#trend-table tbody tr').length"
        page.shows(lambda: page.ask(rows) > 20, "the table")
        page.picture("trend-simple")
    finally:
        page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def test_what_is_no_number_is_trended_as_a_table_of_changes(page: Page, client: Client) -> None:
    page.look_at("Types.String")
    page.shows(lambda: "no number" in page.text("#trend-note"), "why there is no line")
    client.write("Types.String", "first")
    client.write("Types.String", "second")
    page.shows(lambda: page.text("#trend-table tbody .value") == "second", "the newest on top")


@pytest.mark.parametrize("values", [("9007199254740993", "9007199254740995"), (1e29, -1.7e308)])
def test_no_number_is_too_much_for_the_chart(
    page: Page, client: Client, values: Sequence[Any]
) -> None:
    name, before = ("Types.Int64", str(2**53 + 1)) if values[0] != 1e29 else ("Types.Double", 0.1)
    page.look_at(name)
    # Else the first value might come behind those that are written.
    page.shows(lambda: page.points() and page.points()[0] > 0, "the first value")
    for value in values:
        client.write(name, value)
    text = page.ask("String(arguments[0])", values[1])
    page.shows(lambda: page.text("#detail-value").replace("e+", "e") in (text, "-1.7e308"), "it")
    client.write(name, before)
    page.shows(lambda: page.points()[0] >= 3, "the line goes on")
    assert page.complaints() == []


# --- history


def load(page: Page) -> str:
    page.click("#history-load")
    page.shows(lambda: page.text("#history-load") == "Load", "the end of loading")
    page.shows(lambda: not page.text("#history-note").startswith("Loading"), "what came of it")
    return page.text("#history-note")


def rows(page: Page) -> int:
    count: int = page.ask("document.querySelectorAll('#history-table tbody tr').length")
    return count


def test_history_is_loaded_raw_and_as_an_aggregate(page: Page, client: Client) -> None:
    for value in range(100, 105):
        client.write("Test.Counter", value)
    page.look_at("Test.Counter")
    page.click("#tab-history")
    page.choose("history-span", "900")
    found = load(page)
    assert found.endswith("values") and int(found.split()[0]) >= 5
    assert rows(page) == int(found.split()[0])
    assert page.text("#history-table tbody .value") == "104", "the newest on top"
    assert page.ask("document.getElementById('history-chart').offsetHeight") > 200
    page.picture("history")

    page.choose("history-aggregate", "Maximum")
    page.choose("history-interval", "3600")
    assert load(page) == "1 value"
    assert page.text("#history-table tbody .value") == "104"
    assert page.complaints() == []


def test_a_range_of_ones_own_is_checked_and_an_empty_one_said_to_be_empty(page: Page) -> None:
    page.look_at("Test.Counter")
    page.click("#tab-history")
    page.choose("history-span", "")
    page.choose("history-from", "2020-01-01T00:00:00")
    page.choose("history-to", "2020-01-01T01:00:00")
    assert load(page) == "There is nothing recorded in this range."
    page.choose("history-to", "2019-01-01T01:00:00")
    assert load(page) == "The range ends before it begins."


def test_history_that_there_is_not_says_why(page: Page) -> None:
    page.look_at("Types.Double")
    page.click("#tab-history")
    assert load(page)
    assert "problem" in page.ask("document.getElementById('history-note').className")


# --- the keyboard


def test_everything_can_be_reached_with_the_keyboard(page: Page) -> None:
    page.element("list").send_keys("/")
    page.press("Boiler.")
    page.shows(lambda: page.count() == 6, "what is found")
    page.press(DOWN)
    page.press(DOWN, DOWN)
    active = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
    assert page.ask(active + ".dataset.variable") == "Boiler.Profile"
    page.press(ENTER)
    page.shows(lambda: page.text("#detail-name") == "Boiler.Profile", "the detail")
    assert page.ask("document.activeElement.id") == "detail-name"
    page.press(ESCAPE)
    assert page.text("#detail-name") == ""
    assert page.ask("document.activeElement.id") == "list"
    page.press(END)
    assert page.ask(active + ".dataset.variable") == "Boiler.Valve"


def test_every_control_has_a_name_for_screen_readers(page: Page) -> None:
    page.look_at("Boiler.Setpoint")
    tree = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    asked = {"button", "textbox", "searchbox", "combobox", "tab", "grid", "dialog", "image"}
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node.get("ignored") and node.get("role", {}).get("value") in asked
    ]
    assert len(named) > 10
    assert [role for role, name in named if not name] == []


def test_a_link_leads_to_a_variable_and_back_closes_it(page: Page, server: Server) -> None:
    linked = Page(page.browser, server.urls[0] + "#Boiler.Level")
    linked.shows(lambda: linked.text("#detail-name") == "Boiler.Level", "the detail")
    linked.look_at("Boiler.Valve")
    linked.browser.back()
    linked.shows(lambda: linked.text("#detail-name") == "Boiler.Level", "the one before")


# --- many variables, several plants


def test_ten_thousand_variables_scroll_with_a_few_rows_and_monitors(
    browser: Any, plant: PlantProcess
) -> None:
    def tanks(line: str, count: int) -> Dict[str, Any]:
        node = {"node": "nsu=urn:demo:plant;s=Types.Int32"}
        return {"%s%02d.Tank%03d" % (line, n // 200, n % 200): node for n in range(count)}

    # Most of them are of a plant that is away: the simulated one takes minutes to say what it
    # knows of ten thousand.
    away = "opc.tcp://127.0.0.1:%d" % support.free_port()
    more = {"away": {"endpoint": away, "variables": tanks("Line", 9800)}}
    server = support.serve(plant.endpoint, variables=tanks("Tail", 200), more_servers=more)
    try:
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.count() == 10000, "all of them")
        page.shows(
            lambda: page.cell("Line00.Tank000", "quality") == "BadNotConnected", "the first row"
        )
        assert page.ask("document.querySelectorAll('.row').length") < 100
        frames = browser.execute_async_script(SCROLL)
        # Generous, as the machine may be busy: a list without tricks takes seconds a frame.
        assert sorted(frames)[len(frames) // 2] < 50 * support.slack_s(), frames
        assert page.ask("document.querySelectorAll('.row').length") < 100
        page.element("list").send_keys(END)
        page.shows(lambda: page.cell("Tail00.Tank199", "value"), "the last value")
        page.picture("ten-thousand")
        relay = server.plants["plant"].relay
        wait_until(lambda: 0 < relay.health().active < 60, "only what is in sight is monitored")
        page.search("Line23 Tank1")
        page.shows(lambda: page.count() == 100, "what is found")
        wait_until(lambda: relay.health().active == 0, "what is out of sight is let go")
        assert page.complaints() == []
    finally:
        server.stop()


# Scroll through the whole list; the times that frames took, in ms.
SCROLL = """
const ready = arguments[0];
const scroller = document.querySelector(".scroller");
const times = [];
let last = performance.now();
function frame(now) {
  times.push(now - last);
  last = now;
  scroller.scrollTop += scroller.scrollHeight / 60;
  if (times.length < 60) requestAnimationFrame(frame);
  else ready(times);
}
requestAnimationFrame(frame);
"""


def test_what_comes_back_into_sight_before_the_scrolling_settles_stays_monitored(
    page: Page,
) -> None:
    first, *others = page.browser.execute_async_script(THERE_AND_BACK)
    assert first != "variable 999"
    assert others == ["variable 999"], "nothing else has come into sight for long"


# A list at its end, which goes to its beginning and back; the last name of what was in sight, each
# time that the list said so.
THERE_AND_BACK = """
const ready = arguments[0];
import("/list.js").then(({ List }) => {
  const old = document.getElementById("list");
  const grid = old.cloneNode(true);
  grid.querySelector(".space").textContent = "";
  old.replaceWith(grid);
  const told = [];
  let next = () => {};
  const list = new List(grid, document.getElementById("row"), new Map(), {
    onSelect() {},
    onSight(names) { told.push(names[names.length - 1]); next(); },
  });
  next = () => {
    next = () => {
      next = () => {};
      list.move(0);
      list.move(999);
      setTimeout(() => ready(told), 1000);  // behind all that was to be told by then
    };
    list.move(999);
  };
  list.show(Array.from({ length: 1000 }, (_none, n) => "variable " + n));
});
"""


def test_several_plants_are_summed_up_and_can_be_chosen_from(
    browser: Any, plant: PlantProcess
) -> None:
    def named(name: str, endpoint: str) -> Dict[str, Any]:
        node = "nsu=urn:demo:plant;s=Boiler.Level"
        return {"endpoint": endpoint, "variables": {name + ".Level": {"node": node}}}

    nowhere = "opc.tcp://127.0.0.1:%d" % support.free_port()
    more = {name: named(name, plant.endpoint) for name in ("east", "west")}
    more["north"] = named("north", nowhere)
    server = support.serve(plant.endpoint, more_servers=more)
    try:
        page = Page(browser, server.urls[0])
        page.shows(
            lambda: page.text("#servers") == "1 of 4 plants not connected", "the sum of the states"
        )
        page.click("#servers button")
        assert "north disconnected" in page.text("#servers").replace("connecting", "disconnected")
        page.shows(lambda: page.text("#plant"), "the choice")
        page.choose("plant", "east")
        assert page.names() == ["east.Level"]
        page.shows(lambda: page.cell("east.Level", "value"), "its value")
        page.picture("plants")
    finally:
        server.stop()


# --- what is lost comes back


def test_a_plant_that_dies_is_shown_and_one_that_returns_heals_the_page(browser: Any) -> None:
    plant = PlantProcess()
    server = support.serve(plant.endpoint)
    try:
        support.wait_connected(server)
        page = Page(browser, server.urls[0] + "#Boiler.Setpoint")
        page.shows(lambda: page.cell("Boiler.Setpoint", "value") == "80.00", "a value")

        plant.kill()
        page.shows(lambda: page.text("#servers") == "plant disconnected", "the loss")
        assert page.text("#connection") == "opcws connected"
        page.shows(lambda: page.text("#notice").startswith("plant: "), "the reason")
        page.shows(
            lambda: page.cell("Boiler.Setpoint", "quality") == "BadNotConnected", "the bad quality"
        )
        assert page.cell("Boiler.Setpoint", "value") == "80.00", "the last value stays"
        page.shows(lambda: page.gaps() == [0], "what it was until then stays in the trend")
        page.picture("plant-lost")

        plant.start()
        page.shows(lambda: page.text("#servers") == "plant connected", "the return")
        page.shows(lambda: page.cell("Boiler.Setpoint", "quality") == "Good", "a fresh value")
        page.shows(lambda: page.text("#detail-quality") == "Good", "in the detail too")
        assert page.text("#notice") == ""
        assert page.complaints() == []
    finally:
        server.stop()
        plant.kill()


def test_an_opcws_that_restarts_is_found_again_by_the_page(
    browser: Any, plant: PlantProcess
) -> None:
    listen = {"port": support.free_port()}
    with connected(support.serve(plant.endpoint, listen=listen)) as server:
        page = Page(browser, server.urls[0] + "#Test.Counter")
        page.shows(lambda: page.text("#detail-quality") == "Good", "a value")
        page.search("Test.")
    page.shows(lambda: "lost" in page.text("#connection"), "the loss")
    assert "last known" in page.text("#notice")
    assert page.cell("Test.Counter", "value"), "the last value stays"
    page.picture("opcws-lost")

    with connected(support.serve(plant.endpoint)) as other, Client(other.urls[0]) as client:
        client.write("Test.Counter", 76)
    with connected(support.serve(plant.endpoint, listen=listen)) as server:
        page.shows(lambda: page.text("#connection") == "opcws connected", "the return")
        assert page.text("#notice") == ""
        page.shows(lambda: page.text("#detail-value") == "76", "what was written meanwhile")
        page.shows(lambda: page.gaps() == [1], "what nobody saw is a gap in the trend")
        with Client(server.urls[0]) as client:
            client.write("Test.Counter", 77)
        page.shows(lambda: page.cell("Test.Counter", "value") == "77", "a fresh value")
        page.shows(lambda: page.text("#detail-value") == "77", "in the detail too")
        assert page.complaints() == []


def test_a_configuration_that_changes_is_shown_without_a_reload_of_the_page(
    browser: Any, plant: PlantProcess
) -> None:
    node = {"node": "nsu=urn:demo:plant;s=Boiler.Level"}

    def configured(*names: str) -> Dict[str, Any]:
        return {"variables": dict.fromkeys(names, node)}

    with connected(support.serve(plant.endpoint, **configured("Old", "Stays"))) as server:
        page = Page(browser, server.urls[0] + "#Old")
        page.shows(lambda: page.text("#detail-quality") == "Good", "a value")
        changed = support.settings(plant.endpoint, **configured("New", "Stays"))
        server.reload(loads(json.dumps(changed)))
        page.shows(lambda: page.names() == ["New", "Stays"], "the new list")
        page.shows(lambda: page.cell("New", "value"), "its value")
        page.shows(lambda: page.cell("New", "unit") == "%", "what is known of it")
        assert page.text("#detail-name") == ""
        assert page.text("#notice") == "Old is not there any more."
        assert page.complaints() == []


def test_a_unit_that_is_known_later_than_the_type_is_shown(
    browser: Any, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, seen = Metadata.learn, threading.Event()

    def late(metadata: Any, link: Any, variables: Any, deadline: Any, level: int = ALL) -> Any:
        if level == ALL and not seen.wait(deadline.remaining()):
            raise PlantError("it says nothing", "BadTimeout")
        return learn(metadata, link, variables, deadline, level)

    monkeypatch.setattr(Metadata, "learn", late)
    node = {"node": "nsu=urn:demo:plant;s=Boiler.Level", "type": "Double"}
    # VALUEINFO waits for so long, and then says what is known.
    patience = {"request_timeout_ms": 3000}
    started = support.serve(plant.endpoint, variables={"Level": node}, server=patience)
    with connected(started) as server:
        page = Page(browser, server.urls[0] + "#Level")
        page.shows(lambda: page.cell("Level", "value"), "a value")
        page.click("#tab-facts")
        page.shows(lambda: "Double" in page.text("#facts-list"), "the type")
        seen.set()
        page.shows(lambda: page.cell("Level", "unit") == "%", "the unit")


def test_variables_by_pattern_are_listed_as_soon_as_the_plant_is_there(browser: Any) -> None:
    port = support.free_port()
    pattern = {"browse": [{"match": "*Level"}], "variables": {}}
    server = support.serve("opc.tcp://127.0.0.1:%d" % port, server=pattern)
    try:
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.text("#nothing") == "No variables are configured.", "nothing")
        page.picture("nothing")
        plant = PlantProcess(port)
        try:
            page.shows(lambda: page.names() == ["DemoPlant.Boiler.Level"], "the variable")
            page.shows(lambda: page.cell("DemoPlant.Boiler.Level", "value"), "its value")
        finally:
            plant.kill()
    finally:
        server.stop()


# --- what is served


def test_the_page_may_load_nothing_from_elsewhere_and_no_script_in_its_text(
    server: Server,
) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(server.urls[0], timeout=PATIENCE) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "unsafe" not in policy
    for file in STATIC.iterdir():
        if file.suffix in (".html", ".css") and not file.name.startswith("uplot"):
            text = file.read_text(encoding="utf-8")
            assert "//" not in text.replace("http://www.w3.org/", ""), file.name


def test_every_file_of_the_page_is_served(server: Server) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for file in STATIC.iterdir():
        with opener.open(server.urls[0] + file.name, timeout=PATIENCE) as answer:
            served = answer.read()
            if file.match("texts.*.json"):  # with what a plant adds
                assert json.loads(served) == json.loads(file.read_bytes())
            else:
                assert served == file.read_bytes()
            open_to_all = answer.headers["Access-Control-Allow-Origin"] == "*"
        assert open_to_all == (file.name in ("opcws.js", "opcws.d.ts"))


def test_the_whole_page_comes_in_less_than_200_kb(browser: Any, server: Server) -> None:
    browser.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    try:
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.cell("Boiler.Temperature", "value"), "a value")
        page.look_at("Boiler.Temperature")
        drawn_by = "document.getElementById('trend-chart').dataset.drawnBy"
        page.shows(lambda: page.ask(drawn_by), "the trend")
        for tab in ("#tab-history", "#tab-facts"):
            page.click(tab)
        sizes: Dict[str, int] = page.ask(
            "Object.fromEntries(performance.getEntries().filter((e) => 'transferSize' in e)"
            ".map((e) => [e.name.replace(/.*\\//, '') || 'index.html', e.transferSize]))"
        )
    finally:
        browser.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": False})
    parts = {each.name for each in STATIC.iterdir() if each.suffix in (".html", ".css", ".js")}
    assert parts - {"docs.css"} <= set(sizes)
    for name, size in sizes.items():
        file = STATIC / name
        assert not file.exists() or 0 < size < 600 + file.stat().st_size / 2, name
    assert sum(sizes.values()) < 200_000
    assert page.complaints() == []


def test_the_page_uses_nothing_that_browsers_of_2021_lack() -> None:
    newer = (
        r"\.(?:at|findLast|toSorted|toReversed|toSpliced|with|groupBy|requestSubmit)\("
        r"|Object\.(?:hasOwn|groupBy)|structuredClone|randomUUID|Promise\.(?:any|withResolvers|try)"
        r"|AbortSignal\.(?:any|timeout)|throwIfAborted|showModal|\binert\b|<dialog|popover"
        r"|\(\?<[=!]|^await |this\.#|:has\(|@container|@layer|color-mix|^\s+&"
    )
    for file in STATIC.iterdir():
        if file.suffix in (".js", ".css", ".html") and not file.name.startswith("uplot"):
            found = re.search(newer, file.read_text(encoding="utf-8"), re.MULTILINE)
            assert not found, "%s has %r" % (file.name, found)

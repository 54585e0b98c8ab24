"""The page at / in a real browser, in front of an opcws that records: its trend begins with what
was recorded, and goes on without a hole; its history has several variables."""

import base64
import contextlib
import csv
import io
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ContextManager, Dict, Iterator, List

import pytest

from opcws.app import Server

from ... import support
from ...support import URI, Client, PlantProcess, axe, connected
from ...support.charts import inked, is_inked
from ...support.page import SCREENSHOTS, Page

#: Its tests write: no other module finds what they have written.
pytestmark = [pytest.mark.own_plant, pytest.mark.drawn]

#: A variable of which the plant keeps no history.
NAME = "Types.Int32"


def recording(plant: PlantProcess, directory: Path, **server: Any) -> ContextManager[Server]:
    """An opcws that records into *directory*, connected."""
    variables = {
        name: {"node": "nsu=%s;s=%s" % (URI, name), "access": "readwrite", "record": True}
        for name in (NAME, "Types.Int16", "Types.String", "Boiler.Setpoint", "Test.Counter")
    }
    settings = support.settings(plant.endpoint, variables=variables, server=server)
    return connected(support.from_file(directory, settings))


def write(server: Server, *numbers: int, name: str = NAME) -> None:
    with Client(server.urls[0]) as client:
        client.body("MONITORSTART", {"Variable": name}, "m")
        client.update_where(lambda body: "StatusCode" not in body)
        for number in numbers:  # each has come before the next is written
            client.write(name, number)
            client.update_where(lambda body, n=number: body["Value"]["Body"] == n)


def changes(page: Page) -> List[str]:
    """The values in the table of changes, oldest first."""
    page.browser.execute_script("document.getElementById('trend-table').open = true")
    found: List[str] = page.ask(
        "Array.from(document.querySelectorAll('#trend-table tbody .value'), (e) => e.textContent)"
    )
    return found[::-1]


def test_a_trend_begins_with_what_opcws_recorded_and_its_gaps(
    browser: Any, plant: PlantProcess, tmp_path: Path
) -> None:
    with recording(plant, tmp_path) as server:
        write(server, 1, 2, 3)
    with recording(plant, tmp_path) as server:
        write(server, 4, 5)
        page = Page(browser, server.urls[0] + "#" + NAME)
        page.shows(lambda: page.gaps() == [2], "before each of them was connected")
        page.shows(lambda: changes(page)[-1:] == ["5"], "the present value")
        assert set("12345") <= set(changes(page)), "and all before it"
        page.click("#pin")
        page.browser.execute_script("location.hash = 'Boiler.Setpoint'")
        page.shows(lambda: len(page.points()) == 2 and page.points()[0] > 0, "the other one too")
        page.click("#tab-facts")
        page.shows(lambda: "recorded by" in page.text("#facts-list"), "who keeps it")
        page.picture("trend-recorded")
        assert page.complaints() == []


@contextlib.contextmanager
def away(page: Page, server: Server) -> Iterator[None]:
    """The page has no connection meanwhile."""
    page.browser.execute_async_script(
        """
        const [ready] = arguments;
        import("/opcws.js").then(({ Client }) => {
          const connect = Client.prototype._connect;
          const held = [];
          Client.prototype._connect = function () { held.push(this); };
          window.comeBack = () => {
            Client.prototype._connect = connect;
            for (const client of held) client._connect();
          };
          ready();
        });
        """
    )
    for connection in server.listeners[0].connections():
        connection.close(1001, "the test ends it")
    page.shows(lambda: "lost" in page.text("#connection"), "the loss")
    yield
    page.browser.execute_script("window.comeBack()")
    page.shows(lambda: page.text("#connection") == "opcws connected", "the return")


def test_a_trend_goes_on_without_a_hole_when_the_connection_comes_back(
    browser: Any, plant: PlantProcess, tmp_path: Path
) -> None:
    with recording(plant, tmp_path) as server:
        write(server, 10)
        page = Page(browser, server.urls[0] + "#" + NAME)
        page.shows(lambda: changes(page)[-1:] == ["10"], "the present value")
        page.shows(lambda: page.gaps() == [1], "before it was connected")
        numbers = ["10"]
        for first in (11, 15):
            with away(page, server):
                write(server, first, first + 1, first + 2)
            write(server, first + 3)
            numbers.extend(map(str, range(first, first + 4)))
            page.shows(lambda: changes(page)[-len(numbers) :] == numbers, "each once, in order")
        page.shows(lambda: page.gaps() == [1], "no other gap")
        with away(page, server):
            write(server, 19)
        page.shows(lambda: changes(page)[-1:] == ["19"], "the only one")
        page.shows(lambda: page.gaps() == [1], "no other gap")
        with away(page, server):
            pass  # nothing changes, and that is no gap either
        write(server, 20)
        page.shows(lambda: changes(page)[-1:] == ["20"], "the next")
        page.shows(lambda: page.gaps() == [1], "no other gap")
        assert page.complaints() == []


#: Keep what is asked of the past waiting until window.goOn().
HELD = """
const [ready] = arguments;
import("/opcws.js").then(({ Client }) => {
  const { historyOf } = Client.prototype;
  Client.prototype.historyOf = async function (...asked) {
    await new Promise((go) => { window.goOn = go; });
    return historyOf.apply(this, asked);
  };
  ready();
});
"""


def test_what_was_recorded_is_in_the_table_also_if_it_comes_behind_the_present_value(
    browser: Any, plant: PlantProcess, tmp_path: Path
) -> None:
    with recording(plant, tmp_path) as server:
        write(server, 10)
        page = Page(browser, server.urls[0] + "#" + NAME)
        page.shows(lambda: page.gaps() == [1], "what was recorded")
        page.browser.execute_async_script(HELD)
        with away(page, server):
            write(server, 11, 12)
        page.shows(lambda: changes(page)[-2:] == ["10", "12"], "the present value alone")
        page.shows(lambda: page.ask("Boolean(window.goOn)"), "that it asks for the rest")
        page.browser.execute_script("window.goOn()")
        page.shows(lambda: changes(page)[-3:] == ["10", "11", "12"], "the rest")


def test_a_long_history_is_thinned_out_as_a_whole(
    browser: Any, plant: PlantProcess, tmp_path: Path
) -> None:
    with recording(plant, tmp_path) as server:
        write(server, 1, 2, 3)
        page = Page(browser, server.urls[0] + "#" + NAME)
        page.shows(lambda: page.points(), "the trend")
        page.browser.execute_async_script(
            """
            import("/opcws.js").then(({ Client }) => {
              const { history } = Client.prototype; // as if there were very much
              Client.prototype.history = async function (...given) {
                const page = await history.apply(this, given);
                return { values: Array(50000).fill(page.values[0]), next: () => page };
              };
              arguments[0]();
            });
            """
        )
        page.click("#tab-history")
        page.click("#history-load")
        page.shows(lambda: "every peak and gap" in page.text("#history-note"), "what came of it")
        rows = "document.querySelectorAll('#history-table tbody tr').length"
        assert 3 <= page.ask(rows) < 100


def test_a_value_holds_until_a_gap_and_nothing_is_drawn_in_it(page: Page) -> None:
    beside = [n * 5 + 0.5 for n in range(21)]
    line, _other = inked(
        page,
        {"colour": "#ff0000", "times": [10, 50, 80, 100], "values": [1, None, 2, 2]},
        {"colour": "#0000ff", "times": beside, "values": [0] * 21},
    )
    seen = {time for time in (5, 12, 30, 48, 52, 65, 78, 82, 95) if is_inked(line, time)}
    assert seen == {12, 30, 48, 82, 95}


def test_what_the_past_told_before_it_came_live_is_one_change(
    browser: Any, plant: PlantProcess, tmp_path: Path
) -> None:
    name = "Test.Counter"  # the plant's own history has it before it is published
    with recording(plant, tmp_path, publishing_interval_ms=1000) as server:
        write(server, 10, name=name)
        page = Page(browser, server.urls[0] + "#" + name)
        page.shows(lambda: changes(page)[-1:] == ["10"], "the present value")
        with away(page, server):
            write(server, 11, name=name)
        with Client(server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": name}, "m")
            client.write(name, 12)
            client.update_where(lambda body: body.get("Value", {}).get("Body") == 12)
            client.write(name, 13)
        numbers = ["10", "11", "12", "13"]
        page.shows(lambda: changes(page)[-1:] == ["13"], "the last")
        assert changes(page)[-4:] == numbers, "each once"


# --- the history of several variables ------------------------------------------------------------

TEMPERATURE, SETPOINT, PRESSURE = "Boiler.Temperature", "Boiler.Setpoint", "Boiler.Pressure"
HEADS = ["Time", TEMPERATURE + " [°C]", PRESSURE + " [bar]", SETPOINT + " [°C]"]


def keep(page: Page, *names: str) -> None:
    """In the trend."""
    for name in names:
        page.look_at(name)
        page.shows(lambda: page.text("#pin") == "Keep in trend", "whether it is kept")
        page.click("#pin")
        page.shows(lambda: page.text("#pin") == "Kept in trend", "that it is")


def loaded(page: Page, aggregate: str = "") -> str:
    """The note, when the history is there."""
    page.click("#tab-history")
    page.choose("history-aggregate", aggregate)
    page.click("#history-load")
    page.shows(lambda: page.text("#history-load") == "Load", "the end of loading")
    page.shows(lambda: not page.text("#history-note").startswith("Loading"), "what came of it")
    return page.text("#history-note")


def texts(page: Page, selector: str) -> List[str]:
    found: List[str] = page.ask(
        "Array.from(document.querySelectorAll(arguments[0]), (e) => e.textContent)", selector
    )
    return found


def units(page: Page) -> List[str]:
    """What the strips of the chart are of."""
    return texts(page, "#history-chart .strip .title")


def legend(page: Page) -> Dict[str, str]:
    """What each curve was, at the time that is pointed at."""
    return dict(zip(texts(page, "#history-series button"), texts(page, "#history-series .at")))


@pytest.fixture
def several(page: Page) -> Page:
    keep(page, PRESSURE, "Types.Double", SETPOINT)
    page.look_at(TEMPERATURE)
    return page


def test_a_history_has_all_that_is_kept_and_names_what_has_none(several: Page) -> None:
    page = several
    note, refused = loaded(page).splitlines()
    assert " values of 3 variables, at most 10000 of each" in note
    assert refused.startswith("Types.Double: ")
    assert "problem" not in page.ask("document.getElementById('history-note').className")
    assert units(page) == ["°C", "bar"]
    assert list(legend(page)) == [TEMPERATURE, PRESSURE, SETPOINT]
    assert texts(page, "#history-table th") == HEADS
    times = texts(page, "#history-table td.time")
    assert times == sorted(times, reverse=True) and len(times) == len(set(times)) > 100
    columns = len(texts(page, "#history-table tbody tr:first-child td"))
    assert columns == len(HEADS)
    assert len(texts(page, "#history-series .mark")) == len(
        set(texts(page, "#history-series .mark"))
    )
    page.picture("history-several")
    assert page.complaints() == []


def test_on_a_phone_each_time_has_the_variables_one_below_another(several: Page) -> None:
    page = several
    page.resize(375)
    loaded(page)
    fits = "((table) => table.scrollWidth <= table.clientWidth)(document.getElementById('%s'))"
    assert page.ask(fits % "history-table"), "without scrolling sideways"
    row = "#history-table tbody tr:first-child"
    lines = page.ask(
        "Array.from(document.querySelectorAll('%s td.value:not(:empty)'), (cell) =>"
        " [getComputedStyle(cell, '::before').content, cell.getBoundingClientRect().top])" % row
    )
    names = ['"%s"' % name for name in (TEMPERATURE, PRESSURE, SETPOINT)]
    assert lines and all(name in names for name, _top in lines)
    assert len({top for _name, top in lines}) == len(lines)
    page.picture("history-several-phone")


def test_the_legend_has_the_values_of_the_time_that_is_pointed_at(
    several: Page, client: Client
) -> None:
    chains = pytest.importorskip("selenium.webdriver.common.action_chains")
    page = several
    loaded(page)
    newest = legend(page)
    chart = page.element("history-chart")
    chains.ActionChains(page.browser).move_to_element(chart).perform()
    page.shows(lambda: legend(page) != newest, "the values of another time")
    x, left, width = page.ask(
        "((cursor, plot) => [cursor.left, plot.left, plot.width])("
        "document.querySelector('#history-chart .cursor').getBoundingClientRect(),"
        "document.querySelector('#history-chart .u-over, #history-chart .plot')"
        ".getBoundingClientRect())"
    )
    begin, end = (
        float(page.ask("document.getElementById('history-chart').dataset." + which))
        for which in ("from", "to")
    )
    time = begin + (x - left) / width * (end - begin)
    start, until = (
        datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")
        for seconds in (begin, time)
    )
    query = {"Variable": SETPOINT, "StartTime": start, "EndTime": until}
    *_before, last = client.body("HISTORICALREAD", query)["DataValues"]
    assert legend(page)[SETPOINT] == "%.2f °C" % last["Value"]["Body"]


def test_a_curve_is_hidden_by_its_entry_in_the_legend(several: Page) -> None:
    page = several
    loaded(page)
    entry = "#history-series li:nth-child(2) button"
    page.click(entry)
    page.shows(lambda: units(page) == ["°C"], "no pressure")
    assert texts(page, "#history-table th") == HEADS, "which the table still has"
    page.click(entry)
    page.shows(lambda: units(page) == ["°C", "bar"], "the pressure")


def test_several_are_loaded_of_any_span(several: Page) -> None:
    page = several
    spans = page.ask("Array.from(document.getElementById('history-span').options, o => o.value)")
    for span in filter(None, spans):
        page.choose("history-span", span)
        assert " values of 3 variables" in loaded(page), span
        begin, end = (
            float(page.ask("document.getElementById('history-chart').dataset." + which))
            for which in ("from", "to")
        )
        assert 0 <= end - begin - int(span) < 60, "from a whole second on"
    assert "2592000" in spans
    page.choose("history-span", "")
    page.choose("history-from", "2020-01-01T00:00:00")
    page.choose("history-to", "2020-01-01T01:00:00")
    nothing, refused = loaded(page).splitlines()
    assert nothing == "There is nothing recorded in this range."
    assert refused.startswith("Types.Double: ")
    assert not page.text("#history-table")


@axe.needed
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_a_history_of_several(several: Page, scheme: str) -> None:
    page = several
    page.scheme(scheme)
    loaded(page)
    page.click("#history-series li:nth-child(2) button")
    page.shows(lambda: units(page) == ["°C"], "one is hidden")
    assert axe.judged(page.browser) == []
    page.resize(360)
    assert axe.judged(page.browser) == []
    page.picture("history-several-phone-" + scheme)


def test_a_history_follows_what_is_kept_in_the_trend(several: Page) -> None:
    page = several
    loaded(page)
    page.click("#tab-trend")
    page.click("[aria-label='Take %s out of the trend']" % PRESSURE)
    page.click("#tab-history")
    page.shows(lambda: units(page) == ["°C"], "no pressure")
    assert texts(page, "#history-table th") == [each for each in HEADS if "bar" not in each]


#: The aggregates that opcws computes, with the unit of their values for °C.
AGGREGATES = {
    **dict.fromkeys(("Average", "TimeAverage", "Minimum", "Maximum", "Range", "Delta"), "°C"),
    **dict.fromkeys(("Start", "End", "Interpolative"), "°C"),
    "Count": "",
    "Total": "°C·s",
    "DurationGood": "ms",
}


def test_every_aggregate_is_there_for_several(page: Page) -> None:
    keep(page, SETPOINT)
    page.look_at(TEMPERATURE)
    offered = page.ask(
        "Array.from(document.getElementById('history-aggregate').options, o => o.value)"
    )
    assert sorted(offered) == sorted(["", *AGGREGATES])
    for aggregate, unit in AGGREGATES.items():
        note = loaded(page, aggregate)
        assert note.endswith(" values of 2 variables"), aggregate
        assert units(page) == [unit], aggregate
        for column in (2, 3):
            cells = texts(page, "#history-table td:nth-child(%d):not(:empty)" % column)
            assert len(cells) > 100, "%s: of each interval" % aggregate
    assert page.complaints() == []


def test_what_may_be_incomplete_is_told(browser: Any, tmp_path: Path) -> None:
    with PlantProcess() as plant, recording(plant, tmp_path) as server:
        write(server, 1, 2, 3, name="Test.Counter")
        page = Page(browser, server.urls[0] + "#Test.Counter")
        page.shows(lambda: changes(page)[-1:] == ["3"], "the last")
        plant.kill()
        page.shows(lambda: page.text("#detail-quality") == "BadNotConnected", "the loss")
        count, told = loaded(page).splitlines()
        assert count.endswith(" values")
        assert told.startswith("there may be more (GoodResultsMayBeIncomplete). ")
        keep(page, NAME)
        page.look_at("Test.Counter")
        count, told = loaded(page).splitlines()
        assert " values of 2 variables" in count
        assert told.startswith("Test.Counter: there may be more (GoodResultsMayBeIncomplete). ")


# --- what is saved -------------------------------------------------------------------------------


@pytest.fixture
def downloads(browser: Any, tmp_path: Path) -> Path:
    """Where the browser saves what is loaded."""
    browser.execute_cdp_cmd(
        "Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    return tmp_path


@pytest.fixture
def in_berlin(page: Page) -> Iterator[None]:
    """The browser is there."""
    page.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
    page.browser.refresh()
    page.shows(lambda: page.cell("Boiler.Temperature", "value"), "a value")
    yield
    page.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def saved(page: Page, button: str, path: Path) -> bytes:
    if path.exists():
        path.unlink()
    page.click(button)
    page.shows(path.exists, str(path))  # it has its name when it is whole
    return path.read_bytes()


def table(content: bytes) -> List[Dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_several_are_saved_as_one_table_with_the_zone(
    page: Page, in_berlin: None, downloads: Path, client: Client
) -> None:
    for value in (7, 8, 9):
        client.write("Test.Counter", value)
    keep(page, "Test.Counter", "Types.Double")
    page.look_at(TEMPERATURE)
    loaded(page)
    content = saved(page, "#history-save", downloads / "Boiler.Temperature_and_1_more.csv")
    rows = table(content)
    assert list(rows[0]) == [
        *("Time (Europe/Berlin)", "SourceTimestamp"),
        *(TEMPERATURE + " [°C]", TEMPERATURE + " quality"),
        *("Test.Counter", "Test.Counter quality"),
    ]
    moments = []
    for row in rows:
        local, digits = row["Time (Europe/Berlin)"], row["SourceTimestamp"]
        assert local[-6:] in ("+01:00", "+02:00")
        assert local[19:-6] == digits[19:-1], "every digit"
        moment = datetime.fromisoformat(local[:19] + local[-6:])
        assert moment == datetime.fromisoformat(digits[:19] + "+00:00")
        moments.append((moment, digits[19:-1].ljust(8, "0")))
    assert moments == sorted(moments)
    counted = [row["Test.Counter"] for row in rows if row["Test.Counter"]]
    assert counted[-3:] == ["7", "8", "9"]
    for row in rows:
        for name in (TEMPERATURE + " [°C]", "Test.Counter"):
            column = name.replace(" [°C]", "") + " quality"
            assert bool(row[name]) == (row[column] == "Good")
    note = page.text("#history-note")
    cells = sum(
        bool(row[TEMPERATURE + " quality"]) + bool(row["Test.Counter quality"]) for row in rows
    )
    assert note.startswith("%d values" % cells)
    assert page.complaints() == []


def test_one_is_saved_with_the_aggregate_in_the_head(page: Page, downloads: Path) -> None:
    page.look_at(TEMPERATURE)
    loaded(page, "Maximum")
    rows = table(saved(page, "#history-save", downloads / "Boiler.Temperature.csv"))
    assert "Boiler.Temperature Maximum [°C]" in rows[0]
    assert len(rows) == len(texts(page, "#history-table tbody tr"))


#: How the page writes a field of CSV.
FIELDS = """
const [texts, ready] = arguments;
import("/saving.js").then(({ field }) => ready(texts.map(field)));
"""


def test_what_a_spreadsheet_would_calculate_is_text_in_csv(page: Page) -> None:
    formulas = ["=1+1", "+1", "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", "-x", "\t=1", "-1 "]
    plain = ["-1", "-1.5e-7", "1e+21", "-Infinity", "text", "", "a=1", "'"]
    written = page.browser.execute_async_script(FIELDS, formulas + plain)
    assert written == ["'" + text for text in formulas] + plain
    quoted = page.browser.execute_async_script(FIELDS, ["\r=1", "a,b", 'say "a"', "=1,2"])
    assert quoted == ['"\'\r=1"', '"a,b"', '"say ""a"""', '"\'=1,2"']


def test_a_text_that_begins_like_a_formula_is_saved_as_text(
    browser: Any, plant: PlantProcess, downloads: Path
) -> None:
    texts = ["=1+1", "-2+3", "plain", "-4"]
    with recording(plant, downloads) as server:
        with Client(server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "Types.String"}, "m")
            for text in texts:
                client.write("Types.String", text)
                client.update_where(lambda body, t=text: body["Value"]["Body"] == t)
        page = Page(browser, server.urls[0] + "#Types.String")
        page.shows(lambda: page.text("#detail-value"), "a value")
        loaded(page)
        assert not page.text("#history-chart"), "of text there is none"
        rows = table(saved(page, "#history-save", downloads / "Types.String.csv"))
        written = [row["Types.String"] for row in rows if row["Types.String"]]
        assert written[-4:] == ["'=1+1", "'-2+3", "plain", "-4"]


#: Of a PNG in base64: its size, the colour of its corners, and how many points have each of the
#: colours.
PIXELS = """
const [base64, colours, ready] = arguments;
const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
createImageBitmap(new Blob([bytes], { type: "image/png" })).then((image) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const hex = (at) => "#" + Array.from(data.slice(at, at + 3),
    (part) => part.toString(16).padStart(2, "0")).join("");
  const counts = {};
  for (let at = 0; at < data.length; at += 4) counts[hex(at)] = (counts[hex(at)] || 0) + 1;
  ready({ size: [image.width, image.height], corners: [hex(0), hex(data.length - 4)],
    counts: colours.map((colour) => counts[colour] || 0) });
});
"""
#: The first colours of the curves.
LIGHT, DARK = ["#0b7d92", "#c0551b"], ["#55c2d6", "#ff9d5c"]


@pytest.mark.parametrize("drawing", ["uplot", "opcws"])
def test_a_picture_is_on_white_whatever_the_page_looks_like(
    page: Page, downloads: Path, drawing: str
) -> None:
    blocked = {"uplot": [], "opcws": ["*uplot*"]}[drawing]
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": blocked})
    try:
        page.browser.refresh()
        page.scheme("dark")
        keep(page, SETPOINT, PRESSURE)
        page.look_at(SETPOINT)
        loaded(page)
        drawn_by = page.ask("document.getElementById('history-chart').dataset.drawnBy")
        if drawn_by != drawing:
            pytest.skip("not run: needs uPlot")
        content = saved(page, "#history-picture", downloads / "Boiler.Setpoint_and_1_more.png")
        page.picture("history-%s-page" % drawing)
        (SCREENSHOTS / ("history-%s-saved.png" % drawing)).write_bytes(content)
        seen = page.browser.execute_async_script(
            PIXELS, base64.b64encode(content).decode(), LIGHT + DARK
        )
        assert seen["corners"] == ["#ffffff", "#ffffff"]
        assert min(seen["size"]) > 400
        assert min(seen["counts"][:2]) > 300, "both curves"
        assert max(seen["counts"][2:]) == 0
        assert page.ask("document.querySelectorAll('.report').length") == 0
        # The curve that is hidden is not in it.
        page.click("#history-series li:nth-child(2) button")
        content = saved(page, "#history-picture", downloads / "Boiler.Setpoint_and_1_more.png")
        fewer = page.browser.execute_async_script(PIXELS, base64.b64encode(content).decode(), LIGHT)
        assert fewer["counts"][0] > 300 and fewer["counts"][1] == 0
    finally:
        page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def test_where_the_source_tells_no_time_it_is_the_servers(page: Page, downloads: Path) -> None:
    page.browser.execute_async_script(
        """
        import("/opcws.js").then(({ Client }) => {
          const { history } = Client.prototype;
          Client.prototype.history = async function (...given) {
            const page = await history.apply(this, given);
            for (const value of page.values) {
              value.serverTimestamp = value.serverTimestamp || value.sourceTimestamp;
              value.sourceTimestamp = null;
            }
            return page;
          };
          arguments[0]();
        });
        """
    )
    page.look_at(TEMPERATURE)
    loaded(page)
    times = texts(page, "#history-table td.time")
    assert all(times) and times == sorted(times, reverse=True)
    assert units(page) == ["°C"], "and they are drawn"
    rows = table(saved(page, "#history-save", downloads / "Boiler.Temperature.csv"))
    assert not any(row["SourceTimestamp"] for row in rows)
    (head,) = (each for each in rows[0] if each.startswith("Time ("))
    assert all(row[head] for row in rows)

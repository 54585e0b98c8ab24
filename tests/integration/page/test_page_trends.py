"""The trend of the page in a real browser: it never draws what nobody knows."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import pytest

from ... import support
from ...support import PATIENCE, URI, Client, PlantProcess, connected, wait_until
from ...support.charts import inked, is_inked
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = [pytest.mark.own_plant, pytest.mark.drawn]

#: Of these the plant keeps no history.
NAMES = ("Types.Double", "Types.Int16", "Types.Int32")
LEFT, RIGHT, HOME = "\ue012", "\ue014", "\ue011"


@pytest.fixture
def trended(page: Page) -> Iterator[Page]:
    """Two kept in the trend, a third selected."""
    yield show_all(page)


def show_all(page: Page) -> Page:
    for name in NAMES[1:]:
        page.look_at(name)
        page.shows(lambda: page.text("#pin") == "Keep in trend", "whether it is kept")
        page.click("#pin")
    page.look_at(NAMES[0])
    page.shows(lambda: len(page.points()) == 3 and min(page.points()) > 0, "all curves")
    return page


def ends(page: Page) -> List[float]:
    """When (s) each curve ends."""
    text: str = page.ask("document.getElementById('trend-chart').dataset.ends")
    return [float(end) for end in text.split()]


def now(page: Page) -> float:
    seconds: float = page.ask("Date.now() / 1000")
    return seconds


def stand_still(page: Page) -> bool:
    """Whether every curve ended more than a second ago."""
    return max(ends(page)) < now(page) - 1


# --- nobody knows --------------------------------------------------------------------------------


def test_when_a_plant_dies_every_curve_ends_until_it_is_back(browser: Any) -> None:
    with PlantProcess() as plant, connected(support.serve(plant.endpoint)) as server:
        page = show_all(Page(browser, server.urls[0]))
        assert min(ends(page)) > now(page) - PATIENCE
        for gaps in (1, 2):
            plant.kill()
            page.shows(lambda: page.text("#detail-quality") == "BadNotConnected", "the loss")
            page.shows(lambda: stand_still(page), "the curves end")
            before = ends(page)
            page.picture("trend-plant-lost")
            assert ends(page) == before
            plant.start()
            page.shows(lambda n=gaps: page.gaps() == [n, n, n], "a gap in every curve")
            page.shows(lambda: not stand_still(page), "and they go on")
        assert page.complaints() == []


def test_when_opcws_is_lost_every_curve_ends_until_it_is_back(
    browser: Any, plant: PlantProcess
) -> None:
    listen = {"port": support.free_port()}
    with connected(support.serve(plant.endpoint, listen=listen)) as server:
        page = show_all(Page(browser, server.urls[0]))
    page.shows(lambda: stand_still(page), "the curves end")
    with connected(support.serve(plant.endpoint, listen=listen)):
        # Nothing has changed, but nobody saw that.
        page.shows(lambda: page.gaps() == [1, 1, 1], "a gap in every curve")
        page.shows(lambda: not stand_still(page), "and they go on")
        assert page.complaints() == []


def test_a_plant_that_is_away_from_the_beginning_has_no_curve_until_it_comes(browser: Any) -> None:
    port = support.free_port()
    server = support.serve("opc.tcp://127.0.0.1:%d" % port)
    try:
        page = Page(browser, server.urls[0] + "#" + NAMES[0])
        page.shows(lambda: page.text("#detail-quality") == "BadNotConnected", "that it is away")
        with PlantProcess(port):
            page.shows(lambda: page.points() and page.points()[0] > 0, "the curve")
            assert page.gaps() == [0]
    finally:
        server.stop()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_finite_number_is_a_gap(trended: Page, client: Client, value: str) -> None:
    client.write("Types.Double", value)
    trended.shows(lambda: trended.gaps() == [1, 0, 0], "the gap")
    trended.shows(lambda: trended.text("#trend-series .at") == "–", "no value")
    client.write("Types.Double", 0.1)
    trended.shows(lambda: trended.text("#trend-series .at") == "0.1", "the next value")
    assert trended.gaps() == [1, 0, 0]
    assert trended.complaints() == []


#: The text of a script that gives the points of a line, from what came and what history told.
LINE = """
const [came, past, whole, lost, away, ready] = arguments;
Promise.all([import("/curves.js"), import("/opcws.js")]).then(([{ Line }, { DataValue }]) => {
  const first = Math.floor(Date.now() / 1000) - 1000;
  const data = ([time, value]) => new DataValue({
    SourceTimestamp: new Date((first + time) * 1000).toISOString(),
    ...(value === null ? { Status: 0x80000000 } : { Value: { Type: 6, Body: value } }) });
  const line = new Line("line", 0);
  line.add(data(came[0]));
  line.fill([], false);
  line.lose(first + lost, away);
  for (const one of came.slice(1)) line.add(data(one));
  line.fill(past.map(data), whole);
  ready(line.times.map((time, n) => [Math.round((time - first) * 100) / 100, line.values[n]]));
});
"""


@pytest.mark.parametrize(
    ("past", "whole", "away", "points"),
    [
        ([], False, False, [[10, 1], [100, None], [200, 2]]),
        ([[150, 5]], False, False, [[10, 1], [150, 5], [200, 2]]),
        # Recorded before the loss: of what was behind it nobody knows.
        ([[90, 5]], False, False, [[10, 1], [90, 5], [100, None], [200, 2]]),
        # A server that was away knows again from its first value on.
        ([[90, 5], [150, 6]], False, True, [[10, 1], [90, 5], [100, None], [150, 6], [200, 2]]),
        # opcws tells its own gaps.
        ([], True, True, [[10, 1], [200, 2]]),
        ([[90, None], [180, 6]], True, True, [[10, 1], [90, None], [180, 6], [200, 2]]),
    ],
)
def test_what_was_recorded_closes_a_gap_only_where_it_knows(
    page: Page, past: List[Any], whole: bool, away: bool, points: List[Any]
) -> None:
    came = [[10, 1], [200, 2]]
    found = page.browser.execute_async_script(LINE, came, past, whole, 100, away)
    assert found == points


def test_a_bad_value_behind_an_outage_stays_a_gap(page: Page) -> None:
    came = [[10, 1], [200, None]]
    found = page.browser.execute_async_script(LINE, came, [[150, 5]], True, 100, False)
    assert found == [[10, 1], [150, 5], [200, None]]


def test_a_gap_of_one_curve_is_one_at_the_times_of_others_too(page: Page) -> None:
    dense = [n + 0.25 for n in range(100)]
    curves = {
        "red": ("#ff0000", [0, 20, 40, 70, 100], [1, None, 1, None, 1]),
        "blue": ("#0000ff", [0, 20, 30, 60, 80], [2, 2, None, 2, 2]),
        "green": ("#00a000", dense, [None if 50 < time < 55 else 3 for time in dense]),
    }
    seen = {
        10: "red blue green",
        25: "blue green",  # red is unknown from 20 on
        35: "green",  # blue from 30 on
        45: "red green",
        53: "red",  # green from 50.25 to 55.25
        65: "red blue green",
        75: "blue green",  # red is unknown again
        90: "green",  # blue ended at 80: it is not known up to the border
    }
    keys = ("colour", "times", "values")
    found = dict(zip(curves, inked(page, *(dict(zip(keys, each)) for each in curves.values()))))
    assert seen == {
        time: " ".join(name for name in curves if is_inked(found[name], time)) for time in seen
    }


#: What is drawn, 500 px wide, of a curve of 100,000 points with a peak, a dip and a gap.
THINNED = """
const [ready] = arguments;
import("/strips.js").then(({ stripsOf }) => {
  const times = Array.from({ length: 100000 }, (_none, n) => n);
  const values = times.map((n) => n % 2);
  [values[31234], values[61234], values[81234]] = [9, -9, null];
  const [{ curves: [{ points }] }] = stripsOf(
    [{ name: "a", unit: "", stepped: true, times, values }], { from: 0, to: 100000 }, 500);
  ready(points[0].map((time, n) => [time, points[1][n]]));
});
"""


def test_of_more_points_than_pixels_the_ends_peaks_and_gaps_are_drawn(page: Page) -> None:
    points = page.browser.execute_async_script(THINNED)
    assert len(points) <= 4 * 502
    assert [0, 0] in points
    assert [99999, 1] in points
    assert [31234, 9] in points
    assert [61234, -9] in points
    assert [81234, None] in points
    times = [time for time, _value in points]
    assert times == sorted(set(times))


# --- an axis for each unit -----------------------------------------------------------------------

UNITS = {"Boiler.Temperature": "°C", "Boiler.Pressure": "bar", "Boiler.Level": "%"}


def strips(page: Page, chart: str = "trend-chart") -> List[Dict[str, Any]]:
    """Of each strip, from the top down: title, labels of the axis, place, and the values (text)
    that its curves have in the legend at the same moment."""
    found: List[Dict[str, Any]] = page.ask(
        "Array.from(document.querySelectorAll('#' + arguments[0] + ' .strip'), (each) => {"
        "  const box = each.querySelector('.u-over, .plot').getBoundingClientRect();"
        "  const title = each.querySelector('.title').textContent;"
        "  return { title, labels: each.dataset.labels.split('|'), left: Math.round(box.left),"
        "    right: Math.round(box.right), top: box.top, height: Math.round(box.height),"
        "    values: Array.from(document.querySelectorAll('#trend-series .at'),"
        "      (at) => at.textContent).filter((text) => text.endsWith(' ' + title)) };"
        "})",
        chart,
    )
    return found


def keep(page: Page, names: Sequence[str]) -> None:
    """In the trend; the last is looked at."""
    for name in names:
        page.look_at(name)
        page.shows(lambda: page.text("#pin") == "Keep in trend", "whether it is kept")
        page.click("#pin")
    page.shows(lambda: len(page.points()) == len(names) and min(page.points()) > 0, "curves")


@contextlib.contextmanager
def drawn_by(page: Page, drawing: str) -> Iterator[None]:
    """*drawing*: "uplot" or "opcws"."""
    blocked = {"uplot": [], "opcws": ["*uplot*"]}[drawing]
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": blocked})
    try:
        page.browser.refresh()
        page.shows(lambda: page.cell("Boiler.Temperature", "value"), "a value")
        yield
    finally:
        page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


@pytest.mark.parametrize("drawing", ["uplot", "opcws"])
def test_each_unit_has_a_strip_with_its_own_axis_also_on_a_phone(page: Page, drawing: str) -> None:
    with drawn_by(page, drawing):
        keep(page, list(UNITS))
        page.shows(lambda: len(strips(page)) == 3, "the strips")
        for width in (1280, 375):
            page.resize(width)
            page.shows(lambda: len({each["left"] for each in strips(page)}) == 1, "one time axis")
            found = strips(page)
            assert sorted(each["title"] for each in found) == sorted(UNITS.values())
            assert len({each["right"] for each in found}) == 1
            assert found[0]["right"] - found[0]["left"] > width * 0.3
            assert all(each["height"] >= 48 and len(each["labels"]) >= 2 for each in found)
            tops = [each["top"] for each in found]
            assert tops == sorted(tops) and len(set(tops)) == 3
            for each in found:
                low, high = (float(each["labels"][at]) for at in (0, -1))
                step = (high - low) / (len(each["labels"]) - 1)
                (value,) = each["values"]
                assert low - step <= float(value.split()[0]) <= high + step
        page.picture("trend-strips-" + drawing)
        assert page.complaints() == []


#: Where (px) the last step of the curve in strip *n* is, and the names of its axis.
STEPS = """((strip) => [
  Number(/V([\\d.]+)(?:H[\\d.]+)?$/.exec(
    strip.querySelector('path[stroke]').getAttribute('d'))[1]),
  Object.fromEntries(Array.from(strip.querySelectorAll('text[text-anchor=end]'),
    (each) => [each.textContent, Number(each.getAttribute('y')) - 4])),
])(document.querySelectorAll('#trend-chart .strip')[arguments[0]])"""


def test_enumerations_and_booleans_are_steps_on_an_axis_with_their_names(
    page: Page, client: Client
) -> None:
    with drawn_by(page, "opcws"):
        keep(page, ["Motor.Mode", "Types.Boolean", "Boiler.Level"])
        page.shows(lambda: len(strips(page)) == 3, "the strips")
        found = {each["title"]: each["labels"] for each in strips(page)}
        assert found["Motor.Mode"] == ["Hand", "Automatic", "Service"]
        assert found["Types.Boolean"] == ["false", "true"]
        order = [each["title"] for each in strips(page)]
        for name, value, label in (
            *(("Motor.Mode", n, text) for n, text in ((2, "Service"), (0, "Hand"))),
            *(("Types.Boolean", n, str(n).lower()) for n in (False, True)),
            ("Motor.Mode", 1, "Automatic"),
        ):
            client.write(name, value)
            place = order.index(name)
            page.shows(
                lambda at=place, text=label: (
                    lambda step: abs(step[0] - step[1].get(text, -1)) < 1
                )(page.ask(STEPS, at)),
                "the step of %s to %s" % (name, label),
            )
        assert page.complaints() == []


def test_the_history_of_an_enumeration_has_its_names_too(
    browser: Any, plant: PlantProcess, tmp_path: Path
) -> None:
    node = {"node": "nsu=%s;s=Motor.Mode" % URI, "access": "readwrite", "record": True}
    settings = support.settings(plant.endpoint, variables={"Mode": node})
    with connected(support.from_file(tmp_path, settings)) as server:
        page = Page(browser, server.urls[0] + "#Mode")
        page.shows(lambda: page.text("#detail-value"), "a value")
        page.click("#tab-history")
        page.click("#history-load")
        page.shows(lambda: strips(page, "history-chart"), "the chart")
        (strip,) = strips(page, "history-chart")
        assert strip["labels"] == ["Hand", "Automatic", "Service"]


def test_the_time_that_is_pointed_at_is_marked_through_all_strips(page: Page) -> None:
    chains = pytest.importorskip("selenium.webdriver.common.action_chains")
    keep(page, list(UNITS))
    chart = page.element("trend-chart")
    cursor = "document.querySelector('#trend-chart .cursor').%s"
    assert page.ask(cursor % "hidden")
    chains.ActionChains(page.browser).move_to_element(chart).perform()
    page.shows(lambda: not page.ask(cursor % "hidden"), "the cursor")
    assert page.ask(cursor % "offsetHeight") > sum(each["height"] for each in strips(page))
    assert " at " in page.ask("document.getElementById('trend-chart').getAttribute('aria-label')")


# --- as many curves as one likes -----------------------------------------------------------------

LOOKS = """
const [ready] = arguments;
import("/strips.js").then(({ look }) => ready(Array.from({ length: 64 }, (_none, n) => look(n))));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_two_curves_look_alike(page: Page, scheme: str) -> None:
    page.scheme(scheme)
    looks = page.browser.execute_async_script(LOOKS)
    assert len({(each["colour"], json.dumps(each["dash"])) for each in looks}) == 64
    assert len({each["colour"] for each in looks[:8]}) == 8
    assert len({json.dumps(each["dash"]) for each in looks[:8]}) == 8, "also without colour"
    assert [each["mark"] for each in looks] == [str(n) for n in range(1, 65)]


def test_the_legend_has_number_and_dash_of_each_of_nine_curves(page: Page) -> None:
    names = [
        "Boiler.Level", "Boiler.Pressure", "Boiler.Setpoint", "Boiler.Temperature", "Boiler.Valve",
        "Types.Double", "Types.Int16", "Types.Int32", "Motor.Mode",
    ]  # fmt: skip
    keep(page, names)
    shown = page.ask(
        "Array.from(document.querySelectorAll('#trend-series li'), (each) => ["
        "  each.querySelector('.mark').textContent,"
        "  each.querySelector('.swatch path').getAttribute('stroke'),"
        "  each.querySelector('.swatch path').getAttribute('stroke-dasharray')])"
    )
    assert sorted(mark for mark, _colour, _dash in shown) == [str(n) for n in range(1, 10)]
    assert len({(colour, dash) for _mark, colour, dash in shown}) == 9
    ends = "Array.from(document.querySelectorAll('#trend-chart .mark'), (e) => e.textContent)"
    page.shows(lambda: len(page.ask(ends)) == 9, "a number at the end of each curve")
    assert page.complaints() == []


def test_a_dash_is_drawn(page: Page) -> None:
    constant = {"times": [0, 100], "values": [1.01, 1.01]}
    solid, dashed = inked(
        page,
        {"colour": "#ff0000", "unit": "a", **constant},
        {"colour": "#0000ff", "unit": "b", "dashed": True, **constant},
    )
    assert all(is_inked(solid, time) for time in range(1, 100))
    assert 0.5 < len(dashed) / len(solid) < 0.9


# --- back in time, and not into the future -------------------------------------------------------


def span_of(page: Page) -> Tuple[float, float]:
    """From when to when (s) the trend shows."""
    text: List[str] = page.browser.execute_async_script(
        "const { dataset } = document.getElementById('trend-chart');"
        "requestAnimationFrame(() => requestAnimationFrame(("
        "  () => arguments[0]([dataset.from, dataset.to]))));"
    )
    return float(text[0]), float(text[1])


def begins(page: Page) -> List[float]:
    """When (s) each curve begins."""
    text: str = page.ask("document.getElementById('trend-chart').dataset.begins")
    return [float(begin) for begin in text.split()]


#: Keep what is asked of the past in window.asked.
ASKED = """
const [ready] = arguments;
window.asked = [];
import("/opcws.js").then(({ Client }) => {
  const { historyOf } = Client.prototype;
  Client.prototype.historyOf = function (names, options) {
    window.asked.push({ names, points: options.maxPoints });
    return historyOf.call(this, names, options);
  };
  ready();
});
"""


#: What is asked of the past fails at first as a whole, then for each variable.
FAILING = """
const [ready] = arguments;
import("/opcws.js").then(({ Client, StatusError, TimeoutError }) => {
  const { historyOf } = Client.prototype;
  const failures = [
    () => { throw new TimeoutError("no answer in time"); },
    (names) => names.map((variable) => ({
      variable, values: [], error: new StatusError("BadTimeout", "", "HISTORICALREAD", variable),
    })),
  ];
  Client.prototype.historyOf = async function (names, options) {
    const fail = failures.shift();
    window.failures = failures.length;
    return fail ? fail(names) : historyOf.call(this, names, options);
  };
  ready();
});
"""


def test_a_past_that_cannot_be_had_at_once_comes_later(page: Page) -> None:
    page.browser.execute_async_script(FAILING)
    page.look_at("Boiler.Temperature")
    page.shows(lambda: page.ask("window.failures") == 0, "that it fails")
    page.shows(lambda: begins(page)[0] < now(page) - 200, "the past")
    assert page.ask("window.failures") == 0
    assert page.complaints() == []


@pytest.mark.parametrize("how", ["zoom", "keys", "span"])
def test_who_looks_farther_back_gets_what_was_recorded_of_all_curves(
    browser: Any, how: str
) -> None:
    names = ["Boiler.Pressure", "Boiler.Temperature"]
    with PlantProcess() as plant, connected(support.serve(plant.endpoint)) as server:
        began = time.time() - 3600  # of the plant's history, or a little later
        wait_until(lambda: time.time() - 3600 > began + 5, "a past of more than an hour")
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.cell(names[0], "unit"), "what is known")
        page.browser.execute_async_script(ASKED)
        keep(page, names)
        page.choose("trend-span", "3600")
        page.shows(lambda: min(page.points()) > 100, "an hour")
        hour = min(begins(page))
        assert hour > began + 3
        page.browser.execute_script("window.asked.length = 0")
        if how == "zoom":
            page.click("[data-move=out]")
        elif how == "span":
            page.choose("trend-span", "28800")
        else:
            for _ in range(3):
                page.element("trend-chart").send_keys(LEFT)
        page.shows(lambda: max(begins(page)) < hour - 1, "what was before")
        for asked in page.ask("window.asked"):
            assert sorted(asked["names"]) == names
            assert asked["points"] <= 2000
        page.picture("trend-farther-back")
        assert 1 <= page.ask("window.asked.length") <= 3, "not again and again"
        assert page.complaints() == []


def test_nothing_leads_into_the_future(page: Page) -> None:
    chains = pytest.importorskip("selenium.webdriver.common.action_chains")
    keep(page, ["Boiler.Temperature"])
    chart = page.element("trend-chart")
    wheel = (
        "document.getElementById('trend-chart').dispatchEvent(new WheelEvent('wheel', {"
        "  deltaX: arguments[0], deltaY: arguments[1], clientX: 900, cancelable: true }))"
    )
    acts: List[Tuple[str, Callable[[], Any]]] = [
        ("out", lambda: page.click("[data-move=out]")),
        ("right", lambda: page.click("[data-move=right]")),
        ("in", lambda: page.click("[data-move=in]")),
        ("key right", lambda: chart.send_keys(RIGHT)),
        ("key -", lambda: chart.send_keys("-")),
        ("wheel out", lambda: page.browser.execute_script(wheel, 0, 100)),
        ("wheel right", lambda: page.browser.execute_script(wheel, 900, 0)),
        (
            "drag",
            lambda: (
                chains.ActionChains(page.browser).drag_and_drop_by_offset(chart, -90, 0).perform()
            ),
        ),
    ]
    for what, act in acts:
        _begin, before = span_of(page)
        act()
        begin, end = span_of(page)
        assert before - 1 < end <= now(page) + 1, "%s: the present stays, no future comes" % what
        assert begin < end
    page.click("[data-move=left]")
    page.shows(lambda: span_of(page)[1] < now(page) - 60, "back in time")
    page.element("trend-chart").send_keys(HOME)
    page.shows(lambda: page.text("#trend-live") == "Live", "live again")
    page.shows(lambda: now(page) - 5 < span_of(page)[1] <= now(page) + 1, "at the present")
    assert page.complaints() == []


OLDER = """
const [to, ready] = arguments;
Promise.all([import("/curves.js"), import("/opcws.js")]).then(([{ Line }, { DataValue }]) => {
  const first = Math.floor(Date.now() / 1000) - 1000;
  const data = ([time, value]) => new DataValue({
    SourceTimestamp: new Date((first + time) * 1000).toISOString(),
    Value: { Type: 6, Body: value } });
  const line = new Line("line", 0);
  line.begin = first + 500;
  for (const one of [[510, 3], [600, 4]]) line.add(data(one));
  line.keep(first + 100, first + to, [[150, 1], [300, 2]].map(data));
  const [times, values] = line.points(first + 120);
  ready(times.map((time, n) => [Math.round(time - first), values[n]]));
});
"""


@pytest.mark.parametrize("to", [500, 400])
def test_what_is_not_loaded_yet_is_not_bridged(page: Page, to: int) -> None:
    found = page.browser.execute_async_script(OLDER, to)
    hole: List[Any] = [] if to == 500 else [[400, None]]
    assert found == [[150, 1], [300, 2], *hole, [510, 3], [600, 4]]

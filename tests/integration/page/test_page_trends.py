"""The trend of the page in a real browser: it never draws what nobody knows."""

from typing import Any, Dict, Iterator, List

import pytest

from ... import support
from ...support import PATIENCE, Client, PlantProcess
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

#: Of these the plant keeps no history.
NAMES = ("Types.Double", "Types.Int16", "Types.Int32")
PATIENT = {"request_timeout_ms": PATIENCE * 1000, "connect_timeout_ms": PATIENCE * 1000}


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
    with PlantProcess() as plant, support.served(plant.endpoint, server=PATIENT) as server:
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
    port = support.free_port()
    server = support.serve(plant.endpoint, listen={"port": port}, server=PATIENT)
    try:
        support.wait_connected(server)
        page = show_all(Page(browser, server.urls[0]))
        server.stop()
        page.shows(lambda: stand_still(page), "the curves end")
        server = support.serve(plant.endpoint, listen={"port": port}, server=PATIENT)
        # Nothing has changed, but nobody saw that.
        page.shows(lambda: page.gaps() == [1, 1, 1], "a gap in every curve")
        page.shows(lambda: not stand_still(page), "and they go on")
        assert page.complaints() == []
    finally:
        server.stop()


def test_a_plant_that_is_away_from_the_beginning_has_no_curve_until_it_comes(browser: Any) -> None:
    port = support.free_port()
    server = support.serve("opc.tcp://127.0.0.1:%d" % port, server=PATIENT)
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
Promise.all([import("/trend.js"), import("/opcws.js")]).then(([{ Line }, { DataValue }]) => {
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


#: The colours at each of some times, in a chart of three curves of one unit.
COLOURS = """
const [times, ready] = arguments;
import("/chart.js").then(async ({ Chart }) => {
  const element = document.createElement("div");
  element.className = "chart";
  element.style.cssText = "width: 600px; height: 200px; position: fixed; top: 0; background: white";
  document.body.append(element);
  const chart = new Chart(element, { onMove() {}, onReset() {} });
  await chart.ready;
  const curve = (colour, times, values) => (
    { name: colour, unit: "", colour, stepped: true, times, values });
  const dense = Array.from({ length: 100 }, (_none, n) => n + 0.25);
  chart.show([
    curve("#ff0000", [0, 20, 40, 70, 100], [1, null, 1, NaN, 1]),
    curve("#0000ff", [0, 20, 30, 60, 80], [2, 2, null, 2, 2]),
    curve("#00a000", dense, dense.map((time) => (time > 50 && time < 55 ? null : 3))),
  ], { from: 0, to: 100 });
  await new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); });
  const canvas = element.querySelector("canvas");
  if (!canvas) return ready(null);
  const [over, whole] = [".u-over", "canvas"].map(
    (which) => element.querySelector(which).getBoundingClientRect());
  const found = times.map((time) => {
    const x = (over.left - whole.left + time / 100 * over.width) * canvas.width / whole.width;
    const { data } = canvas.getContext("2d").getImageData(Math.round(x), 0, 1, canvas.height);
    const seen = [false, false, false];
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue] = data.slice(at, at + 3);
      if (data[at + 3] < 100) continue;
      if (red > 150 && green < 90 && blue < 90) seen[0] = true;
      if (blue > 150 && red < 90 && green < 90) seen[1] = true;
      if (green > 110 && red < 90 && blue < 90) seen[2] = true;
    }
    return ["red", "blue", "green"].filter((_colour, n) => seen[n]).join(" ");
  });
  element.remove();
  ready(found);
});
"""


def test_a_gap_of_one_curve_is_one_at_the_times_of_others_too(page: Page) -> None:
    seen: Dict[int, str] = {
        10: "red blue green",
        25: "blue green",  # red is unknown from 20 on
        35: "green",  # blue from 30 on
        45: "red green",
        53: "red",  # green from 50.25 to 55.25
        65: "red blue green",
        75: "blue green",  # red is not a number
        90: "green",  # blue ended at 80: it is not known up to the border
    }
    found = page.browser.execute_async_script(COLOURS, list(seen))
    if found is None:
        pytest.skip("not run: needs uPlot")
    assert dict(zip(seen, found)) == seen

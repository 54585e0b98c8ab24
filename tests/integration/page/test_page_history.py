"""The page at / in a real browser, in front of an opcws that records: its trend begins with what
was recorded, and goes on without a hole."""

import contextlib
import json
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from opcws.app import Server
from opcws.config import load

from ... import support
from ...support import PATIENCE, URI, Client, PlantProcess
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

#: A variable of which the plant keeps no history.
NAME = "Types.Int32"
PATIENT = {"request_timeout_ms": PATIENCE * 1000, "connect_timeout_ms": PATIENCE * 1000}


@contextlib.contextmanager
def recording(plant: PlantProcess, directory: Path, **server: Any) -> Iterator[Server]:
    """An opcws that records into *directory*, connected."""
    variables = {
        name: {"node": "nsu=%s;s=%s" % (URI, name), "access": "readwrite", "record": True}
        for name in (NAME, "Types.Int16", "Boiler.Setpoint", "Test.Counter")
    }
    settings = support.settings(plant.endpoint, variables=variables, server={**PATIENT, **server})
    path = directory / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    server = Server(load(path))
    server.start()
    try:
        support.wait_connected(server)
        yield server
    finally:
        server.stop()


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


#: Whether there is red at each of the times, in a chart of a red line with a gap and a blue one.
GAPS = """
const [times, ready] = arguments;
import("/chart.js").then(async ({ Chart }) => {
  const element = document.createElement("div");
  element.className = "chart";
  element.style.cssText = "width: 600px; height: 200px; position: fixed; top: 0; background: white";
  document.body.append(element);
  const chart = new Chart(element, { onMove() {}, onReset() {} });
  await chart.ready;
  const line = (colour, times, values) => (
    { name: colour, unit: "", colour, stepped: true, times, values });
  const beside = Array.from({ length: 21 }, (_none, n) => n * 5 + 0.5);
  chart.show([line("#ff0000", [10, 50, 80, 100], [1, null, 2, 2]),
    line("#0000ff", beside, beside.map(() => 0))], { from: 0, to: 100 });
  const { plot } = chart.strips[0].drawing;
  if (!plot) return ready(null);
  await new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); });
  const { ctx } = plot;
  ready(times.map((time) => {
    const x = Math.round(plot.valToPos(time, "x", true));
    const { data } = ctx.getImageData(x, 0, 1, ctx.canvas.height);
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 100 && data[at] > 150 && data[at + 2] < 100) return true;
    }
    return false;
  }));
});
"""


def test_a_value_holds_until_a_gap_and_nothing_is_drawn_in_it(page: Page) -> None:
    seen = page.browser.execute_async_script(GAPS, [5, 12, 30, 48, 52, 65, 78, 82, 95])
    if seen is None:
        pytest.skip("not run: needs uPlot")
    assert seen == [False, True, True, True, False, False, False, True, True]


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

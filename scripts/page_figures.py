"""Measures the page's cost for the browser, with Chromium's own figures.

    python3 scripts/page_figures.py [--kit FOLDER]          the list, a view, a tree, 30 s each
    python3 scripts/page_figures.py --only view --span 300 --profile

A plant has 10,000 variables that change ten times a second; it is the kit's with ``--kit``, else
python-opcua's, which changes them less often.  The page shows in turn

list    all 10,000, scrolled to the middle
view    six charts of four variables each
tree    the same variables in folders, two of them unfolded

*main thread* is processor time of the page's own thread: scripts, styles, layout and the rest.
*renderer* is all threads of its process, *GPU* the process that composes the picture; without a
window Chromium draws in software, so both are larger than with a graphics card.  All are percent of
one core.  *frames/s* are frames from opcws to the page.
"""

import sys

# Before the imports, which an older Python 3 cannot even parse.
if sys.version_info < (3, 8):
    sys.exit(
        "page_figures.py: needs Python 3.8 or newer, this is %d.%d; install a newer one, and "
        "start this with it." % sys.version_info[:2]
    )

import argparse
import base64
import contextlib
import json
import re
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import environment

#: Run in this Python, which has the packages of the tests.
HERE = "--this-python"
CELLS = ("list", "view", "tree")
VARIABLES, RATE = 10000, 10.0
CHARTS, CURVES = 6, 4
#: Seconds before a page is measured.
SETTLES_S = 3
#: The printed members of Performance.getMetrics; seconds of processor time.
THREAD = {"Task": "main thread", "Script": "script", "RecalcStyle": "style", "Layout": "layout"}
PROCESSES = {"renderer": "renderer", "GPU": "GPU"}
#: Most functions of a profile that are printed.
MOST = 25

pause = threading.Event()


def name(number: int) -> str:
    return "Area%d.Unit%02d.Value%02d" % (number // 1000, number // 50 % 20, number % 50)


def view(span_s: int) -> str:
    """The address of a view with six charts."""
    panels = [
        {
            "Kind": "chart",
            "Variables": [name(chart * CURVES + curve) for curve in range(CURVES)],
            "Width": 6,
            "Height": 2,
        }
        for chart in range(CHARTS)
    ]
    text = json.dumps({"Name": "Six charts", "Span": span_s, "Panels": panels})
    return "#/view/" + base64.urlsafe_b64encode(text.encode("utf-8")).decode("ascii").rstrip("=")


class Chromium:
    """Chromium's own measurements, through the *browser* of selenium."""

    def __init__(self, browser: Any) -> None:
        import websocket

        address = browser.capabilities["goog:chromeOptions"]["debuggerAddress"]
        with urllib.request.urlopen("http://%s/json/version" % address) as response:
            url = json.load(response)["webSocketDebuggerUrl"]
        self._socket = websocket.create_connection(url, suppress_origin=True)
        self.browser = browser

    def ask(self, method: str, **parameters: Any) -> Dict[str, Any]:
        answer: Dict[str, Any] = self.browser.execute_cdp_cmd(method, parameters)
        return answer

    def figures(self) -> Dict[str, float]:
        """Seconds of processor time until now."""
        metrics = {
            each["name"]: each["value"] for each in self.ask("Performance.getMetrics")["metrics"]
        }
        found = {heading: metrics[key + "Duration"] for key, heading in THREAD.items()}
        self._socket.send(json.dumps({"id": 1, "method": "SystemInfo.getProcessInfo"}))
        listed = json.loads(self._socket.recv())["result"]["processInfo"]
        for kind, heading in PROCESSES.items():
            found[heading] = sum(each["cpuTime"] for each in listed if each["type"] == kind)
        return found

    def measure(self, seconds: float) -> Dict[str, float]:
        """The same, in percent of one core, over some *seconds*."""
        self.ask("Performance.disable")
        self.ask("Performance.enable", timeDomain="threadTicks")
        before, began = self.figures(), time.monotonic()
        pause.wait(seconds)
        after, took = self.figures(), time.monotonic() - began
        return {key: 100 * (after[key] - before[key]) / took for key in after}

    def profile(self, seconds: float) -> Iterator[str]:
        """The functions that took the most time themselves, with their shares."""
        self.ask("Profiler.enable")
        self.ask("Profiler.start")
        pause.wait(seconds)
        profile = self.ask("Profiler.stop")["profile"]
        self.ask("Profiler.disable")
        places = {each["id"]: each["callFrame"] for each in profile["nodes"]}
        spent: Dict[str, float] = {}
        for node, us in zip(profile["samples"], profile["timeDeltas"]):
            frame = places[node]
            place = "%s %s:%d" % (
                *(frame["functionName"], frame["url"].rsplit("/", 1)[-1], frame["lineNumber"] + 1),
            )
            spent[place] = spent.get(place, 0.0) + us / 1e6
        for place in sorted(spent, key=lambda each: -spent[each])[:MOST]:
            yield "    %5.2f %%  %s" % (100 * spent[place] / seconds, place)


def frames(url: str) -> float:
    """Number of frames that opcws has sent."""
    with urllib.request.urlopen(url + "metrics") as response:
        text = response.read().decode("utf-8")
    return sum(map(float, re.findall(r"(?m)^opcws_sent_frames_total\S* (\S+)$", text)))


def show(browser: Any, cell: str, url: str, span_s: int) -> None:
    """Show *cell* in the *browser*, as long as it takes until the measurement."""
    from tests.support.page import Page

    page = Page(browser, url + (view(span_s) if cell == "view" else ""))
    if cell == "view":
        drawn = "Array.from(document.querySelectorAll('.body')).filter((e) => e.dataset.points)"
        page.shows(lambda: page.ask(drawn + ".length") == CHARTS, "the charts")
        pause.wait(span_s)
        return
    page.shows(lambda: page.count() >= VARIABLES, "the list")
    if cell == "tree":
        page.click("#tree")
        for folder in ("Area0", "Area0.Unit00"):
            row = '[data-folder="%s"]' % folder
            page.shows(lambda row=row: page.text(row), folder)
            page.click(row)
    else:
        page.ask("document.getElementById('list').scrollTo(0, 100000)")
    page.shows(lambda: page.text("[data-variable] .value"), "values")
    pause.wait(SETTLES_S)


def transferred(chromium: Chromium) -> float:
    """Bytes of the page and of everything that it has loaded."""
    size: float = chromium.browser.execute_script(
        "return performance.getEntriesByType('navigation')"
        ".concat(performance.getEntriesByType('resource'))"
        ".reduce((sum, one) => sum + one.transferSize, 0)"
    )
    return size


@contextlib.contextmanager
def opcws(folder: Path, kit: Optional[Path]) -> Iterator[str]:
    """The address of opcws in front of the plant."""
    import crowd

    from tests.support import served

    source = "" if kit is None else str(kit / "source" / "opcsim")
    port = crowd.free_port()
    nodes = {name(each): {"node": "nsu=urn:bench;s=Var%d" % each} for each in range(VARIABLES)}
    with crowd.plant(folder, port, VARIABLES, RATE, source):
        with served("opc.tcp://127.0.0.1:%d" % port, variables=nodes) as server:
            yield server.urls[0]


def measure(options: argparse.Namespace) -> None:
    from tests.support import PATIENCE
    from tests.support.browser import chromium

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opcws-page-")))
        url = stack.enter_context(opcws(folder, options.kit))
        browser = stack.enter_context(chromium(folder / "profile", PATIENCE))
        measured = Chromium(browser)
        headings = [*THREAD.values(), *PROCESSES.values()]
        for place, cell in enumerate(options.only.split(",")):
            show(browser, cell, url, options.span)
            if not place:
                print("the page: %.0f kB" % (transferred(measured) / 1000))
                print("%-6s" % "" + "".join("%13s" % each for each in [*headings, "frames/s"]))
            before, began = frames(url), time.monotonic()
            found = measured.measure(options.seconds)
            sent = (frames(url) - before) / (time.monotonic() - began)
            shares = "".join("%11.1f %%" % found[each] for each in headings)
            print("%-6s%s%13.0f" % (cell, shares, sent), flush=True)
            if options.profile:
                print("\n".join(measured.profile(options.seconds)), flush=True)


def main(arguments: List[str]) -> None:
    parser = argparse.ArgumentParser(description="Measure what the page costs the browser.")
    parser.add_argument("--kit", type=Path, help="folder of the benchmark kit, built")
    parser.add_argument("--only", default=",".join(CELLS), help="of " + ", ".join(CELLS))
    parser.add_argument("--seconds", type=float, default=30, help="for each (default: 30)")
    parser.add_argument("--span", type=int, default=60, help="of the charts, in s (default: 60)")
    parser.add_argument("--profile", action="store_true", help="also tell what took longest")
    parser.add_argument(HERE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not set(CELLS) >= set(options.only.split(",")):
        parser.error("--only can give: " + ", ".join(CELLS))
    if not options.this_python:
        command = [environment.prepare("test", "test"), str(Path(__file__).resolve()), HERE]
        environment.become([*command, *arguments])
    sys.path.insert(0, str(environment.ROOT))
    measure(options)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)

"""How the page at / orders and gathers variables: search, sorting, favourites, the tree."""

from typing import Any, Iterator

import pytest

from opcws.app import Server

from ... import support
from ...support import PlantProcess
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

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

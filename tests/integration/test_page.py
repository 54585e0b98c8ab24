"""The page at / in a real browser: what a person sees while the plant lives, dies, returns."""

from typing import Any, Callable, Iterator, List

import pytest

from opcws.app import Server
from opcws.demo import variables

from .. import support
from ..browser import chromium
from ..support import PATIENCE, Client, PlantProcess, wait_until

#: A browser beside them keeps a small machine busy: nobody is given up for being slow.
PATIENT = {"request_timeout_ms": PATIENCE * 1000, "connect_timeout_ms": PATIENCE * 1000}

BACKSPACE = "\ue003"  # WebDriver 17.4.2


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile"), PATIENCE) as driver:
        yield driver


class Page:
    """The page as a person sees it."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        browser.get_log("browser")  # what earlier pages had to say
        browser.get(url)

    def ask(self, expression: str, *arguments: Any) -> Any:
        return self.browser.execute_script("return " + expression, *arguments)

    def text(self, selector: str) -> str:
        """The text at *selector*; empty where nothing is there or it is hidden."""
        found: str = self.ask(
            "((e) => e && e.offsetParent ? e.innerText.trim() : '')"
            "(document.querySelector(arguments[0]))",
            selector,
        )
        return found

    def cell(self, variable: str, column: str) -> str:
        return self.text('[data-variable="%s"] .%s' % (variable, column))

    def names(self) -> List[str]:
        listed: List[str] = self.ask(
            "Array.from(document.querySelectorAll('tbody .name'), (e) => e.innerText)"
        )
        return listed

    def search(self, text: str) -> None:
        field = self.browser.find_element("id", "search")
        self.browser.execute_script("arguments[0].select()", field)
        field.send_keys(text or BACKSPACE)

    def complaints(self) -> List[str]:
        """What the browser found wrong with the page."""
        return [
            entry["message"]
            for entry in self.browser.get_log("browser")
            if "ERR_CONNECTION_REFUSED" not in entry["message"]
        ]

    def shows(self, true: Callable[[], Any], what: str) -> None:
        wait_until(true, what, step=0.05)


@pytest.fixture
def page(browser: Any, server: Server) -> Page:
    opened = Page(browser, server.urls[0])
    opened.shows(lambda: opened.cell("Types.Double", "value"), "a value")
    return opened


def test_the_page_lists_every_variable_with_value_unit_quality_and_age(page: Page) -> None:
    assert page.names() == sorted(variable.name for variable in variables())
    page.shows(lambda: page.cell("Boiler.Temperature", "unit") == "°C", "the unit")
    assert float(page.cell("Boiler.Temperature", "value")) > 0
    assert page.cell("Boiler.Temperature", "quality") == "Good"
    assert page.cell("Boiler.Temperature", "age")
    assert page.text("#connection") == "Connected"
    assert page.text("#servers") == "plant connected"
    assert page.complaints() == []


def test_what_is_not_good_is_said_in_words(page: Page) -> None:
    page.shows(lambda: page.cell("Types.Bad", "quality") == "BadSensorFailure", "the bad one")
    page.shows(
        lambda: page.cell("Types.Uncertain", "quality") == "UncertainLastUsableValue",
        "the doubtful one",
    )
    page.shows(
        lambda: page.cell("Test.WriteOnly", "quality") == "BadNotReadable", "the unreadable one"
    )


def test_a_change_in_the_plant_appears_without_a_reload(page: Page, client: Client) -> None:
    for value in (41, 42):
        client.write("Test.Counter", value)
        page.shows(lambda v=value: page.cell("Test.Counter", "value") == str(v), "the new value")


def test_an_integer_beyond_javascripts_numbers_keeps_its_digits(page: Page) -> None:
    page.shows(lambda: page.cell("Types.Int64Big", "value") == "4611686018427387904", "every digit")


def test_the_search_finds_by_name_description_and_unit(page: Page) -> None:
    page.shows(lambda: page.cell("Boiler.Pressure", "unit") == "bar", "the metadata")
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
    page.shows(lambda: len(page.names()) == len(variables()), "all of them again")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out_of_a_narrow_window(page: Page, width: int) -> None:
    page.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    try:
        assert page.ask("innerWidth") == width
        assert page.ask("document.documentElement.scrollWidth") <= width
        assert page.cell("Types.Double", "value") == "0.1"
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_plant_that_dies_is_shown_and_one_that_returns_heals_the_page(browser: Any) -> None:
    plant = PlantProcess()
    server = support.serve(plant.endpoint, server=PATIENT)
    try:
        support.wait_connected(server)
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.cell("Types.Double", "value") == "0.1", "a value")

        plant.kill()
        page.shows(lambda: page.text("#servers") == "plant disconnected", "the loss")
        assert page.text("#connection") == "Connected"
        page.shows(lambda: page.text("#notice").startswith("plant: "), "the reason")
        page.shows(
            lambda: page.cell("Types.Double", "quality") == "BadNotConnected", "the bad quality"
        )
        assert page.cell("Types.Double", "value") == "0.1", "the last value stays"

        plant.start()
        page.shows(lambda: page.text("#servers") == "plant connected", "the return")
        page.shows(lambda: page.cell("Types.Double", "quality") == "Good", "a fresh value")
        assert page.text("#notice") == ""
        assert page.complaints() == []
    finally:
        server.stop()
        plant.kill()


def test_an_opcws_that_restarts_is_found_again_by_the_page(
    browser: Any, plant: PlantProcess
) -> None:
    port = support.free_port()
    server = support.serve(plant.endpoint, listen={"port": port}, server=PATIENT)
    try:
        support.wait_connected(server)
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.cell("Types.Double", "quality") == "Good", "a value")

        server.stop()
        page.shows(lambda: "lost" in page.text("#connection"), "the loss")
        assert "last known" in page.text("#notice")
        assert page.cell("Types.Double", "value") == "0.1", "the last value stays"

        server = support.serve(plant.endpoint, listen={"port": port}, server=PATIENT)
        page.shows(lambda: page.text("#connection") == "Connected", "the return")
        assert page.text("#notice") == ""
        with Client(server.urls[0]) as client:
            support.wait_connected(server)
            client.write("Test.Counter", 77)
        page.shows(lambda: page.cell("Test.Counter", "value") == "77", "a fresh value")
        assert page.complaints() == []
    finally:
        server.stop()

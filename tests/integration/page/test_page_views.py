"""The views of the page in a real browser: charts and values that a person arranges and keeps."""

import base64
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List
from urllib.parse import unquote

import pytest
from selenium.webdriver import ActionChains

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load

from ... import support
from ...support import PlantProcess, axe
from ...support.contract_problems import problems_in
from ...support.page import Page

ROLES = {
    "anonymous": {"read": ["Boiler.*", "Motor.*"], "history": True},
    "engineer": {"read": ["*"], "history": True, "views": True},
}


class Site:
    def __init__(self, endpoint: str, directory: Path) -> None:
        settings = support.settings(endpoint)
        settings.update(state_dir=str(directory / "state"), roles=ROLES)
        path = directory / "opcws.yaml"
        path.write_text(json.dumps(settings), encoding="utf-8")
        config = load(path)
        self.token = accounts.create_token(config, "engineer", "engineer", None)[0]
        self.server = Server(config)
        self.server.start()
        support.wait_connected(self.server)
        self.url = self.server.urls[0]


@pytest.fixture
def site(plant: PlantProcess, tmp_path: Path) -> Iterator[Site]:
    made = Site(plant.endpoint, tmp_path)
    yield made
    made.server.stop()
    support.no_threads_left()


class Views(Page):
    """The page, at a view."""

    def panels(self) -> List[str]:
        """The titles, or the variables, of the panels in their order."""
        found: List[str] = self.ask(
            "Array.from(document.querySelectorAll('.view-panel'), "
            "(e) => e.getAttribute('aria-label'))"
        )
        return found

    def panel(self, number: int, part: str = "") -> str:
        """Where (a part of) the panel of this *number* is, from 1 on."""
        return ".view-panel:nth-child(%d) %s" % (number, part)

    def points_of(self, number: int) -> List[int]:
        text = self.ask(
            "document.querySelector(arguments[0]).dataset.points", self.panel(number, ".body")
        )
        return [int(each) for each in (text or "").split()]

    def has_curves(self, number: int) -> bool:
        """Whether each curve of the panel of this *number* has points."""
        return min(self.points_of(number), default=0) > 0

    def chosen(self, name: str) -> str:
        """What is chosen in the list *name*."""
        text: str = self.ask(
            "document.getElementById(arguments[0]).selectedOptions[0].textContent", name
        )
        return text

    def address(self) -> str:
        address: str = self.ask("location.hash")
        return address

    def in_address(self) -> Dict[str, Any]:
        """The view that the address holds; nothing if it holds a name."""
        text = self.address().partition("#/view/")[2].partition("?")[0]
        if not text:
            return {}
        found: Dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return found

    def set_up(self, number: int, *variables: str) -> None:
        """Choose *variables* for the panel of this *number*, which is being set up."""
        for variable in variables:
            field = self.browser.find_element("css selector", self.panel(number, ".find"))
            field.clear()
            field.send_keys(variable)
            box = self.panel(number, ".found li:last-child input")
            label = self.panel(number, ".found li:last-child")
            self.shows(lambda v=variable, at=label: self.text(at) == v, variable)
            self.click(box)
        self.click(self.panel(number, ".pick"))

    def to_save(self, name: str, for_all: bool) -> None:
        self.click("#views-save")
        self.fill("views-name", name)
        if for_all != self.element("views-shared").is_selected():
            self.click("#views-shared")
        self.click("#views-saving .main")

    def more(self, what: str) -> None:
        """Press what stands under *More*."""
        if not self.ask("document.querySelector('.menu').open"):
            self.click(".menu summary")
        self.click("#views-" + what)


@pytest.fixture
def views(browser: Any, site: Site) -> Iterator[Views]:
    """As an engineer who has no view yet."""
    opened = at(browser, site, "#/views", site.token)
    yield opened
    opened.restore()
    browser.execute_script("localStorage.clear(); sessionStorage.clear()")


def at(browser: Any, site: Site, address: str, token: str = "") -> Views:
    browser.get(site.url + "docs/")
    script = (
        "sessionStorage.clear(); if (arguments[0]) sessionStorage.setItem('token', arguments[0])"
    )
    browser.execute_script(script, token)
    opened = Views(browser, site.url + address)
    opened.shows(opened.panels, "the view")
    return opened


def test_a_first_view_is_made_from_what_there_is(views: Views) -> None:
    views.resize(1280, 900)
    views.shows(lambda: views.text(views.panel(1, "li:first-child .now")), "the values")
    views.shows(lambda: views.has_curves(2), "curves")
    assert "Overview (not saved)" in views.text("#views-list")
    views.shows(lambda: "Boiler.Temperature" in views.text(views.panel(1)), "what has a unit")
    legend = views.panel(2, ".legend li:first-child ")
    views.shows(lambda: views.text(legend + ".most"), "figures")
    least, mean, most = (float(views.text(legend + part)) for part in (".least", ".mean", ".most"))
    assert least <= mean <= most
    views.picture("view-first")
    assert views.complaints() == []


def test_a_view_is_arranged_and_is_the_same_behind_its_address(views: Views) -> None:
    views.more("new")
    assert "This view is empty" in views.text("#views-nothing")
    views.click("#views-add-chart")
    views.set_up(1, "Boiler.Temperature", "Boiler.Setpoint")
    views.click("#views-add-values")
    views.set_up(2, "Motor.Speed")
    views.browser.find_element("css selector", views.panel(1, ".title-field")).send_keys("Heat")
    views.click(views.panel(1, "[data-act=wider]"))
    views.click(views.panel(2, "[data-act=narrower]"))
    assert views.panels() == ["Heat", "Motor.Speed"]
    views.click(views.panel(2, "[data-act=earlier]"))
    assert views.panels() == ["Motor.Speed", "Heat"]
    views.click("#views-edit")
    views.click(views.panel(2, ".legend li:last-child .toggle"))
    views.choose("views-span", "900")
    views.shows(lambda: "view/" in views.address(), "the address")
    wanted = {
        "Name": "New view",
        "Span": 900,
        "Panels": [
            {"Kind": "values", "Variables": ["Motor.Speed"], "Width": 5, "Height": 1},
            {
                "Kind": "chart",
                "Variables": ["Boiler.Temperature", "Boiler.Setpoint"],
                "Title": "Heat",
                "Hidden": ["Boiler.Setpoint"],
                "Width": 7,
                "Height": 2,
            },
        ],
    }
    views.shows(lambda: views.in_address() == wanted, "all of it in the address")
    assert problems_in("view.schema.json", views.in_address()) == []
    address = views.address()
    views.browser.refresh()
    views.shows(lambda: views.panels() == ["Motor.Speed", "Heat"], "the same")
    views.shows(lambda: views.has_curves(2), "curves")
    assert views.address() == address
    assert views.complaints() == []


def test_a_panel_is_dragged_to_another_place(views: Views) -> None:
    views.resize(1280, 900)
    views.click("#views-edit")
    before = views.panels()
    first, third = (
        views.browser.find_element("css selector", views.panel(number, ".handle"))
        for number in (1, 3)
    )
    ActionChains(views.browser).drag_and_drop(third, first).perform()
    views.shows(lambda: views.panels()[0] == before[2], "the third is the first")
    assert sorted(views.panels()) == sorted(before)


def test_a_view_is_kept_for_me_in_the_browser(views: Views, site: Site) -> None:
    views.to_save("Mine", False)
    views.shows(lambda: "in this browser" in views.text("#notice"), "that it was saved")
    mine = views.panels()
    views.browser.get(site.url + "docs/")
    views.browser.get(site.url + "#/views")
    views.shows(lambda: views.panels() == mine, "the view")
    assert views.chosen("views-list") == "Mine"
    views.more("delete")
    views.browser.switch_to.alert.accept()
    views.shows(lambda: "not saved" in views.text("#views-list"), "what is offered again")
    assert views.ask("JSON.parse(localStorage.getItem('views'))") == {}


def test_a_view_for_everybody_is_seen_by_others_and_not_written_over(
    views: Views, site: Site, browser: Any
) -> None:
    views.to_save("Hall 1", True)
    views.shows(lambda: "for everybody" in views.text("#notice"), "that it was saved")
    views.shows(lambda: unquote(views.address()) == "#/views/Hall 1", "its address")
    # Somebody else changes it.
    kept = site.server.clients.views()
    view = kept.get("hall 1")
    assert view is not None
    text = view.text.replace(b'"Span": 300', b'"Span": 60')
    kept.put(type(view)(view.name, text, "", view.variables), None)
    views.choose("views-span", "3600")
    views.to_save("Hall 1", True)
    views.shows(lambda: "Somebody else" in views.text("#views-reason"), "that it is another now")
    again = kept.get("Hall 1")
    assert again is not None and again.text == text
    other = at(browser, site, "#/views/Hall%201")
    other.shows(lambda: other.chosen("views-span") == "1 min", "theirs")
    other.click("#views-save")
    assert not other.text("#views-for-all"), "the role may not"


def test_a_view_with_what_a_role_may_not_see_is_none_for_it(browser: Any, site: Site) -> None:
    page = at(browser, site, "#/views", site.token)
    page.more("new")
    page.click("#views-add-values")
    page.set_up(1, "Test.Counter")
    page.to_save("Secret", True)
    page.shows(lambda: "for everybody" in page.text("#notice"), "that it was saved")
    other = at(browser, site, "#/views/Secret")
    other.shows(
        lambda: "there is no such view" in other.text("#views-problem"), "why it is not shown"
    )
    assert "Secret" not in other.text("#views-list")


def test_a_view_goes_out_as_a_file_and_comes_in_again(
    views: Views, tmp_path: Path, browser: Any
) -> None:
    views.browser.execute_script(
        "URL.createObjectURL = (blob) => {"
        "  blob.text().then((text) => { window.saved = text; }); return '#'; }"
    )
    views.more("export")
    views.shows(lambda: views.ask("window.saved"), "the file")
    view = json.loads(views.ask("window.saved"))
    assert problems_in("view.schema.json", view) == []
    view["Name"] = "From a file"
    view["Panels"] = view["Panels"][:1]
    file = tmp_path / "view.json"
    file.write_text(json.dumps(view), encoding="utf-8")
    views.element("views-file").send_keys(str(file))
    views.shows(lambda: "From a file" in views.chosen("views-list"), "its name")
    assert len(views.panels()) == 1
    for text, words in (("{", "no JSON"), ('{"Name": "x"}', "Panels: expected"), ("[]", "Name")):
        file.write_text(text, encoding="utf-8")
        views.element("views-file").send_keys(str(file))
        views.shows(lambda w=words: w in views.text("#views-problem"), words)
    assert len(views.panels()) == 1, "what was shown"


def test_an_axis_is_fixed_or_the_usual_range(views: Views) -> None:
    views.resize(1280, 900)
    labels = "Array.from(document.querySelectorAll('%s'), (e) => e.dataset.labels)[0]"
    at_strip = views.panel(2, ".strip")
    views.shows(lambda: views.has_curves(2), "curves")
    views.click("#views-edit")
    views.click(views.panel(2, ".pick"))

    def axis(how: str) -> None:
        views.browser.execute_script(
            "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event('input', {bubbles: true}))",
            views.panel(2, ".axis .how"),
            how,
        )

    axis("range")
    views.shows(lambda: views.ask(labels % at_strip).startswith("0|"), "EURange")
    axis("fixed")
    for part, text in ((".low", "-1000"), (".high", "1000")):
        views.browser.find_element("css selector", views.panel(2, part)).send_keys(text)
    views.shows(lambda: views.ask(labels % at_strip).startswith("-1000|"), "as it was said")
    views.shows(
        lambda: views.in_address()["Panels"][1].get("Axes", [{}])[0].get("Low") == -1000,
        "in the address",
    )
    axis("values")
    views.shows(lambda: "Axes" not in views.in_address()["Panels"][1], "not any more")


def test_moving_one_chart_moves_all_and_a_cursor_goes_through_all(views: Views) -> None:
    views.resize(1280, 900)
    views.shows(lambda: views.has_curves(2), "curves")
    chart = views.browser.find_element("css selector", views.panel(2, ".body"))
    ActionChains(views.browser).move_to_element(chart).perform()
    seen = (
        "Array.from(document.querySelectorAll('.view-panel[data-kind=chart] .cursor'), "
        "(e) => !e.hidden)"
    )
    views.shows(lambda: views.ask(seen) and all(views.ask(seen)), "the cursor")
    chart.send_keys("-")
    views.shows(lambda: views.text("#views-live") == "Back to live", "no more live")
    views.shows(lambda: "From" in views.in_address(), "the time in the address")
    views.click("#views-live")
    views.shows(lambda: views.text("#views-live") == "Live", "live again")
    views.shows(lambda: "From" not in views.in_address(), "also there")


def test_the_panels_alone_on_the_whole_screen(views: Views) -> None:
    views.more("full")
    views.shows(lambda: views.address().endswith("?kiosk"), "the address")
    assert not views.text("h1")
    assert not views.text("#views-edit")
    views.browser.refresh()
    views.shows(lambda: views.panels() and not views.text("h1"), "the same")
    views.click("#views-leave")
    views.shows(lambda: views.text("h1"), "the head")
    assert not views.address().endswith("?kiosk")


@pytest.mark.parametrize("address", ["#/view/nonsense", "#/view/e30", "#/views/None", "#/view/%"])
def test_an_address_that_is_no_view_is_told(browser: Any, site: Site, address: str) -> None:
    page = at(browser, site, address)
    page.shows(lambda: "cannot be shown" in page.text("#views-problem"), "what is wrong")
    assert "Overview" in page.text("#views-list")


@axe.needed
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_views_are_for_all(views: Views, width: int, scheme: str) -> None:
    views.resize(width)
    views.scheme(scheme)
    views.shows(lambda: views.has_curves(2), "curves")
    assert axe.judged(views.browser) == []
    views.click("#views-edit")
    views.click(views.panel(2, ".pick"))
    assert axe.judged(views.browser) == [], "edited"
    views.picture("view-edited-%d-%s" % (width, scheme))
    assert views.ask("document.getElementById('views').scrollWidth") <= width

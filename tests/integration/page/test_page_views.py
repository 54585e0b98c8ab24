"""The views of the page in a real browser: charts and values that a person arranges and keeps."""

import base64
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List
from urllib.parse import unquote

import pytest
from selenium.webdriver import ActionChains, Keys

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load
from opcws.config.settings import Config

from ... import support
from ...support import PlantProcess
from ...support.contract_problems import problems_in
from ...support.page import Page

pytestmark = pytest.mark.drawn

ROLES = {
    "anonymous": {"read": ["Boiler.*", "Motor.*"], "history": True},
    "engineer": {"read": ["*"], "write": ["Boiler.*"], "history": True, "views": True},
}


class Site:
    def __init__(self, endpoint: str, directory: Path) -> None:
        settings = support.settings(endpoint)
        settings.update(state_dir=str(directory / "state"), roles=ROLES)
        self.directory = directory
        config = self.config = self.load(settings)
        self.token = accounts.create_token(config, "engineer", "engineer", None)[0]
        self.server = Server(config)
        self.server.start()
        support.wait_connected(self.server)
        self.url = self.server.urls[0]

    def load(self, settings: Dict[str, Any]) -> Config:
        path = self.directory / "opcws.yaml"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return load(path)

    def reload(self, settings: Dict[str, Any]) -> None:
        self.server.reload(self.load(settings))


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
    figures = (
        "Array.from(document.querySelectorAll('%s .figures > *'), (e) => Number(e.textContent))"
    )
    least, mean, most = views.ask(figures % legend)  # at one time
    assert least <= mean <= most
    tiles = views.panel(1, "").strip() + " .name"
    broken = views.ask(
        "Array.from(document.querySelectorAll(arguments[0]), (e) => e.innerHTML)", tiles
    )
    assert "Boiler.<wbr>Temperature<wbr>" in broken, "a name is broken behind a point"
    views.picture("view-first")
    assert views.complaints() == []


def test_a_tile_tells_what_is_beyond_its_limits_and_what_is_old(
    browser: Any, plant: PlantProcess
) -> None:
    variables = support.settings(plant.endpoint)["servers"]["plant"]["variables"]
    variables["Boiler.Level"]["limits"] = {"low": -3, "high": -2}
    with support.served(plant.endpoint, variables=variables) as running:
        view = {"Name": "x", "Panels": [{"Kind": "values", "Variables": ["Boiler.Level"]}]}
        text = base64.urlsafe_b64encode(json.dumps(view).encode()).decode().rstrip("=")
        page = Views(browser, running.urls[0] + "#/view/" + text)
        tile = page.panel(1, ".legend li ")
        page.shows(lambda: page.text(tile + ".limit") == "above High -2", "the limit")
        assert page.ask("document.querySelector(arguments[0]).dataset.mark", tile + ".now") == "▲"
        look = "getComputedStyle(document.querySelector(arguments[0])).fontStyle"
        assert page.ask(look, tile + ".reading") == "normal"
    page.shows(lambda: page.ask(look, tile + ".reading") == "italic", "it is old now")
    assert not page.text(tile + ".limit")


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


def edited(views: Views) -> None:
    """Nothing moves any more by what comes."""
    views.click("#views-edit")
    views.shows(lambda: views.has_curves(2) and views.text(views.panel(2, ".most")), "figures")
    views.shows(lambda: views.text(views.panel(1, "li:last-child .quality")), "values")


def test_a_panel_is_dragged_to_another_place(views: Views) -> None:
    views.resize(1280, 900)
    edited(views)
    before = views.panels()
    first, third = (
        views.browser.find_element("css selector", views.panel(number, ".handle"))
        for number in (1, 3)
    )
    ActionChains(views.browser).drag_and_drop(third, first).perform()
    views.shows(lambda: views.panels()[0] == before[2], "the third is the first")
    assert sorted(views.panels()) == sorted(before)


def test_a_finger_drags_a_panel_past_another_once(views: Views) -> None:
    views.resize(375, 2000)
    edited(views)
    before = views.panels()
    x, begin, end = views.browser.execute_script(
        "const [handle, other] = Array.from(arguments, (one) => document.querySelector(one))"
        ".map((one) => one.getBoundingClientRect());"
        "return [handle.left + 9, handle.top + handle.height / 2, other.bottom - 9];",
        views.panel(1, ".handle"),
        views.panel(2),
    )

    def touch(kind: str, *points: float) -> List[str]:
        at_points = [{"x": x, "y": y} for y in points]
        event = {"type": "touch" + kind, "touchPoints": at_points}
        views.browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
        return views.panels()

    touch("Start", begin)
    orders = [touch("Move", begin + (end - begin) * step / 20) for step in range(1, 21)]
    after = touch("End")
    assert after == [before[1], before[0], *before[2:]]
    assert orders == sorted(orders, key=lambda order: order == after), "once, and for good"


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


@pytest.mark.parametrize("for_all", [False, True])
def test_changes_that_are_not_saved_are_told_beside_the_name(views: Views, for_all: bool) -> None:
    def called() -> str:
        return views.chosen("views-list")

    views.to_save("Shift", for_all)
    views.shows(lambda: called() == "Shift", "that it is saved")
    views.click("#views-live")  # when the charts show what is no change
    views.shows(lambda: "From" in views.in_address(), "the time in the address")
    assert called() == "Shift"
    views.choose("views-span", "3600")
    views.shows(lambda: called() == "Shift (not saved)", "the change")
    views.browser.refresh()
    views.shows(views.panels, "the view again")
    views.shows(lambda: called() == "Shift (not saved)", "the change again")
    views.choose("views-span", "300")
    if not for_all:  # of one from an address nobody knows what it was
        views.shows(lambda: called() == "Shift", "as it is saved")
    views.choose("views-span", "60")
    views.to_save("Other", for_all)
    views.shows(lambda: called() == "Other", "that it is saved")
    views.picture("views-saved")
    for name in ("Other", "Shift"):
        views.choose("views-list", ("all:" if for_all else "own:") + name)
        views.shows(lambda n=name: called() == n, name)
        views.more("delete")
        views.browser.switch_to.alert.accept()
        views.shows(lambda n=name: n not in views.text("#views-list"), "that it is gone")


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
        lambda: (
            views.in_address()
            and views.in_address()["Panels"][1].get("Axes", [{}])[0].get("Low") == -1000
        ),
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


def encoded(view: Dict[str, Any]) -> str:
    return "#/view/" + base64.urlsafe_b64encode(json.dumps(view).encode()).decode().rstrip("=")


def chart_of(*variables: str, **more: Any) -> Dict[str, Any]:
    return {"Kind": "chart", "Variables": list(variables or ["Boiler.Temperature"]), **more}


def test_a_part_without_variables_does_not_spoil_the_address(views: Views) -> None:
    views.more("new")
    views.click("#views-add-values")
    views.set_up(1, "Motor.Speed")
    views.click("#views-add-chart")
    views.browser.find_element("css selector", views.panel(2, ".title-field")).send_keys("Later")
    views.click("#views-edit")
    views.choose("views-span", "900")
    views.shows(lambda: views.in_address().get("Span") == 900, "the address")
    views.browser.refresh()
    views.shows(lambda: views.panels() == ["Motor.Speed"], "the part that has one")
    assert not views.text("#views-problem")


def test_the_menu_and_the_form_close_as_everywhere(views: Views) -> None:
    is_open = "document.querySelector('.menu').open"
    views.click(".menu summary")
    views.press(Keys.ESCAPE)
    assert not views.ask(is_open)
    assert views.ask("document.activeElement.textContent") == "More"
    views.click(".menu summary")
    views.click("h1")
    assert not views.ask(is_open), "pressed elsewhere"
    views.more("copy")
    assert not views.ask(is_open), "chosen"
    views.click("#views-save")
    views.press(Keys.ESCAPE)
    assert not views.text("#views-saving")
    assert views.ask("document.activeElement.id") == "views-save"


def test_moving_a_part_with_the_keyboard_keeps_the_focus(views: Views) -> None:
    views.click("#views-edit")
    second = views.panels()[1]
    views.browser.find_element("css selector", views.panel(2, "[data-act=earlier]")).send_keys(
        Keys.ENTER
    )
    assert views.panels()[0] == second
    assert views.ask("document.activeElement.dataset.act") == "earlier"


def test_another_view_of_this_browser_is_replaced_only_if_that_is_meant(views: Views) -> None:
    views.to_save("Mine", False)
    views.shows(lambda: "in this browser" in views.text("#notice"), "that it was saved")
    views.choose("views-span", "900")
    views.to_save("Mine", False)
    kept = "JSON.parse(localStorage.views).Mine.Span"
    views.shows(lambda: views.ask(kept) == 900, "saved again without a question")
    # As another tab does.
    views.browser.execute_script("localStorage.views = localStorage.views.replace('900', '3600')")
    views.choose("views-span", "60")
    views.to_save("Mine", False)
    views.browser.switch_to.alert.dismiss()
    assert views.ask(kept) == 3600
    views.click("#views-saving .main")
    views.browser.switch_to.alert.accept()
    views.shows(lambda: views.ask(kept) == 60, "replaced")


def test_that_a_browser_cannot_keep_a_view_is_told(views: Views) -> None:
    views.browser.execute_script(
        "Storage.prototype.setItem = () => { throw new DOMException('It is full.'); }"
    )
    views.to_save("Mine", False)
    views.shows(lambda: views.text("#views-reason") == "Not saved: It is full.", "why")
    views.click("#views-saving .main")
    assert not views.text("#notice")


def test_what_is_no_view_in_the_browser_does_not_hide_the_others(
    views: Views, site: Site, browser: Any
) -> None:
    view = {"Name": "Good", "Panels": [{**chart_of(), "Title": "Heat"}]}
    browser.execute_script(
        "localStorage.views = JSON.stringify({Bad: {Name: 5}, Good: arguments[0]})", view
    )
    opened = at(browser, site, "#/views", site.token)
    assert opened.panels() == ["Heat"]
    opened.choose("views-list", "own:Bad")
    opened.shows(lambda: "cannot be loaded" in opened.text("#views-problem"), "what is wrong")


def test_nothing_of_a_view_stays_for_the_next(views: Views) -> None:
    views.to_save("Hall 1", True)
    views.shows(lambda: unquote(views.address()) == "#/views/Hall 1", "its address")
    views.click("#views-save")
    assert views.text("#views-saving")
    # The next sees it only when there is a connection.
    views.browser.execute_script("window.fetch = () => new Promise(() => {})")
    views.click("#leave")
    assert views.panels() == []
    assert "Hall" not in views.ask("document.getElementById('views').innerText")
    assert "Hall" not in views.browser.title + views.browser.current_url
    assert not views.text("#views-tools")
    assert not views.text("#views-saving")


def test_a_question_before_a_write_does_not_outlive_who_was_asked(views: Views, site: Site) -> None:
    views.click("#to-variables")
    views.look_at("Boiler.Setpoint")
    views.click("#write")
    assert views.text("#writing")
    accounts.revoke_token(site.config, "engineer")
    views.shows(lambda: not views.text("#leave"), "that nobody is logged in")
    views.shows(lambda: not views.text("#writing"), "no question")


def test_a_view_that_comes_too_late_is_not_shown(views: Views) -> None:
    views.to_save("Hall 1", True)
    views.shows(lambda: unquote(views.address()) == "#/views/Hall 1", "its address")
    views.browser.execute_script(
        "const before = window.fetch; window.fetch = async (path, options) => {"
        "  const found = await before(path, options);"
        "  if (path.startsWith('views/')) {"
        "    await new Promise((go) => { window.go = go; }); window.gone = true; }"
        "  return found; }"
    )
    views.browser.execute_script("location.hash = '#/views'")
    views.shows(lambda: views.ask("typeof window.go") == "function", "the request")
    views.click("#to-variables")
    views.shows(lambda: views.text("#variables"), "the variables")
    views.browser.execute_script("window.go()")
    views.shows(lambda: views.ask("window.gone"), "the answer")
    # Behind all that the answer set off.
    views.browser.execute_async_script("setTimeout(arguments[0], 0)")
    assert views.panels() == []
    assert views.browser.title == "opcws"


@pytest.mark.parametrize(
    "view",
    [
        {"Span": 1e9},
        {"Span": 1e-9},
        {"Span": 1e300},
        {"Span": True},
        {"Span": "300"},
        {"Span": [300]},
        {"From": "2026-01-02T00:00:00Z", "To": "2026-01-01T00:00:00Z"},
        {"From": "0001-01-01T00:00:00Z", "To": "+275760-01-01T00:00:00Z"},
        {"From": "1601-01-01T00:00:00Z", "To": "9999-01-01T00:00:00Z"},
        {"From": "2026-01-01T00:00:00.000Z", "To": "2026-01-01T00:00:00.001Z"},
        {"From": {}, "To": [1]},
        {"Panels": [chart_of("Motor.Speed", "<img src=x onerror=alert(1)>", "__proto__")]},
        {"Panels": [chart_of(Title="<img src=x onerror=alert(1)>", Hidden=5, Axes=[5, None])]},
        {"Panels": [chart_of(Span=1e300, Width=1e9, Height=-3, Axes=[{"Unit": "°C", "Low": 5}])]},
    ],
    ids=json.dumps,
)
def test_a_hostile_view_in_an_address_is_shown_or_refused(
    browser: Any, site: Site, view: Dict[str, Any]
) -> None:
    given = {"Name": "👾" * 64, "Panels": [chart_of()], **view}
    page = at(browser, site, encoded(given), site.token)
    page.shows(lambda: page.ask("document.querySelector('.strip')"), "a chart")
    assert not page.text("#views-problem")
    page.click("#views-live")
    page.shows(lambda: page.in_address() != given, "the address")
    assert problems_in("view.schema.json", page.in_address()) == []
    assert page.complaints() == []


def test_a_view_of_most_panels_is_shown(browser: Any, site: Site) -> None:
    names = ["Boiler.Temperature", "Motor.Speed", *("Nowhere%d" % n for n in range(14))]
    given = {"Name": "All", "Panels": [chart_of(*names) for _ in range(50)]}
    page = at(browser, site, encoded(given), site.token)
    page.shows(lambda: len(page.panels()) == 50, "all panels")
    page.shows(lambda: page.points_of(50)[:1] != [0], "a curve")
    page.click("#views-edit")
    page.click("#views-add-chart")
    page.shows(lambda: "50 parts" in page.text("#views-problem"), "that it is full")
    assert len(page.panels()) == 50
    assert page.complaints() == []


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_is_a_step_of_an_address_is_refused(views: Views, name: str) -> None:
    views.to_save(name, True)
    views.shows(lambda: "points alone" in views.text("#views-reason"), "why")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "👾" * 32, "a\"b'c", "<img src=x onerror=alert(1)>", "CON", "%", "?kiosk"],
)
def test_a_hostile_name_is_one_as_any_other(
    views: Views, site: Site, browser: Any, name: str
) -> None:
    views.to_save(name, True)
    views.shows(lambda: "for everybody" in views.text("#notice"), "that it was saved")
    views.shows(lambda: views.address().startswith("#/views/"), "its address")
    panels = views.panels()
    views.browser.refresh()
    views.shows(lambda: views.panels() == panels, "the view")
    views.shows(lambda: views.chosen("views-list") == name, "its name")
    assert not views.text("#views-problem")
    assert views.text("h1"), "the whole page"


def test_a_variable_that_is_gone_is_told_and_seen_again_when_it_is_back(
    browser: Any, site: Site
) -> None:
    panels = [chart_of("Boiler.Level"), {"Kind": "values", "Variables": ["Boiler.Level"]}]
    page = at(browser, site, encoded({"Name": "x", "Panels": panels}), site.token)
    tile = page.panel(2, ".legend li ")
    page.shows(lambda: page.has_curves(1) and page.text(tile + ".unit") == "%", "its values")
    settings = json.loads((site.directory / "opcws.yaml").read_text())
    listed = settings["servers"]["plant"]["variables"]
    others = {name: node for name, node in listed.items() if name != "Boiler.Level"}
    for opened_anew in (False, True):
        settings["servers"]["plant"]["variables"] = others
        site.reload(settings)
        page.shows(lambda: "BadNodeIdUnknown" in page.text(tile + ".quality"), "that it is gone")
        assert page.text(page.panel(1, ".legend .now")) == "–"
        if opened_anew:
            page.browser.refresh()
            page.shows(lambda: "BadNodeIdUnknown" in page.text(tile + ".quality"), "the same")
        settings["servers"]["plant"]["variables"] = listed
        site.reload(settings)
        page.shows(lambda: page.text(tile + ".quality").startswith("Good"), "that it is back")
        page.shows(lambda: page.text(page.panel(1, ".legend .now")) not in ("", "–"), "its curve")
    assert page.complaints() == []

"""What the page at / looks like and how it is handled, whatever it shows: contrast, room, what
fingers can hit, what is said to those who cannot see it."""

import re
from typing import Dict, Iterator, List

import pytest

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load
from opcws.demo import variables

from ... import support
from ...support import PlantProcess, axe, connected, readme
from ...support.page import Page

pytestmark = pytest.mark.drawn

STYLE = (readme.ROOT / "opcws" / "static" / "page.css").read_text(encoding="utf-8")

ESCAPE = "\ue00c"

LONG = "Site.North.Building07.Line12.Filling.Carousel.Head%d.Temperature.Measured.Filtered.Value"


@pytest.fixture(scope="module")
def server(plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the variables of the plant, and some of long names; one may log in, and need not."""
    listed = {each.name: {"node": each.node, "access": each.access} for each in variables()}
    node = next(each.node for each in variables() if each.name == "Boiler.Temperature")
    listed.update({LONG % n: {"node": node} for n in range(3)})
    directory = tmp_path_factory.mktemp("looks")
    everything = {"read": ["*"], "write": ["*"], "history": True, "views": True}
    settings = support.settings(plant.endpoint, variables=listed)
    settings.update(
        state_dir=str(directory), roles={"anonymous": everything, "operator": everything}
    )
    with connected(support.from_file(directory, settings)) as running:
        accounts.add_user(
            load(directory / "opcws.yaml"), "jo", "operator", lambda: "mill by a brook"
        )
        yield running
    support.no_threads_left()


# --- colours -------------------------------------------------------------------------------------


def colours(selector: str) -> Dict[str, str]:
    block = STYLE[STYLE.index(selector) :]
    found = re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block[: block.index("}")])
    return {
        name: value if len(value) == 7 else re.sub(r"([0-9a-f])", r"\1\1", value)
        for name, value in found
    }


SCHEMES = {"light": colours(":root {"), "dark": colours(':root[data-theme="dark"] {')}


def contrast(one: str, other: str) -> float:
    """WCAG 2.1, *contrast ratio*."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_text_and_what_one_acts_on_stand_out_from_the_ground(scheme: str) -> None:
    known = SCHEMES[scheme]
    for ground in ("ground", "card", "raised", "tint", "bad-tint"):
        for ink in ("text", "soft", "accent", "good", "doubt", "bad"):
            assert contrast(known[ink], known[ground]) >= 4.5, (ink, ground)  # WCAG 1.4.3
    assert contrast(known["text"], known["flash"]) >= 4.5
    assert contrast(known["on-accent"], known["accent"]) >= 4.5
    for ground in ("ground", "card", "raised"):
        assert contrast(known["edge"], known[ground]) >= 3, ground  # WCAG 1.4.11
    for line in (name for name in known if name.startswith("line-")):
        assert contrast(known[line], known["card"]) >= 3, line


def test_dark_is_the_same_by_choice_and_by_the_devices_preference() -> None:
    preferred = STYLE[STYLE.index("@media (prefers-color-scheme: dark)") :]
    again = re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", preferred[: preferred.index("}")])
    assert {name: contrast(value, "#000000") for name, value in again if len(value) == 7} == {
        name: contrast(value, "#000000") for name, value in SCHEMES["dark"].items()
    }


# --- room ----------------------------------------------------------------------------------------

#: Cells whose text is cut off.
CUT = """Array.from(document.querySelectorAll('[data-variable="' + arguments[0] + '"] > *'))
  .filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.className)"""


@pytest.mark.parametrize("width", [360, 820, 1440])
@pytest.mark.parametrize("variable", ["Types.UInt32", "Types.UInt64", "Boiler.Temperature"])
def test_a_number_is_never_cut_off(page: Page, width: int, variable: str) -> None:
    page.resize(width)
    page.search(variable)
    page.shows(lambda: page.cell(variable, "value"), "the value")
    assert [each for each in page.ask(CUT, variable) if "value" in each or "unit" in each] == []


def test_on_a_phone_the_quality_is_told_in_full(page: Page) -> None:
    page.resize(360)
    for variable in ("Types.Bad", "Types.Uncertain"):
        page.search(variable)
        page.shows(lambda v=variable: page.cell(v, "quality"), "the quality")
        assert [each for each in page.ask(CUT, variable) if "quality" in each] == []


def test_of_a_name_that_is_too_long_the_end_is_shown(page: Page) -> None:
    page.resize(360)
    page.search("site")
    name = LONG % 1
    page.shows(lambda: page.cell(name, "value"), "the value")
    assert page.cell(name, "name").endswith("Value")
    assert [each for each in page.ask(CUT, name) if "name" in each] == []
    title = "document.querySelector('[data-variable=\"%s\"] .name').title" % name
    assert page.ask(title) == name
    page.picture("long-names")


@pytest.mark.parametrize("width", [700, 1440])
def test_the_heads_of_the_columns_are_above_them(page: Page, width: int) -> None:
    page.resize(width)
    head = "document.querySelector('.head').offsetHeight > 0"
    page.shows(lambda: page.ask(head) == (width > 800), "whether there is a head")
    if width > 800:
        for column, edge in (("value", "right"), ("age", "right"), ("unit", "left")):
            places = page.ask(
                "['.head .', '[data-variable=\"Boiler.Level\"] .'].map((where) => Math.round("
                "document.querySelector(where + arguments[0]).getBoundingClientRect()"
                "[arguments[1]]))",
                column,
                edge,
            )
            assert places[0] == places[1], column


@pytest.mark.parametrize(
    ("values", "step", "labels"),
    [
        ([1.4125, 1.415, 1.4175], 0.0025, ["1.4125", "1.4150", "1.4175"]),
        ([80, 80.5], 0.5, ["80.0", "80.5"]),
        ([-200, 0, 200], 200, ["-200", "0", "200"]),
        ([2e12, 2.5e12], 5e11, ["2000000000000", "2500000000000"]),
        ([1e-7, 2e-7], 1e-7, ["0.0000001", "0.0000002"]),
    ],
)
def test_marks_of_an_axis_are_told_with_the_digits_that_tell_them_apart(
    page: Page, values: List[float], step: float, labels: List[str]
) -> None:
    found = page.browser.execute_async_script(
        "const [values, step, ready] = arguments;"
        "import('/chart.js').then(({ valueLabels }) => ready(valueLabels(values, step)));",
        values,
        step,
    )
    assert found == labels


# --- fingers and keys ----------------------------------------------------------------------------

#: What can be pressed and is smaller than *arguments[0]* px.
SMALL = """Array.from(document.querySelectorAll('button, input, select, textarea, a, summary'))
  .filter((each) => each.offsetParent && !each.classList.contains('skip'))
  .map((each) => [each, each.getBoundingClientRect()])
  .filter(([each, box]) => Math.min(box.width, box.height) < arguments[0] - 0.01)
  .map(([each, box]) => (each.id || each.className || each.textContent) +
    ' ' + box.width + ' x ' + box.height)"""


def test_what_is_pressed_has_room_for_a_finger_on_a_phone(page: Page) -> None:
    page.resize(360)
    assert page.ask(SMALL, 44) == []
    page.look_at("Boiler.Setpoint")
    page.shows(lambda: page.text("#write"), "the button")
    page.click("#pin")
    page.shows(lambda: page.text("#trend-series"), "the chips")
    assert page.ask(SMALL, 44) == []
    page.click("#tab-history")
    assert page.ask(SMALL, 44) == []
    page.click("#write")
    assert page.ask(SMALL, 44) == []


def test_on_a_desk_nothing_is_smaller_than_wcag_wants(page: Page) -> None:
    page.resize(1440)
    page.look_at("Boiler.Setpoint")
    page.shows(lambda: page.text("#write"), "the button")
    page.click("#pin")
    page.shows(lambda: page.text("#trend-series"), "the chips")
    assert page.ask(SMALL, 24) == []  # WCAG 2.2, 2.5.8


def test_the_keyboards_place_is_seen_also_where_focus_visible_is_not_known() -> None:
    # Safari before 15.4 drops a rule with a selector that it does not know.
    rules = re.findall(r"^([^@{}\n]*:focus[^{]*){([^}]*)}", STYLE, re.MULTILINE)
    plain = [body for selector, body in rules if ":focus-visible" not in selector]
    assert any("outline: 2px solid" in body for body in plain)
    for selector, body in rules:
        if "outline: none" in body:
            assert ":not(:focus-visible)" in selector or selector.startswith('[tabindex="-1"]')


# --- every surface, on every screen --------------------------------------------------------------


def at_list(page: Page) -> None:
    page.click("#to-variables")
    page.search("")
    page.choose("sort", "name-")
    page.shows(lambda: page.names() and page.cell(page.names()[0], "value"), "a value")
    page.click("[data-variable='%s'] .star" % page.names()[0])


def at_settings(page: Page) -> None:
    page.click("#settings summary")


def at_tree(page: Page) -> None:
    page.click("#settings summary")
    page.click("#tree")
    page.search("types.*n*")
    page.shows(lambda: page.text("[data-folder=Types] .quality").startswith("1 "), "the worst")


def at_detail(page: Page) -> None:
    page.click("#tree")
    for name in ("Boiler.Pressure", "Motor.Mode"):
        page.look_at(name)
        page.click("#pin")
        page.click("#detail-close")
    page.look_at("Boiler.Setpoint")
    page.shows(lambda: page.text("#write"), "what may be done")
    page.shows(lambda: len(page.points()) == 3 and min(page.points()) > 0, "the curves")


def at_changes(page: Page) -> None:
    page.click("#trend-table summary")


def at_history(page: Page) -> None:
    page.click("#tab-history")
    page.click("#history-load")
    page.shows(lambda: page.text("#history-table"), "the values")


def at_facts(page: Page) -> None:
    page.click("#tab-facts")
    page.shows(lambda: page.text("#facts-list"), "the facts")


def at_dialog(page: Page) -> None:
    page.click("#write")
    page.fill("writing-value", "500")


def at_question(page: Page) -> None:
    page.click("#writing-next")
    page.shows(lambda: page.text("#writing-reason"), "what is not as usual")


def at_login(page: Page) -> None:
    page.press(ESCAPE)
    page.shows(lambda: not page.text("#writing"), "no dialog")
    page.click("#enter")
    page.shows(lambda: page.text("#login") and not page.text("#main"), "the form alone")


def at_view(page: Page) -> None:
    page.click("#enter")
    page.shows(lambda: page.text("#main") and not page.text("#login"), "no form any more")
    page.click("#to-views")
    page.shows(lambda: min(page.ask(CURVES), default=0) > 0, "the curves")
    page.shows(lambda: page.text(".legend .most"), "the figures")


#: How many points the first curve of each chart of a view has.
CURVES = "Array.from(document.querySelectorAll('#views .chart[data-points]'), "
CURVES += "(each) => parseInt(each.dataset.points))"


def at_edited_view(page: Page) -> None:
    page.click("#views-edit")
    page.click(".view-panel:nth-child(2) .pick")


def at_menu(page: Page) -> None:
    page.click("#views-edit")
    page.click(".menu summary")


def at_saving(page: Page) -> None:
    page.click("#views-save")


def at_kiosk(page: Page) -> None:
    page.click("#views-cancel")
    page.click(".menu summary")
    page.click("#views-full")
    page.shows(lambda: not page.text("h1"), "the panels alone")


def at_documentation(page: Page) -> None:
    page.browser.get(page.browser.current_url.partition("#")[0] + "docs/?q=view")


SURFACES = [
    at_list, at_settings, at_tree, at_detail, at_changes, at_history, at_facts, at_dialog,
    at_question, at_login, at_view, at_edited_view, at_menu, at_saving, at_kiosk, at_documentation,
]  # fmt: skip

#: What sticks out of the window, unless it can be scrolled to; what is cut off and told nowhere
#: else (the detail tells a variable's description).
UNFIT = """((width) => Array.from(document.querySelectorAll('body *')).filter((each) => {
  const box = each.getBoundingClientRect();
  const apart = '.unseen, .skip, svg, .report, .row .note, details:not([open]) > :not(summary)';
  if (!box.width || !box.height || each.closest(apart)) return false;
  const style = getComputedStyle(each);
  if (style.visibility === 'hidden' || style.clipPath !== 'none') return false;
  if (!each.closest('.table, pre') && (box.left < -0.5 || box.right > width + 0.5)) return true;
  const told = each.closest('[title]') || each.closest('[aria-hidden=true]');
  const scrolls = style.overflowX === 'auto' && each.closest('.table, pre');
  const texts = Array.from(each.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
  return (texts || style.overflowX === 'auto') && !told && !scrolls && style.display !== 'inline' &&
    each.scrollWidth > each.clientWidth + 1;
}).map((each) => each.tagName + '.' + (each.id || each.className) + ' ' + each.textContent))(
  document.documentElement.clientWidth)"""


@axe.needed
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("width", "height", "language"),
    [(375, 667, "en"), (375, 667, "de"), (1280, 800, "en"), (2560, 1440, "de")],
)
def test_every_surface_fits_and_axe_finds_nothing_wrong(
    page: Page, width: int, height: int, language: str, scheme: str
) -> None:
    page.resize(width, height)
    page.scheme(scheme)
    page.browser.execute_script("localStorage.language = arguments[0]", language)
    page.browser.refresh()
    for surface in SURFACES:
        surface(page)
        name = surface.__name__[3:]
        page.picture("%s-%d-%s-%s" % (name, width, scheme, language))
        assert page.ask("document.documentElement.scrollWidth") <= width, name
        assert page.ask(UNFIT) == [], name
        assert axe.judged(page.browser) == [], name

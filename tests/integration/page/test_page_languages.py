"""The page in another language than English, and its times and numbers."""

import ast
import contextlib
import json
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.model import status_codes

from ...support import PATIENCE, Client, PlantProcess, readme, settings, wait_connected
from ...support.page import Page

pytestmark = pytest.mark.drawn

STATIC = readme.ROOT / "opcws" / "static"

#: A call of t(), and the English text if it is a literal.
CALL = re.compile(r'(?<![\w.$])t\(\s*("(?:[^"\\]|\\.)*")?')
ATTRIBUTES = ("aria-label", "data-short", "placeholder", "title")


class Markup(HTMLParser):
    """The texts of index.html."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: Set[str] = set()
        self.passed_over = ""
        self.feed((STATIC / "index.html").read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.texts |= {str(value) for name, value in attrs if name in ATTRIBUTES}
        if tag in ("title", "noscript") or ("translate", "no") in attrs:
            self.passed_over = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self.passed_over:
            self.passed_over = ""

    def handle_startendtag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        """It has no text."""

    def handle_data(self, data: str) -> None:
        if re.search("[A-Za-z]", data) and not self.passed_over:
            self.texts.add(" ".join(data.split()))


def german() -> Dict[str, str]:
    table: Dict[str, str] = json.loads((STATIC / "texts.de.json").read_text(encoding="utf-8"))
    return table


def sources() -> Dict[str, str]:
    ours = sorted(set(STATIC.glob("*.js")) - {STATIC / "uplot.js", STATIC / "texts.js"})
    return {path.name: path.read_text(encoding="utf-8") for path in ours}


def test_every_text_of_the_page_has_a_german_one_and_none_is_left_over() -> None:
    keys = Markup().texts
    for name, source in sources().items():
        for found in CALL.finditer(source):
            assert found.group(1), "%s: t() of no literal: %s" % (
                name,
                source[found.start() :][:60],
            )
            keys.add(json.loads(found.group(1)))
    assert "Write …" in keys and "Write {name}" in keys
    assert keys - set(german()) == set(), "without a German text"
    assert set(german()) - keys - said_by_opcws() == set(), "not used any more"


#: The rooms whose sentences reach a client.
ROOMS = ("access", "gateway", "history", "model", "operations", "recorder", "ua", "wire", "ws")


def said_by_opcws() -> Set[str]:
    """The sentences of opcws, with %s for each part that differs, and the kinds of its errors."""
    said = set(re.findall(r'this\.name = "(\w+)"', (STATIC / "opcws.js").read_text("utf-8")))
    for room in ROOMS:
        for path in (readme.ROOT / "opcws" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    said.add(re.sub(r"(0x)?%(\.\d+|08)?[dfgrsX]", "%s", node.value))
    before = {each + ("%s" if each.endswith(" ") else ": %s") for each in said}
    after = {"%s" + each for each in said if each.startswith(";")}
    return {*said, *before, *after, *status_codes.CODES, *status_codes.REASONS.values()}


#: Of values, of history and of writing; all that the demo plant has are among them.
COMMON = (
    *("GoodClamped", "GoodLocalOverride", "GoodNoData", "GoodResultsMayBeIncomplete"),
    *("BadCommunicationError", "BadTimeout", "BadServerNotConnected", "BadWaitingForInitialData"),
    *("BadNodeIdUnknown", "BadNotReadable", "BadNotWritable", "BadOutOfRange", "BadTypeMismatch"),
    *("BadUserAccessDenied", "BadConfigurationError", "BadNotConnected", "BadNoCommunication"),
    *("BadDeviceFailure", "BadSensorFailure", "BadOutOfService", "BadNoData", "BadInternalError"),
)


def test_common_status_codes_have_words() -> None:
    uncertain = {name for name in status_codes.CODES if name.startswith("Uncertain")}
    of_nodes = {name for name in uncertain if "Reference" in name or "AllNodes" in name}
    for name in {*COMMON, *(uncertain - of_nodes)}:
        assert german().get(name), name


def test_every_sentence_about_a_status_code_has_a_german_one() -> None:
    assert set(status_codes.REASONS.values()) - set(german()) == set()


def test_a_translation_has_the_placeholders_of_its_text() -> None:
    for key, text in german().items():
        placeholders = [sorted(re.findall(r"\{\w+\}|%s", each)) for each in (key, text)]
        assert placeholders[0] == placeholders[1], key


#: Elements whose words are those of the plant or of the standard.
FOREIGN = (
    ".space .name, .space .note, #detail-name, #detail-note, #detail-parts, #facts-list dd,"
    "#history-series, #trend-series, .chart, .view-panel .name, .view-panel .title, .found,"
    "#servers, #notice, noscript, [translate=no]"
)


def english_words(page: Page) -> Set[str]:
    """Words of the English texts, which no German one has, that are to be seen."""

    def words(text: str) -> Set[str]:  # a symbol of the standard is none
        return {each.lower() for each in re.findall(r"\b[A-Za-z][a-z]{2,}\b", text)}

    shown = page.ask(
        "(() => { const found = [];"
        "for (const e of document.querySelectorAll('body *')) {"
        "  if (e.closest(arguments[0])) continue;"
        "  for (const n of e.childNodes) if (n.nodeType === 3) found.push(n.data);"
        "} return found.join(' '); })()",
        FOREIGN,
    )
    english, ours = (" ".join(each) for each in zip(*german().items()))
    return words(shown) & (words(english) - words(ours) - {"plant"})  # the OPC UA server's name


def left_over(page: Page) -> List[str]:
    """English texts of ours that are still there, seen or read out."""
    assert english_words(page) == set()
    different = {key for key, text in german().items() if key != text} - set(status_codes.CODES)
    shapes = [
        re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(key)))
        for key in different
        if re.search("[a-z]{4}", re.sub(r"\{\w+\}", "", key))
    ]
    texts: List[str] = page.ask(
        "(() => { const found = new Set();"
        "for (const e of document.querySelectorAll('body *')) {"
        "  if (e.closest('.space .name, [translate=no]')) continue;"
        "  for (const n of e.childNodes) if (n.nodeType === 3) found.add(n.data);"
        "  for (const a of arguments[0]) if (e.hasAttribute(a)) found.add(e.getAttribute(a));"
        "  for (const at of ['::before', '::after']) {"
        "    const { content } = getComputedStyle(e, at);"
        "    if (content.startsWith('\"')) found.add(content.slice(1, -1));"
        "  }"
        "} return Array.from(found).map((each) => each.replace(/\\s+/g, ' ').trim()); })()",
        list(ATTRIBUTES),
    )
    return [
        text
        for text in texts
        if text in different or any(shape.fullmatch(text) for shape in shapes)
    ]


@pytest.fixture
def speak(browser: Any, page: Page) -> Iterator[Any]:
    """Has the browser of *page* prefer some languages, and loads the page again."""

    def prefer(languages: str) -> None:
        agent = page.ask("navigator.userAgent")
        browser.execute_cdp_cmd(
            "Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": languages}
        )

    def speak(languages: str) -> None:
        prefer(languages)
        browser.refresh()
        page.shows(lambda: page.cell("Boiler.Temperature", "value"), "the page in " + languages)

    yield speak
    browser.execute_script("localStorage.clear()")
    prefer("en-US,en")


def test_a_german_browser_sees_german(page: Page, speak: Any, server: Server) -> None:
    speak("de-DE,de,en")
    assert page.ask("document.documentElement.lang") == "de"
    page.shows(lambda: page.text("#connection") == "opcws verbunden", "the connection")
    assert page.text("#servers") == "plant verbunden"
    assert page.cell("Boiler.Temperature", "quality") == "Gut"
    assert page.ask("document.getElementById('search').placeholder") == (
        "Name, Beschreibung oder Einheit suchen"
    )
    page.click("#tree")
    assert left_over(page) == []
    page.click("#tree")
    page.picture("german-list")
    page.look_at("Boiler.Setpoint")
    page.shows(lambda: "vor" in page.text("#detail-time"), "its age")
    assert left_over(page) == []
    page.click("#tab-history")
    page.click("#history-load")
    page.shows(lambda: page.text("#history-note"), "what is recorded")
    assert left_over(page) == []
    page.click("#tab-facts")
    page.picture("german-facts")
    assert "lesen und schreiben" in page.text("#facts-list")
    assert left_over(page) == []
    page.click("#write")
    assert page.text("#writing-title") == "Boiler.Setpoint schreiben"
    page.fill("writing-value", "1000")
    page.click("#writing-next")
    assert page.text("#writing-question") == "1000 °C in Boiler.Setpoint schreiben?"
    assert left_over(page) == []
    page.picture("german-writing")
    page.shows(lambda: page.text("#writing-reason"), "the doubts")
    page.press("\ue00c")
    page.click("#to-views")
    page.shows(lambda: page.text("#views-edit") == "Bearbeiten", "the views")
    page.click("#views-edit")
    assert left_over(page) == []
    page.picture("german-views")
    assert page.complaints() == []


def test_a_german_browser_sees_what_the_standard_calls_otherwise(page: Page, speak: Any) -> None:
    speak("de-DE,de,en")
    page.search("Types.")
    page.shows(
        lambda: page.cell("Types.Bad", "quality") == "BadSensorFailure\nSensor gestört", "the words"
    )
    page.shows(lambda: page.cell("Types.Boolean", "value") in ("wahr", "falsch"), "a Boolean")
    assert left_over(page) == []
    page.picture("german-qualities")
    page.look_at("Types.Bad")
    page.shows(lambda: page.text("#detail-reason"), "why")
    assert page.text("#detail-quality") == "BadSensorFailure – Sensor gestört"
    assert page.text("#detail-reason") == "der Sensor, der den Wert liefert, ist gestört"
    page.browser.execute_script("document.getElementById('detail-close').click()")
    page.look_at("Types.Boolean")
    page.shows(lambda: page.text("#trend-series .at") in ("wahr", "falsch"), "the legend")
    page.click("#tab-history")
    options = "Array.from(document.getElementById('history-aggregate').options, (o) => o.text)"
    assert page.ask(options)[1:3] == [
        "Mittelwert (Average)",
        "zeitgewichteter Mittelwert (TimeAverage)",
    ]
    assert left_over(page) == []
    table = page.browser.execute_async_script(
        "const ready = arguments[0];"
        "import('/saving.js').then(({ csv }) => ready(csv([{ name: 'A', values:"
        " [{ value: true, symbol: 'Good', sourceTimestamp: '2026-01-01T00:00:00Z' }] }],"
        " (name) => name)))"
    )
    head, row = table.strip("\ufeff").splitlines()
    assert re.sub(r"\(.*\)", "", head) == "Zeit ,SourceTimestamp,A,A Qualität"
    assert row.endswith(",2026-01-01T00:00:00Z,true,Good"), "for programs"
    assert page.complaints() == []


def test_what_opcws_js_says_is_told_in_german(page: Page, speak: Any) -> None:
    speak("de-DE,de")
    told = page.browser.execute_async_script(
        "const ready = arguments[1];"
        "Promise.all([import('/texts.js'), import('/opcws.js')]).then(([{ problemText }, opcws]) =>"
        " ready([new opcws.TimeoutError('WRITE: no answer within 5 ms'),"
        " new opcws.ConnectionLostError('the connection was lost'),"
        " new opcws.StatusError('BadNoValue', 'the variable has no value', 'READ', 'A'),"
        " new opcws.StatusError('BadLocked', 'locked by the pump', 'READ', 'A'),"
        " new opcws.StatusError('BadNotConnected', arguments[0], 'READ', 'A'),"
        " new opcws.RefusedError(401, 'user or password is wrong')].map(problemText)))",
        "plant is not connected: connecting to opc.tcp://192.0.2.7:4840: Connection refused; "
        "nothing listens there: start the OPC UA server, or correct the port in endpoint",
    )
    assert told == [
        "opcws hat nicht rechtzeitig geantwortet",
        "die Verbindung zu opcws fehlt oder ist abgebrochen",
        "A: BadNoValue: die Variable hat keinen Wert",
        "A: BadLocked: locked by the pump",
        "A: BadNotConnected: plant ist nicht verbunden: Verbinden mit opc.tcp://192.0.2.7:4840: "
        "Verbindung abgelehnt; dort läuft nichts: den OPC-UA-Server starten, oder in endpoint den "
        "Port berichtigen",
        "Benutzer oder Passwort ist falsch",
    ]


def test_a_language_is_chosen_in_the_head_and_stays(page: Page, speak: Any) -> None:
    page.click("#settings summary")
    assert page.ask("Array.from(document.getElementById('language').options, (o) => o.text)") == [
        "English",
        "Deutsch",
    ]
    page.choose("language", "de")
    page.shows(lambda: page.text("#connection") == "opcws verbunden", "German")
    page.browser.refresh()
    page.shows(lambda: page.text("#connection") == "opcws verbunden", "German again")
    speak("fr,de")
    assert page.ask("document.documentElement.lang") == "de"
    page.choose("language", "en")
    page.shows(lambda: page.text("#connection") == "opcws connected", "English")


def test_who_speaks_neither_sees_english(page: Page, speak: Any) -> None:
    speak("xx")
    assert page.ask("document.documentElement.lang") == "en"
    assert page.text("#connection") == "opcws connected"
    assert page.complaints() == []


def test_a_plant_adds_a_language_and_changes_texts(
    browser: Any, plant: PlantProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "texts"
    folder.mkdir(parents=True)
    (folder / "pl.json").write_text(json.dumps({"Variables": "Zmienne"}), encoding="utf-8")
    (folder / "de.json").write_text(json.dumps({"Variables": "Messstellen"}), encoding="utf-8")
    (folder / "en.json").write_text(json.dumps({"Variables": "Tags"}), encoding="utf-8")
    (folder / "fr.json").write_text("{", encoding="utf-8")
    config = {**settings(plant.endpoint), "state_dir": str(tmp_path / "state")}
    server = Server(loads(json.dumps(config)))
    server.start()
    try:
        wait_connected(server)
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.text("#to-variables") == "Tags", "the plant's English")
        page.shows(lambda: page.cell("Boiler.Temperature", "value"), "that the page has begun")
        page.click("#settings summary")
        names = "Array.from(document.getElementById('language').options, (o) => o.value)"
        assert page.ask(names) == ["en", "de", "pl"]
        for code, text in (("de", "Messstellen"), ("pl", "Zmienne")):
            page.choose("language", code)
            page.shows(lambda wanted=text: page.text("#to-variables") == wanted, text)
            page.shows(lambda: page.cell("Boiler.Temperature", "value"), "that the page has begun")
        page.shows(lambda: page.text("#connection") == "opcws connected", "English as for the rest")
        page.browser.execute_script("localStorage.clear()")
        assert page.complaints() == []
    finally:
        server.stop()


# --- numbers


def formats(page: Page, call: str, *arguments: Any) -> Any:
    """What a function of format.js says."""
    page.browser.set_script_timeout(PATIENCE)
    return page.browser.execute_async_script(
        "const ready = arguments[arguments.length - 1];"
        "import('/format.js').then((format) => ready(%s), (error) => ready(String(error)));" % call,
        *arguments,
    )


def typed(page: Page, text: str) -> Any:
    """What is written when somebody types *text* for a Double, or what is wrong with it."""
    call = "(() => { try { return format.parsed(arguments[0], {Type: 'Double'}); }"
    return formats(page, call + " catch (error) { return error.message; } })()", text)


def test_german_numbers_have_a_comma_and_every_digit(page: Page, speak: Any) -> None:
    assert formats(page, "format.valueText(-1234.5678)") == "-1234.568"
    speak("de-DE,de")
    page.shows(
        lambda: re.fullmatch(r"\d+,\d+", page.cell("Boiler.Temperature", "value")), "a comma"
    )
    shown = [
        ("-1234.5678", "-1234,568"),
        ("1e21", "1e+21"),
        ("1.5e300", "1,5e+300"),
        ("2n ** 63n", "9223372036854775808"),
        ("[1.5, 2, 'a,b']", '[1,5; 2; "a,b"]'),
    ]
    for value, text in shown:
        assert formats(page, "format.valueText(%s)" % value) == text
    assert formats(page, "format.exactText(0.1 + 0.2)") == "0,30000000000000004"
    assert formats(page, "format.valueText(-1.2345e-300, {}, 7)") == "-1e-300"
    assert formats(page, "format.exactText([1.5])") == "[1.5]"  # JSON
    page.look_at("Boiler.Temperature")
    page.shows(lambda: re.search(r"\d,\d", page.text("#trend-series")), "the legend")
    page.shows(
        lambda: re.search(r"\d,\d", page.ask("document.querySelector('.strip').dataset.labels")),
        "the axis",
    )


def test_a_comma_and_a_point_are_taken_and_thousands_are_asked_about(
    page: Page, speak: Any
) -> None:
    assert typed(page, "1,5") == typed(page, "1.5") == 1.5
    assert typed(page, "1.234") == 1.234 and typed(page, "0,234") == 0.234
    assert typed(page, "1,234") == "1,234 may be 1.234 or 1234: write one of them."
    assert typed(page, "1,234.5") == "Write a number, such as 1.5"
    speak("de")
    assert typed(page, "1,5") == typed(page, "1.5") == 1.5
    assert typed(page, "1,234") == 1.234
    assert typed(page, "1.234") == "1.234 kann 1,234 oder 1234 sein: Schreiben Sie eines davon."
    assert typed(page, "1.234,5") == "Schreiben Sie eine Zahl, zum Beispiel 1,5"
    page.look_at("Boiler.Setpoint")
    page.click("#write")
    page.fill("writing-value", "75,5")
    page.click("#writing-next")
    assert page.text("#writing-question") == "75,5 °C in Boiler.Setpoint schreiben?"
    page.press("\ue00c")


# --- times


def test_times_are_those_of_the_zone_that_is_chosen(page: Page, speak: Any, client: Client) -> None:
    page.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    try:
        speak("en-US")
        page.look_at("Boiler.Setpoint")
        page.click("#tab-facts")
        for zone, ahead, name in (("device", 9, "GMT+9"), ("UTC", 0, "UTC")):
            page.choose("zone", zone)

            def told(exact: bool, ahead: int = ahead, name: str = name) -> str:
                stamp = client.body("READ", {"Variable": "Boiler.Setpoint"})["SourceTimestamp"]
                time = datetime.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S") + timedelta(hours=ahead)
                part = stamp[20:-1] if exact else stamp[20:-1].ljust(3, "0")[:3]
                return time.strftime("%b %d, %Y, %I:%M:%S.{} %p ").format(part) + name

            page.shows(lambda: time_of(page).endswith(", " + told(False)), "the time in " + zone)
            page.shows(lambda: page.text("#facts-time").endswith(": " + told(True)), "every digit")
            assert page.ask("document.querySelector('.zone-name').textContent") == name
        page.click("#tab-trend")
        page.shows(lambda: page.text("#trend-chart .zone") == "UTC", "the zone of the axis")
        page.browser.refresh()
        page.shows(lambda: time_of(page).endswith("UTC"), "UTC, kept")
        page.picture("utc")
    finally:
        page.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def time_of(page: Page) -> str:
    """In newer browsers there is a narrow space before AM and PM."""
    return page.text("#detail-time").replace("\u202f", " ")


#: What browsers write, languages -> date, time of the day, both with their zone, and a number.
WRITTEN = {
    "en-US,en": ("Nov 12, 2026", "01:05:06.12 PM", "Nov 12, 2026, 01:05:06 PM UTC", "1.5"),
    "en-GB,en": ("12 Nov 2026", "13:05:06.12", "12 Nov 2026, 13:05:06 UTC", "1.5"),
    "de-DE,de": ("12.11.2026", "13:05:06,12", "12.11.2026, 13:05:06 UTC", "1,5"),
    "de-AT,de": ("12.11.2026", "13:05:06,12", "12.11.2026, 13:05:06 UTC", "1,5"),
    "fr-FR,fr": ("12 nov. 2026", "13:05:06,12", "12 nov. 2026, 13:05:06 UTC", "1,5"),
}


CUT = """((cell) => cell.scrollWidth > cell.clientWidth)
  (document.querySelector('[data-variable="Types.DateTime"] .value'))"""


@pytest.mark.parametrize("languages", WRITTEN)
def test_dates_times_and_numbers_are_those_of_the_browsers_locale(
    page: Page, speak: Any, languages: str
) -> None:
    speak(languages)
    time = "new Date('2026-11-12T13:05:06.123Z')"
    said = formats(
        page,
        "(format.setZone('UTC'), [format.day(%s), format.clock(%s, 2), format.moment(%s),"
        " format.valueText(1.5)].map((text) => text.replace(/\\u202f/g, ' ')))" % ((time,) * 3),
    )
    assert said == list(WRITTEN[languages])
    german = languages.startswith("de")
    assert page.text("#connection") == ("opcws verbunden" if german else "opcws connected")
    page.search("Types.DateTime")
    for width in (320, 375, 820, 1280):
        page.resize(width)
        page.shows(lambda: page.cell("Types.DateTime", "value"), "a DateTime")
        assert page.ask(CUT) is False, width
    page.restore()
    page.look_at("Boiler.Setpoint")
    day = re.sub(r"\b(12|11|[Nn]ov\.?)", lambda found: r"[\w.]+", WRITTEN[languages][0])
    page.shows(lambda: re.search(", " + day + ", ", time_of(page)), "the date in the detail")
    page.click("#tab-history")
    page.click("#history-load")
    page.resize(375)
    cell = "#history-table td.time"
    page.shows(lambda: re.match(day + ", ", page.text(cell)), "the date in the history")
    fits = "((table) => table.scrollWidth <= table.clientWidth)(document.querySelector('%s'))"
    assert page.ask(fits % "#history-table"), "without scrolling sideways"
    page.restore()
    page.picture("times-" + languages[:5])
    assert page.complaints() == []


def test_a_time_that_is_written_is_asked_about_as_the_locale_writes_it(
    page: Page, speak: Any
) -> None:
    speak("de-DE,de")
    page.choose("zone", "UTC")
    page.look_at("Types.DateTime")
    page.shows(lambda: page.text("#detail-value").endswith(" UTC"), "the value")
    page.click("#write")
    assert "zum Beispiel 2026-12-31T23:00:00Z" in page.text("#writing-hint")
    page.fill("writing-value", "2026-11-22T10:00:05.1234567Z")
    page.click("#writing-next")
    asked = "22.11.2026, 10:00:05,1234567 UTC in Types.DateTime schreiben?"
    assert page.text("#writing-question") == asked
    page.press("\ue00c")


#: Has window.labels be the times at the axis that is drawn: [text, left, right, width of the
#: canvas], in its pixels.
LABELS = """
window.labels = [];
const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.clearRect = function (...area) {
  window.labels = [];
  clearRect.apply(this, area);
};
CanvasRenderingContext2D.prototype.fillText = function (text, x, ...more) {
  if (/\\d:\\d|20\\d\\d/.test(text)) {
    const half = this.measureText(text).width / 2;
    const at = this.getTransform().e + x;
    window.labels.push([text, at - half, at + half, this.canvas.width]);
  }
  fillText.call(this, text, x, ...more);
};
"""


def test_times_at_an_axis_are_whole_and_apart(page: Page, speak: Any, server: Server) -> None:
    added = page.browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": LABELS}
    )
    try:
        speak("en-US,en")
        for width in (375, 1280):
            page.resize(width)
            page.browser.get("about:blank")
            page.browser.get(server.urls[0])
            page.look_at("Boiler.Setpoint")
            for span in ("60", "300", "28800", "86400"):
                page.choose("trend-span", span)
                shown = (
                    "((at) => Math.round(at.to - at.from))(document.querySelector('%s').dataset)"
                )
                page.shows(
                    lambda asked=shown % "#trend-chart", s=span: page.ask(asked) == int(s), span
                )
                page.shows(lambda: page.ask("window.labels.length"), "times at the axis")
                drawn = page.ask("window.labels")
                assert all(left >= 0 and right <= whole for _, left, right, whole in drawn), drawn
                edges = sorted((left, right) for _, left, right, _whole in drawn)
                assert all(one[1] < other[0] for one, other in zip(edges, edges[1:])), drawn
    finally:
        page.restore()
        page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@contextlib.contextmanager
def serving(configuration: Dict[str, Any]) -> Iterator[Server]:
    server = Server(loads(json.dumps(configuration)))
    server.start()
    try:
        wait_connected(server)
        yield server
    finally:
        server.stop()


def test_the_plants_time_zone_is_offered(browser: Any, plant: PlantProcess) -> None:
    with serving({**settings(plant.endpoint), "time_zone": "Europe/Berlin"}) as server:
        page = Page(browser, server.urls[0])
        offered = "Array.from(document.getElementById('zone').options, (o) => o.value)"
        page.shows(lambda: page.ask(offered) == ["device", "plant", "UTC"], "the plant's zone")
        page.choose("zone", "plant")
        page.look_at("Boiler.Setpoint")
        page.shows(lambda: re.search(r" GMT\+[12]$", time_of(page)), "the plant's time")
        zone = "(format.setZone('Europe/Berlin'), %s)"
        # The hour that a clock shows twice.
        for utc, text in (("00", "02:30:00 AM GMT+2"), ("01", "02:30:00 AM GMT+1")):
            moment = "format.moment(new Date('2026-10-25T%s:30Z'))" % utc
            assert formats(page, zone % moment) == "Oct 25, 2026, " + text
        for told, utc in (
            ("2026-07-01T12:00", "2026-07-01T10:00:00.000Z"),
            ("2026-01-01T00:30:05", "2025-12-31T23:30:05.000Z"),
            ("2026-10-25T02:30", "2026-10-25T00:30:00.000Z"),
            ("2026-10-25T03:00", "2026-10-25T02:00:00.000Z"),
            ("2026-03-29T03:30", "2026-03-29T01:30:00.000Z"),
        ):
            assert formats(page, zone % ("format.timeOfField('%s').toJSON()" % told)) == utc
        browser.execute_script("localStorage.clear()")


def test_without_a_time_zone_of_the_plant_none_is_offered(page: Page) -> None:
    offered = "Array.from(document.getElementById('zone').options, (o) => o.value)"
    assert page.ask(offered) == ["device", "UTC"]

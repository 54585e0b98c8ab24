"""The page in another language than English, and its times and numbers."""

import json
import re
from html.parser import HTMLParser
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import pytest

from opcws.app import Server

from ...support import readme
from ...support.page import Page

STATIC = readme.ROOT / "opcws" / "static"

#: A call of t(), and the English text if it is a literal.
CALL = re.compile(r'(?<![\w.$])t\(\s*("(?:[^"\\]|\\.)*")?')
ATTRIBUTES = ("aria-label", "placeholder", "title")


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
    assert set(german()) - keys == set(), "not used any more"


def test_a_translation_has_the_placeholders_of_its_text() -> None:
    for key, text in german().items():
        placeholders = [sorted(re.findall(r"\{\w+\}", each)) for each in (key, text)]
        assert placeholders[0] == placeholders[1], key


def left_over(page: Page) -> List[str]:
    """English texts of ours that are still there, seen or read out."""
    different = {key for key, text in german().items() if key != text}
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

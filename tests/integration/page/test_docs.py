"""The documentation at /docs: for whom, how, and in a real browser."""

import json
from typing import Any, Iterator, Optional

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.docs import html, topics
from opcws.wire import schema_files

from ... import support
from ...support import axe
from ...support.byte_client import Answer, exchange, no_more_threads_than, opening
from ...support.page import Page

pytestmark = pytest.mark.drawn

WIDTHS = [1280, 768, 360]
ENTER, TAB = "\ue007", "\ue004"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """opcws that lets nobody connect without a credential; its plant is away."""
    others = set(support.our_threads())
    settings = support.settings("opc.tcp://127.0.0.1:%d" % support.free_port())
    settings["roles"] = {"anonymous": "off", "operator": {"read": ["*"]}}
    running = Server(loads(json.dumps(settings)))
    running.start()
    yield running
    running.stop()
    no_more_threads_than(others)


def get(server: Server, path: str, method: str = "GET") -> Answer:
    return exchange(server, opening(path, method, Upgrade=None, Connection=None))


def test_the_address_that_people_type_leads_to_the_list(server: Server) -> None:
    answer = get(server, "/docs")
    assert (answer.status, answer.headers["location"]) == (301, "docs/")


@pytest.mark.parametrize("path", ["/docs/", *("/docs/" + name for name in topics.NAMES)])
def test_every_page_is_served_to_everybody_and_may_load_nothing_else(
    server: Server, path: str
) -> None:
    answer = get(server, path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.body.decode("utf-8") == html.page(path[len("/docs/") :])
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert get(server, path, "HEAD").body == b""


@pytest.mark.parametrize(
    "path",
    [
        "/docs/nothing",
        "/docs/../cli.py",
        "/docs/%2e%2e/cli.py",
        "/docs/settings.rst",
        "/docs/no.svg",
        "/docsx",
    ],
)
def test_nothing_else_is_below_it(server: Server, path: str) -> None:
    assert get(server, path).status == 404


def test_pictures_are_served_and_may_load_nothing(server: Server) -> None:
    answer = get(server, "/docs/speed.svg")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.body == topics.picture("speed.svg")


def test_the_schema_files_are_served_as_they_are(server: Server) -> None:
    assert {"READ_REQUEST.json", "examples/optional/huge-numbers.json"} < {*schema_files.names()}
    for name in schema_files.names():
        answer = get(server, "/docs/schemas/" + name)
        assert answer.body == schema_files.read(name)
        others = ("examples/", "index.json", "asyncapi.json")
        kind = "json" if name.startswith(others) else "schema+json"
        assert answer.headers["content-type"] == "application/" + kind
        # A page of any origin may read it.
        assert answer.headers["access-control-allow-origin"] == "*"


def test_a_schema_file_that_is_known_is_not_sent_again(server: Server) -> None:
    def asked(known: Optional[str], method: str = "GET") -> Answer:
        headers = {"Upgrade": None, "Connection": None, "If-None-Match": known}
        return exchange(server, opening("/docs/schemas/ERROR.json", method, **headers))

    first = asked(None)
    tag = first.headers["etag"]
    assert get(server, "/docs/schemas/READ_REQUEST.json").headers["etag"] != tag
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, "W/" + tag, '"other", ' + tag, "*"):
        answer = asked(known)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["content-length"] == first.headers["content-length"]
        assert answer.headers["access-control-allow-origin"] == "*"
        assert asked(known, "HEAD").status == 304
    for known in ('"other"', tag[:-1], ""):
        assert asked(known) == first


def test_the_address_of_their_folder_leads_to_the_list_of_schema_files(server: Server) -> None:
    answer = get(server, "/docs/schemas/")
    assert (answer.status, answer.headers["location"]) == (301, "../schemas")


@pytest.mark.parametrize("name", ["NOTHING.json", "../setup.cfg", "READ_REQUEST", "examples"])
def test_there_are_no_other_schema_files(server: Server, name: str) -> None:
    answer = get(server, "/docs/schemas/" + name)
    assert answer.status == 404
    assert b"/docs/schemas has a list" in answer.body


# --- the search ----------------------------------------------------------------------------------


def test_a_search_is_answered_by_a_document_that_nobody_keeps(server: Server) -> None:
    answer = get(server, "/docs/?q=cannot+listen%20on")
    assert answer.status == 200
    assert answer.body.decode("utf-8") == html.results("cannot listen on")
    assert b'<a href="trouble">When something is wrong</a>' in answer.body
    assert answer.headers["cache-control"] == "no-store" and "etag" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert policy == get(server, "/docs/").headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert get(server, "/docs/?q=history", "HEAD").body == b""
    # What somebody has sent is never compressed with what is ours (BREACH).
    packed = opening("/docs/?q=history", Upgrade=None, Connection=None, Accept_Encoding="gzip")
    assert "content-encoding" not in exchange(server, packed).headers


@pytest.mark.parametrize(
    "query",
    [
        "q=",
        "q",
        "q=%00",
        "q=%ff%fe",
        "q=%ED%A0%80",
        "q=%",
        "q=%zz",
        "q=%0d%0aX-Evil:%201",
        "q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "q=</title><script>alert(1)</script>",
        "q={nav}{0}%25s",
        "q=a&q=b",
        "q=" + "%C4%B0" * 300,
        "q=" + "a+" * 149 + "aa",
    ],
)
def test_whatever_is_searched_for_is_shown_as_text(server: Server, query: str) -> None:
    answer = get(server, "/docs/?" + query)
    assert answer.status == 200
    assert "x-evil" not in answer.headers
    assert b"<script" not in answer.body and b"\0" not in answer.body
    assert b"<title>Search - opcws</title>" in answer.body


def test_a_search_that_is_too_long_is_refused(server: Server) -> None:
    answer = get(server, "/docs/?q=" + "a" * 301)
    assert (answer.status, answer.body) == (400, b"search for at most 300 characters\n")
    # One page is searched in: elsewhere the words mean nothing.
    assert get(server, "/docs/settings?q=" + "a" * 301).status == 200


@pytest.mark.parametrize("width", [1280, 375])
def test_in_a_browser_one_types_words_and_goes_to_where_they_are(
    server: Server, browser: Any, width: int
) -> None:
    page = Page(browser, server.urls[0] + "docs/settings")
    page.resize(width)
    try:
        field = page.browser.find_element("css selector", "input[type=search]")
        for _ in range(9):
            page.press(TAB)
            if page.browser.switch_to.active_element == field:
                break
        page.press("Exit codes", ENTER)
        page.shows(lambda: page.text("h1") == "Search", "what was found")
        assert page.browser.current_url.endswith("/docs/?q=Exit+codes")
        assert page.ask("document.querySelector('input').value") == "Exit codes"
        assert page.text(".found li:first-child mark") == "Exit"
        assert page.ask("document.documentElement.scrollWidth") <= width
        page.picture("docs-search-%d" % width)
        page.click(".found li:first-child a")
        assert page.browser.current_url.endswith("/docs/commands#exit-codes")
        top = "document.getElementById('exit-codes').getBoundingClientRect().top"
        assert -1 <= page.ask(top) < page.ask("innerHeight")
        page.browser.back()
        page.shows(lambda: page.text("h1") == "Search", "what was found, again")
        assert page.complaints() == []
    finally:
        page.restore()


def test_in_a_browser_what_looks_like_html_is_not_obeyed(server: Server, browser: Any) -> None:
    page = Page(browser, server.urls[0] + "docs/")
    evil = "\"><img src=x onerror=alert(1)>' autofocus onfocus=alert(1) x='</title>history"
    field = page.browser.find_element("css selector", "input[type=search]")
    field.send_keys(evil, ENTER)
    page.shows(lambda: page.text("h1") == "Search", "what was found")
    assert page.ask("document.querySelector('input').value") == evil
    assert page.ask("document.querySelectorAll('main img, script, [onfocus]').length") == 0
    assert page.complaints() == []


# --- in a browser --------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_in_a_browser_it_fits_the_window_and_nothing_is_complained_of(
    server: Server, browser: Any, width: int
) -> None:
    browser.get_log("browser")  # what earlier pages had to say
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        for name in (
            "",
            "messages",
            "asyncapi",
            "schemas",
            "settings",
            "node-red",
            "speed",
            "?q=the+max",
            "?q=x+zzz",
        ):
            browser.get(server.urls[0] + "docs/" + name)
            outside, colour = browser.execute_script(
                "const width = document.documentElement.clientWidth;"
                "return [Array.from(document.querySelectorAll('body *')).filter((e) =>"
                "  e.getBoundingClientRect().right > width + 1 && !e.closest('pre')"
                "    && !e.closest('thead')).map((e) => e.outerHTML.slice(0, 80)),"
                "  getComputedStyle(document.body).backgroundColor];"
            )
            assert outside == []
            # The style sheet has been let in, and follows what the person likes.
            assert colour == {"light": "rgb(244, 246, 247)", "dark": "rgb(16, 23, 27)"}[scheme]
    assert browser.get_log("browser") == []


@axe.needed
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(server: Server, browser: Any, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for width in (1280, 360):
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for name in ("", "messages", "trouble", "grafana", "speed", "?q=the+max", "?q=x+zzz"):
            browser.get(server.urls[0] + "docs/" + name)
            assert axe.judged(browser) == [], name


def test_in_a_browser_links_lead_from_page_to_page(server: Server, browser: Any) -> None:
    browser.get(server.urls[0] + "docs")
    for text, address in (("Messages", "docs/messages"), ("READ_REQUEST", "#read-request")):
        browser.find_element("link text", text).click()
        assert browser.current_url.endswith(address)
    assert browser.find_element("css selector", "[aria-current=page]").text == "Messages"
    top = "return document.getElementById('read-request').getBoundingClientRect().top"
    assert 0 <= browser.execute_script(top) < 100

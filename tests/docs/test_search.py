"""What is found in the documentation, best first, and what of it is shown."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import List, Tuple

import pytest

from opcws.docs import html, search, topics

from .test_docs import read


def places(wanted: str) -> List[Tuple[str, str]]:
    return [(hit.topic.name, hit.section) for hit in search.search(wanted).hits]


def text(pieces: search.Pieces) -> str:
    return "".join("[%s]" % piece if found else piece for piece, found in pieces)


def test_every_section_has_the_name_that_its_document_and_the_terminal_know() -> None:
    ids = {name: read(html.page(name)).ids for name in topics.NAMES}
    sections = search._index().sections
    assert {each.topic.name for each in sections if not each.name} == {*topics.NAMES}
    for each in sections:
        if each.name:
            assert each.name in ids[each.topic.name]
            title = search._index().texts[each.title]
            shown = topics.as_text(each.topic.name, each.name)
            assert shown.startswith(title) or ids[each.topic.name].count(each.name) == 1


def test_no_markup_is_left_in_a_text() -> None:
    for each in search._index().texts:
        assert "``" not in each and ".rst>" not in each and ".. list-table" not in each
        assert "\n" not in each


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        # The page of that title goes before a section, and that before what only names it.
        ("history", ("history", "")),
        ("C#", ("csharp", "")),
        ("exit codes", ("commands", "exit-codes")),
        ("read_request", ("messages", "read-request")),
        ("security plant", ("plant", "security-towards-the-plant")),
    ],
)
def test_the_best_comes_first(wanted: str, first: Tuple[str, str]) -> None:
    assert places(wanted)[0] == first


@pytest.mark.parametrize(
    ("message", "page"),
    [
        ("BadNotConnected", "trouble"),
        ("badnotconnected", "trouble"),
        ("notconn", "trouble"),
        ("max_message_bytes", "settings"),
        ("message_bytes", "settings"),
        ("opcws_connections_refused_total", "metrics"),
        ("no variable is named", "trouble"),
        ("not connected: Connection refused", "first-hour"),
        # Word for word as it was said, with what is nobody else's in it.
        ("opcws: /etc/x.yaml:9: servers.p.endpont: unknown setting; did you mean", "first-hour"),
        (
            "opcws: cannot listen on 10.1.2.3:8081: another program does already; stop it, or set"
            " another listen.port",
            "first-hour",
        ),
    ],
)
def test_what_opcws_says_is_found(message: str, page: str) -> None:
    assert page in [name for name, _ in places(message)][:5]


@pytest.mark.parametrize("page", ["trouble", "first-hour"])
def test_each_message_that_a_page_quotes_leads_to_it(page: str) -> None:
    quoted = re.findall(r"^(?:     - )?``(.*)``$", topics.source(page), re.MULTILINE)
    assert len(quoted) > 30
    for message in quoted:
        assert page in [name for name, _ in places(message)][:3], message


@pytest.mark.parametrize("wanted", ["History CSV", "  csv,\thistory!  ", "HISTORY csv history"])
def test_neither_capitals_nor_order_nor_other_characters_count(wanted: str) -> None:
    assert places(wanted) == places("history csv") != []


def test_each_section_has_every_word_or_none_has() -> None:
    found = search.search("nginx browsers")
    assert found.complete and {hit.topic.name for hit in found.hits} >= {"nginx"}
    for hit in found.hits:
        shown = html.page(hit.topic.name).lower()
        assert "nginx" in shown and "browsers" in shown
    near = search.search("nginx proxy qqqq")
    assert not near.complete and len(near.hits) <= search.MOST_NEAR
    assert ("nginx", "") in [(hit.topic.name, hit.section) for hit in near.hits]


@pytest.mark.parametrize("wanted", ["", " ", "%%% -- ???", "\0", "_", "\u202e", "qqqq zzzz"])
def test_where_there_is_nothing_to_find_nothing_is(wanted: str) -> None:
    found = search.search(wanted)
    assert (found.hits, found.many, found.complete) == ([], 0, False)
    assert found.said.startswith("no page" if "q" in wanted else "type a word")


def test_what_is_found_is_marked_within_a_line_that_is_short() -> None:
    (hit,) = (
        each for each in search.search("requests_per_second").hits if each.topic.name == "errors"
    )
    assert text(hit.title) == "Status codes: Of opcws itself"
    assert "listen.limits.[requests_per_second]" in text(hit.line)
    for wanted in ("opcws", "value", "the server", "a b c d e f"):
        for hit in search.search(wanted).hits:
            line = "".join(piece for piece, _ in hit.line)
            assert len(line) <= 220
            assert any(found for _, found in (*hit.title, *hit.line))


@pytest.mark.parametrize(
    ("line", "wanted", "shown"),
    [
        ("The log, a catalog", ["log"], "The [log], a catalog"),
        ("logging and LOGIN", ["log", "login"], "[log]ging and [LOGIN]"),
        ("BadNotConnected", ["not", "bad"], "[Bad][Not]Connected"),
        ("a C# or an Ab", ["c", "a"], "[a] [C]# or an Ab"),
        ("\u0130\u0130 log", ["log"], "\u0130\u0130 [log]"),
        ("", ["log"], ""),
        ("log", [], "log"),
    ],
)
def test_marks_are_where_words_begin(line: str, wanted: List[str], shown: str) -> None:
    assert text(search.marked(line, wanted)) == shown


def test_many_are_told_as_many() -> None:
    found = search.search("opcws")
    assert found.many > len(found.hits) == search.MOST
    assert found.said.startswith("%d sections have it, the best 30" % found.many)


def test_the_longest_search_finds_no_more_than_others() -> None:
    letters = " ".join("abcdefghijklmnopqrstuvwxyz0123456789" + "optheco" * 3)
    for wanted in (letters, "con " * 75, "co " + "x" * 297, "\u0130" * 300):
        found = search.search(wanted[: search.MAX_LENGTH])
        assert len(found.hits) <= search.MOST
        assert all(len("".join(piece for piece, _ in hit.line)) <= 220 for hit in found.hits)


def test_of_many_who_search_at_once_one_makes_the_index() -> None:
    search._made.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        (found,) = {id(each) for each in threads.map(lambda _: search._index(), range(50))}
    assert search._made.cache_info().misses == 1 and found == id(search._index())

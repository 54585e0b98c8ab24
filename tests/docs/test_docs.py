"""The documentation: it is read as docutils reads it, it says what the product does."""

import ast
import json
import re
from html.parser import HTMLParser
from typing import Any, Dict, Iterator, List, Sequence, Set, Tuple

import docutils.core
import docutils.nodes
import pytest
from click.testing import CliRunner

from opcws.cli.main import main
from opcws.docs import blocks, plain, reference, restructured, topics
from opcws.docs.blocks import Block, Code, Heading, Image, Items, Paragraph, Spans, Table, Terms
from opcws.model.status_codes import CODES
from opcws.wire import contract

from ..support.readme import ROOT, codes

PAGES = ROOT / "opcws" / "docs" / "pages"
WRITTEN = sorted(path.stem for path in PAGES.glob("*.rst"))
JSON_SCHEMAS = sorted(contract.MESSAGE_TYPES)


def spans_of(page: Sequence[Block]) -> Iterator[Spans]:
    """Every run of text of *page*, in its order."""
    for block in page:
        if isinstance(block, Heading):
            yield blocks.text(block.text)
        elif isinstance(block, Paragraph):
            yield block.spans
        elif isinstance(block, Code):
            yield blocks.code(block.text)
        elif isinstance(block, Items):
            for item in block.items:
                yield from spans_of(item)
        elif isinstance(block, Terms):
            for term, item in block.items:
                yield term
                yield from spans_of(item)
        elif isinstance(block, Table):
            yield from block.header
            for row in block.rows:
                yield from row


def said(page: Sequence[Block]) -> str:
    return " ".join(" ".join(blocks.words(spans) for spans in spans_of(page)).split())


def section(name: str, title: str) -> Sequence[Block]:
    page = topics.blocks(name)
    headings = [(n, block) for n, block in enumerate(page) if isinstance(block, Heading)]
    (at,) = (n for n, heading in headings if heading == Heading(2, title))
    return page[at : next((n for n, each in headings if n > at and each.level <= 2), len(page))]


def first_column(page: Sequence[Block]) -> List[str]:
    (table,) = (block for block in page if isinstance(block, Table))
    return [blocks.words(row[0]) for row in table.rows]


# --- The pages -----------------------------------------------------------------------------------


def test_every_page_is_a_topic_and_every_topic_a_page() -> None:
    assert sorted([*WRITTEN, "messages", "status"]) == sorted(topics.NAMES)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_page_reads_as_docutils_reads_it(name: str) -> None:
    source = (PAGES / (name + ".rst")).read_text(encoding="utf-8")
    settings = {"report_level": 1, "halt_level": 2, "syntax_highlight": "none"}
    tree = docutils.core.publish_doctree(source, settings_overrides=settings)
    theirs = " ".join(
        node.astext().replace("\x00", "")
        for node in tree.findall(docutils.nodes.TextElement)
        if not isinstance(node.parent, docutils.nodes.TextElement)
        and not isinstance(node, (docutils.nodes.target, docutils.nodes.comment))
    )
    assert said(topics.blocks(name)) == " ".join(theirs.split())
    code = [node.astext() for node in tree.findall(docutils.nodes.literal_block)]
    assert code == [block.text for block in codes(topics.blocks(name))]
    links = [node["refuri"] for node in tree.findall(docutils.nodes.reference)]
    ours = [
        span.target
        for spans in spans_of(topics.blocks(name))
        for span in spans
        if span.kind == blocks.LINK
    ]
    assert [each for each in links if each.endswith(".rst")] == ours


@pytest.mark.parametrize("name", topics.NAMES)
def test_links_lead_to_pages_that_are_there(name: str) -> None:
    for spans in spans_of(topics.blocks(name)):
        for span in spans:
            if span.kind == blocks.LINK:
                topic, ending, _ = span.target.partition(".rst")
                assert ending and topic in topics.NAMES, span.target


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("Text.\n\n.. figure:: x.png\n", "line 3: no directive 'figure'"),
        ("Text.\n\n.. image:: x.svg\n", "line 3: an image .* has an :alt:"),
        (".. image:: ../x.svg\n   :alt: X.\n", "line 1: an image is a file beside the page"),
        ("Text with `a role`.\n", "line 1: not understood here"),
        ("See Limits_ for more.\n", "line 1: not understood here"),
        ("- one\n\n      indented\n", "line 3: unexpected indentation"),
        ("Text::\n\nnot indented\n", "line 1: a literal block without a line"),
        ("==  ==\na   b\n==  ==\n", "line 1: a table without an end"),
        (".. list-table::\n\n   * - a\n     - b\n   * - c\n", "line 1: the rows of a table"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(source: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        restructured.parse(source)


@pytest.mark.parametrize("name", WRITTEN)
def test_pictures_are_there_and_say_what_they_show(name: str) -> None:
    pictures = [block for block in topics.blocks(name) if isinstance(block, Image)]
    for each in pictures:
        assert topics.picture(each.target), each.target
        assert each.alt in " ".join(topics.as_text(name).split())
        assert '<img src="%s" alt="%s">' % each in topics.as_html(name)
    assert bool(pictures) == (name == "speed")


# --- The reference -------------------------------------------------------------------------------


def described(schema: Any) -> Iterator[str]:
    """Every description in *schema* of something that a message has."""
    if isinstance(schema, dict):
        for name, each in schema.get("properties", {}).items():
            assert each.get("description"), name
            if name != "MessageType":
                yield each["description"]
            yield from described(each)
        for each in schema.get("definitions", {}).values():
            yield each["description"]
            yield from described(each)


@pytest.mark.parametrize("name", JSON_SCHEMAS)
def test_each_member_of_each_message_is_described(name: str) -> None:
    text = said(topics.blocks("messages"))
    for description in described(contract.schema(name)):
        assert " ".join(description.split()) in text
    assert blocks.Heading(2, name) in topics.blocks("messages")


def test_a_member_that_a_schema_gets_is_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(name: str) -> Dict[str, Any]:
        schema = contract.document(name + ".json")
        if name == "READ_REQUEST":
            members = schema["properties"]["Body"]["properties"]
            members["Colour"] = {"description": "Of the answer.", "enum": ["red", "blue"]}
        return schema

    monkeypatch.setattr(contract, "schema", changed)
    page = plain.render(reference.messages(), 100)
    assert re.search(r"^Body\.Colour +\"red\", \"blue\" +Of the answer\.$", page, re.MULTILINE)


def test_each_example_in_the_reference_follows_the_contract() -> None:
    decoder = json.JSONDecoder()
    shown: Dict[str, int] = {}
    for name in contract.MESSAGE_TYPES:
        texts = [block.text for block in codes(section("messages", name))]
        for text in texts:
            while text:
                example, end = decoder.raw_decode(text)
                text = text[end:].lstrip()
                assert example["Header"]["MessageType"] == name
                assert not contract.problems(name, example)
                shown[name] = shown.get(name, 0) + 1
    assert shown == {name: len(contract.schema(name)["examples"]) for name in JSON_SCHEMAS}


def test_required_members_types_and_choices_are_told() -> None:
    page = plain.render(section("messages", "HISTORICALREAD_REQUEST"), 100)
    assert re.search(r"^Body\.Variable +string +Required\. Configured name", page, re.MULTILINE)
    assert re.search(r"^Body\.MaxValues +whole number or string, 0 to ", page, re.MULTILINE)
    assert "At least one of StartTime, EndTime and ContinuationPoint." in page
    assert "Exactly one of Variable and Variables." in plain.render(
        section("messages", "READ_REQUEST")
    )
    assert "Boolean (1)" in plain.render(section("messages", "variant"))


def test_each_member_of_the_status_document_is_described() -> None:
    text = said(topics.blocks("status"))
    for description in described(contract.document("status.schema.json")):
        assert " ".join(description.split()) in text


# --- Status codes --------------------------------------------------------------------------------


#: The table of all names, and what is itself a client.
NOT_ANSWERING = {"status_codes", "client", "names", "variables", "watch", "formatting", "doctor"}


def constants(part: str) -> Set[Any]:
    """Every constant in the modules at *part* that may answer a client."""
    return {
        node.value
        for path in (ROOT / "opcws").glob(part)
        if path.stem not in NOT_ANSWERING
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }


#: Told to a person at the terminal, or why an OPC UA server is not connected; never to a client.
NOT_FOR_CLIENTS = {
    *("BadConfigurationError", "BadIdentityTokenRejected"),
    *("BadCertificateUntrusted", "BadSecurityPolicyRejected"),
}


def test_each_status_code_that_opcws_answers_itself_is_listed_and_no_other() -> None:
    listed = first_column(section("errors", "Of opcws itself"))
    assert len(listed) == len(set(listed))
    known = set(CODES)
    used = {each for each in constants("*.py") if isinstance(each, str)} & known
    bad = {each for each in used if each.startswith("Bad")} - NOT_FOR_CLIENTS
    assert bad <= set(listed)
    assert set(listed) <= known & {each for each in constants("**/*.py") if isinstance(each, str)}


def test_each_http_status_that_is_refused_with_is_listed() -> None:
    listed = {int(status) for status in first_column(section("errors", "HTTP"))}
    refused = set()
    for path in (ROOT / "opcws" / "ws").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refuse":
                if isinstance(node.args[0], ast.Constant):
                    refused.add(node.args[0].value)
    assert refused <= listed
    assert listed - refused == {501}  # what h11 has to say


def test_each_close_code_is_listed() -> None:
    listed = {int(code) for code in first_column(section("errors", "Close codes"))}
    used = {each for each in constants("ws/connection.py") if isinstance(each, int)}
    assert {each for each in used if 1000 <= each <= 1015 and each != 1000} <= listed


# --- As text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 72, 100])
@pytest.mark.parametrize("name", topics.NAMES)
def test_text_keeps_to_the_width_of_the_terminal(name: str, width: int) -> None:
    code = {line.strip() for block in codes(topics.blocks(name)) for line in block.text.split("\n")}
    for line in topics.as_text(name, width=width).split("\n"):
        longest = max(map(len, line.split()), default=0)
        indentation = len(line) - len(line.lstrip())
        assert len(line) <= max(width, indentation + longest) or line.strip() in code, line


def test_a_table_that_is_too_wide_becomes_a_list_of_its_rows() -> None:
    table = Table(
        (blocks.text("Setting"), blocks.text("Unit"), blocks.text("Meaning")),
        ((blocks.code("a" * 30), blocks.text("b" * 30), blocks.text("What it is.")),),
    )
    assert plain.render([table], 40).split("\n")[:3] == [
        "a" * 30,
        "    Unit: " + "b" * 30,
        "    What it is.",
    ]


def test_a_section_is_found_by_what_its_title_begins_with_or_has() -> None:
    def first_line(wanted: str) -> str:
        return topics.as_text("messages", wanted).split("\n")[0]

    assert first_line("read_request") == "READ_REQUEST"
    assert first_line("monitorupdate") == "MONITORUPDATE_MESSAGE"
    assert first_line("of a response") == "Header of a response"
    assert first_line("variant") == "variant"
    with pytest.raises(topics.NoTopic, match="did you mean READ_REQUEST"):
        topics.as_text("messages", "READ-REQEST")
    with pytest.raises(topics.NoTopic, match="did you mean settings"):
        topics.as_text("setings")


# --- As HTML -------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Sees to it that elements are closed in order and ids are given once."""

    def __init__(self) -> None:
        super().__init__()
        self.open: List[str] = []
        self.ids: List[str] = []
        self.links: List[str] = []
        self.seen: Set[str] = set()

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Any]]) -> None:
        self.seen.add(tag)
        attributes = dict(attrs)
        assert not {"style", "onclick"} & set(attributes)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if "href" in attributes:
            self.links.append(attributes["href"])
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert not reader.open
    assert len(reader.ids) == len(set(reader.ids))
    return reader


@pytest.mark.parametrize("name", ["", *topics.NAMES])
def test_a_document_is_well_formed_and_leads_nowhere_else(name: str) -> None:
    reader = read(topics.as_html(name))
    assert not {"script", "style", "iframe"} & reader.seen
    for link in reader.links:
        if link.startswith("#"):
            assert link[1:] in reader.ids
        else:
            # Relative, so that it may be below a path.
            assert link in (*topics.NAMES, "./", "../", "../docs.css", "../icon.svg")


def test_what_looks_like_markup_is_shown_and_not_obeyed() -> None:
    evil = '<script>alert(1)</script>&"'
    page = [Heading(1, evil), Heading(2, evil), Heading(2, evil), Paragraph(blocks.text(evil))]
    page += [Code(evil), Table((blocks.text(evil),) * 2, ((blocks.code(evil),) * 2,))]
    reader = read(topics.html.render(evil, page, [topics.html.Entry("x", evil, evil)]))
    assert "script" not in reader.seen


# --- The command ---------------------------------------------------------------------------------


def run(*arguments: str, **options: Any) -> Any:
    return CliRunner(**options).invoke(main, ["docs", *arguments])


def test_the_command_lists_the_topics() -> None:
    result = run()
    assert result.exit_code == 0
    for topic in topics.TOPICS:
        assert topic.name in result.output and topic.summary in result.output


def test_the_command_shows_a_topic_or_a_section_of_it() -> None:
    assert run("settings").output == topics.as_text("settings", width=plain.MAX_WIDTH)
    shown = run("messages", "header", "of", "a", "request").output
    assert shown.startswith("Header of a request\n---") and "Header of a response" not in shown


def test_the_command_says_which_topic_may_have_been_meant() -> None:
    result = run("protocoll")
    assert result.exit_code == 2
    assert "did you mean protocol?" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("charset", ["cp1252", "cp437", "ascii"])
def test_an_old_console_shows_every_page(charset: str) -> None:
    for name in ("trouble", "messages", "faults"):
        result = run(name, charset=charset)
        assert result.exit_code == 0, result.exception
    assert b"..." in run("trouble", charset="ascii").stdout_bytes

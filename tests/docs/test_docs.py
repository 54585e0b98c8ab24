"""The documentation: docutils finds nothing wrong with it, it says what the product does."""

import ast
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any, Dict, Iterator, List, Set, Tuple

import pytest
from click.testing import CliRunner
from docutils import nodes

from opcws.cli.main import main
from opcws.docs import html, reference, topics
from opcws.model.status_codes import CODES
from opcws.wire import contract, schema_files

from ..support.contract_problems import problems_of
from ..support.readme import PAGES, ROOT, codes, tree

WRITTEN = sorted(path.stem for path in PAGES.glob("*.rst"))
JSON_SCHEMAS = sorted(contract.MESSAGE_TYPES)


def said(source: str) -> str:
    """All text of *source*, without line ends."""
    return " ".join(tree(source).astext().split())


def first_column(source: str) -> List[str]:
    (table,) = tree(source).findall(nodes.tbody)
    return [row[0].astext() for row in table]


# --- The pages -----------------------------------------------------------------------------------


def test_every_page_is_a_topic_and_every_topic_a_page() -> None:
    assert sorted([*WRITTEN, "asyncapi", "messages", "status"]) == sorted(topics.NAMES)


@pytest.mark.parametrize("name", topics.NAMES)
def test_docutils_finds_nothing_wrong_with_a_page(name: str) -> None:
    page = tree(topics.source(name))
    (title,) = (each[0].astext() for each in page if isinstance(each, nodes.section))
    assert "<title>%s - opcws</title>" % title in html.page(name)
    # As the table of a page becomes one of a document, where each cell has a name.
    for table in page.findall(nodes.tgroup):
        assert [type(each) for each in table[-2:]] == [nodes.thead, nodes.tbody]
        assert all(len(row) == table["cols"] for row in table.findall(nodes.row))
        assert all(
            [type(p) for p in e] in ([], [nodes.paragraph]) for e in table.findall(nodes.entry)
        )


@pytest.mark.parametrize("name", topics.NAMES)
def test_links_lead_to_pages_that_are_there(name: str) -> None:
    for link in tree(topics.source(name)).findall(nodes.reference):
        topic, ending, section = link["refuri"].partition(".rst")
        if topic.startswith("schemas/"):
            assert topic[len("schemas/") :] in schema_files.names()
            assert 'href="%s"' % topic in html.page(name)
        elif not link["refuri"].startswith("http"):  # in the text, no link in a document
            assert ending and topic in topics.NAMES, link["refuri"]
            assert not section or 'id="%s"' % section[1:] in html.page(topic), link["refuri"]


@pytest.mark.parametrize("name", WRITTEN)
def test_pictures_are_there_and_say_what_they_show(name: str) -> None:
    pictures = list(tree(topics.source(name)).findall(nodes.image))
    for each in pictures:
        assert topics.picture(each["uri"]), each["uri"]
        assert 'alt="%s" src="%s"' % (each["alt"], each["uri"]) in html.page(name)
    assert bool(pictures) == (name == "speed")


def test_every_schema_file_is_listed() -> None:
    links = [link["refuri"] for link in tree(topics.source("schemas")).findall(nodes.reference)]
    listed = [link for link in links if link.startswith("schemas/")]
    assert sorted(listed) == sorted("schemas/" + name for name in schema_files.names())


# --- The reference -------------------------------------------------------------------------------


def described(schema: Any) -> Iterator[str]:
    """Every description in *schema* of something that a message has."""
    if isinstance(schema, dict):
        for name, each in schema.get("properties", {}).items():
            if each is False:
                continue
            assert each.get("description"), name
            if name != "MessageType":
                yield each["description"]
            yield from described(each)
        for each in schema.get("definitions", {}).values():
            yield each["description"]
            yield from described(each)


@pytest.mark.parametrize("name", JSON_SCHEMAS)
def test_each_member_of_each_message_is_described(name: str) -> None:
    page = tree(topics.source("messages"))
    text = " ".join(page.astext().split())
    for description in described(contract.schema(name)):
        assert " ".join(description.split()) in text
    assert name in [title.astext() for title in page.findall(nodes.title)]


def test_a_member_that_a_schema_gets_is_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(name: str) -> Dict[str, Any]:
        schema = contract.document(name + ".json")
        if name == "READ_REQUEST":
            members = schema["properties"]["Body"]["properties"]
            members["Colour"] = {"description": "Of the answer.", "enum": ["red", "blue"]}
        return schema

    monkeypatch.setattr(contract, "schema", changed)
    member = ["   * - ``Body.Colour``", '     - "red", "blue"', "     - Of the answer."]
    assert "\n".join(member) in reference.messages()


def test_each_example_in_the_reference_follows_the_contract() -> None:
    decoder = json.JSONDecoder()
    shown: Dict[str, int] = {}
    for name in contract.MESSAGE_TYPES:
        for text in codes(topics.as_text("messages", name)):
            while text:
                example, end = decoder.raw_decode(text)
                text = text[end:].lstrip()
                assert example["Header"]["MessageType"] == name
                assert not problems_of(name, example)
                shown[name] = shown.get(name, 0) + 1
    assert shown == {name: len(contract.schema(name)["examples"]) for name in JSON_SCHEMAS}


def test_required_members_types_and_choices_are_told() -> None:
    page = topics.as_text("messages", "HISTORICALREAD_REQUEST")
    assert re.search(
        r"``Body\.Variables``\n     - list of strings, at most [0-9]+\n     - Required\. Names of ",
        topics.as_text("messages", "VALUEINFO_REQUEST"),
    )
    assert re.search(r"``Body\.MaxValues``\n     - whole number or string or null, 0 to ", page)
    assert "At least one of ``StartTime``, ``EndTime`` and ``ContinuationPoint``." in page.replace(
        "\n", " "
    )
    assert "Exactly one of ``Variable`` and ``Variables``." in topics.as_text(
        "messages", "READ_REQUEST"
    )
    assert "Boolean (1)" in topics.as_text("messages", "variant")


def test_each_member_of_the_status_document_is_described() -> None:
    text = said(topics.source("status"))
    for description in described(contract.document("status.schema.json")):
        assert " ".join(description.split()) in text


@pytest.mark.parametrize(
    "evil",
    [
        r"a* b_ `c` |d| \e *f* **g** h__ _i http://j/ ``k`` <l> .. m::",
        *("- x", "* x", "+ x", ".. x", ">>> x", "| x", "__ x"),
    ],
)
def test_what_looks_like_markup_in_a_schema_is_shown_as_it_is(
    evil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {"properties": {"X": {"description": evil}}, "description": evil}
    monkeypatch.setattr(contract, "document", lambda name: document)
    assert said(reference.status()).count(evil) == 2


# --- Status codes --------------------------------------------------------------------------------


#: The rooms whose own words for a failure a client gets; ``ua`` passes on what a server says.
ANSWERING = ("access", "config", "gateway", "model", "wire")


def constants(part: str) -> Set[Any]:
    """Every constant in the modules at *part*."""
    return {
        node.value
        for path in (ROOT / "opcws").glob(part)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }


#: Told to a person at the terminal, why an OPC UA server is not connected, or the audit log, of a
#: client that has left; never to a client.  Or known as what an OPC UA server says that lacks
#: something.  Bad alone names a severity.
NOT_FOR_CLIENTS = {
    "Bad",
    *("BadConfigurationError", "BadIdentityTokenRejected"),
    *("BadCertificateUntrusted", "BadSecurityPolicyRejected", "BadRequestCancelledByClient"),
    *("BadNotImplemented", "BadNotSupported", "BadServiceUnsupported"),
}


def test_each_status_code_that_opcws_answers_itself_is_listed_and_no_other() -> None:
    listed = first_column(topics.as_text("errors", "Of opcws itself"))
    assert len(listed) == len(set(listed))
    known = set(CODES)
    used = set().union(*(constants(room + "/*.py") for room in ANSWERING)) & known
    bad = {each for each in used if each.startswith("Bad")} - NOT_FOR_CLIENTS
    assert "BadNodeIdUnknown" in bad and bad <= set(listed)
    assert set(listed) <= known & {each for each in constants("**/*.py") if isinstance(each, str)}


def test_each_http_status_that_is_refused_with_is_listed() -> None:
    listed = {int(status) for status in first_column(topics.as_text("errors", "HTTP"))}
    refused = set()
    for path in (ROOT / "opcws" / "ws").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refuse":
                if isinstance(node.args[0], ast.Constant):
                    refused.add(node.args[0].value)
    assert refused <= listed
    assert listed - refused == {501}  # what h11 has to say


def test_each_close_code_is_listed() -> None:
    listed = {int(code) for code in first_column(topics.as_text("errors", "Close codes"))}
    used = {each for each in constants("ws/connection.py") if isinstance(each, int)}
    assert {each for each in used if 1000 <= each <= 1015 and each != 1000} <= listed


# --- As text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["messages", "status"])
def test_text_that_is_made_keeps_to_a_width_that_reads_well(name: str) -> None:
    assert max(map(len, topics.source(name).split("\n"))) <= 100


def test_a_section_is_found_by_what_its_title_begins_with_or_has() -> None:
    def first_line(wanted: str) -> str:
        return topics.as_text("messages", wanted).split("\n")[0]

    assert first_line("read_request") == "READ_REQUEST"
    assert first_line("monitorupdate") == "MONITORUPDATE_MESSAGE"
    assert first_line("responseheader") == "ResponseHeader"
    assert first_line("variant") == "Variant"
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
        self.attributes: Set[str] = set()
        self.seen: Set[str] = set()

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Any]]) -> None:
        self.seen.add(tag)
        attributes = dict(attrs)
        self.attributes.update(attributes)
        assert not {"style", "onclick"} & set(attributes)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if "href" in attributes:
            self.links.append(attributes["href"])
        if tag not in ("meta", "link", "img", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: List[Tuple[str, Any]]) -> None:
        self.handle_starttag(tag, attrs)

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
    document = html.page(name)
    reader = read(document)
    assert not {"script", "style", "iframe"} & reader.seen
    assert "system-message" not in document
    for link in reader.links:
        if link.startswith("#"):
            assert link[1:] in reader.ids
        else:
            # Relative, so that it may be below a path.
            files = ["schemas/" + each for each in schema_files.names()]
            page, _, section = link.partition("#")
            assert page in (*topics.NAMES, "./", "../", "../docs.css", "../icon.svg", *files)
            assert not section or page in topics.NAMES


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "history",
        "zzzz",
        "the a of and or is",
        '"><script>alert(1)</script>',
        "' onfocus=alert(1) autofocus '",
        "</title><script>history</script>",
        "{nav} {0} %s %(x)s",
        "\0\x1b[31m\u202ehistory\ud800",
        "\u0130" * 300,
    ],
)
def test_what_is_searched_for_is_shown_and_not_obeyed(wanted: str) -> None:
    document = html.results(wanted)
    reader = read(document)
    assert not {"script", "style", "iframe"} & reader.seen
    assert {*reader.attributes} <= known_attributes()
    assert not re.search("[\0\x1b\u202e\ud800]", document)
    for link in reader.links:
        page, _, section = link.partition("#")
        assert page in (*topics.NAMES, "./", "../", "../docs.css", "../icon.svg", "")
        assert not section or page in topics.NAMES or link == "#content"


def known_attributes() -> Set[str]:
    """Those of the elements of a page that nobody has searched in."""
    return {*read(html.page("")).attributes, "aria-current"}


def test_what_looks_like_html_is_shown_and_not_obeyed() -> None:
    evil = '<script>alert(1)</script>&"'
    title = evil + "\n" + "=" * len(evil) + "\n"
    table = ".. list-table::\n   :header-rows: 1\n\n   * - {0}\n     - {0}\n   * - x\n     - {0}\n"
    page = "\n".join([title, title.replace("=", "-") * 2, evil + "::\n\n    " + evil + "\n", table])
    document = html.render(page.format(evil))
    assert "script" not in read(document).seen
    assert document.count("&lt;script&gt;") == 10


def test_a_page_neither_takes_in_a_file_nor_writes_html() -> None:
    for directive in (
        ".. include:: %s" % (ROOT / "setup.cfg"),
        ".. raw:: html\n\n   <script>x</script>",
        ".. raw:: html\n   :file: %s" % (ROOT / "setup.cfg"),
        ".. csv-table::\n   :file: %s" % (ROOT / "setup.cfg"),
    ):
        document = html.render("Title\n=====\n\n%s\n" % directive)
        assert document.endswith("<h1>Title</h1>\n</section>\n</main>\n</div>\n</body>\n</html>\n")


def test_of_many_who_ask_for_a_page_at_once_one_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: List[str] = []
    monkeypatch.setattr(html, "_made", {})
    monkeypatch.setattr(html, "render", lambda source, name: made.append(name) or "x")
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(html.page, ["start"] * 100)) == {"x"}
    assert made == ["start"]


def test_who_looks_at_no_page_does_without_docutils() -> None:
    program = "import sys, opcws.cli.main, opcws.app; print('docutils' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=str(ROOT))
    assert done.stdout.split() == [b"False"], done.stderr


# --- The command ---------------------------------------------------------------------------------


def run(*arguments: str, **options: Any) -> Any:
    return CliRunner(**options).invoke(main, ["docs", *arguments])


def test_the_command_lists_the_topics() -> None:
    result = run()
    assert result.exit_code == 0
    for topic in topics.TOPICS:
        assert topic.name in result.output and topic.summary in result.output


def test_the_command_shows_a_topic_or_a_section_of_it() -> None:
    assert run("settings").output == (PAGES / "settings.rst").read_text(encoding="utf-8")
    shown = run("messages", "requestheader").output
    assert shown.startswith("RequestHeader\n---") and "ResponseHeader" not in shown


def test_in_a_terminal_a_long_page_is_paged_and_its_titles_stand_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paged: List[str] = []
    monkeypatch.setattr("opcws.cli.docs.sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.echo_via_pager", paged.append)
    main.main(["docs", "settings"], standalone_mode=False)
    assert paged[0].startswith("\x1b[36m\x1b[1mSettings\x1b[0m\n=====")


def test_the_command_says_which_topic_may_have_been_meant() -> None:
    result = run("protocoll")
    assert result.exit_code == 2
    assert "did you mean protocol?" in result.output
    assert "Traceback" not in result.output


def test_the_command_finds_where_words_are_and_says_what_to_type() -> None:
    result = run("--search", "cannot", "listen", "on")
    assert result.exit_code == 0 and "\x1b" not in result.output
    place = "\nWhen something is wrong: Starting opcws (opcws docs trouble starting-opcws)\n"
    assert place + "    cannot listen on " in result.output
    hinted = run("BadNotConnected")
    assert hinted.exit_code == 2 and "opcws docs --search WORDS" in hinted.output
    for words in (["zzzz"], [], ["\x1b[31m"]):
        nothing = run("--search", *words)
        assert nothing.exit_code == 2 and nothing.output.startswith("opcws: ")
        assert nothing.output.count("\n") == 1 and "\x1b" not in nothing.output


@pytest.mark.parametrize("charset", ["cp1252", "cp437", "ascii"])
def test_an_old_console_shows_every_page(charset: str) -> None:
    for name in ("trouble", "messages", "faults"):
        result = run(name, charset=charset)
        assert result.exit_code == 0, result.exception
    assert b"..." in run("trouble", charset="ascii").stdout_bytes
    assert b"taken - cannot" in run("--search", "cannot listen", charset="ascii").stdout_bytes

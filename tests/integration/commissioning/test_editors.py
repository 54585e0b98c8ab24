"""A configuration that opcws has written is completed, explained and checked in an editor."""

import itertools
import json
from pathlib import Path
from typing import Iterator, List

import pytest

from opcws.commissioning import config_file
from opcws.commissioning.config_file import MODELINE, SCHEMA_FILE
from opcws.config import load, loads
from opcws.model.errors import ConfigError
from opcws.wire import contract

from ... import support
from ...commissioning.test_asneg import DATA
from ...config.test_schema_in_editors import cases
from ...support import command
from ...support.language_server import LanguageServer, needed

SERVER = MODELINE + "\nservers:\n  plant:\n    endpoint: opc.tcp://127.0.0.1:4840\n"
VARIABLE = SERVER + "    variables:\n      T: {node: i=2258}\n"


def has_what_editors_need(path: Path) -> None:
    assert path.read_text("utf-8").splitlines()[0] == MODELINE
    beside = json.loads((path.parent / SCHEMA_FILE).read_text("utf-8"))
    assert beside == contract.document("config.schema.json")
    load(path)


# -- the file, and its schema beside it ---------------------------------------------------------


@pytest.mark.parametrize("arguments", ["demo", "import-asneg", "init", "browse"])
def test_a_command_that_writes_a_configuration_puts_its_schema_beside_it(
    arguments: str, plant: support.PlantProcess, tmp_path: Path
) -> None:
    path = tmp_path / "opcws.yaml"
    commands = {
        "demo": ["--write-config", str(path)],
        "import-asneg": [str(DATA / "OpcUaWebServerModel.xml"), "--output", str(path)],
        "init": ["--endpoint", plant.endpoint, "--defaults", "--output", str(path)],
        "browse": [plant.endpoint, "--match", "Boiler.*", "--write-config", str(path)],
    }
    done = command.run(arguments, *commands[arguments])
    assert done.exit_code == 0, done.output
    has_what_editors_need(path)


def test_a_schema_of_another_version_is_replaced_when_the_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "opcws.yaml"
    (tmp_path / SCHEMA_FILE).write_text("{}", "utf-8")
    config_file.save(str(path), VARIABLE)
    has_what_editors_need(path)


def test_a_file_without_the_line_is_left_without_it_and_without_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "opcws.yaml"
    config_file.save(str(path), VARIABLE.replace(MODELINE, "# mine"))
    assert path.read_text("utf-8").startswith("# mine\n")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_where_the_schema_cannot_be_written_the_configuration_is(tmp_path: Path) -> None:
    path = tmp_path / "opcws.yaml"
    (tmp_path / SCHEMA_FILE / "in the way").mkdir(parents=True)
    config_file.save(str(path), VARIABLE)
    assert load(path).variables


def test_config_schema_writes_it_for_a_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "opcws.yaml"
    path.write_text(VARIABLE.replace(MODELINE, "# mine"), "utf-8")
    done = command.run("config", "schema", "--config", str(path))
    assert done.exit_code == 0 and done.stdout.endswith(
        "at the top of %s:\n%s\n" % (path, MODELINE)
    )
    path.write_text(VARIABLE, "utf-8")
    again = command.run("config", "schema", "--config", str(path))
    assert again.output == "wrote %s\n" % (tmp_path / SCHEMA_FILE)
    has_what_editors_need(path)
    missing = command.run("config", "schema", "--config", str(tmp_path / "no.yaml"))
    assert missing.exit_code == 1 and "there is no such file" in missing.stderr


# -- what yaml-language-server makes of it ---------------------------------------------------------


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    directory = tmp_path_factory.mktemp("editor")
    assert command.run("demo", "--write-config", str(directory / "demo.yaml")).exit_code == 0
    with LanguageServer(directory) as running:
        yield running


@needed
def test_what_opcws_wrote_has_no_problem_in_an_editor(
    editor: LanguageServer, tmp_path: Path
) -> None:
    path = tmp_path / "demo.yaml"
    assert command.run("demo", "--write-config", str(path)).exit_code == 0
    text = path.read_text("utf-8")
    assert editor.problems(text) == []
    with LanguageServer(tmp_path) as beside:
        assert beside.problems(text) == []
        (tmp_path / SCHEMA_FILE).unlink()
    with LanguageServer(tmp_path) as alone:
        (problem,) = alone.problems(text)
        assert "Unable to load schema" in problem and SCHEMA_FILE in problem


@needed
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SERVER + "lis|ten: {port: 1}", "One address where clients connect"),
        (SERVER + "listen: {po|rt: 1}", "TCP port to listen on. 0 means any free port"),
        (SERVER + "listen: {ho|st: '::1'}", "hmi.example"),
        (VARIABLE.replace("T:", "T|:"), "One variable as clients see it"),
        (VARIABLE.replace("node", "no|de"), "nsu=urn:demo:plant;s=Boiler.Temperature"),
        (SERVER + "roles: {anony|mous: read}", "Read every variable"),
        (SERVER + "roles: {pan|el: {read: ['*']}}", "What a client with this role may do"),
        (SERVER + "ro|les: {anonymous: off}", "Boiler.*"),
    ],
)
def test_an_editor_shows_what_a_setting_is_for(
    editor: LanguageServer, text: str, words: str
) -> None:
    assert words in editor.hover(text).replace("\\", "")


@needed
@pytest.mark.parametrize(
    ("text", "offered"),
    [
        (SERVER + "|", {"listen", "roles", "credentials", "log", "audit"}),
        (SERVER + "roles:\n  |", {"anonymous"}),
        (SERVER + "roles:\n  anonymous: |", {"off", "read"}),
        (SERVER + "roles:\n  panel: |", {"off", "read"}),
        (SERVER + "roles:\n  panel:\n    |", {"read", "write", "history", "limits"}),
        (SERVER + "roles:\n  panel:\n    endpoints:\n      - |", {"metrics", "status"}),
        (SERVER + "listen:\n  |", {"host", "port", "tls"}),
        (SERVER + "listen:\n  - |", {"host", "port", "tls"}),
        (SERVER + "listen:\n  scalars: |", {"typed", "string"}),
        (SERVER + "process:\n  cpu_affinity: |", {"auto", "off"}),
        (SERVER + "    security:\n      policy: |", {"Basic256Sha256", "None"}),
        (SERVER + "    user:\n      |", {"name and password_env", "certificate and key"}),
        (SERVER + "    browse:\n      |", {"match", "under", "depth"}),
        (SERVER + "    variables:\n      T:\n        |", {"node", "access", "deadband"}),
    ],
)
def test_an_editor_offers_what_may_stand_there(
    editor: LanguageServer, text: str, offered: List[str]
) -> None:
    found = editor.completions(text)
    assert offered <= set(found)


@needed
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("listen: {prot: 1}", "Property prot is not allowed"),
        ("listen: {port: 70000}", "above the maximum of 65535"),
        ("listen: {port: 1, port: 2}", "keys must be unique"),
        ("roles: {panel: of}", 'Valid values: "off", "read"'),
        ("roles: {panel: {reads: ['*']}}", "Property reads is not allowed"),
        ("roles: {anonymous: {certificates: [CN=a]}}", "too many items"),
        ("process: {cpu_affinity: 5000}", "above the maximum of 1023"),
        ("    security: {policy: Basic256Sha256}", 'Missing property "mode"'),
        ("    security: {policy: Basic256, mode: Sign}", 'Missing property "allow_deprecated"'),
        ("    security: {key: k}", "certificate required by property key"),
        ("    variables: {T: {node: Boiler}}", "does not match the pattern"),
        ("    user: {name: operator}", 'Missing property "password"'),
        ("    variables: {T: {}}", 'Missing property "node"'),
    ],
)
def test_an_editor_says_what_is_wrong_as_opcws_does(
    editor: LanguageServer, text: str, words: str
) -> None:
    assert any(words in each for each in editor.problems(SERVER + text))
    with pytest.raises(ConfigError):
        loads(SERVER + text)


@needed
def test_the_patterns_mean_the_same_to_an_editor(editor: LanguageServer) -> None:
    good = contract.Judge(contract.document("config.schema.json"))
    some = list(itertools.islice(cases(), 0, None, 8))
    texts = ["%s\n%s\n" % (MODELINE, json.dumps(case.data)) for case in some]
    wrong = [
        case.what
        for case, problems in zip(some, editor.problems_of(texts))
        if bool(problems) == good.is_valid(case.data)
    ]
    assert wrong == []
    assert len(some) > 400

"""The identifiers, types and remarks in the files that ``opcws client`` writes."""

import ast
import json
import keyword
import random
import re
import time
from pathlib import Path
from typing import Any, Dict, List, Set

import click
import hypothesis
import pytest
from hypothesis import strategies

from opcws import __version__
from opcws.cli.client import client
from opcws.commissioning import client_files
from opcws.commissioning.client_names import (
    Branch,
    Tag,
    identifier,
    literal,
    of_infos,
    tree,
)
from opcws.wire import contract

from ..support import command


def words(names: List[str], *reserved: str) -> Dict[str, str]:
    """The way to each variable in a generated file."""
    root = tree([Tag(name) for name in names], reserved)
    found: Dict[str, str] = {}

    def walk(branch: Branch, above: str) -> None:
        for each in branch.branches.values():
            if each.tag is not None:
                found[each.tag.name] = above + each.word
            walk(each, above + each.word + ".")

    walk(root, "")
    return found


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Temperature", "Temperature"),
        ("1st pump", "N1st_pump"),
        ("_x", "N_x"),
        ("", "N"),
        ("Kessel-Füllstand", "Kessel_Füllstand"),
        ("温度", "温度"),
        ("ﬁll", "fill"),
        ("😀", "N_"),
        ("class", "class_"),
        ("a\u202eb", "a_b"),
    ],
)
def test_a_name_becomes_an_identifier(name: str, word: str) -> None:
    assert identifier(name, {"class"}) == word


def test_the_parts_of_names_become_members_of_members() -> None:
    names = ["Boiler", "Boiler.Temperature", "Line 1.Pump.2", "a..b"]
    assert list(words(names).values()) == [
        "Boiler",
        "Boiler.Temperature",
        "Line_1.Pump.N2",
        "a.N.b",
    ]


def test_names_that_would_be_one_identifier_have_none_of_them() -> None:
    found = words(["a-b", "a_b", "a.c"])
    assert found["a.c"] == "a.c"
    assert len({found["a-b"], found["a_b"]}) == 2
    assert "a_b" not in found.values() and found["a-b"].startswith("a_b_")
    # A third one changes nothing for the two.
    assert found.items() <= words(["a b", "a_b", "a-b", "a.c"]).items()


def test_no_identifier_is_longer_than_compilers_take_however_long_or_deep_a_name_is() -> None:
    names = ["a" * 600, "a" * 601, "a." + "b." * 20000, ("c" * 200 + ".") * 20]
    root = tree([Tag(name) for name in names])
    branches = list(root.below())
    assert sorted(each.tag.name for each in branches if each.tag is not None) == sorted(names)
    words = [each.type_word for each in branches]
    assert len(words) == len(set(words)) and max(map(len, words)) < 300
    assert max(len(each.word) for each in branches) < 300


def test_no_type_in_csharp_has_the_name_of_a_word_that_the_language_may_come_to_have() -> None:
    names = ["file", "required", "mode", "Mode", "mode2"]
    tags = [Tag(name, "Int32", False, names=((0, "a"),)) for name in names]
    types = re.findall(r"public enum (\S+)", client_files.text_of("csharp", tags, "--url x"))
    assert sorted(types) == ["Mode", "file_", "mode2", "mode_", "required_"]


NAMES = strategies.lists(strategies.text(min_size=1, max_size=6), unique=True, max_size=8)


@hypothesis.given(NAMES, strategies.randoms())
def test_whatever_the_names_the_files_are_good_and_the_same_in_any_order(
    names: List[str], chance: random.Random
) -> None:
    tags = [
        Tag(name, "Int32", False, "readwrite", name, name, names=((0, name),)) for name in names
    ]
    shuffled = list(tags)
    chance.shuffle(shuffled)
    for language in client_files.LANGUAGES:
        text = client_files.text_of(language, tags, "--url x")
        assert text == client_files.text_of(language, shuffled, "--url x")
        assert all(
            character.isprintable() or character == "\n" or character > "\uffff"
            for character in text
        )
    text = client_files.text_of("python", tags, "--url x")
    parsed = ast.parse(text)
    seen: Set[str] = set()
    for part in ast.walk(parsed):
        if (
            isinstance(part, ast.Call)
            and len(part.args) == 3
            and isinstance(part.args[1], ast.Constant)
        ):
            seen.add(part.args[1].value)
        if isinstance(part, ast.ClassDef):
            members = [each.name for each in part.body if isinstance(each, ast.FunctionDef)]
            assert len(members) == len(set(members))
    classes = [each.name for each in parsed.body if isinstance(each, ast.ClassDef)]
    assert len(classes) == len(set(classes))
    assert seen == set(names)


def test_the_head_says_how_the_file_was_made_and_not_when() -> None:
    for language in client_files.LANGUAGES:
        head = client_files.text_of(language, [Tag("a")], "--config opcws.yaml")[:400]
        assert "'opcws client --lang %s --config opcws.yaml'" % language in head
        assert "opcws %s, contract %s" % (__version__, contract.VERSION) in head
        assert time.strftime("%Y-%m-%d") not in head


def test_what_is_known_of_a_variable_is_said_beside_it() -> None:
    info: Dict[str, Any] = {
        "Variable": "T",
        "Type": "Double",
        "IsArray": False,
        "Access": "readwrite",
        "Description": 'Water "hot" */ \\ \n here',
        "EngineeringUnits": {"DisplayName": "°C"},
        "EURange": {"Low": 0.0, "High": 150.0},
        "NodeId": "i=7",
    }
    tags = of_infos([info, {"Variable": "Gone", "StatusCode": "BadNodeIdUnknown", "Reason": "x"}])
    assert [tag.remark() for tag in tags] == ["Double in °C; 0.0 to 150.0; read, write; i=7"]
    python = client_files.text_of("python", tags, "--url x")
    assert "Double in °C; 0.0 to 150.0; read, write; i=7" in python
    (documented,) = [
        ast.get_docstring(each)
        for each in ast.walk(ast.parse(python))
        if isinstance(each, ast.FunctionDef)
    ]
    assert documented is not None and documented.startswith('Water "hot" */ \\ here\n')
    assert 'Water "hot" *\\/ \\ here\n' in client_files.text_of("ts", tags, "--url x")


def test_an_enumeration_has_the_names_that_its_type_can_have() -> None:
    info: Dict[str, Any] = {"Variable": "E", "Type": "Byte", "IsArray": False, "Access": "read"}
    values = [(5, "Five"), (-1, "Never"), (0, ""), (300, "Never"), (7, "5")]
    info["EnumValues"] = [{"Value": value, "DisplayName": name} for value, name in values]
    (tag,) = of_infos([info])
    assert tag.names == ((0, ""), (5, "Five"), (7, "5"))
    python = client_files.text_of("python", [tag], "--url x")
    assert "        N0 = 0\n        Five = 5\n        N5 = 7\n" in python
    info["Type"] = "String"
    assert of_infos([info])[0].names == ()


@pytest.mark.parametrize(
    "wrong",
    [
        *({"Variable": 5}, {"Type": 11}, {"Type": "*/"}, {"IsArray": "true"}, {"Access": ["read"]}),
        *({"Description": 5}, {"EngineeringUnits": "C"}, {"EURange": [0, 1]}, {"NodeId": 7}),
        *({"EnumStrings": "abc"}, {"EnumStrings": [1]}, {"EnumValues": [{}]}),
        {"EnumValues": [{"Value": 1.5, "DisplayName": "x"}]},
        {"EnumValues": [{"Value": "0 }", "DisplayName": "x"}]},
    ],
)
def test_of_what_is_no_answer_to_valueinfo_no_file_is_made(wrong: Dict[str, Any]) -> None:
    info = {"Variable": "a", "Type": "Int32", "IsArray": False, "Access": "read"}
    assert len(of_infos([info])) == 1
    with pytest.raises(ValueError, match="VALUEINFO_RESPONSE"):
        of_infos([{**info, **wrong}])
    with pytest.raises(ValueError, match="the same name"):
        of_infos([info, info])


def test_ten_thousand_variables_take_no_time() -> None:
    tags = [
        Tag("Line%d.Cell%d.T%d" % (i // 1000, i // 50, i), "Double", False) for i in range(10000)
    ]
    before = time.process_time()
    for language in client_files.LANGUAGES:
        assert client_files.text_of(language, tags, "--url x").count("T9999") >= 1
    assert time.process_time() - before < 20


@pytest.mark.parametrize("text", ['a"b\\', "\u2028\u202e\x00", "😀é", "\ud800"])
def test_a_literal_reads_back_in_every_language(text: str) -> None:
    assert json.loads(literal(text)) == text
    assert ast.literal_eval(literal(text)) == text


def test_no_member_is_a_keyword_or_private() -> None:
    names = [*keyword.kwlist, "read", "write", "__init__", "_client", "float", "property"]
    python = client_files.text_of("python", [Tag(name) for name in names], "--url x")
    members = {
        each.name for each in ast.walk(ast.parse(python)) if isinstance(each, ast.FunctionDef)
    }
    assert len(members) == len(names) and not members & {*names}


# --- the command --------------------------------------------------------------------------------

CONFIGURATION = """\
servers:
  plant:
    endpoint: opc.tcp://127.0.0.1:4840
    variables:
      Level: {node: "ns=2;s=Level", type: Double, array: false, description: How full it is}
      Valve: {node: "ns=2;s=Valve", access: readwrite}
"""


def test_a_configuration_gives_what_it_knows_and_anything_for_the_rest(tmp_path: Path) -> None:
    path, output = tmp_path / "opcws.yaml", tmp_path / "plant.py"
    path.write_text(CONFIGURATION, encoding="utf-8")
    arguments = ["client", "--lang", "python", "--config", str(path)]
    done = command.run(*arguments, "--output", str(output))
    assert done.exit_code == 0 and "the type of 1 variable is not known" in done.stderr, done
    text = output.read_text(encoding="utf-8")
    assert "def Level(self) -> _typed.Readable[float]:" in text and "How full it is" in text
    assert "def Valve(self) -> _typed.ReadWritable[_Any]:" in text
    assert command.run(*arguments).stdout == text


def test_the_command_takes_every_language() -> None:
    (choice,) = [each.type for each in client.params if each.name == "language"]
    assert isinstance(choice, click.Choice) and tuple(choice.choices) == client_files.LANGUAGES


def test_two_plants_in_one_program_in_csharp_have_two_namespaces(tmp_path: Path) -> None:
    path = tmp_path / "opcws.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    arguments = ["client", "--lang", "csharp", "--config", str(path)]
    first, second = command.run(*arguments), command.run(*arguments, "--namespace", "Line3.Plant")
    assert second.exit_code == 0 and "--namespace Line3.Plant" in second.stdout
    assert "\nnamespace Opcws\n" in first.stdout and "\nnamespace Line3.Plant\n" in second.stdout
    assert "namespace Opcws" not in second.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--lang", "python", "--config", "none.yaml"], 1, "none.yaml"),
        (["--lang", "python", "--config", "x", "--url", "ws://127.0.0.1:1/"], 2, "not both"),
        (["--lang", "cobol"], 2, "cobol"),
        ([], 2, "--lang"),
        (["--lang", "ts", "--namespace", "A"], 2, "csharp"),
        (["--lang", "csharp", "--namespace", "1"], 2, "a name"),
        (["--lang", "ts", "--output", "no/such/place.ts"], 1, "no directory"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: List[str], code: int, said: str) -> None:
    done = command.run("client", *arguments)
    assert (done.exit_code, done.stdout) == (code, "") and said in done.stderr, done


def test_without_variables_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "opcws.yaml"
    path.write_text(CONFIGURATION.partition("    variables")[0] + "    browse: {}\n", "utf-8")
    output = tmp_path / "plant.ts"
    arguments = ["--lang", "ts", "--config", str(path), "--output", str(output)]
    done = command.run("client", *arguments)
    assert done.exit_code == 6 and "(plant)" in done.stderr and "no variables" in done.stderr, done
    assert not output.exists()

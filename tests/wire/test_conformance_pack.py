"""The conformance pack is what its page says, and validators of several languages judge each of
its messages as it does.

What a validator judges otherwise stands in :data:`KNOWN` with the reason, and a test fails where
that is no longer so.  A validator that is not installed is listed as not run.  What the server
says of the same messages is in ``tests/integration/messages/test_conformance_pack.py``.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Set

import fastjsonschema
import jsonschema
import pytest

from opcws.wire import contract

from .. import ROOT
from ..support import PATIENCE, readme
from ..support.conformance import PACK, Name, cases, files, groups, malformed

NODE_MODULES = ROOT / "tests" / "javascript" / "node_modules"
#: Where Debian lays the libraries of Go.
GO_PATH = Path("/usr/share/gocode")
GO_LIBRARY = GO_PATH / "src" / "github.com" / "xeipuuv" / "gojsonschema"


# -- The pack -------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [".", "optional", "malformed"])
def test_each_file_has_the_layout_of_the_json_schema_test_suite(folder: str) -> None:
    expected = {"description", "data", "valid"}
    if folder == "malformed":
        expected = {"description", "text", "answer"}
    assert files(folder)
    for file in files(folder):
        for schema, group in groups(file):
            assert set(group) == {"description", "schema", "tests"}, file
            assert set(group["schema"]) == {"$ref"} and schema.is_file(), file
            for test in group["tests"]:
                assert set(test) == expected, (file, test)
                assert isinstance(test.get("valid", True), bool)


def test_each_message_type_has_a_file_with_messages_that_are_right_and_that_are_wrong() -> None:
    verdicts: Dict[str, Set[bool]] = {}
    for case in cases("."):
        assert case.schema.name == case.name[0]
        verdicts.setdefault(case.schema.stem, set()).add(case.valid)
    assert verdicts == {name: {True, False} for name in contract.MESSAGE_TYPES}


def test_the_pack_has_300_to_500_messages_each_with_a_name_of_its_own() -> None:
    names = [case.name for case in cases()] + [each.name for each in malformed()]
    assert 300 <= len(names) <= 500
    assert all(all(name) for name in names)
    assert len(set(names)) == len(names)


def test_no_message_is_there_twice() -> None:
    texts = [json.dumps(case.data, sort_keys=True) for case in cases()]
    assert [each for each in texts if texts.count(each) > 1] == []


def test_the_program_of_the_documentation_names_the_message_that_is_judged_otherwise(
    tmp_path: Path,
) -> None:
    (program,) = (each for each in readme.code("python") if "schemas/examples" in each)
    shutil.copytree(str(PACK.parent), str(tmp_path / "schemas"))
    path = tmp_path / "schemas" / "examples" / "VALUELIST_REQUEST.json"
    changed = json.loads(path.read_text(encoding="utf-8"))
    changed[0]["tests"][0]["valid"] ^= True
    path.write_text(json.dumps(changed), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=str(tmp_path),
        capture_output=True,
        encoding="utf-8",
        timeout=3 * PATIENCE,
    )
    names = path.name, changed[0]["description"], changed[0]["tests"][0]["description"]
    assert (done.stdout, done.stderr) == ("%s: %s: %s\n" % names, "")


# -- What validators say of it --------------------------------------------------------------------

NUMBER_BREAK: Name = (
    "optional/line-breaks.json",
    "A line break at the end of a text: READ_REQUEST",
    "in a number as a text",
)
TIME_BREAK: Name = (
    "optional/line-breaks.json",
    "A line break at the end of a text: HISTORICALREAD_REQUEST",
    "in a time",
)
HANDLE_SURROGATE: Name = (
    "optional/lone-surrogates.json",
    "Half of a surrogate pair: READ_REQUEST",
    "in the name of a member",
)
#: Of each validator the messages that it judges otherwise than the pack, and why.
KNOWN: Dict[str, Dict[Name, str]] = {
    "jsonschema": dict.fromkeys(
        [NUMBER_BREAK, TIME_BREAK],
        "in a regular expression of Python $ is before a last line break",
    ),
    "npm's @cfworker/json-schema": {HANDLE_SURROGATE: "encodeURI refuses it"},
}


def compare(validator: str, verdicts: Dict[Name, Any]) -> None:
    """A verdict that is neither ``True`` nor ``False`` says why there is none."""
    known = KNOWN.get(validator, {})
    expected = {case.name: case.valid for case in cases()}
    assert set(verdicts) == set(expected)
    assert set(known) <= set(expected), "there is no such message"
    surprising = {
        name: verdict
        for name, verdict in verdicts.items()
        if (verdict is not expected[name]) != (name in known)
    }
    assert surprising == {}


def judged(compiled: Callable[[Any], Callable[[Any], Any]]) -> Dict[Name, Any]:
    """The verdicts of what *compiled* makes of a schema."""
    accepts: Dict[Path, Callable[[Any], Any]] = {}
    for case in cases():
        if case.schema not in accepts:
            accepts[case.schema] = compiled(json.loads(case.schema.read_text(encoding="utf-8")))
    return {case.name: accepts[case.schema](case.data) for case in cases()}


def test_jsonschema_judges_as_the_pack_says() -> None:
    compare("jsonschema", judged(lambda rules: jsonschema.Draft7Validator(rules).is_valid))


def test_fastjsonschema_judges_as_the_pack_says() -> None:
    def compiled(rules: Any) -> Callable[[Any], Any]:
        validate = fastjsonschema.compile(rules)

        def accepts(message: Any) -> Any:
            try:
                validate(message)
            except fastjsonschema.JsonSchemaValueException:
                return False
            except Exception as error:
                return repr(error)
            return True

        return accepts

    compare("fastjsonschema", judged(compiled))


def told_by(command: List[str], **environment: str) -> Dict[Name, Any]:
    """The verdicts that a program writes of the files whose names it is given."""
    done = subprocess.run(
        [*command, *files("."), *files("optional")],
        cwd=str(PACK),
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=6 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return {(file, group, test): verdict for file, group, test, verdict in json.loads(done.stdout)}


@pytest.mark.parametrize(
    "validator",
    [
        "ajv",
        "jsonschema",
        "@cfworker/json-schema",
        "@exodus/schemasafe",
        "@hyperjump/json-schema",
    ],
)
def test_validators_for_javascript_judge_as_the_pack_says(validator: str) -> None:
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / validator).exists():
        pytest.skip("not run: needs Node and %s (npm install in tests/javascript)" % validator)
    program = NODE_MODULES.parent / "conformance.js"
    compare("npm's " + validator, told_by([node, str(program), validator]))


def test_gojsonschema_judges_as_the_pack_says() -> None:
    go = shutil.which("go")
    if go is None or not GO_LIBRARY.exists():
        pytest.skip("not run: needs Go and golang-github-xeipuuv-gojsonschema-dev")
    program = ROOT / "tests" / "go" / "conformance.go"
    # Debian's library, and no module from elsewhere.
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(GO_PATH)}
    compare("gojsonschema", told_by([go, "run", str(program)], **settings))

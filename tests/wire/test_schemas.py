"""The files of the contract: made of their source, and taken by the readers of other languages."""

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from opcws.wire import contract

from .. import ROOT
from ..support import PATIENCE
from ..support.json_objects import objects_in

AJV = ROOT / "tests" / "javascript" / "node_modules" / "ajv" / "dist" / "ajv.js"


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("schemas")


def test_nobody_edits_the_files_but_the_script_that_makes_them(source: Any) -> None:
    made = source.files()
    assert {path.stem for path in made} >= set(contract.MESSAGE_TYPES)
    edited = [path.name for path in made if path.read_text(encoding="utf-8") != made[path]]
    assert not edited, "change scripts/contract instead, and run scripts/schemas.py"


def test_both_sources_name_the_same_messages(source: Any) -> None:
    made = {*source.requests.REQUESTS, *source.answers.ANSWERS}
    assert made == set(contract.MESSAGE_TYPES)
    assert source.requests.OPERATIONS == contract.OPERATIONS


@pytest.mark.parametrize(
    "low, high", [(0, 255), (-128, 127), (1, 9999), (0, 9), (1, 1), (0, 10), (-(2**63), 2**63 - 1)]
)
def test_a_range_as_a_pattern_has_the_numbers_of_the_range(
    source: Any, low: int, high: int
) -> None:
    pattern = importlib.import_module("contract.forms").decimal(low, high)
    for number in {*range(-300, 300), low - 1, low, high, high + 1, high * 10, high // 10 * 10 - 1}:
        assert bool(re.search(pattern, str(number))) == (low <= number <= high), number
    assert not re.search(pattern, "01") and not re.search(pattern, "-0")


# --- Other languages -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", contract.MESSAGE_TYPES)
def test_every_engine_for_regular_expressions_knows_what_is_in_the_patterns(name: str) -> None:
    rules = objects_in(contract.schema(name))
    for pattern in [each["pattern"] for each in rules if isinstance(each.get("pattern"), str)]:
        assert pattern[0] == "^" and pattern[-1] == "$"
        # RE2, which Go has, looks neither ahead nor back and repeats at most 1000 times.
        assert not re.search(r"\(\?|\\[1-9bBwdDWAZ]", pattern), pattern
        assert all(int(each) <= 1000 for each in re.findall(r"[{,]([0-9]+)", pattern)), pattern


def test_ajv_compiles_each_file_in_strict_mode_and_takes_its_examples(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not AJV.exists():
        pytest.skip("not run: needs Node, and npm install in tests/javascript")
    others = ("index.json", "asyncapi.json")
    files = sorted(
        str(path) for path in (ROOT / "schemas").glob("*.json") if path.name not in others
    )
    program = """
        const Ajv = require(process.argv[1]);
        for (const file of process.argv.slice(2)) {
            const schema = require(file);
            const ajv = new Ajv({strict: true});
            const good = ajv.compile(schema);
            for (const example of schema.examples || [])
                if (!good(example)) throw new Error(file + JSON.stringify(good.errors, null, 1));
        }
        console.log(process.argv.length - 2);
    """
    done = subprocess.run(
        [node, "-e", program, str(AJV), *files], capture_output=True, timeout=PATIENCE
    )
    assert done.stderr == b""
    assert json.loads(done.stdout) == len(files)

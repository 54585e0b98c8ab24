"""What json-schema-to-typescript makes of ``schemas/typed.schema.json`` has no types but those of
the contract, and a client that stands on it alone reads, writes and monitors."""

import re
import subprocess
from pathlib import Path

import pytest

from ...support import PATIENCE, PlantProcess, readme, served
from ...support.node import node_with_websocket

#: Its program writes: no other module finds what it has written.
pytestmark = pytest.mark.own_plant

NODE_MODULES = readme.ROOT / "tests" / "javascript" / "node_modules"
GENERATOR = NODE_MODULES / "json-schema-to-typescript" / "dist" / "src" / "cli.js"
TSC = NODE_MODULES / "typescript" / "lib" / "tsc.js"
FLAGS = "--strict --target es2022 --module es2022 --lib es2022,dom --moduleResolution bundler"
STORY = """\
read good bigint
list Types.Infinities=good Types.Bad=BadSensorFailure No.Such=BadNodeIdUnknown
infinities Infinity -Infinity NaN
written good good good BadOutOfRange
back -9007199254740993 Kessel
monitor 1
updated
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the types and the program."""
    if not (GENERATOR.exists() and TSC.exists()):
        pytest.skip("not run: needs json-schema-to-typescript (npm install in tests/javascript)")
    folder = tmp_path_factory.mktemp("types")
    (folder / "package.json").write_text('{"type": "module"}', encoding="ascii")
    program = readme.ROOT / "tests" / "programs" / "contract.ts"
    (folder / "program.ts").write_bytes(program.read_bytes())
    schema = readme.ROOT / "schemas" / "typed.schema.json"
    made = ["--input", str(schema), "--output", "contract.d.ts", "--no-additionalProperties"]
    run(folder, str(GENERATOR), *made)
    return folder


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*node_with_websocket(), *arguments],
        cwd=str(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=5 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_generator_makes_the_types_of_the_contract_and_no_others(folder: Path) -> None:
    text = (folder / "contract.d.ts").read_text(encoding="utf-8")
    made = re.findall(r"^export (?:type|interface) (\w+)", text, re.MULTILINE)
    assert len(made) > 100 and "ReadListRequest" in made
    # Numbers are behind names that were taken.
    assert [name for name in made if re.search(r"\d$", name)] == []
    # Unknown are only the members of objects that are free: MetaData, the fields of a structure.
    loose = re.findall(r"^ *[^ *].*\b(?:unknown|any)\b.*", text, re.MULTILINE)
    assert {line.strip() for line in loose} == {"[k: string]: unknown;"}


def test_a_program_on_these_types_reads_writes_and_monitors(
    folder: Path, plant: PlantProcess
) -> None:
    assert run(folder, str(TSC), *FLAGS.split(), "program.ts") == ""
    with served(plant.endpoint) as server:
        assert run(folder, "program.js", server.urls[0].replace("http", "ws")) == STORY

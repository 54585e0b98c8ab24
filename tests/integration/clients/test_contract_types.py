"""What json-schema-to-typescript makes of ``schemas/typed.schema.json`` has no types but those of
the contract, and a client that stands on it alone reads, writes and monitors; as does a client in
Go on what quicktype makes of ``schemas/flat.schema.json``."""

import re
import subprocess
from pathlib import Path

import pytest

from ...support import PATIENCE, PlantProcess, go, readme, served
from ...support.node import node_with_websocket

#: Its program writes: no other module finds what it has written.
pytestmark = pytest.mark.own_plant

NODE_MODULES = readme.ROOT / "tests" / "javascript" / "node_modules"
GENERATOR = NODE_MODULES / "json-schema-to-typescript" / "dist" / "src" / "cli.js"
QUICKTYPE = NODE_MODULES / "quicktype" / "dist" / "index.js"
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


def test_a_go_program_on_its_types_reads_writes_and_monitors(
    plant: PlantProcess, tmp_path: Path
) -> None:
    if not QUICKTYPE.exists():
        pytest.skip("not run: needs quicktype (npm install in tests/javascript)")
    schema = (readme.ROOT / "schemas" / "flat.schema.json").as_posix() + "#/definitions/"
    options = ["--src-lang", "schema", "--package", "main"]
    run(tmp_path, str(QUICKTYPE), *options, "--omit-empty", "--out", "contract.go", schema)
    sources = {
        "contract.go": (tmp_path / "contract.go").read_text(encoding="utf-8"),
        "program.go": (readme.ROOT / "tests" / "programs" / "contract.go").read_text("utf-8"),
    }
    program = go.built(tmp_path, sources, "github.com/gorilla/websocket")
    with served(plant.endpoint) as server:
        url = server.urls[0].replace("http", "ws")
        done = subprocess.run(
            [program, url], capture_output=True, encoding="utf-8", timeout=3 * PATIENCE
        )
    assert done.returncode == 0, done.stderr
    story = STORY.replace("bigint", "int64")
    assert done.stdout == story.replace("Infinity -Infinity NaN", "[+Inf -Inf NaN]")

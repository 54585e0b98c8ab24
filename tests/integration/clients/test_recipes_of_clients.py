"""The client that stays, in each language, as it stands on its page: built, and run against opcws,
which falls silent, answers again, and stops."""

import contextlib
import glob
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence

import pytest

from opcws.docs import topics

from ... import support
from ...support import PATIENCE, PlantProcess, readme
from ...support.node import node_with_websocket
from ...support.recipes import ENVIRONMENT, Running, code, needed
from ...support.waiting import freeze, thaw

#: Its programs write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant


class Recipe(NamedTuple):
    """A program on the page *page*; *prepared* writes its source into a folder, builds it if it has
    to be, and returns the command that runs it.  *waits* are where it says how long opcws may be
    silent, and how long it then waits for an answer."""

    page: str
    begins: str
    prepared: Callable[[Path, str], List[str]]
    waits: Sequence[str] = ()


def built(command: List[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=str(folder),
        env=dict(ENVIRONMENT, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=3 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout


def go(folder: Path, source: str) -> List[str]:
    compiler = needed("go")
    if not os.path.isdir("/usr/share/gocode/src/github.com/gorilla/websocket"):
        pytest.skip("not run: needs golang-github-gorilla-websocket-dev")
    (folder / "example.go").write_text(source, encoding="utf-8")
    # Debian's packages, and no module of anywhere else.
    settings = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
    built([compiler, "build", "-o", "example", "example.go"], folder, **settings)
    return [str(folder / "example")]


def java(folder: Path, source: str) -> List[str]:
    jar = "/usr/share/java/gson.jar"
    if not os.path.exists(jar):
        pytest.skip("not run: needs libgoogle-gson-java")
    (folder / "Example.java").write_text(source, encoding="utf-8")
    return [needed("java"), "-cp", jar, str(folder / "Example.java")]


def csharp(folder: Path, source: str) -> List[str]:
    compiler, mono = needed("mcs"), needed("mono")
    for name in ("Runtime.Serialization", "Xml.Linq"):
        if not glob.glob("/usr/lib/mono/gac/System.%s/*" % name):
            needs = "libmono-system-%s4.0-cil" % name.lower().replace(".", "-")
            pytest.skip("not run: needs %s" % needs)
    (folder / "example.cs").write_text(source, encoding="utf-8")
    references = re.findall(r"-r:[\w.]*\w", topics.source("csharp").split(".. code-block::")[0])
    assert len(references) == 3
    built([compiler, *references, "-out:example.exe", "example.cs"], folder)
    return [mono, str(folder / "example.exe")]


def typescript(folder: Path, source: str) -> List[str]:
    tsc = readme.ROOT / "tests" / "javascript" / "node_modules" / "typescript" / "lib" / "tsc.js"
    if not tsc.exists():
        pytest.skip("not run: needs typescript (npm install in tests/javascript)")
    for name in ("opcws.js", "opcws.d.ts"):
        (folder / name).write_bytes((readme.ROOT / "opcws" / "static" / name).read_bytes())
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "example.ts").write_text(source, encoding="utf-8")
    said = " ".join(topics.source("javascript").split())
    (flags,) = re.findall(r"``tsc (--strict [^`]*)``", said)
    built([*node_with_websocket(), str(tsc), *flags.split(), "example.ts"], folder)
    return [*node_with_websocket(), str(folder / "example.js")]


def python(folder: Path, source: str) -> List[str]:
    (folder / "example.py").write_text(source, encoding="utf-8")
    return [sys.executable, str(folder / "example.py")]


RECIPES: Dict[str, Recipe] = {
    "csharp": Recipe("csharp", "using System", csharp, ["FromSeconds(10)", "FromSeconds(30)"]),
    "go": Recipe("go", "package main", go, ["10 * time.Second //", "30 * time.Second //"]),
    "java": Recipe("java", "import com", java, ["DEADLINE_S = 10", "SILENCE_S = 30"]),
    "python": Recipe("python", "import itertools", python),
    "typescript": Recipe(
        "javascript", "import { Client, Value }", typescript, ["heartbeat: 30000"]
    ),
}

BEGINNING = [
    "write Boiler.Setpoint Good",
    "write Types.Int64Big Good",
    "write Types.NaN Good",
    r"write Boiler.Setpoint BadTypeMismatch Body\.Writes\[3\].*: expected a Double .*, got 'hot'",
    "read Boiler.Temperature [0-9.]+ Good",
    "read Types.Int64Big 9223372036854775807 Good",
    "read Types.NaN (NaN|nan) Good",
    "read Nowhere .* BadNodeIdUnknown no variable is named .*",
]
MONITORED = ["Boiler.Temperature [0-9.]+ Good", "Types.Int64Big 9223372036854775807 Good"]
NOWHERE = "Nowhere .* BadNodeIdUnknown no variable is named .*"
#: The client of opcws for Python says it as opcws does of a plant that is lost.
LOST = "Boiler.Temperature .* (no connection to opcws|BadNotConnected .*)"


def told(client: Running, line: str, after: int = 0) -> int:
    return client.wait_for("^%s ?$" % line, after)


@pytest.mark.parametrize("language", sorted(RECIPES))
def test_a_client_reads_writes_and_monitors_and_tells_a_lost_connection(
    language: str, plant: PlantProcess, tmp_path: Path
) -> None:
    recipe, port = RECIPES[language], support.free_port()
    source = code(recipe.page, recipe.begins)
    # A second instead of ten and of thirty.
    changes = {each: re.sub("[13]0", "1", each, count=1) for each in recipe.waits}
    changes["127.0.0.1:8081"] = "127.0.0.1:%d" % port
    for theirs, ours in changes.items():
        assert source.count(theirs) == 1, theirs
        source = source.replace(theirs, ours)
    command = recipe.prepared(tmp_path, source)
    path = tmp_path / "opcws.json"
    path.write_text(json.dumps(support.settings(plant.endpoint, listen={"port": port})), "utf-8")
    serve = [sys.executable, "-m", "opcws", "serve", "--config", str(path)]
    with contextlib.ExitStack() as stack:
        opcws = stack.enter_context(Running(serve))
        opcws.wait_for("plant: connected to")
        client = stack.enter_context(Running(command))
        number = 0
        for line in BEGINNING:
            number = told(client, line, number)
        for line in [NOWHERE, *MONITORED]:
            told(client, line)
        if recipe.waits:
            before = len(client.lines)
            freeze(opcws.process)
            try:
                number = told(client, LOST, before)
            finally:
                thaw(opcws.process)
            for line in MONITORED:
                told(client, line, number)
        before = len(client.lines)
        opcws.process.terminate()
        number = told(client, LOST, before)
        if not recipe.waits:
            opcws.process.wait(PATIENCE)
            stack.enter_context(Running(serve))
            told(client, MONITORED[0], number)

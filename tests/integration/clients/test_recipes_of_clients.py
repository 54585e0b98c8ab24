"""The client that stays, in each language, as it stands on its page: built, and run against opcws,
which falls silent, answers again, and stops."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple

import pytest

from ... import support
from ...support import PATIENCE, PlantProcess
from ...support.recipes import ENVIRONMENT, Running, code, needed
from ...support.waiting import freeze, thaw

#: Its programs write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant


class Recipe(NamedTuple):
    """A program on the page *page*; *prepared* writes its source into a folder, builds it if it has
    to be, and returns the command that runs it."""

    page: str
    begins: str
    prepared: Callable[[Path, str], List[str]]


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


RECIPES: Dict[str, Recipe] = {
    "go": Recipe("go", "package main", go),
    "java": Recipe("java", "import com", java),
}

REFUSED = r"BadTypeMismatch Body\.Writes\[3\]\.Value: expected a Double \(a number\), got 'hot'"
BEGINNING = [
    "write Boiler.Setpoint Good",
    "write Types.Int64Big Good",
    "write Types.NaN Good",
    "write Boiler.Setpoint " + REFUSED,
    "read Boiler.Temperature [0-9.]+ Good",
    "read Types.Int64Big 9223372036854775807 Good",
    "read Types.NaN NaN Good",
    "read Nowhere .* BadNodeIdUnknown no variable is named .*",
]
MONITORED = ["Boiler.Temperature [0-9.]+ Good", "Types.Int64Big 9223372036854775807 Good"]
NOWHERE = "Nowhere .* BadNodeIdUnknown no variable is named .*"
LOST = "Boiler.Temperature .* no connection to opcws"


def hasty(source: str) -> str:
    """*source*, which waits a second where it would wait for ten and thirty."""
    found = re.sub(r"\b[13]0( \* time\.Second //|; // (?=of a|after))", r"1\1", source)
    assert len(found) == len(source) - 2
    return found


@pytest.mark.parametrize("language", sorted(RECIPES))
def test_a_client_reads_writes_and_monitors_and_tells_a_lost_connection(
    language: str, plant: PlantProcess, tmp_path: Path
) -> None:
    recipe, port = RECIPES[language], support.free_port()
    source = hasty(code(recipe.page, recipe.begins))
    assert "127.0.0.1:8081" in source
    source = source.replace("127.0.0.1:8081", "127.0.0.1:%d" % port)
    command = recipe.prepared(tmp_path, source)
    path = tmp_path / "opcws.json"
    path.write_text(json.dumps(support.settings(plant.endpoint, listen={"port": port})), "utf-8")
    serve = [sys.executable, "-m", "opcws", "serve", "--config", str(path)]
    with Running(serve) as opcws:
        opcws.wait_for("plant: connected to")
        with Running(command) as client:
            number = 0
            for line in BEGINNING:
                number = client.wait_for("^%s$" % line, number)
            for line in [NOWHERE, *MONITORED]:
                client.wait_for("^%s$" % line, number)
            freeze(opcws.process)
            try:
                number = client.wait_for("^%s$" % LOST)
            finally:
                thaw(opcws.process)
            for line in MONITORED:
                client.wait_for("^%s$" % line, number)
            opcws.process.terminate()
            client.wait_for("^%s$" % LOST, client.wait_for("^%s$" % MONITORED[0], number))

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
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import pytest

from opcws.app import Server
from opcws.docs import topics

from ... import support
from ...support import PATIENCE, PlantProcess, expect, go, readme
from ...support.contract_problems import problems_of
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


def golang(folder: Path, source: str) -> List[str]:
    return [go.built(folder, {"example.go": source}, "github.com/gorilla/websocket")]


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
    "go": Recipe("go", "package main", golang, ["10 * time.Second //", "30 * time.Second //"]),
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


# --- Node-RED ------------------------------------------------------------------------------------


def flow() -> Dict[str, Dict[str, Any]]:
    """The nodes of the flow, by their id."""
    return {each["id"]: each for each in json.loads(code("node-red", '[\n{"id": "opcws.'))}


def test_the_flow_is_wired_to_nodes_that_there_are() -> None:
    for each in flow().values():
        wired = [target for wires in each.get("wires", ()) for target in wires]
        wired += each.get("scope", [])
        wired += [each[name] for name in ("z", "client") if each.get(name)]
        assert set(wired) <= set(flow())


_NODE_RED = """
const print = (outputs) => console.log(JSON.stringify(outputs,
  (_, value) => typeof value === "number" && !isFinite(value) ? String(value) : value));
const all = (output) => [].concat(output === undefined || output === null ? [] : output);
const send = (outputs) => print([0, 1, 2].map((i) => all([].concat(outputs)[i])));
const node = { send, error: (text) => print([[], [], [{ error: text }]]) };
let id = 0;
const RED = { util: { generateId: () => String(++id) } };
const context = new Map();
const run = new Function("msg", "node", "context", "RED", process.argv[1]);
require("readline").createInterface({ input: process.stdin })
  .on("line", (line) => send(run(JSON.parse(line), node, context, RED)))
  .on("close", () => process.exit());
"""


class FlowFunction:
    """The function of the flow, as Node-RED runs it."""

    def __init__(self, deadline_ms: int = 10000) -> None:
        source = flow()["opcws.client"]["func"]
        assert source.count("10000") == 1
        command = [needed("node"), "-e", _NODE_RED, source.replace("10000", str(deadline_ms))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8")

    def __enter__(self) -> "FlowFunction":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()

    def __call__(self, **message: Any) -> List[List[Dict[str, Any]]]:
        """What comes out of each of its outputs: to opcws, values, answers."""
        assert self._process.stdin is not None
        print(json.dumps(message), file=self._process.stdin, flush=True)
        return self.sent()

    def sent(self) -> List[List[Dict[str, Any]]]:
        outputs: List[List[Dict[str, Any]]] = json.loads(expect(self._process, "["))
        return outputs


def test_the_function_of_the_flow_talks_to_opcws_and_tells_a_lost_connection(
    server: Server,
) -> None:
    names = ["Boiler.Temperature", "Types.Int64Big", "Types.NaN", "Nowhere"]
    lost = [{"topic": each, "payload": None, "status": "no connection to opcws"} for each in names]
    nothing: List[Any] = [[], [], []]
    with FlowFunction() as function, support.Client(server.urls[0]) as client:
        assert function(status={"event": "error"}) == [[], lost, []]
        assert function(status={"event": "disconnect"}) == nothing

        def asked(kind: str, **message: Any) -> List[List[Dict[str, Any]]]:
            """What it makes of each message of opcws, up to the answer to this."""
            (request,), values, answers = function(**message)
            assert values == answers == []
            problems = problems_of(kind + "_REQUEST", json.loads(request["payload"]))
            assert bool(problems) == ("Colour" in request["payload"])
            client.ws.send(request["payload"])
            made: List[List[Dict[str, Any]]] = [[], []]
            text = ""
            while kind + "_RESPONSE" not in text:
                text = str(client.ws.recv())
                for found, outputs in zip(made, function(payload=text)[1:]):
                    found += outputs
            return made

        values, answers = asked("MONITORSTART", status={"event": "connect"})
        (refused,) = (each for each in values if each["topic"] == "Nowhere")
        assert refused["status"] == "BadNodeIdUnknown" and refused["reason"] and not answers
        buttons = {each["name"]: each["props"] for each in flow().values() if "props" in each}
        for name in ("write", "read"):
            operation, body = (each["v"] for each in buttons[name])
            more, (answer,) = asked(
                operation, operation=operation, payload=json.loads(body), mark=7
            )
            values += more
            assert answer["status"] == "Good" and answer["mark"] == 7
            shown = [(each["topic"], each["payload"], each["status"]) for each in answer["payload"]]
            assert shown == ANSWERS[name]
        while not set(names) <= {each["topic"] for each in values}:
            values += function(payload=client.ws.recv())[1]
        for each in values:
            kind = {"Types.Int64Big": str, "Types.NaN": str, "Nowhere": type(None)}
            assert isinstance(each["payload"], kind.get(each["topic"], (int, float)))
            assert each["status"] == ("BadNodeIdUnknown" if each["topic"] == "Nowhere" else "Good")
        _, (answer,) = asked("READ", operation="READ", payload={"Variables": [], "Colour": "red"})
        assert answer["status"] == "BadAttributeIdInvalid" and "Colour" in answer["reason"]
        told = {"MessageType": "ERROR", "StatusCode": "BadDecodingError", "Reason": "no JSON"}
        (problem,) = function(payload=json.dumps({"Header": told}))[2]
        assert problem == {"error": "BadDecodingError no JSON"}
        assert function.sent() == nothing
        function(operation="READ", payload={"Variables": names})
        _, values, answers = function(status={"event": "disconnect"})
        assert values == lost
        assert [(e["operation"], e["status"]) for e in answers] == [("READ", lost[0]["status"])]
        assert function(operation="READ", payload={})[2][0]["status"] == lost[0]["status"]


ANSWERS = {
    "write": [
        ("Boiler.Setpoint", None, "Good"),
        ("Types.Int64Big", None, "Good"),
        ("Types.NaN", None, "Good"),
        ("Boiler.Setpoint", None, "BadTypeMismatch"),
    ],
    "read": [
        ("Boiler.Setpoint", 75, "Good"),
        ("Types.Int64Big", "9223372036854775807", "Good"),
        ("Types.NaN", "NaN", "Good"),
        ("Nowhere", None, "BadNodeIdUnknown"),
    ],
}


def test_the_function_of_the_flow_gives_up_after_its_deadline() -> None:
    with FlowFunction(deadline_ms=1) as function:
        function(status={"event": "connect"})
        (late,) = function.sent()[2]
        assert (late["operation"], late["payload"]) == ("MONITORSTART", None)
        assert (late["status"], late["reason"]) == ("BadTimeout", "no answer")

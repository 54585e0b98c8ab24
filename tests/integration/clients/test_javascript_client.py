"""opcws.js in Node and in a browser, against a real opcws: the cases are in
tests/javascript/client_cases.js."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from opcws import __version__
from opcws.access import accounts
from opcws.app import Server
from opcws.config import load

from ... import support
from ...support import PATIENCE, PlantProcess, readme
from ...support.browser import chromium
from ...support.node import node_with_websocket

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

STATIC = readme.ROOT / "opcws" / "static"
CASES = readme.ROOT / "tests" / "javascript" / "client_cases.js"
NAMES = re.findall(r'^  "(.+)": ', CASES.read_text(encoding="utf-8"), re.MULTILINE)
PASSWORD = "m\u00fchlrad am bach"

Results = Dict[str, str]


@pytest.fixture(scope="module")
def target(
    plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dict[str, Any]]:
    """What the cases talk to: a server that is open to pages of others, one that takes few requests
    a second, a guarded one, and a port where nobody is."""
    server = support.serve(plant.endpoint, listen={"origins": ["*"]})
    support.wait_connected(server)
    limits = {"requests_per_second": 5}
    hasty = support.serve(plant.endpoint, listen={"origins": ["*"], "limits": limits})
    support.wait_connected(hasty)
    settings = support.settings(plant.endpoint)
    settings["roles"] = {
        "anonymous": {"endpoints": ["healthz"]},
        "viewer": {"read": ["Boiler.Level", "Boiler.Setpoint", "Boiler.Temperature"]},
    }
    path: Path = tmp_path_factory.mktemp("guarded") / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    loaded = load(path)
    token = accounts.create_token(loaded, "panel", "viewer", None)[0]
    accounts.add_user(loaded, "j\u00f6rg", "viewer", lambda: PASSWORD)
    with support.Client(server.urls[0]) as client:
        for value in range(8):  # what the history has
            client.write("Test.Counter", value)
    guarded = Server(loaded)
    guarded.start()
    support.wait_connected(guarded)
    yield {
        "url": server.urls[0],
        "guarded": {
            "url": guarded.urls[0],
            "token": token,
            "user": "j\u00f6rg",
            "password": PASSWORD,
        },
        "hasty": hasty.urls[0],
        "nowhere": "ws://127.0.0.1:%d/" % support.free_port(),
    }
    for running in (server, hasty, guarded):
        running.stop()
    support.no_threads_left()


IN_NODE = """
import * as opcws from %s;
import { run } from %s;
const t = JSON.parse(process.argv[2]);
t.uncaught = () => new Promise((resolve) => process.once("unhandledRejection", resolve));
run({ opcws, ...t }).then((results) => console.log(JSON.stringify(results)));
"""

IN_A_BROWSER = """
const [source, t, ready] = arguments;
t.uncaught = () => new Promise((resolve) => {
  addEventListener("unhandledrejection", (event) => resolve(event.reason), { once: true });
});
Promise.all([import("/opcws.js"), import("data:text/javascript;base64," + source)])
  .then(([opcws, cases]) => cases.run({ opcws, ...t }))
  .then(ready, (error) => ready(String(error)));
"""


@pytest.fixture(scope="module")
def in_node(target: Dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Results:
    command = node_with_websocket()
    folder = tmp_path_factory.mktemp("node")
    (folder / "cases.mjs").write_bytes(CASES.read_bytes())
    script = folder / "main.mjs"
    modules = ((STATIC / "opcws.js").as_uri(), "./cases.mjs")
    script.write_text(IN_NODE % tuple(map(json.dumps, modules)), encoding="utf-8")
    done = subprocess.run(
        [*command, str(script), json.dumps(target)],
        capture_output=True,
        timeout=10 * PATIENCE,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    results: Results = json.loads(done.stdout)
    return results


@pytest.fixture(scope="module")
def in_a_browser(target: Dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Results:
    source = base64.b64encode(CASES.read_bytes()).decode("ascii")
    with chromium(tmp_path_factory.mktemp("profile"), 10 * PATIENCE) as browser:
        # A page of the guarded server, whose /whoami is for its own pages; one without a script.
        browser.get(target["guarded"]["url"] + "healthz")
        results: Any = browser.execute_async_script(IN_A_BROWSER, source, target)
    assert isinstance(results, dict), results
    return results


@pytest.mark.parametrize("name", NAMES)
def test_in_node(name: str, in_node: Results) -> None:
    assert in_node[name] == ""


@pytest.mark.parametrize("name", NAMES)
def test_in_a_browser(name: str, in_a_browser: Results) -> None:
    assert in_a_browser[name] == ""


def test_the_package_for_node_has_the_version_of_opcws() -> None:
    package = json.loads((STATIC / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    assert {package["main"], package["types"]} == {"opcws.js", "opcws.d.ts"}


def declared(text: str, pattern: str) -> Dict[str, str]:
    return dict(re.findall(pattern, text, re.MULTILINE | re.DOTALL))


def test_the_types_declare_each_class_function_and_method_and_no_other() -> None:
    source = (STATIC / "opcws.js").read_text(encoding="utf-8")
    types = (STATIC / "opcws.d.ts").read_text(encoding="utf-8")
    exported = r"^export (?:async )?(?:class|function|const) (\w+)"
    assert sorted(re.findall(exported, source, re.MULTILINE)) == sorted(
        re.findall(exported, types, re.MULTILINE)
    )
    body = r"^export class (\w+)[^{]*{\n(.*?)^}"
    written, promised = declared(source, body), declared(types, body)
    for name in ("Client", "Monitor", "DataValue"):
        methods = re.findall(r"^  (?:async\*? |get )?([a-z]\w*)\(", written[name], re.MULTILINE)
        fields = re.findall(r"^    this\.([a-z]\w*) =", written[name], re.MULTILINE)
        known = re.findall(r"^  (?:private |readonly )?([a-z]\w*)[(:]", promised[name], re.M)
        assert set(known) == set(methods) | set(fields), name


def test_the_types_are_good_typescript_and_fit_a_program(tmp_path: Path) -> None:
    tsc = readme.ROOT / "tests" / "javascript" / "node_modules" / "typescript" / "lib" / "tsc.js"
    if not tsc.exists():
        pytest.skip("not run: needs typescript (npm install in tests/javascript)")
    (tmp_path / "opcws.js").write_bytes((STATIC / "opcws.js").read_bytes())
    (tmp_path / "opcws.d.ts").write_bytes((STATIC / "opcws.d.ts").read_bytes())
    (tmp_path / "program.ts").write_text(PROGRAM, encoding="utf-8")
    flags = "--strict --noEmit --target es2020 --module es2020 --lib es2020,dom --moduleResolution"
    command = [*node_with_websocket(), str(tsc), *flags.split(), "bundler", "program.ts"]
    done = subprocess.run(
        command, cwd=str(tmp_path), capture_output=True, timeout=5 * PATIENCE, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout


PROGRAM = """
import { Client, DataValue, Monitor, StatusError } from "./opcws.js";
const client = new Client("ws://127.0.0.1/", { token: async () => "x", reconnect: { max: 1000 } });
const off: () => void = client.on("state", (event) => { console.log(event.state, event.error); });
async function main(signal: AbortSignal): Promise<void> {
  const value: DataValue = await client.read("a", { maxAge: 5, signal });
  if (typeof value.value === "bigint") await client.write("a", value.value + 1n);
  await client.write("a", [new Date(), new Uint8Array(3)], { type: "Variant" });
  for await (const update of client.monitor(["a"])) console.log(update.value, update.severity);
  const monitor: Monitor = client.monitor("a", { minInterval: 5 }, (update) => update.good);
  // @ts-expect-error
  await client.read(7);
  // @ts-expect-error
  client.on("nothing", () => undefined);
  client.monitor(["a"], { since: new Date(), backfill: true }, (update) => update.historical);
  for (const { values, error } of await client.historyOf(["a"], { start: "2026-11-22" })) {
    console.log(error === null ? values.length : error.status);
  }
  for await (const past of client.historyAll("a", { start: new Date() })) console.log(past.time);
  monitor.stop();
  try { await client.list(); } catch (error) {
    if (error instanceof StatusError) console.log(error.status);
  }
  off();
}
main(new AbortController().signal);
"""

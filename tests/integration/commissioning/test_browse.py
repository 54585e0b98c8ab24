"""``opcws browse`` and ``opcws discover`` look at real servers."""

import csv
import io
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest

from opcws.app import Server
from opcws.cli import common
from opcws.commissioning import browse, targets
from opcws.commissioning.browse import Scope
from opcws.config import load, loads
from opcws.model.data_types import parse_node_id, resolve_node_id
from opcws.model.deadline import Deadline
from opcws.model.errors import PlantError
from opcws.ua.channel.link import Link
from opcws.ua.channel.subscription import Events
from opcws.ua.services import browse as walking

from ... import support
from ...servers.process import ServerProcess
from ...support.command import Result, run, without_input
from ...support.proxy import Chunk, Proxy, Strike, fault, response
from ...support.pseudo_terminal import PseudoTerminal
from ..plants.test_security import Secured, secured

ODD = 'Ä.b: # "q" {x} 世界 __'
ODD_NODE = "nsu=urn:test:large%3B 100%25;s=Odd"
NODES = 30000
BAD_TOO_MANY_OPERATIONS = 0x80100000
BAD_USER_ACCESS_DENIED = 0x801F0000

#: Python 3.8 has asyncua 1.1.5 at most, which tells less of what this server has.
NEW_ASYNCUA = pytest.mark.skipif(
    sys.version_info < (3, 9), reason="not run: needs a newer asyncua than Python 3.8 has"
)


@pytest.fixture(scope="module")
def large() -> Iterator[ServerProcess]:
    pytest.importorskip("asyncua")
    server = ServerProcess("large_asyncua", str(NODES))
    yield server
    server.kill()


def explore(server: ServerProcess, **scope: Any) -> browse.Explored:
    found = browse.explore(targets.at(server.endpoint).server, Scope(**scope))
    support.no_threads_left()
    return found


def test_the_tree_shows_names_types_and_units(plant: support.PlantProcess) -> None:
    result = run("browse", plant.endpoint, "--match", "Boiler.*")
    lines = result.stdout.splitlines()
    assert lines[:3] == ["Objects", "└── DemoPlant", "    └── Boiler"]
    assert "        ├── Setpoint  Double, °C, writable" in lines
    assert result.stderr.startswith("6 variables among ")


def test_a_few_levels_show_what_there_is_to_go_down_into(plant: support.PlantProcess) -> None:
    assert run("browse", plant.endpoint, "--depth", "1").stdout == "Objects\n└── DemoPlant\n"
    two = run("browse", plant.endpoint, "--depth", "2").stdout.splitlines()
    assert len(two) == 8 and "    ├── Boiler" in two
    chosen = run("browse", plant.endpoint, "--depth", "3", "--match", "Boiler.*").stdout
    assert "Boiler" in chosen and "Motor" not in chosen
    ids = run("browse", plant.endpoint, "--depth", "2", "--ids").stdout
    (node,) = re.findall(r"── Boiler  (\S+)$", ids, re.MULTILINE)
    below = run("browse", plant.endpoint, "--under", node, "--ids").stdout
    assert "└── Valve  Double, %, writable  nsu=urn:demo:plant;s=Boiler.Valve\n" in below


def test_a_name_that_nothing_matches_is_told_with_what_a_name_is(
    plant: support.PlantProcess, tmp_path: Path
) -> None:
    result = run("browse", plant.endpoint, "--match", "temperature")
    assert (result.exit_code, result.stdout) == (0, "")
    note = "note: no variable matches temperature; a name is the whole path, such as Batch.Id, and"
    assert note in result.stderr
    path = tmp_path / "c.yaml"
    result = run("browse", plant.endpoint, "--match", "temperature", "--write-config", str(path))
    assert result.exit_code == common.CONFIG_WRONG and not path.exists()
    assert "no variable was found" in result.stderr and "without --write-config" in result.stderr


def test_the_command_to_go_on_with_can_be_pasted(
    plant: support.PlantProcess, tmp_path: Path
) -> None:
    path = tmp_path / "my plant.yaml"
    written = run("browse", plant.endpoint, "--write-config", str(path))
    assert written.stdout.endswith('next: opcws serve --config "%s"\n' % path)


def test_where_nothing_can_be_written_nothing_is_looked_for(tmp_path: Path) -> None:
    for option in ("--write-config", "--csv"):
        result = run("browse", "127.0.0.1:1", option, str(tmp_path / "no" / "file"))
        assert result.exit_code == common.CONFIG_WRONG
        assert "there is no directory" in result.output, result.output
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    path.chmod(0o444)
    result = run("browse", "127.0.0.1:1", "--write-config", str(path))
    assert result.exit_code == common.CONFIG_WRONG and "is read-only" in result.output
    assert path.read_text() == "mine"


def test_ctrl_c_at_the_password_is_an_exit_code_like_any_ctrl_c() -> None:
    result = without_input("browse", "127.0.0.1:1", "--user", "anna")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (130, "opcws: stopped")


def test_what_is_written_passes_the_check_and_is_served(
    plant: support.PlantProcess, tmp_path: Path
) -> None:
    path = tmp_path / "opcws.yaml"
    written = run("browse", plant.endpoint, "--write-config", str(path))
    assert "wrote %s: 73 variables" % path in written.stdout
    assert written.stdout.endswith("next: opcws serve --config %s\n" % path)
    checked = run("check", "--config", str(path))
    assert checked.exit_code == 0, checked.output
    loaded = loads(path.read_text("utf-8").replace("port: 8081", "port: 0"))
    assert not loaded.warnings
    server = Server(loaded)
    server.start()
    try:
        support.wait_connected(server)
        with support.Client(server.urls[0]) as client:
            value = client.body("READ", {"Variable": "Boiler.Temperature"})
            assert value["Value"]["Type"] == 11
            refused = client.status("WRITE", {"Variable": "Boiler.Setpoint", "Value": 1.0})
            assert refused == "BadNotWritable"
    finally:
        server.stop()
    support.no_threads_left()


def test_a_persons_edits_outlive_the_next_browse(
    plant: support.PlantProcess, tmp_path: Path
) -> None:
    path = tmp_path / "opcws.yaml"
    run("browse", plant.endpoint, "--write-config", str(path), "--match", "Boiler.*")
    text = path.read_text("utf-8")
    text = text.replace("Boiler.Temperature:", "Hot:").replace("port: 8081", "port:   8082 # mine")
    text = text.replace('Boiler.Setpoint"}', 'Boiler.Setpoint", access: readwrite}')
    path.write_bytes(text.replace("\n", "\r\n").encode())
    before = path.read_bytes()
    shown = run("browse", plant.endpoint, "--write-config", str(path), "--diff")
    assert path.read_bytes() == before
    assert "\n+      Motor.Speed: {node:" in shown.stdout and "\n-" not in shown.stdout[4:]
    merged = run("browse", plant.endpoint, "--write-config", str(path))
    assert "added 67 variables to server plant; it already had 6" in merged.stdout
    after = path.read_bytes().decode()
    assert after.count("\r\n") == after.count("\n")
    left = iter(after.splitlines())
    assert all(line in left for line in text.splitlines())
    loaded = load(path)
    assert len(loaded.variables) == 73 and "Boiler.Temperature" not in loaded.variables
    assert list(loaded.variables)[-1].startswith("Types.")
    again = run("browse", "--config", str(path), "--write-config", str(path))
    assert "already has all of these variables" in again.stdout
    assert path.read_bytes().decode() == after


def test_a_table_goes_to_a_spreadsheet(plant: support.PlantProcess, tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    run("browse", plant.endpoint, "--match", "Boiler.*", "--csv", str(path))
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    (row,) = (each for each in rows if each["name"] == "Boiler.Pressure")
    assert (row["type"], row["unit"], row["access"]) == ("Double", "bar", "read")
    target = tmp_path / "c.yaml"
    target.write_text("servers:\n  plant: {endpoint: '%s'}\n" % plant.endpoint, "utf-8")
    imported = run("config", "import-csv", str(path), "--config", str(target))
    assert imported.stdout == "%s: 6 added, 0 variables changed\n" % target
    exported = run("config", "export-csv", "--config", str(target), "--delimiter", "semicolon")
    assert "plant;Boiler.Pressure;nsu=urn:demo:plant;s=" not in exported.stdout
    assert 'plant;Boiler.Pressure;"nsu=urn:demo:plant;s=Boiler.Pressure";Double;' in exported.stdout


# --- a large and awkward server ------------------------------------------------------------------


@NEW_ASYNCUA
@pytest.mark.slow
def test_tens_of_thousands_of_nodes_are_walked_once_whatever_the_references(
    large: ServerProcess,
) -> None:
    seen: List[str] = []
    target = targets.at(large.endpoint)
    found = browse.explore(
        target.server, Scope(match=("Odd.*", "Area.Wide*.W100*")), lambda w: seen.append(w.line())
    )
    support.no_threads_left()
    assert found.progress.variables == NODES + 2500 + 8 * 1001 + 10
    # Only the node that is not there; no page for which the server had no continuation point.
    assert found.progress.refused == 1 and not found.progress.cut
    names = {each.name for each in found.found}
    assert len(names) == len(found.found) == 11 + 8 * 2 + 10
    assert {"Area.Wide.W1000", "Area.Wide.W1009", "Area.Wider7.W1000"} <= names
    assert {
        "Odd.Twin~i3000001",
        "Odd.Twin~i3000002",
        "Odd.Loop.Deep",
        "Odd.true",
        "Odd." + ODD,
    } <= names
    assert any(re.match(r"\[#*-+\] [\d,]+ of [\d,]+ nodes, [\d,]+/s$", line) for line in seen)


def test_names_that_yaml_does_not_like_are_served_as_they_are(
    large: ServerProcess, tmp_path: Path
) -> None:
    path = tmp_path / "odd.yaml"
    run("browse", large.endpoint, "--under", ODD_NODE, "--write-config", str(path))
    checked = run("check", "--config", str(path))
    assert checked.exit_code == 0, checked.output
    variables = load(path).variables
    assert variables[ODD].node_text == "nsu=urn:test:large%3B 100%25;s=odd"
    assert '      # two lines: # {no} ? comment\n      "Ä' in path.read_text("utf-8")


@NEW_ASYNCUA
def test_a_console_that_lacks_letters_gets_escapes_and_a_table_keeps_them(
    large: ServerProcess,
) -> None:
    environment = dict(os.environ, PYTHONIOENCODING="cp1252")
    command = [sys.executable, "-m", "opcws", "browse", large.endpoint, "--match", "Odd.*"]
    told = subprocess.run(
        command, capture_output=True, env=environment, timeout=3 * support.PATIENCE
    )
    assert (told.returncode, b"Traceback" in told.stderr) == (0, False)
    assert '"q" {x} \\u4e16' in told.stdout.decode("cp1252")
    table = subprocess.run([*command, "--csv", "-"], capture_output=True, env=environment)
    assert table.returncode == 0
    rows = list(csv.DictReader(io.StringIO(table.stdout.decode("utf-8"), newline="")))
    assert "Odd." + ODD in [row["name"] for row in rows]


def test_it_starts_below_a_node_and_goes_as_deep_as_asked(large: ServerProcess) -> None:
    below = explore(large, under="nsu=urn:test:large%3B 100%25;s=Loop")
    assert "Deep" in [each.name for each in below.found]
    flat = explore(large, under=ODD_NODE, depth=1)
    assert max(node.depth for node in flat.nodes) == 1
    with_properties = explore(large, under="nsu=urn:test:large%3B 100%25;s=DB", properties=True)
    assert [each.name for each in with_properties.found] == [
        '"DB".x',
        '"DB".x.Member',
        '"DB".x.Unit',
    ]


def test_more_than_a_walk_takes_is_told(
    large: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = explore(large, most=500, match=("none",))
    assert found.progress.cut and len(found.nodes) == found.progress.found == 500
    assert not explore(large, under=ODD_NODE, depth=1).progress.cut  # as deep as was asked for
    monkeypatch.setattr(walking, "MAX_DEPTH", 1)
    assert explore(large, under=ODD_NODE).progress.cut


@NEW_ASYNCUA
def test_the_pages_of_one_wide_node_are_progress(large: ServerProcess) -> None:
    seen: List[int] = []
    link = Link(targets.at(large.endpoint).server, 1, Events())
    link.open(Deadline(support.PATIENCE))
    try:
        browser = walking.Browser(
            link, support.PATIENCE, lambda: seen.append(browser.progress.found)
        )
        node = parse_node_id(ODD_NODE.replace("s=Odd", "s=Wide"))
        nodes = browser.walk(browser.start(resolve_node_id(node, link.namespaces)))
    finally:
        link.close(support.PATIENCE)
    assert len(nodes) == browser.progress.found == 2501
    assert {1, 1001, 2001, 2501} <= set(seen)


def test_a_node_that_is_not_there_is_told(large: ServerProcess) -> None:
    for node, words in (
        ("nsu=urn:test:large%3B 100%25;s=No", "has no node nsu=urn:test:large%3B 100%25;s=No"),
        ("nsu=urn:no;s=No", "has no namespace 'urn:no'; it has http"),
    ):
        with pytest.raises(PlantError, match=words):
            explore(large, under=node)
    assert "--under: expected a NodeId" in run("browse", large.endpoint, "--under", "x").output


# --- when it goes wrong --------------------------------------------------------------------------


def test_a_server_killed_while_it_is_browsed_costs_one_sentence(tmp_path: Path) -> None:
    server = support.PlantProcess()
    path = tmp_path / "c.yaml"

    def kill(_chunk: Chunk) -> Any:
        server.kill()
        return ()

    try:
        with Proxy(server.port) as proxy:
            proxy.to_client = Strike(response("Browse"), kill, after=2)
            result = run("browse", proxy.endpoint, "--write-config", str(path))
    finally:
        server.kill()
    assert result.exit_code == common.UNREACHABLE
    assert result.output.startswith("opcws: ") and result.output.count("\n") == 1
    assert "browsing" in result.output or "closed the connection" in result.output
    assert not path.exists()
    support.no_threads_left()


def test_what_is_too_much_for_a_server_is_asked_for_in_parts(plant: support.PlantProcess) -> None:
    with Proxy(plant.port) as proxy:
        # The third call has the six groups.
        matches = Strike(response("Browse"), fault(BAD_TOO_MANY_OPERATIONS), after=2)
        proxy.to_client = matches
        found = browse.explore(targets.at(proxy.endpoint).server, Scope(match=("Boiler.*",)))
    support.no_threads_left()
    assert matches.exhausted
    assert len(found.found) == 6 and not found.progress.refused


def test_what_a_server_does_not_tell_of_a_node_costs_that_node(
    plant: support.PlantProcess,
) -> None:
    with Proxy(plant.port) as proxy:
        proxy.to_client = Strike(response("Browse"), fault(BAD_USER_ACCESS_DENIED), after=1)
        result = run("browse", proxy.endpoint)
    assert result.stderr.splitlines()[1] == (
        "note: the server did not list the nodes below 1 node (BadUserAccessDenied)"
    )
    support.no_threads_left()


def test_a_name_that_is_no_utf8_costs_the_name_and_a_node_id_the_variable(
    plant: support.PlantProcess,
) -> None:
    def spoil(chunk: Chunk) -> Any:
        body = chunk.data[chunk.body :]
        for name in (b"\x05\0\0\0Valve", b"\x0c\0\0\0Boiler.Level"):
            body = body.replace(name, name[:-2] + b"\xe4\xff")
        return (chunk.with_body(body),)

    with Proxy(plant.port) as proxy:
        proxy.to_client = Strike(response("Browse"), spoil, times=-1)
        target = targets.at(proxy.endpoint)
        found = browse.explore(target.server, Scope(match=("Boiler.*",)))
    support.no_threads_left()
    assert [each.name.partition(".")[2] for each in found.found] == [
        *("Pressure", "Profile", "Setpoint", "Temperature", "s=Boiler.Valve")
    ]


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (
            ["127.0.0.1:1"],
            4,
            "opcws: opc.tcp://127.0.0.1:1: Connection refused; nothing listens there: start the "
            "OPC UA server, or correct the port\n",
        ),
        (["no-such-host.invalid"], 4, "opc.tcp://no-such-host.invalid:4840: "),
        (["http://127.0.0.1"], 1, "does not begin with opc.tcp://"),
        (["h", "--security", "Basic"], 1, "'Basic' is not a security setting; expected None"),
        (["h", "--user", "u", "--password-env", "NOT_SET_HERE"], 1, "NOT_SET_HERE"),
        (["h", "--password-env", "X"], 2, "a password needs --user"),
        (["h", "--diff"], 2, "--diff needs --write-config"),
        ([], 2, "give an ENDPOINT, or --config"),
        (["--config", "no.yaml"], 1, "no.yaml: there is no such file"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(arguments: List[str], code: int, words: str) -> None:
    result = run("browse", *arguments)
    assert (result.exit_code, words in result.output) == (code, True), result.output


def test_what_the_file_says_of_the_server_is_used_without_options(
    safe: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.yaml"
    monkeypatch.setenv("PLANT", "secret")
    more = ["--user", "operator", "--password-env", "PLANT", "--write-config", str(path)]
    assert browse_safe(safe, *more, "--match", "none", "--match", "C*").exit_code == 0
    again = run("browse", safe.endpoint, "--write-config", str(path))
    assert again.exit_code == 0, again.output
    path.write_text(path.read_text("utf-8").replace("env: PLANT", "env: NOT_SET_HERE"), "utf-8")
    failed = run("browse", safe.endpoint, "--write-config", str(path))
    assert failed.exit_code == common.CONFIG_WRONG and "NOT_SET_HERE" in failed.output


def test_a_file_that_is_no_good_configuration_is_told_and_stays(
    plant: support.PlantProcess, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("servers: {p: {endpoint: h}}\n", "utf-8")
    result = run("browse", plant.endpoint, "--depth", "1", "--write-config", str(path))
    assert result.exit_code == common.CONFIG_WRONG
    assert "%s:1: servers.p.endpoint: " % path in result.output
    assert path.read_text("utf-8") == "servers: {p: {endpoint: h}}\n"


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_leaves_at_once_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "opcws", "browse"]
        command += ["127.0.0.1:%d" % listener.getsockname()[1], "--write-config", str(path)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            listener.settimeout(support.PATIENCE)
            connection, _ = listener.accept()  # it waits for an answer to its Hello now
            assert connection.recv(3) == b"HEL"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=support.PATIENCE)
            connection.close()
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, out) == (130, "")
    assert err == "opcws: stopped; nothing was written\n"
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [80, 30])
def test_on_a_terminal_the_progress_is_drawn_and_wiped_out(
    plant: support.PlantProcess, columns: int
) -> None:
    with Proxy(plant.port) as proxy:
        proxy.delay_s = 0.05
        words = ("-m", "opcws", "browse", proxy.endpoint)
        with PseudoTerminal(*words, columns=columns, stdout=subprocess.DEVNULL) as terminal:
            assert terminal.ended() == 0
    # But for what hides the cursor, shows it and takes it up again from below the line.
    drawn, _, last = re.sub(r"\x1b\[(\?25[lh]|1A)", "", terminal.text).rpartition("\x1b[2K")
    assert re.search(r"\[#*-*\] [\d,]+ of [\d,]+ nodes, ", drawn)
    assert all(len(line.strip()) < columns for line in drawn.split("\x1b[2K"))
    assert last.startswith("74 variables among 82 nodes, in ")


# --- security and discovery ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(
        "opcua",
        tmp_path_factory.mktemp("safe"),
        policies=["NoSecurity", "Basic256Sha256_SignAndEncrypt", "Basic256Sha256_Sign"],
        users={"operator": "secret"},
    ) as running:
        yield running


def browse_safe(safe: Secured, *more: str, given: Optional[str] = None) -> Result:
    security = ["--security", "basic256sha256", "--pki", str(safe.pki)]
    return run("browse", safe.endpoint, *security, *more, given=given)


def test_a_secured_server_with_a_user_is_browsed_and_the_settings_are_written(
    safe: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.yaml"
    more = ["--user", "operator", "--password-stdin", "--write-config", str(path)]
    result = browse_safe(safe, *more, given="secret\n")
    assert result.exit_code == 0, result.output
    text = path.read_text("utf-8")
    assert "secret" not in text
    server = load(path).servers["plant"]
    assert (server.security.policy, server.security.mode) == ("Basic256Sha256", "SignAndEncrypt")
    assert server.user is not None and server.user.password_env == "OPCWS_PASSWORD"
    assert "first set the environment variable OPCWS_PASSWORD to the password" in result.output
    monkeypatch.setenv("OPCWS_PASSWORD", "secret")
    assert run("check", "--config", str(path)).exit_code == 0
    assert run("browse", "--config", str(path)).exit_code == 0


def test_what_to_set_is_told_as_options_too(plant: support.PlantProcess) -> None:
    user = ("--user", "anna", "--password-stdin")
    told = run("browse", plant.endpoint, *user, given="x\n").stderr
    assert "SignAndEncrypt (--security), or user.allow_clear: true (--allow-clear)" in told
    told = run("browse", plant.endpoint, "--security", "Basic256Sha256").stderr
    assert "set 'security' (--security) to one of them" in told


def test_a_server_that_wants_a_user_is_told_with_the_option(tmp_path: Path) -> None:
    with secured("opcua", tmp_path, tokens=["Username"], users={"operator": "p"}) as running:
        assert "set 'user' (--user)" in browse_safe(running).stderr


def test_a_wrong_password_is_told_and_not_shown(safe: Secured) -> None:
    result = browse_safe(safe, "--user", "operator", "--password-stdin", given="wr0ng\n")
    assert result.exit_code == common.UNREACHABLE
    assert "does not take the user operator with this password" in result.output
    assert "wr0ng" not in result.output


def test_a_server_that_is_not_trusted_yet_is_told_with_what_to_do(
    safe: Secured, tmp_path: Path
) -> None:
    result = run("browse", safe.endpoint, "--security", "Basic256Sha256", "--pki", str(tmp_path))
    assert result.exit_code == common.UNREACHABLE
    assert "opcws cert trust" in result.output


def test_discovery_lists_the_endpoints_and_says_which_to_choose(safe: Secured) -> None:
    result = run("discover", safe.endpoint[len("opc.tcp://") :])
    lines = result.stdout.splitlines()
    (best,) = (line for line in lines if line.startswith("* "))
    assert best.split()[1:3] == ["Basic256Sha256", "SignAndEncrypt"]
    assert any(re.match(r"  None +None .*\(in clear\)$", line) for line in lines)
    assert "Choose Basic256Sha256 with SignAndEncrypt. In the configuration:" in lines
    start = lines.index("    servers:")
    snippet = "\n".join(lines[start : lines.index("", start)])
    variables = "        variables: {a: {node: i=1}}\n"
    loaded = loads(textwrap.dedent(snippet + "\n" + variables))
    assert loaded.servers["plant"].security.policy == "Basic256Sha256"
    assert any("opcws browse " in line and line.startswith("Next: ") for line in lines)
    support.no_threads_left()


def test_discovery_of_an_open_server_says_that_it_is_open(plant: support.PlantProcess) -> None:
    result = run("discover", plant.endpoint)
    assert result.exit_code == 0
    assert "The server offers no security" in result.stdout
    assert result.stdout.rstrip().endswith("--write-config opcws.yaml")


def test_discovery_of_what_is_no_opc_ua_server_is_told(plant: support.PlantProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        result = run("discover", "127.0.0.1:%d" % listener.getsockname()[1])
        thread.join()
    assert result.exit_code == common.UNREACHABLE
    assert result.output.count("\n") == 1 and "something that is not OPC UA" in result.output, (
        result.output
    )

"""The end: signals, exit codes, and nothing left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest
import websocket

from opcws.config import loads
from opcws.demo import Plant, variables

from ... import support
from ...support import PATIENCE, Client, PlantProcess, wait_until
from ...support.recipes import needed
from ..messages.test_monitoring import ends_with, items, product_threads
from ..sockets.test_leaks import open_files

#: Seconds in which everything must have ended.
STOP_S = 5.0
CONFIG_WRONG, USAGE, CANNOT_LISTEN, UNREACHABLE = 1, 2, 3, 4

posix = pytest.mark.skipif(os.name == "nt", reason="sends a signal that Windows does not have")


class Opcws:
    """``python -m opcws`` as a process; its lines are kept as they come."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "opcws", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: List[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def wait_for(self, text: str) -> str:
        """The first line with *text*."""

        def look() -> Optional[str]:
            return next((line for line in list(self.lines) if text in line), None)

        line: str = wait_until(look, "a line with %r in %r" % (text, self.lines))
        return line

    def end(self, number: int) -> Tuple[int, float]:
        """Send signal *number*; the exit code, and after how many seconds it came."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        return code, time.monotonic() - began

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def opcws() -> Iterator[Any]:
    """Starts ``python -m opcws`` with arguments."""
    started: List[Opcws] = []

    def start(*arguments: str) -> Opcws:
        started.append(Opcws(*arguments))
        return started[-1]

    yield start
    for process in started:
        process.clean_up()


@pytest.fixture
def silent() -> Iterator[str]:
    """The endpoint of a server that accepts connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield "opc.tcp://127.0.0.1:%d" % listening.getsockname()[1]


def write_config(directory: Path, endpoint: str, **changes: Any) -> Tuple[str, str]:
    """A configuration file; its path and the URL of the listener."""
    port = support.free_port()
    listen = dict(changes.pop("listen", {}), port=port)
    path = directory / "opcws.yaml"
    path.write_text(json.dumps(support.settings(endpoint, listen=listen, **changes)))
    return str(path), "http://127.0.0.1:%d/" % port


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "opcws", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )


def ended_well(ended: Tuple[int, float]) -> None:
    code, seconds = ended
    assert code == 0
    assert seconds < STOP_S + support.slack_s()


# --- signals -----------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_tells_clients_1001_deletes_the_subscription_and_exits_with_0(
    opcws: Any, tmp_path: Path, number: int
) -> None:
    with Plant(clock_period_s=3600.0) as plant:
        path, url = write_config(tmp_path, plant.endpoint)
        process = opcws("serve", "--config", path)
        process.wait_for("connected to")
        subscriptions = plant._server.iserver.subscription_service.subscriptions
        client = Client(url)
        client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
        client.update("m")
        assert len(items(plant)) == 1 and len(subscriptions) == 1
        ended: List[Any] = []
        ending = threading.Thread(target=lambda: ended.append(process.end(number)))
        ending.start()
        assert ends_with(client) == 1001
        ending.join()
        ended_well(ended[0])
        client.vanish()
        wait_until(lambda: not subscriptions, "the subscription is deleted")
    assert not [line for line in process.lines if "Traceback" in line]


@posix
def test_it_ends_in_time_while_the_plant_is_frozen(opcws: Any, tmp_path: Path) -> None:
    plant = PlantProcess()
    try:
        path, url = write_config(tmp_path, plant.endpoint)
        process = opcws("serve", "--config", path)
        process.wait_for("connected to")
        with Client(url) as client:
            client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
            client.update("m")
            plant.freeze()
            client.send("READ", {"Variable": "Types.Double"})
            ended_well(process.end(signal.SIGTERM))
    finally:
        plant.kill()


@posix
def test_it_ends_in_time_while_a_server_accepts_and_says_nothing(
    opcws: Any, tmp_path: Path, silent: str
) -> None:
    path, url = write_config(tmp_path, silent, server={"connect_timeout_ms": 60000})
    process = opcws("serve", "--config", path)
    process.wait_for("listening on")
    with Client(url) as client:
        assert client.status("READ", {"Variable": "Types.Double"}) == "BadNotConnected"
        ended_well(process.end(signal.SIGINT))


@posix
def test_it_ends_in_time_while_clients_do_not_read_or_say_nothing(
    opcws: Any, tmp_path: Path, plant: PlantProcess
) -> None:
    path, url = write_config(tmp_path, plant.endpoint, listen={"close_timeout_s": 10})
    process = opcws("serve", "--config", path)
    process.wait_for("connected to")
    silent = socket.create_connection(("127.0.0.1", int(url.split(":")[2].strip("/"))))
    options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
    deaf = Client(url, sockopt=options)
    names = [variable.name for variable in variables()]
    try:
        deaf.ws.settimeout(0.5)
        with pytest.raises((websocket.WebSocketTimeoutException, OSError)):
            while True:  # until opcws no longer reads, because it cannot write
                deaf.send("VALUEINFO", {"Variables": names})
        ended_well(process.end(signal.SIGTERM))
    finally:
        silent.close()
        deaf.vanish()


# --- opcws stop --------------------------------------------------------------------------------


def test_opcws_stop_tells_clients_1001_and_returns_when_the_process_has_ended(
    opcws: Any, tmp_path: Path, plant: PlantProcess
) -> None:
    path, url = write_config(tmp_path, plant.endpoint)
    process = opcws("serve", "--config", path)
    process.wait_for("connected to")
    wait_until(lambda: list(tmp_path.glob("state/opcws-*.json")), "it can be reached")
    client = Client(url)
    with ThreadPoolExecutor(1) as reading:
        end = reading.submit(ends_with, client)
        done = run("stop", "--config", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert end.result() == 1001
    client.vanish()
    # Its files are closed, and what is left of it is a number that its parent may read.
    assert process.process.wait(support.slack_s()) == 0
    assert "stopped" in process.wait_for("stopped")
    again = run("stop", "--config", path)
    assert again.returncode == CONFIG_WRONG
    assert again.stderr.startswith("opcws: no opcws serves %s: " % path)


# --- in this process ---------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads Linux's /proc")
def test_after_stop_no_thread_and_no_socket_is_left(plant: PlantProcess) -> None:
    support.serve(plant.endpoint).stop()  # what a first start opens for good is open now
    support.no_threads_left()
    files = open_files()
    server = support.serve(plant.endpoint)
    support.wait_connected(server)
    clients = [Client(server.urls[0]) for _ in range(3)]
    for client in clients:
        client.body("MONITORSTART", {"Variable": "Boiler.Temperature"}, "m")
        client.update("m")
    half = support.raw_socket(server)
    half.sendall(b"GET / HTTP/1.1\r\n")
    assert len(product_threads()) > 8
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < STOP_S + support.slack_s()
    support.no_threads_left()
    for client in clients:
        assert ends_with(client) == 1001
        client.vanish()
    half.close()
    wait_until(lambda: len(open_files()) <= len(files), "every socket is closed")


def test_a_server_that_was_stopped_while_connecting_leaves_no_thread(silent: str) -> None:
    server = support.serve(silent)
    wait_until(lambda: server.plants["plant"].supervisor.link, "it is connecting")
    server.stop()
    support.no_threads_left()


def test_a_start_on_a_port_that_is_taken_leaves_no_thread(plant: PlantProcess) -> None:
    from opcws.model.errors import ListenError

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        with pytest.raises(ListenError):
            support.serve(plant.endpoint, listen={"port": taken.getsockname()[1]})
    support.no_threads_left()


# --- several servers ---------------------------------------------------------------------------


def test_servers_that_are_down_delay_neither_the_start_nor_the_others(
    plant: PlantProcess, silent: str
) -> None:
    node = {"node": "nsu=urn:demo:plant;s=Types.Double"}
    down: Dict[str, Dict[str, Any]] = {
        "down": {
            "endpoint": "opc.tcp://127.0.0.1:%d" % support.free_port(),
            "variables": {"Down": node},
        },
        "silent": {"endpoint": silent, "variables": {"Silent": node}},
    }
    for each in down.values():
        each["connect_timeout_ms"] = 300000
    began = time.monotonic()
    server = support.serve(plant.endpoint, more_servers=down)
    try:
        assert time.monotonic() - began < support.PATIENCE
        with Client(server.urls[0]) as client:
            wait_until(
                lambda: support.is_connected(server.plants["plant"].supervisor),
                "the good one is up",
            )
            names = ["Types.Double", "Down", "Silent"]
            values = client.body("READ", {"Variables": names})["Values"]
            assert values[0]["Value"]["Body"] is not None
            assert [each.get("StatusCode") for each in values[1:]] == ["BadNotConnected"] * 2
    finally:
        server.stop()
        support.no_threads_left()


# --- exit codes --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_wrong_configuration_exits_with_1_and_names_every_problem(
    tmp_path: Path, command: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("listen: {port: many}\nservers:\n  p: {variables: {V: {nod: i=1}}}\n")
    ended = run(command, "--config", str(path))
    assert ended.returncode == CONFIG_WRONG
    assert "wrong.yaml:1" in ended.stderr and "wrong.yaml:3" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_configuration_that_is_not_there_exits_with_1(tmp_path: Path) -> None:
    ended = run("serve", "--config", str(tmp_path / "none.yaml"))
    assert ended.returncode == CONFIG_WRONG
    assert "none.yaml" in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        *(["serve"], ["check", "--config"], ["dance"], ["demo", "--port", "x"]),
        *(["demo", "--port", "65536"], ["demo", "--plant-port", "-1"]),
    ],
)
def test_wrong_usage_exits_with_2(arguments: List[str]) -> None:
    assert run(*arguments).returncode == USAGE


def test_a_port_that_is_taken_exits_with_3_and_says_what_to_do(
    tmp_path: Path, plant: PlantProcess
) -> None:
    path, url = write_config(tmp_path, plant.endpoint)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(url.split(":")[2].strip("/"))))
        taken.listen(1)
        ended = run("serve", "--config", path)
    assert ended.returncode == CANNOT_LISTEN
    assert "listen.port" in ended.stderr


def test_a_demo_plant_on_a_port_that_is_taken_exits_with_3(plant: PlantProcess) -> None:
    ended = run("demo", "--plant-port", str(plant.port))
    assert ended.returncode == CANNOT_LISTEN
    told = "the plant cannot listen on opc.tcp://127.0.0.1:%d: Address already in use; choose"
    assert told % plant.port in ended.stderr
    assert ended.stderr.endswith(" (--plant-port)\n") and "[Errno" not in ended.stderr


# --- check -------------------------------------------------------------------------------------


def check_config(tmp_path: Path, endpoint: str, listed: Dict[str, Any]) -> str:
    path, _url = write_config(tmp_path, endpoint, variables=listed)
    return path


def test_check_tells_of_each_variable_its_type_and_access(
    tmp_path: Path, plant: PlantProcess
) -> None:
    node = "nsu=urn:demo:plant;s="
    listed = {
        "Temperature": {"node": node + "Boiler.Temperature"},
        "Setpoint": {"node": node + "Boiler.Setpoint", "access": "readwrite"},
        "Profile": {"node": node + "Boiler.Profile"},
    }
    ended = run("check", "--config", check_config(tmp_path, plant.endpoint, listed))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = [line.split()[:4] for line in ended.stdout.splitlines()]
    assert ["ok", "Temperature", "Double;", "read;"] in lines
    assert ["ok", "Setpoint", "Double;", "readwrite;"] in lines
    assert ["ok", "Profile", "Double[];", "read;"] in lines


def test_check_exits_with_4_and_marks_each_line_that_needs_attention(
    tmp_path: Path, plant: PlantProcess
) -> None:
    node = "nsu=urn:demo:plant;s="
    listed = {
        "Good": {"node": node + "Test.Counter"},
        "Missing": {"node": node + "No.Such"},
        "Elsewhere": {"node": "nsu=urn:not:here;s=X"},
        "Forbidden": {"node": node + "Boiler.Temperature", "access": "readwrite"},
        "WrongType": {"node": node + "Test.Counter", "type": "Double"},
    }
    ended = run("check", "--config", check_config(tmp_path, plant.endpoint, listed))
    assert ended.returncode == UNREACHABLE
    lines = {line.split()[1]: line for line in ended.stdout.splitlines()}
    assert lines["Good"].startswith("ok ")
    for name, told in (
        ("Missing", "BadNodeIdUnknown"),
        ("Elsewhere", "urn:not:here"),
        ("Forbidden", "does not let this user write"),
        ("WrongType", "the configuration says type Double"),
    ):
        assert lines[name].startswith("BAD") and told in lines[name]


def test_check_of_a_server_that_is_not_there_exits_with_4_and_says_why(tmp_path: Path) -> None:
    endpoint = "opc.tcp://127.0.0.1:%d" % support.free_port()
    listed = {"V": {"node": "i=2258"}}
    ended = run("check", "--config", check_config(tmp_path, endpoint, listed))
    assert ended.returncode == UNREACHABLE
    assert "not connected" in ended.stdout and endpoint in ended.stdout


def test_check_offline_connects_to_nothing(tmp_path: Path) -> None:
    endpoint = "opc.tcp://127.0.0.1:%d" % support.free_port()
    path = check_config(tmp_path, endpoint, {"V": {"node": "i=2258"}})
    ended = run("check", "--offline", "--config", path)
    assert ended.returncode == 0
    assert "1 servers, 1 variables" in ended.stdout or "1 server" in ended.stdout


# --- demo --------------------------------------------------------------------------------------


@posix
def test_the_demo_prints_its_address_serves_and_ends_with_ctrl_c(opcws: Any) -> None:
    process = opcws("demo", "--port", "0")
    url = process.wait_for("in a browser").split()[1]
    with Client(url) as client:
        wait_until(
            lambda: client.status("READ", {"Variable": "Boiler.Temperature"}) is None, "it is up"
        )
        client.body("MONITORSTART", {"Variable": "Boiler.Temperature"}, "m")
        for _ in range(3):
            client.update("m")
        ended_well(process.end(signal.SIGINT))
    assert not [line for line in process.lines if "Traceback" in line]


@posix
def test_the_demo_with_a_broker_serves_the_same_in_three_places(opcws: Any) -> None:
    needed("mosquitto", "/usr/sbin/mosquitto")
    process = opcws("demo", "--port", "0", "--broker")
    process.wait_for("Broker: mqtt://127.0.0.1:")

    def urls() -> List[str]:
        return [line.split()[1] for line in process.lines if "in a browser" in line]

    wait_until(lambda: len(urls()) == 3, "three addresses")
    with contextlib.ExitStack() as stack:
        collector, *edges = [stack.enter_context(Client(url)) for url in urls()]

        def counter(client: Client) -> Any:
            return (client.body("READ", {"Variable": "Test.Counter"}).get("Value") or {}).get(
                "Body"
            )

        wait_until(lambda: counter(collector) is not None, "it is up")
        collector.write("Test.Counter", 4711)
        wait_until(lambda: [counter(each) for each in edges] == [4711, 4711], "it is there, too")
        edges[1].write("Test.Counter", 4712)
        wait_until(lambda: counter(collector) == 4712, "an edge has written")
        with urllib.request.urlopen(urls()[0] + "status") as answer:
            assert json.load(answer)["Publisher"]["State"] == "connected"
        ended_well(process.end(signal.SIGINT))
    assert not [line for line in process.lines if "Traceback" in line]


@posix
def test_the_demo_plant_alone_serves_opc_ua_and_ends_with_ctrl_c(opcws: Any) -> None:
    process = opcws("demo", "--plant-only")
    endpoint = process.wait_for("opc.tcp://").split()[-1]
    server = support.serve(endpoint)
    try:
        support.wait_connected(server)
        ended_well(process.end(signal.SIGINT))
    finally:
        server.stop()


def test_the_demo_writes_a_configuration_that_is_good_and_overwrites_none(tmp_path: Path) -> None:
    path = tmp_path / "opcws.yaml"
    arguments = ["demo", "--write-config", str(path), "--port", "8099", "--plant-port", "4899"]
    assert run(*arguments).returncode == 0
    loaded = loads(path.read_text(encoding="utf-8"))
    assert loaded.listen[0].port == 8099
    assert loaded.servers["plant"].endpoint == "opc.tcp://127.0.0.1:4899"
    assert sorted(loaded.variables) == sorted(variable.name for variable in variables())
    again = run(*arguments)
    assert again.returncode == CONFIG_WRONG
    assert "exists" in again.stderr

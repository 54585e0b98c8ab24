"""opcws as a service of Windows, from its installation to its end; asks Windows for all of it."""

import functools
import importlib
import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from ... import support
from ...support import Client, PlantProcess, wait_until
from ...support.command import Result, run
from ..messages.test_monitoring import ends_with
from .test_shutdown import CONFIG_WRONG, UNREACHABLE, write_config

pytestmark = pytest.mark.skipif(os.name != "nt", reason="has Windows run a service")

#: Names that nobody's service has.
NAMES = "opcws-test-one", "opcws-test-two"


def good(*arguments: str) -> Result:
    done = run(*arguments)
    assert done.exit_code == 0, done
    return done


def status(name: str) -> Tuple[int, List[str]]:
    done = run("service", "status", "--name", name)
    return done.exit_code, done.stdout.splitlines()


def process_of(name: str) -> int:
    """0 if it does not run."""
    found = re.search(r"running, process (\d+)", status(name)[1][0])
    return int(found.group(1)) if found else 0


def registered(path: str) -> bool:
    registry: Any = importlib.import_module("winreg")
    try:
        registry.OpenKey(
            registry.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Services" + "\\" + path
        ).Close()
    except FileNotFoundError:
        return False
    return True


@pytest.fixture
def sites(tmp_path: Path, plant: PlantProcess) -> Iterator[List[Tuple[str, str, str]]]:
    """Of two services the name, the configuration and the URL; gone in the end."""
    found = []
    for name in NAMES:
        (tmp_path / name).mkdir()
        found.append((name, *write_config(tmp_path / name, plant.endpoint)))
    yield found
    for name in NAMES:
        run("service", "remove", "--name", name)
    assert not any(registered(name + r"\Parameters") for name in NAMES)


def log_of(path: str, name: str) -> str:
    return (Path(path).parent / (name + ".log")).read_text(encoding="utf-8")


def connected(path: str, name: str) -> bool:
    return "connected to" in log_of(path, name)


def test_two_services_serve_side_by_side_and_each_stops_in_order(
    sites: List[Tuple[str, str, str]],
) -> None:
    clients: Dict[str, Client] = {}
    for name, path, url in sites:
        good("service", "install", "--name", name, "--config", path)
        assert status(name)[0] == UNREACHABLE
        good("service", "start", "--name", name)
        code, lines = status(name)
        assert code == 0 and lines[0].startswith(name + ": running, process ")
        assert "account: NT SERVICE\\" + name in lines
        clients[name] = Client(url)
        wait_until(functools.partial(connected, path, name), "it is connected to the plant")
        value = clients[name].body("READ", {"Variable": "Types.Double"})["Value"]
        assert value["Body"] is not None
    (one, _, _), (two, two_path, _) = sites
    process = process_of(one)
    with ThreadPoolExecutor(1) as reading:
        end = reading.submit(ends_with, clients[one])
        good("service", "stop", "--name", one)
        assert end.result() == 1001
    clients[one].vanish()
    assert status(one)[0] == UNREACHABLE
    assert (
        str(process)
        not in subprocess.run(["tasklist"], stdout=subprocess.PIPE, text=True).stdout.split()
    )
    good("service", "stop", "--name", one)  # it does not run: that is what was wanted
    clients[two].body("READ", {"Variable": "Types.Double"})
    clients[two].vanish()
    good("stop", "--config", two_path)
    assert status(two)[1][0] == two + ": stopped"
    for name, path, _ in sites:
        assert log_of(path, name).rstrip().endswith("stopped")
        assert registered(r"EventLog\Application" + "\\" + name)
        good("service", "remove", "--name", name)
        assert not registered(name) and not registered(r"EventLog\Application" + "\\" + name)


def test_a_wrong_configuration_is_told_where_it_is_started_and_in_the_log(
    sites: List[Tuple[str, str, str]],
) -> None:
    name, path, _ = sites[0]
    good("service", "install", "--name", name, "--config", path)
    Path(path).write_text("listen: {port: many}")
    done = run("service", "start", "--name", name)
    assert done.exit_code == CONFIG_WRONG
    assert "opcws.yaml:1: listen.port: " in done.stderr and "listen.port" in log_of(path, name)
    assert status(name)[1][0] == name + ": stopped, exit code 1"


def test_a_port_that_is_taken_is_a_failure_that_the_log_tells(
    sites: List[Tuple[str, str, str]],
) -> None:
    (one, path, _), (two, other, _) = sites
    Path(other).write_text(Path(path).read_text())
    for name, config in ((one, path), (two, other)):
        good("service", "install", "--name", name, "--config", config)
    good("service", "start", "--name", one)
    done = run("service", "start", "--name", two)
    assert done.exit_code != 0 and "has ended again" in done.stderr
    assert "listen.port" in log_of(other, two)


def test_who_is_killed_is_started_again(sites: List[Tuple[str, str, str]]) -> None:
    name, path, url = sites[0]
    done = good("service", "install", "--name", name, "--config", path)
    good("service", "start", "--name", name)
    killed = process_of(name)
    os.kill(killed, signal.SIGTERM)
    if "its recovery was set, but is not there" in done.stderr:  # Wine: somebody starts it again
        wait_until(lambda: process_of(name) != killed, "Windows knows that it has ended")
        good("service", "start", "--name", name)
    wait_until(lambda: process_of(name) not in (0, killed), "it runs again")
    with Client(url) as client:
        client.body("VALUEINFO", {"Variables": ["Types.Double"]})


def test_other_machines_are_let_in_if_that_is_wanted_or_it_is_told_why_not(
    sites: List[Tuple[str, str, str]],
) -> None:
    name, path, _ = sites[0]
    settings = json.loads(Path(path).read_text())
    settings["listen"].update(host="0.0.0.0", port=support.free_port())
    Path(path).write_text(json.dumps(settings))
    done = good("service", "install", "--name", name, "--config", path)
    assert "the firewall has no rule for opcws; --firewall makes one" in done.stderr
    done = good("service", "install", "--name", name, "--config", path, "--firewall")
    show = ["netsh", "advfirewall", "firewall", "show", "rule", "name=opcws (%s)" % name]
    shown = subprocess.run(show, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    assert (name.encode() in shown) != ("the firewall has no rule for it now" in done.stderr)
    good("service", "remove", "--name", name)
    shown = subprocess.run(show, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    assert name.encode() not in shown

"""Every error that a user can cause in the first hour, caused on purpose: the text says what
happened, why, and what to do.

opcws/docs/pages/first-hour.rst has the table: a row for each cause here, with what is said there.
"""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

import pytest
from click.testing import CliRunner

from opcws.access import accounts
from opcws.app import Server
from opcws.cli.main import main
from opcws.config import loads
from opcws.x509 import listener_certificate

from ... import support
from ...support import PATIENCE, PlantProcess, free_port, readme, wait_connected
from ..plants.test_security import Secured, secured

SETPOINT = "nsu=urn:demo:plant;s=Boiler.Setpoint"
GOOD = """\
listen: {host: 127.0.0.1, port: 0}
servers:
  plant:
    endpoint: %s
    variables:
      Setpoint: {node: "%s", access: readwrite}
"""


class Site(NamedTuple):
    """What there is at the beginning of the hour: a plant, an opcws that lets everybody in, and
    one with TLS and roles."""

    plant: PlantProcess
    open: Server
    guarded: Server
    certificate: str
    token: str
    directory: Path
    secured: Secured

    def file(self, text: str) -> str:
        path = self.directory / "opcws.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def good(self, node: str = SETPOINT, endpoint: Optional[str] = None, **server: Any) -> str:
        """A file that is right but for what is told here."""
        data = json.loads(json.dumps(server))
        data["endpoint"] = endpoint or self.plant.endpoint
        data["connect_timeout_ms"] = 1000 * PATIENCE
        data["variables"] = {"Setpoint": {"node": node, "access": "readwrite"}}
        return self.file(json.dumps({"servers": {"plant": data}}))


@pytest.fixture(scope="module")
def site(plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("first hour")
    certificate, key = str(directory / "tls.pem"), str(directory / "tls.key")
    listener_certificate.create(certificate, key, ["127.0.0.1"])
    settings = support.settings(
        plant.endpoint, listen={"tls": {"certificate": certificate, "key": key}}
    )
    settings["roles"] = {"panel": {"read": ["Boiler.*"]}}
    settings["credentials"] = str(directory / "credentials.json")
    loaded = loads(json.dumps(settings))
    token = accounts.create_token(loaded, "panel", "panel", None)[0]
    guarded, opened = Server(loaded), support.serve(plant.endpoint)
    guarded.start()
    wait_connected(guarded)
    wait_connected(opened)
    with secured("opcua", directory / "secured", users={"anna": "right"}) as behind_tls:
        yield Site(plant, opened, guarded, certificate, token, directory, behind_tls)
    guarded.stop()
    opened.stop()
    support.no_threads_left()


def said(code: int, *arguments: str) -> str:
    """What a command says that ends with the exit code *code*."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main, list(arguments))
    assert result.exit_code == code, (result.exit_code, result.output)
    return str(result.output)


def to_open(site: Site, code: int, command: str, *arguments: str) -> str:
    return said(code, command, "--url", site.open.urls[0], *arguments)


def to_guarded(site: Site, code: int, *more: str) -> str:
    url = site.guarded.urls[0]
    return said(code, "read", "--url", url, "Boiler.Level", *more)


CASES: Dict[str, Callable[[Site], str]] = {}


def cause(text: str) -> Callable[[Callable[[Site], str]], Callable[[Site], str]]:
    """The function causes *text* and returns what was said."""

    def register(function: Callable[[Site], str]) -> Callable[[Site], str]:
        CASES[text] = function
        return function

    return register


# --- the installation and the configuration -----------------------------------------------------


def broken(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program + "; from opcws.__main__ import main; sys.exit(main())"],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        cwd=str(readme.ROOT),
    )
    assert done.returncode == 1
    return done.stderr


@cause("Python is too old")
def _(site: Site) -> str:
    return broken("import sys; sys.version_info = (3, 7, 9, 'final', 0)")


@cause("a package was removed")
def _(site: Site) -> str:
    return broken("import sys; sys.modules['click'] = None")


@cause("the port of opcws demo is taken")
def _(site: Site) -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        # In a process of its own, because it catches signals.
        done = subprocess.run(
            [sys.executable, "-m", "opcws", "demo", "--port", str(taken.getsockname()[1])],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 3,
        )
    assert done.returncode == 3
    return done.stderr


@cause("the configuration is not where --config says")
def _(site: Site) -> str:
    return said(1, "serve", "--config", str(site.directory / "opcws.yml"))


@cause("a tab in the YAML")
def _(site: Site) -> str:
    return said(1, "check", "--config", site.file("servers:\n\tplant: {}\n"))


@cause("a bracket that is not closed")
def _(site: Site) -> str:
    return said(
        1, "check", "--config", site.file(GOOD.replace("}\nservers", "\nservers") % ("x", "y"))
    )


@cause("a setting is misspelt")
def _(site: Site) -> str:
    text = GOOD % (site.plant.endpoint, SETPOINT)
    return said(1, "check", "--config", site.file(text.replace("endpoint:", "endpont:")))


@cause("a variable appears twice")
def _(site: Site) -> str:
    text = GOOD % (site.plant.endpoint, SETPOINT)
    return said(1, "check", "--config", site.file(text + text.splitlines()[-1] + "\n"))


@cause("a NodeId has a wrong form")
def _(site: Site) -> str:
    return said(1, "check", "--config", site.good("Boiler.Setpoint"))


@cause("the port is taken")
def _(site: Site) -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        text = GOOD % (site.plant.endpoint, SETPOINT)
        port = "port: %d" % taken.getsockname()[1]
        return said(3, "serve", "--config", site.file(text.replace("port: 0", port)))


@cause("listen.host is another machine's address")
def _(site: Site) -> str:
    text = GOOD % (site.plant.endpoint, SETPOINT)
    return said(
        3, "serve", "--config", site.file(text.replace("host: 127.0.0.1", "host: 192.0.2.7"))
    )


# --- the OPC UA server --------------------------------------------------------------------------


@cause("the OPC UA server is not running")
def _(site: Site) -> str:
    file = site.good(endpoint="opc.tcp://127.0.0.1:%d" % free_port())
    return said(4, "check", "--config", file)


@cause("the host name of the OPC UA server is wrong")
def _(site: Site) -> str:
    return said(4, "check", "--config", site.good(endpoint="opc.tcp://plnt.invalid:4840"))


@cause("the endpoint is no OPC UA server")
def _(site: Site) -> str:
    host, port = site.open.listeners[0].addresses[0]
    return said(4, "check", "--config", site.good(endpoint="opc.tcp://%s:%d" % (host, port)))


@cause("the node does not exist")
def _(site: Site) -> str:
    return said(4, "check", "--config", site.good(SETPOINT.replace("Setpoint", "Setpiont")))


@cause("the namespace does not exist")
def _(site: Site) -> str:
    return said(4, "check", "--config", site.good(SETPOINT.replace("urn:demo", "urn:dmeo")))


@cause("the node may only be read")
def _(site: Site) -> str:
    return said(4, "check", "--config", site.good(SETPOINT.replace("Setpoint", "Level")))


def secure(site: Site, pki: Path, server: Optional[Secured] = None, **changes: Any) -> str:
    """``check`` with a secured *server*, by default the site's; *pki* may have its certificate."""
    server = server or site.secured
    security = server.security()
    security["pki"] = str(pki)
    file = site.good("nsu=urn:test:values;s=Counter", server.endpoint, security=security, **changes)
    return said(4, "check", "--config", file)


@cause("the certificate of the OPC UA server is not trusted yet")
def _(site: Site) -> str:
    return secure(site, site.directory / "unknown")


@cause("the OPC UA server does not trust the certificate of opcws yet")
def _(site: Site) -> str:
    pytest.importorskip("asyncua", reason="not run: needs asyncua")
    others = site.directory / "others"
    others.mkdir()
    (others / "other.der").write_bytes(site.secured.made.der)
    with secured("asyncua", site.directory / "asyncua", trust=str(others)) as server:
        return secure(site, server.pki, server)


@cause("the password for the OPC UA server is wrong")
def _(site: Site) -> str:
    password = site.directory / "password"
    password.write_text("wrong", encoding="utf-8")
    pki = site.directory / "known"
    site.secured.made.put(pki, "trusted")
    return secure(site, pki, user={"name": "anna", "password_file": str(password)})


@cause("a password is configured, but no encryption")
def _(site: Site) -> str:
    password = site.directory / "password"
    password.write_text("right", encoding="utf-8")
    return said(
        4,
        "check",
        "--config",
        site.good(user={"name": "anna", "password_file": str(password)}),
    )


# --- clients ------------------------------------------------------------------------------------


@cause("opcws is not running")
def _(site: Site) -> str:
    return said(4, "read", "--url", "127.0.0.1:%d" % free_port(), "X")


@cause("the client uses the address of the OPC UA server")
def _(site: Site) -> str:
    return said(2, "read", "--url", site.plant.endpoint, "X")


@cause("the client uses the port of the OPC UA server")
def _(site: Site) -> str:
    return said(4, "read", "--url", "127.0.0.1:%d" % site.plant.port, "--timeout", "1", "X")


@cause("ws:// to a listener with TLS")
def _(site: Site) -> str:
    return said(4, "read", "--url", site.guarded.urls[0].replace("https", "ws"), "X")


@cause("wss:// to a listener without TLS")
def _(site: Site) -> str:
    return said(4, "read", "--url", site.open.urls[0].replace("http", "wss"), "X")


@cause("the client does not trust the certificate of opcws")
def _(site: Site) -> str:
    return to_guarded(site, 4)


@cause("the client shows no credential")
def _(site: Site) -> str:
    return to_guarded(site, 5, "--ca", site.certificate)


@cause("the token is wrong")
def _(site: Site) -> str:
    return to_guarded(site, 5, "--ca", site.certificate, "--token", "opcws_wrong")


@cause("the role has no right to write")
def _(site: Site) -> str:
    options = ("--ca", site.certificate, "--token", site.token)
    return said(6, "write", "--url", site.guarded.urls[0], *options, "Boiler.Setpoint", "1")


@cause("the name of a variable is misspelt")
def _(site: Site) -> str:
    return to_open(site, 6, "read", "Boiler.Temprature")


@cause("a value of the wrong type is written")
def _(site: Site) -> str:
    return to_open(site, 6, "write", "Boiler.Setpoint", "hot")


@cause("a number is too large for its type")
def _(site: Site) -> str:
    return to_open(site, 6, "write", "Types.SByte", "128")


@cause("a read-only variable is written")
def _(site: Site) -> str:
    return to_open(site, 6, "write", "Boiler.Level", "1")


@cause("the variable has no history")
def _(site: Site) -> str:
    return to_open(site, 6, "history", "Boiler.Valve")


@cause("the OPC UA server is not connected")
def _(site: Site) -> str:
    away = support.serve("opc.tcp://127.0.0.1:%d" % free_port())
    try:
        support.wait_until(away.plants["plant"].supervisor.settled.is_set, "a verdict")
        return said(6, "read", "--url", away.urls[0], "Boiler.Level")
    finally:
        away.stop()


# --- the table ----------------------------------------------------------------------------------


def table() -> Dict[str, str]:
    """Cause and what is said, from the documentation."""
    rows = re.findall(
        r"^   \* - (.*)\n     - ``(.*)``$", readme.section("The first hour"), re.MULTILINE
    )
    return dict(rows)


def test_the_readme_has_a_row_for_each_cause() -> None:
    assert list(table()) == list(CASES)


@pytest.mark.parametrize("name", list(CASES))
def test_the_message_is_the_one_of_the_table_and_no_traceback(site: Site, name: str) -> None:
    output = " ".join(CASES[name](site).split())
    assert "Traceback" not in output
    parts: List[str] = [re.escape(part.strip()) for part in table()[name].split("…")]
    assert re.search(".*".join(parts), output), output

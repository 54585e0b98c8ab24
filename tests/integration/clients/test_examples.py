"""The examples of README.rst and its pages do what they say, against a real plant."""

import contextlib
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Iterator, List, Optional

from opcws.app import Server

from ... import support
from ...support import PATIENCE, readme, wait_until
from ...support.browser import chromium
from ...support.node import node_with_websocket

ENVIRONMENT = dict(os.environ, PYTHONPATH=str(readme.ROOT), PYTHONIOENCODING="utf-8")

NUMBER = r"-?\d+(\.\d+)?"


def example(language: str, server: Server, containing: str = "") -> str:
    """The one example in *language*, or the one *containing* some text, talking to *server*."""
    (text,) = (each for each in readme.code(language) if containing in each)
    assert "127.0.0.1:8081" in text
    return text.replace("127.0.0.1:8081", "127.0.0.1:%d" % server.listeners[0].addresses[0][1])


def output(command: List[str]) -> List[str]:
    """The lines that *command* prints; it must end well."""
    done = subprocess.run(
        command, capture_output=True, timeout=3 * PATIENCE, env=ENVIRONMENT, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_python_example_lists_reads_writes_and_monitors(server: Server) -> None:
    lines = output([sys.executable, "-c", example("python", server, "import websocket")])
    names, read, written, refused, history, *updates = lines
    assert names == "['Batch.Id', 'Boiler.Level', 'Boiler.Pressure']"
    assert "'Type': 11" in read and "SourceTimestamp" in read
    assert written == "{}"
    assert "BadTypeMismatch" in refused and "Reason" in refused
    assert history.count("SourceTimestamp") == 2
    assert len(updates) == 3
    for update in updates:
        assert re.fullmatch(NUMBER, update), update


def test_the_example_of_the_client_reads_writes_and_monitors(server: Server) -> None:
    lines = output([sys.executable, "-c", example("python", server, "client.history")])
    read, status, *rest = lines
    assert re.fullmatch(NUMBER, read)
    assert status == "BadTypeMismatch"
    assert len(rest) == 7
    assert all(re.fullmatch(r"2\S+Z " + NUMBER, line) for line in rest[:2]), rest
    for name, line in zip(("Temperature", "Pressure"), rest[2:4]):
        assert re.fullmatch(r"Boiler\.%s plant [1-9]\d*" % name, line), line
    assert all(re.fullmatch(NUMBER + " Good", line) for line in rest[4:]), rest


def test_the_client_of_the_readme_has_ten_lines_and_goes_on(server: Server) -> None:
    code = example("python", server, "for value in client.monitor")
    assert len([line for line in code.splitlines() if line]) <= 10
    running = subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        encoding="utf-8",
    )
    assert running.stdout is not None
    try:
        lines = [support.expect(running, "").strip() for _ in range(6)]
    finally:
        running.kill()
        running.wait(PATIENCE)
        running.stdout.close()
    assert re.fullmatch(NUMBER + " Good", lines[0]), lines
    assert {line.split()[0] for line in lines[1:]} <= {"Boiler.Temperature", "Boiler.Pressure"}
    for line in lines[1:]:
        assert re.fullmatch(r"Boiler\.\w+ " + NUMBER, line), line


def check_javascript(lines: List[str]) -> None:
    assert len(lines) == 5, lines
    temperature = "Boiler.Temperature %s" % NUMBER
    assert re.fullmatch(temperature, lines[0])
    assert re.fullmatch("Boiler.Pressure %s" % NUMBER, lines[1])
    for line in lines[2:]:
        assert re.fullmatch(temperature, line), line


def test_the_javascript_example_reads_and_monitors_in_node(server: Server) -> None:
    check_javascript(output([*node_with_websocket(), "-e", example("javascript", server)]))


def test_the_example_with_opcws_js_does_what_it_says(server: Server, tmp_path: Path) -> None:
    source = (readme.ROOT / "opcws" / "static" / "opcws.js").read_bytes()
    (tmp_path / "opcws.mjs").write_bytes(source)
    script = tmp_path / "example.mjs"
    script.write_text(example("js", server, "opcws.mjs"), encoding="utf-8")
    lines = output([*node_with_websocket(), str(script)])
    assert lines[0].strip() == "open"
    assert re.fullmatch(NUMBER + r" good .*Z", lines[1])
    assert lines[2].startswith("BadTypeMismatch ")
    assert int(lines[3]) == 10
    for name, line in zip(("Temperature", "Pressure"), lines[4:6]):
        assert re.fullmatch(r"Boiler\.%s plant [1-9]\d*" % name, line), line
    for line in lines[6:9]:
        assert re.fullmatch(NUMBER, line), line
    assert [line.strip() for line in lines[9:]] == ["closed"]


def test_the_javascript_example_reads_and_monitors_in_a_browser(
    server: Server, tmp_path: Path
) -> None:
    with chromium(tmp_path, PATIENCE) as browser:
        browser.get(server.urls[0] + "status")  # of the same origin, with nothing running
        lines = browser.execute_async_script(
            "const [source, ready] = arguments;"
            "const lines = [];"
            "const console = { log: (...said) => lines.push(said.join(' ')) };"
            "const socket = new Function('console', source + ';return ws;')(console);"
            "socket.addEventListener('close', () => ready(lines));",
            example("javascript", server),
        )
    check_javascript(lines)


@contextlib.contextmanager
def running(command: List[str], directory: Path) -> Iterator["subprocess.Popen[Any]"]:
    process = subprocess.Popen(command, cwd=str(directory), env=ENVIRONMENT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()


def healthy(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            url + "/healthz", timeout=PATIENCE
        ) as answer:
            return bool(answer.read() == b"ok\n")
    except OSError:
        return False


def test_the_first_configuration_is_checked_and_served_with_the_commands_as_written(
    tmp_path: Path,
) -> None:
    ports = {"4840": str(support.free_port()), "8081": str(support.free_port())}

    def here(text: str) -> str:
        for port, free in ports.items():
            text = text.replace(port, free)
        return text

    (configuration,) = readme.code("yaml")
    (tmp_path / "opcws.yaml").write_text(here(configuration), encoding="utf-8")
    commands = re.findall(
        r"^ +opcws (.+)$", readme.section("A configuration of your own"), re.MULTILINE
    )
    offline, plant, check, serve = (
        [sys.executable, "-m", "opcws", *here(command).split()] for command in commands
    )

    def good_report(command: List[str]) -> Optional[bytes]:
        """What *command* prints; ``None`` if it ends with a problem."""
        done = subprocess.run(
            command, cwd=str(tmp_path), env=ENVIRONMENT, capture_output=True, timeout=3 * PATIENCE
        )
        return None if done.returncode else done.stdout

    assert good_report(offline)
    with running(plant, tmp_path):
        report = wait_until(lambda: good_report(check), "check is content", 3 * PATIENCE)
        assert b"Temperature" in report and b"Setpoint" in report
        with running(serve, tmp_path):
            url = "http://127.0.0.1:" + ports["8081"]
            wait_until(lambda: healthy(url), "it is served", 3 * PATIENCE)

            def value() -> Any:
                with support.Client(url) as client:
                    return client.body("READ", {"Variable": "Temperature"}).get("Value")

            assert wait_until(value, "the plant is connected")["Body"] > 0

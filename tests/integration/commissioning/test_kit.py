"""An offline kit installs, upgrades, goes back by itself, and leaves what is the plant's alone.

The kits here have the files of a real one, but for a ``python.exe`` that starts this Python: that
they run on Windows is another test's (``scripts/windows.py``).
"""

import hashlib
import json
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Iterator, List, Optional

import pytest

from opcws.commissioning import kit
from opcws.commissioning.kit import Kit, KitError, Place, Setup, Wishes
from opcws.config import load
from opcws.config.settings import User
from opcws.model.errors import ConfigError, PlantError

from ... import support
from ...support import command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="not run: the false Python is a script")

#: Logs the services' commands, and does what the real ones do.
PYTHON = """#!/bin/sh
here=$(dirname "$0")
if [ "$3" = service ]; then
    echo "$@" >> "$here/../../../calls"
    case "$4" in
        start) set -- -m opcws serve --config "$here/../../../data/opcws.yaml";;
        stop) set -- -m opcws stop --config "$here/../../../data/opcws.yaml";;
        *) exit 0;;
    esac
    if [ "$3" = serve ]; then (%(serve)s exec "%(python)s" "$@") >/dev/null 2>&1 & exit 0; fi
fi
if [ "$3" = serve ]; then %(serve)s exec "%(python)s" "$@"; fi
if [ "$1" = -c ]; then %(load)s fi
exec "%(python)s" "$@"
"""


class Nobody:
    """There is nobody to ask; what is told is kept."""

    asks = False

    def __init__(self) -> None:
        self.told: List[str] = []

    def tell(self, text: str) -> None:
        self.told.append(text)

    def ask(self, question: str, default: Optional[str] = None, secret: bool = False) -> str:
        raise AssertionError(question)

    def watch(self, progress: object) -> None:
        pass


class Host:
    """A machine with nothing on it, and kits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place.usual("opcws", False, str(folder))
        self.port = support.free_port()
        self.dialog = Nobody()

    def kit(self, version: str, serve: str = "", load: str = ":;") -> Kit:
        """One of *version*; *serve* and *load* are what the shell does before it does that."""
        folder = self.folder / ("kit-" + version)
        program = folder / "program"
        program.mkdir(parents=True)
        python = program / "python.exe"
        words = {"python": sys.executable, "serve": serve, "load": load}
        python.write_text(PYTHON % words, encoding="utf-8")
        python.chmod(0o755)
        (program / "kit.json").write_text(json.dumps({"version": version}), encoding="ascii")
        digest = hashlib.sha256(python.read_bytes()).hexdigest()
        sums = "%s *program/python.exe\n" % digest
        (folder / "SHA256SUMS.txt").write_text(sums, encoding="ascii")
        return Kit.at(folder)

    def setup(self, of: Kit) -> Setup:
        return Setup(of, self.place, self.dialog.tell)

    def install(self, of: Kit, endpoint: Optional[str] = None, service: bool = False) -> List[str]:
        listen = "127.0.0.1:%d" % self.port
        wishes = Wishes(endpoint, "None", None, "Boiler.*", listen, service)
        return self.setup(of).install(wishes, self.dialog)

    @property
    def current(self) -> str:
        """The version that the command is of."""
        text = (self.place.program / "opcws.cmd").read_text(encoding="ascii")
        return text.split("\\")[1]

    @property
    def versions(self) -> List[str]:
        return sorted(each.name for each in self.place.program.iterdir() if each.is_dir())

    def serves(self) -> bool:
        return bool(list((self.place.data / "state").glob("opcws-*.json")))

    def pid(self) -> int:
        """Of the opcws that serves."""
        support.wait_until(self.serves, "the control file")
        (file,) = (self.place.data / "state").glob("opcws-*.json")
        return int(json.loads(file.read_text(encoding="utf-8"))["pid"])

    def reads(self) -> None:
        with support.Client("http://127.0.0.1:%d/" % self.port) as client:
            support.wait_until(
                lambda: client.body("READ", {"Variable": "Boiler.Level"}).get("Value") is not None,
                "a value",
            )

    def listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.listens():
            command.run("stop", "--config", str(self.place.config))
            support.wait_until(lambda: not self.listens(), "its end")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.stop()


def test_it_installs_upgrades_goes_back_and_is_removed(
    host: Host, plant: support.PlantProcess
) -> None:
    lines = host.install(host.kit("1.0"), plant.endpoint)
    assert "open      http://127.0.0.1:%d/" % host.port in lines
    host.reads()
    assert (host.current, host.versions) == ("1.0", ["1.0"])
    assert load(str(host.place.config)).log.file == str(host.place.data / "logs" / "opcws.log")
    support.wait_until((host.place.data / "logs" / "opcws.log").exists, "a log")
    written = host.place.config.read_bytes()

    host.install(host.kit("2.0"))
    host.reads()
    assert (host.current, host.versions) == ("2.0", ["1.0", "2.0"])

    third = host.kit("3.0")
    host.install(third)
    assert (host.current, host.versions) == ("3.0", ["2.0", "3.0"])
    host.setup(third).back()
    host.reads()
    assert (host.current, host.versions) == ("2.0", ["2.0", "3.0"])
    with pytest.raises(KitError, match="not installed"):
        Setup(third, Place.usual("other", False, str(host.folder / "x")), print).back()

    host.setup(third).remove()
    assert not host.place.program.exists()
    assert host.place.config.read_bytes() == written
    support.wait_until(lambda: not host.serves(), "its end")


def test_what_is_the_plants_is_nobody_elses_to_read(
    host: Host, plant: support.PlantProcess
) -> None:
    host.install(host.kit("1.0"), plant.endpoint)
    assert stat.S_IMODE(host.place.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(host.place.program.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "service, serve",
    [
        (False, "exit 3;"),
        (True, "exit 3;"),
        (False, 'echo $$ > "$here/../../../pid"; exec sleep 999;'),
    ],
    ids=["ends", "service", "hangs"],
)
def test_a_version_that_does_not_become_ready_is_taken_back(
    host: Host,
    plant: support.PlantProcess,
    service: bool,
    serve: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if serve != "exit 3;" or service:  # that it has ended nobody is told
        monkeypatch.setattr(kit, "READY_S", 20.0)
    host.install(host.kit("1.0"), plant.endpoint, service)
    host.reads()
    with pytest.raises(KitError, match=r"2\.0 did not become ready, so 1\.0 serves again: it "):
        host.install(host.kit("2.0", serve))
    host.reads()
    assert host.current == "1.0"
    if (host.folder / "pid").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int((host.folder / "pid").read_text(encoding="ascii")), 0)
    # The one that is good comes after it.
    host.install(host.kit("2.1"))
    assert (host.current, host.versions) == ("2.1", ["1.0", "2.1"])


def test_a_version_that_does_not_load_is_not_tried(host: Host, plant: support.PlantProcess) -> None:
    host.install(host.kit("1.0"), plant.endpoint)
    before = host.pid()
    with pytest.raises(KitError, match="import opcws.* says: no such DLL"):
        host.install(host.kit("2.0", load="echo no such DLL; exit 1;"))
    assert (host.pid(), host.current) == (before, "1.0")


def test_a_configuration_that_the_newer_version_refuses_is_not_touched(
    host: Host, plant: support.PlantProcess
) -> None:
    host.install(host.kit("1.0"), plant.endpoint)
    host.reads()
    before = host.pid()
    with host.place.config.open("a", encoding="utf-8") as file:
        file.write("no_such_setting: 1\n")
    with pytest.raises(ConfigError) as caught:
        host.install(host.kit("2.0"))
    assert "no_such_setting" in str(caught.value)
    assert caught.value.problems[-1].endswith("nothing has changed")
    assert (host.pid(), host.versions) == (before, ["1.0"])
    text = host.place.config.read_text(encoding="utf-8").replace("no_such_setting: 1\n", "")
    host.place.config.write_text(text, encoding="utf-8")  # as stop() needs it


def test_a_damaged_kit_is_not_installed(host: Host, plant: support.PlantProcess) -> None:
    damaged = host.kit("1.0")
    with damaged.python.open("a", encoding="utf-8") as file:
        file.write("#")
    with pytest.raises(KitError, match=r"damaged: program/python\.exe; unzip it again"):
        host.install(damaged, plant.endpoint)
    damaged.python.unlink()
    with pytest.raises(KitError, match=r"is incomplete: program/python\.exe is missing; unzip"):
        host.install(damaged, plant.endpoint)
    assert not list(host.place.program.iterdir())
    host.install(host.kit("1.1"))  # the configuration is there
    host.reads()


def test_a_service_is_installed_by_the_version_that_it_is_to_run(
    host: Host, plant: support.PlantProcess
) -> None:
    host.install(host.kit("1.0"), plant.endpoint, service=True)
    host.reads()
    host.install(host.kit("2.0"))
    host.reads()
    host.setup(host.kit("3.0")).remove()
    calls = (host.folder / "calls").read_text(encoding="utf-8").splitlines()
    install = "install --name opcws --config %s --no-firewall" % host.place.config
    assert [each.replace("-m opcws service ", "") for each in calls] == [
        *(install, "start --name opcws"),
        *("stop --name opcws", install, "start --name opcws"),
        *("stop --name opcws", "remove --name opcws"),
    ]


def test_the_same_kit_again_starts_it_anew_and_another_one_of_its_version_replaces_it(
    host: Host, plant: support.PlantProcess
) -> None:
    first = host.kit("1.0")
    host.install(first, plant.endpoint)
    before = host.pid()
    host.install(first)
    assert host.pid() != before
    assert host.versions == ["1.0"]
    with (first.folder / "SHA256SUMS.txt").open("a", encoding="ascii") as file:
        file.write(file_sum(first.folder, "program/kit.json"))
    host.install(first)
    assert host.versions == ["1.0", "1.0-" + first.identity[:8]]
    assert host.current == "1.0-" + first.identity[:8]


def file_sum(folder: Path, name: str) -> str:
    return "%s *%s\n" % (hashlib.sha256((folder / name).read_bytes()).hexdigest(), name)


def test_it_finds_the_server_of_this_machine(plant: support.PlantProcess) -> None:
    found = kit.endpoints("127.0.0.1:%d" % plant.port)
    assert found["opc.tcp://127.0.0.1:%d" % plant.port] != ""
    assert kit.endpoints("127.0.0.1:1") == {}


def test_with_no_server_and_nobody_to_ask_it_says_what_to_give(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit, "endpoints", dict)
    with pytest.raises(KitError, match="no OPC UA server was found; name one: setup.cmd --endpoin"):
        host.install(host.kit("1.0"))
    several = {"opc.tcp://a:1": "A", "opc.tcp://b:2": "B"}
    monkeypatch.setattr(kit, "endpoints", lambda: several)
    with pytest.raises(KitError, match="there are several OPC UA servers; name one"):
        host.install(host.kit("2.0"))
    assert host.dialog.told == ["found opc.tcp://a:1 (A)", "found opc.tcp://b:2 (B)"]
    assert not host.place.program.exists()


def test_a_server_that_is_not_there_is_told_and_nothing_is_installed(host: Host) -> None:
    with pytest.raises(PlantError, match="nothing listens there"):
        host.install(host.kit("1.0"), "opc.tcp://127.0.0.1:1")
    assert not host.place.program.exists()


def test_the_users_password_is_kept_in_a_file_of_the_data(
    host: Host, plant: support.PlantProcess
) -> None:
    user = User("operator", "secret", allow_clear=True)
    wishes = Wishes(plant.endpoint, "None", user, "*", "127.0.0.1:%d" % host.port, False)
    host.setup(host.kit("1.0")).install(wishes, host.dialog)
    kept = host.place.data / "opcws.password"
    assert kept.read_text(encoding="utf-8") == "secret\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_what_is_no_kit_says_so() -> None:
    result = command.run("setup", "--folder", "x")
    assert result.exit_code == 1
    assert "is not an offline kit of opcws; unzip the whole kit" in result.stderr
    for arguments, words in (
        (["--name", "../x"], "--name takes letters"),
        (["--user", "x"], "--user and --password-file go together"),
    ):
        result = command.run("setup", *arguments)
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr

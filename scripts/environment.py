"""The environment that run.py and test.py make for themselves, below ``.venv/`` in the checkout.

One per purpose, form and Python version.  That of the pure form is editable: what runs is the
checkout, and it is made anew when ``setup.cfg`` or ``setup.py`` changed.  That of the compiled form
(``setup.py``) holds a copy, and is made anew when any of it changed.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Iterable, Iterator, List, NoReturn, Optional

ROOT = Path(__file__).resolve().parent.parent


def prepare(purpose: str, extra: str = "") -> str:
    """The path of the Python of an environment with opcws (and its *extra*) installed.

    Leaves with a sentence that says what to do if it cannot be made.
    """
    wanted = _fingerprint(extra)
    python = _python(purpose, "a minute or two", wanted)
    if not _is_made(python, wanted):
        _install(python, wanted, ["--editable", _target(ROOT, extra)], "0")
    return str(python)


def prepare_compiled(purpose: str, extra: str = "") -> str:
    """As :func:`prepare`, of the compiled form.  What runs in it must not find the checkout first:
    start it elsewhere."""
    missing = lacks()
    if missing:
        fail("opcws cannot be compiled: " + missing)
    wanted = _fingerprint(extra, _sources())
    python = _python(purpose + "-compiled", "two or three minutes", wanted)
    if not _is_made(python, wanted):
        with copied() as copy:
            _install(python, wanted, [_target(copy, extra)], "1")
    return str(python)


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A copy of the checkout for as long as the block runs, without what was made from it: a build
    leaves files behind that the next one would pack."""
    with tempfile.TemporaryDirectory(prefix="opcws-") as folder:
        copy = Path(folder) / "opcws"
        copy_to(copy)
        yield copy


def copy_to(target: Path) -> None:
    """Copy what is part of opcws to *target*, without what was made from it."""
    ignored = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "*.egg-info", "build")
    shutil.copytree(str(ROOT), str(target), ignore=ignored)


def _python(purpose: str, time: str, wanted: str) -> Path:
    """The Python of an environment, which is made if it is not there or not as *wanted*."""
    version = "%d.%d" % sys.version_info[:2]
    directory = ROOT / ".venv" / ("%s-%s" % (purpose, version))
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _is_made(python, wanted):
        _require_venv(version)
        print("Preparing %s (once, %s) ..." % (directory.relative_to(ROOT), time), flush=True)
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(directory)]):
            fail("cannot make %s; Python's own words are above" % directory)
    return python


def _install(python: Path, wanted: str, what: List[str], compiled: str) -> None:
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if subprocess.call([*pip, *what], env={**os.environ, "OPCWS_COMPILED": compiled}):
        fail(
            "cannot install what opcws needs; pip's own words are above.  Without a network, "
            "point pip to a folder or an index that you can reach (PIP_FIND_LINKS, PIP_INDEX_URL)"
        )
    _stamp(python).write_text(wanted, encoding="ascii")


def _stamp(python: Path) -> Path:
    return python.parent.parent / "opcws-installed"


def _is_made(python: Path, wanted: str) -> bool:
    return python.exists() and _read(_stamp(python)) == wanted


def _target(place: Path, extra: str) -> str:
    return "%s[%s]" % (place, extra) if extra else str(place)


def lacks() -> str:
    """In a few words, what is missing for compiling, nothing if all is there."""
    compiler = (sysconfig.get_config_var("CC") or "cl").split()[0]
    if not shutil.which(compiler):
        return "there is no C compiler (%s)" % compiler
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return "" if header.exists() else "Python's headers are not installed (%s)" % header


def _sources() -> Iterator[Path]:
    for folder in ("opcws", "schemas"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def run(command: List[str], place: Optional[Path] = None) -> int:
    """Run *command* in the folder *place*; returns its exit code.  Ctrl-C is the command's
    business: the terminal has sent it the same signal."""
    process = subprocess.Popen(command, cwd=place and str(place))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def become(command: List[str]) -> NoReturn:
    """Let *command* take this process's place, so that whoever ends the one ends the other."""
    if os.name == "nt":
        sys.exit(run(command))  # there a new process would go its own way
    sys.stdout.flush()
    os.execv(command[0], command)


def fail(reason: str) -> NoReturn:
    sys.exit("%s: %s." % (Path(sys.argv[0]).name, reason))


def _fingerprint(extra: str, more: Iterable[Path] = ()) -> str:
    """What an installation depends on: its declaration, its place and its Python, and *more*."""
    digest = hashlib.sha256("\0".join((extra, str(ROOT), sys.version)).encode("utf-8"))
    for path in (ROOT / "setup.cfg", ROOT / "setup.py", *more):
        digest.update(b"%s\0" % os.fsencode(str(path)) + path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> Optional[str]:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return None


def _require_venv(version: str) -> None:
    """Debian and Ubuntu cut these two out of Python's standard library."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        fail(
            "this Python %s has no venv or ensurepip; on Debian and Ubuntu run "
            "'sudo apt-get install python%s-venv', elsewhere take the Python of python.org"
            % (version, version)
        )

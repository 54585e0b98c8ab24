"""The environment that run.py and test.py make for themselves, below ``.venv/`` in the checkout.

One per purpose, form and Python version.  That of the pure form is editable: what runs is the
checkout, and it is made anew when ``setup.cfg`` or ``setup.py`` changed.  That of the compiled form
(``setup.py``) holds a copy, and is made anew when any of it changed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Iterable, Iterator, List, NoReturn, Optional

ROOT = Path(__file__).resolve().parent.parent
#: Before the fingerprint of what could not be compiled.
FAILED = "failed "


def prepare(purpose: str, extra: str = "") -> str:
    """The path of the Python of an environment with opcws (and its *extra*) installed.

    Leaves with a sentence that says what to do if it cannot be made.
    """
    version = "%d.%d" % sys.version_info[:2]
    directory = ROOT / ".venv" / ("%s-%s" % (purpose, version))
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = directory / "opcws-installed"
    wanted = _fingerprint(extra)
    if python.exists() and _read(stamp) == wanted:
        return str(python)
    _require_venv(version)
    print("Preparing %s (once, a minute or two) ..." % directory.relative_to(ROOT), flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(directory)]):
        fail("cannot make %s; Python's own words are above" % directory)
    target = "%s[%s]" % (ROOT, extra) if extra else str(ROOT)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if subprocess.call([*pip, "--editable", target]):
        fail(
            "cannot install what opcws needs; pip's own words are above.  Without a network, "
            "point pip to a folder or an index that you can reach (PIP_FIND_LINKS, PIP_INDEX_URL)"
        )
    stamp.write_text(wanted, encoding="ascii")
    return str(python)


def prepare_compiled(purpose: str, extra: str = "") -> Optional[str]:
    """As :func:`prepare`, of the compiled form; ``None`` where it cannot be had, and then the
    reason is printed.  What runs in it must not find the checkout first: start it elsewhere."""
    version = "%d.%d" % sys.version_info[:2]
    directory = ROOT / ".venv" / ("%s-compiled-%s" % (purpose, version))
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = directory / "opcws-installed"
    wanted = _fingerprint(extra, _sources())
    if _read(stamp) == wanted:
        return str(python)
    missing = lacks()
    if not missing and _read(stamp) != FAILED + wanted:
        _require_venv(version)
        place = directory.relative_to(ROOT)
        print("Preparing %s, compiled (once, two or three minutes) ..." % place, flush=True)
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(directory)]):
            fail("cannot make %s; Python's own words are above" % directory)
        target = "%s[%s]" % (ROOT, extra) if extra else str(ROOT)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        settings = {**os.environ, "OPCWS_COMPILED": "1"}
        if not subprocess.call([*pip, target], env=settings):
            stamp.write_text(wanted, encoding="ascii")
            return str(python)
        stamp.write_text(FAILED + wanted, encoding="ascii")
    why = missing or "it could not be made; remove %s to try again" % directory.relative_to(ROOT)
    print("opcws is not compiled: %s" % why, flush=True)
    return None


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

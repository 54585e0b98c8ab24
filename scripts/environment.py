"""The environment that run.py and test.py make for themselves, below ``.venv/`` in the checkout.

One per purpose, form and Python version, made anew when ``setup.cfg`` or ``setup.py`` changed.
That of the pure form is editable: what runs is the checkout.  That of the compiled form
(``setup.py``) holds a copy, which is compiled anew when any of it changed.
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
from typing import Dict, Iterable, Iterator, List, NoReturn, Optional

ROOT = Path(__file__).resolve().parent.parent


def prepare(purpose: str, extra: str = "") -> str:
    """The path of the Python of an environment with opcws (and its *extra*) installed.

    Leaves with a sentence that says what to do if it cannot be made.
    """
    version = "%d.%d" % sys.version_info[:2]
    directory = ROOT / ".venv" / ("%s-%s" % (purpose, version))
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = directory / "opcws-installed", _fingerprint(extra)
    if not python.exists() or _read(stamp) != wanted:
        _require_venv(version)
        print("Preparing %s (once, a minute or less) ..." % directory.relative_to(ROOT), flush=True)
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(directory)]):
            fail("cannot make %s; Python's own words are above" % directory)
        target = "%s[%s]" % (ROOT, extra) if extra else str(ROOT)
        if subprocess.call([*_pip(python), "--editable", target], env=_settings("0")):
            fail(
                "cannot install what opcws needs; pip's own words are above.  Without a network, "
                "point pip to a folder or an index that you can reach (PIP_FIND_LINKS, "
                "PIP_INDEX_URL)"
            )
        stamp.write_text(wanted, encoding="ascii")
    return str(python)


def prepare_compiled(purpose: str, extra: str = "") -> str:
    """As :func:`prepare`, of the compiled form.  What runs in it must not find the checkout first:
    start it elsewhere."""
    missing = lacks()
    if missing:
        fail("opcws cannot be compiled: " + missing)
    compilation = Compilation(purpose, extra)
    words = "" if compilation.is_made() else compilation.make()
    if words:
        fail(words + "\nopcws cannot be compiled; pip's own words are above")
    return compilation.python


def prepare_fastest(purpose: str) -> str:
    """As :func:`prepare_compiled` where that is possible and ``OPCWS_COMPILED`` is not 0, otherwise
    as :func:`prepare`; a line says which of the two, and why."""
    why_not = "OPCWS_COMPILED is 0" if os.environ.get("OPCWS_COMPILED") == "0" else lacks()
    if not why_not:
        compilation = Compilation(purpose)
        why_not = compilation.try_once()
    python = prepare(purpose) if why_not else compilation.python
    form = "pure form: " + why_not if why_not else "compiled form"
    print("opcws runs in its %s." % form, flush=True)
    return python


class Compilation:
    """The compiled form of the checkout as it is now, in an environment of its own."""

    def __init__(self, purpose: str, extra: str = "") -> None:
        self.python = prepare(purpose + "-compiled", extra)
        directory = Path(self.python).parent.parent
        self._stamp = directory / "opcws-compiled"
        #: What pip said of the last that failed, below a line that tells which one it was.
        self._failed = directory / "not-compiled.txt"
        self._wanted = _fingerprint(extra, compiler(), _sources())

    def is_made(self) -> bool:
        return _read(self._stamp) == self._wanted

    def make(self) -> str:
        """Compile and install it; what pip says if that fails, otherwise nothing."""
        print("Compiling opcws (a minute or two) ...", flush=True)
        with copied() as copy:
            # Old pips bring along what a build needs only so.
            command = [*_pip(self.python), "--use-pep517", "--no-deps", "--force-reinstall"]
            command.append(str(copy))
            done = subprocess.run(
                command, env=_settings("1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        if done.returncode:
            return done.stdout.decode("utf-8", "replace") or "pip has said nothing"
        self._stamp.write_text(self._wanted, encoding="ascii")
        return ""

    def try_once(self) -> str:
        """Make it unless it is made; why it could not be, if so.

        What has failed is not tried again until something changes that it was made of, or somebody
        removes the file with what pip said.
        """
        if self.is_made():
            return ""
        if (_read(self._failed) or "").split("\n")[0] != self._wanted:
            words = self.make()
            if not words:
                return ""
            self._failed.write_text(self._wanted + "\n" + words, encoding="utf-8")
        return "compiling it has failed, as %s tells" % self._failed.relative_to(ROOT)


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


def _pip(python: object) -> List[str]:
    return [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]


def _settings(compiled: str) -> Dict[str, str]:
    return {**os.environ, "OPCWS_COMPILED": compiled}


def compiler() -> str:
    """The command that compiles, of which the first word is a program."""
    if os.name == "nt":
        return "cl"
    return os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"


def lacks() -> str:
    """In a few words, what is missing for compiling, nothing if all is there."""
    program = compiler().split()[0]
    if not shutil.which(program):
        return "there is no C compiler (%s)" % program
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


def _fingerprint(extra: str, command: str = "", more: Iterable[Path] = ()) -> str:
    """What an installation depends on: its declaration, its place and its Python, and what it was
    made of by which *command*."""
    digest = hashlib.sha256("\0".join((extra, str(ROOT), sys.version, command)).encode("utf-8"))
    for path in (ROOT / "setup.cfg", ROOT / "setup.py", *more):
        digest.update(b"%s\0" % os.fsencode(str(path)) + path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> Optional[str]:
    try:
        return path.read_text(encoding="utf-8")
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

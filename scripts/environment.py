"""The environments of run.py and test.py, below ``.venv/`` in the checkout.

There is one for each purpose, form and Python version; it is made again after a change of
``setup.cfg`` or ``setup.py``.  That of the pure form is editable: it runs the checkout.  That of
the compiled form (``setup.py``) has a copy, which is compiled again after a change of any source.
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

    Exits with a sentence that says what to do if it cannot be made.
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
    """As :func:`prepare`, of the compiled form.  Start programs in another folder, or they find
    the checkout first."""
    missing = lacks()
    if missing:
        fail("opcws cannot be compiled: " + missing)
    compilation = Compilation(purpose, extra)
    words = "" if compilation.is_made() else compilation.make()
    if words:
        fail(words + "\nopcws cannot be compiled; pip's own words are above")
    return compilation.python


def prepare_fastest(purpose: str) -> str:
    """As :func:`prepare_compiled` if that is possible and ``OPCWS_COMPILED`` is not 0, otherwise
    as :func:`prepare`; prints which of the two, and why."""
    why_not = "OPCWS_COMPILED is 0" if os.environ.get("OPCWS_COMPILED") == "0" else lacks()
    if not why_not:
        compilation = Compilation(purpose)
        why_not = compilation.try_once()
    python = prepare(purpose) if why_not else compilation.python
    form = "pure form: " + why_not if why_not else "compiled form"
    print("opcws runs in its %s." % form, flush=True)
    return python


class Compilation:
    """The compiled form of the present checkout, in an environment of its own."""

    def __init__(self, purpose: str, extra: str = "") -> None:
        self.python = prepare(purpose + "-compiled", extra)
        directory = Path(self.python).parent.parent
        self._stamp = directory / "opcws-compiled"
        #: pip's output of the last failure, after a line that identifies the attempt.
        self._failed = directory / "not-compiled.txt"
        self._wanted = _fingerprint(extra, compiler(), _sources())

    def is_made(self) -> bool:
        return _read(self._stamp) == self._wanted

    def make(self) -> str:
        """Compile and install it; returns pip's output on failure, otherwise ``""``."""
        print("Compiling opcws (a minute or two) ...", flush=True)
        with copied() as copy:
            # Old pips install build requirements only with this.
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
        """Make it unless it exists; returns why that failed, if so.

        A failed attempt is not repeated until one of its sources changes, or somebody removes the
        file with pip's output.
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
    """A copy of the checkout, without build results, until the end of the block: a build leaves
    files behind that the next one would pack."""
    with tempfile.TemporaryDirectory(prefix="opcws-") as folder:
        copy = Path(folder) / "opcws"
        copy_to(copy)
        yield copy


def copy_to(target: Path) -> None:
    """Copy the sources of opcws to *target*, without build results."""
    ignored = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "*.egg-info", "build")
    shutil.copytree(str(ROOT), str(target), ignore=ignored)


def _pip(python: object) -> List[str]:
    return [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]


def _settings(compiled: str) -> Dict[str, str]:
    return {**os.environ, "OPCWS_COMPILED": compiled}


def compiler() -> str:
    """The compiler's command, which begins with a program."""
    if os.name == "nt":
        return "cl"
    return os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"


def lacks() -> str:
    """A few words about what is missing for compiling; ``""`` if nothing is."""
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
    """Run *command* in the folder *place*; returns its exit code.  Ctrl-C is left to the command:
    the terminal has sent it the same signal."""
    process = subprocess.Popen(command, cwd=place and str(place))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def become(command: List[str]) -> NoReturn:
    """Replace this process with *command*, so that ending the one ends the other."""
    if os.name == "nt":
        sys.exit(run(command))  # Windows cannot replace a process
    sys.stdout.flush()
    os.execv(command[0], command)


def fail(reason: str) -> NoReturn:
    sys.exit("%s: %s." % (Path(sys.argv[0]).name, reason))


def _fingerprint(extra: str, command: str = "", more: Iterable[Path] = ()) -> str:
    """What an installation depends on: its declaration, place and Python, its sources, and the
    *command* that made it."""
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
    """Debian and Ubuntu remove these two from Python's standard library."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        fail(
            "this Python %s has no venv or ensurepip; on Debian and Ubuntu run "
            "'sudo apt-get install python%s-venv', elsewhere take the Python of python.org"
            % (version, version)
        )

"""The environment that run.py and test.py make for themselves, below ``.venv/`` in the checkout.

One per purpose and Python version, made anew when ``setup.cfg`` or ``setup.py`` changed.  The
installation is editable: what runs is the checkout.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import List, NoReturn, Optional

ROOT = Path(__file__).resolve().parent.parent


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


def run(command: List[str]) -> int:
    """Run *command*; returns its exit code.  Ctrl-C is the command's business: the terminal has
    sent it the same signal."""
    process = subprocess.Popen(command)
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


def _fingerprint(extra: str) -> str:
    """What an installation depends on: its declaration, its place and its Python."""
    digest = hashlib.sha256("\0".join((extra, str(ROOT), sys.version)).encode("utf-8"))
    for name in ("setup.cfg", "setup.py"):
        digest.update((ROOT / name).read_bytes())
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

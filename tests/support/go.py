"""Go for the tests of Go programs."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict

import pytest

from .waiting import PATIENCE

PATH = Path("/usr/share/gocode")


def built(folder: Path, sources: Dict[str, str], package: str) -> str:
    """The program that Debian's Go builds in *folder* from *sources*, file names and texts; skips
    if there is no Go, or no *package*."""
    go = shutil.which("go")
    if go is None or not (PATH / "src" / package).exists():
        name = "-".join(package.replace(".com", "").split("/"))
        pytest.skip("not run: needs Go and golang-%s-dev" % name)
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    # Debian's packages, and no other modules.
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(PATH)}
    for command in (["vet"], ["build", "-o", "program"]):
        done = subprocess.run(
            [go, *command, *sources],
            cwd=str(folder),
            env=dict(os.environ, **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=5 * PATIENCE,
        )
        assert done.returncode == 0, done.stdout
    return str(folder / "program")

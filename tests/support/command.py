"""The command line in this process, the same with every version of click."""

import inspect
import os
import subprocess
import sys
from typing import Mapping, NamedTuple, Optional

from click.testing import CliRunner

from opcws.cli.main import main

from .waiting import PATIENCE


class Result(NamedTuple):
    """The result of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def run(*arguments: str, given: Optional[str] = None) -> Result:
    """``opcws`` with *arguments* and the input *given*; it must end by itself and show no
    traceback."""
    # Before click 8.2 the two streams were mixed by default.
    old = "mix_stderr" in inspect.signature(CliRunner.__init__).parameters
    runner = CliRunner(mix_stderr=False) if old else CliRunner()
    result = runner.invoke(main, list(arguments), input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    found = Result(result.exit_code, result.stdout, result.stderr)
    assert "Traceback" not in found.output
    return found


def without_input(*arguments: str, env: Optional[Mapping[str, str]] = None) -> Result:
    """``opcws`` with *arguments* in a process without input or terminal: before click 8.2 its
    runner answers each question with an empty text, for ever."""
    ended = subprocess.run(
        [sys.executable, "-m", "opcws", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **(env or {})},
        start_new_session=True,
        timeout=PATIENCE,
    )
    return Result(ended.returncode, ended.stdout, ended.stderr)

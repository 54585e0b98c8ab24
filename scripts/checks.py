"""Runs the checks of ``scripts/test.py``: linter, type check, tests, on one or all Pythons."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import environment

VERSIONS = ["3.%d" % minor for minor in range(8, 14)]

#: The checks of a run without arguments, in order.
CHECKS = {
    "linter": ["ruff", "check", "."],
    "type check": ["mypy", "--strict", "opcws"],
    # More processes than the two cores of a small machine, because most tests wait for something;
    # the tests of a file share its servers, and stay in one process.
    "tests": ["pytest", "-n", "6", "--dist", "loadfile"],
}

#: Leaves out tests that take minutes, unless ``--slow`` is given.
QUICK = ["-m", "not slow"]

#: The other tests replace parts of opcws with stand-ins, which compiled code does not call.
COMPILED_TESTS = "tests/integration"

#: Only on request: the code takes two to three times as long, and loses races.
COVERAGE = ["--cov", "--cov-report=term"]


def main(arguments: List[str]) -> int:
    os.chdir(str(environment.ROOT))
    if "--all-pythons" in arguments:
        arguments.remove("--all-pythons")
        return all_pythons(arguments or CHECKS["tests"][1:])
    # If Python kept no compiled files, each of the thousand processes of the tests would compile
    # all of opcws again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(environment.ROOT / ".venv" / "bytecode")
    tests = list(CHECKS["tests"])
    everything = "--slow" in arguments
    if everything:
        arguments.remove("--slow")
    elif arguments in ([], ["--coverage"], ["--compiled"]):
        tests += QUICK
    if arguments == ["--coverage"]:
        arguments = []
        tests += COVERAGE
    if arguments[:1] == ["--compiled"]:
        return on_compiled(arguments[1:] or [COMPILED_TESTS, *tests[1:]])
    python = environment.prepare("test", "test")
    if arguments:
        return environment.run([python, "-m", "pytest", *arguments])
    results = []
    checks = {**CHECKS, "tests": tests}
    if sys.version_info < (3, 9):
        # The source is the same on every Python, but mypy's judgement is not.
        print("not run: the type check, of which the newest mypy for Python 3.8 knows too little")
        del checks["type check"]
    for name, command in checks.items():
        print("== %s: %s" % (name, " ".join(command)), flush=True)
        started = time.monotonic()
        code = environment.run([python, "-m", *command])
        results.append((name, code, time.monotonic() - started))
    if everything:
        results += also_on_compiled([COMPILED_TESTS, *tests[1:]])
    return summary(results)


def also_on_compiled(arguments: Sequence[str]) -> Iterator[Tuple[str, int, float]]:
    """The result of pytest on the compiled form; none if it cannot be compiled here."""
    missing = environment.lacks()
    if missing:
        print("not run: the tests of the compiled form: " + missing)
        return
    started = time.monotonic()
    print("== tests, compiled: pytest %s" % " ".join(arguments), flush=True)
    try:
        code = on_compiled(arguments)
    except SystemExit as reason:  # it cannot be compiled
        print(reason, file=sys.stderr)
        code = 1
    yield "tests, compiled", code, time.monotonic() - started


def on_compiled(arguments: Sequence[str]) -> int:
    """Run pytest with *arguments* on the compiled form, from a folder without opcws, which Python
    would find first."""
    python = environment.prepare_compiled("test", "test")
    os.environ["OPCWS_TEST_FORM"] = "compiled"
    root = environment.ROOT
    command = [python, "-m", "pytest", "--import-mode", "append", "--rootdir", str(root)]
    command += ["-c", str(root / "setup.cfg")]
    for each in arguments:
        there = root / each.split("::")[0]
        command.append(str(root / each) if there.exists() else each)
    return environment.run(command, Path(python).parent)


def all_pythons(arguments: List[str]) -> int:
    """Run this script's pytest under each Python in turn."""
    found = dict(interpreters())
    results = []
    for version in VERSIONS:
        if version not in found:
            continue
        print("== Python %s: %s" % (version, found[version]), flush=True)
        started = time.monotonic()
        code = environment.run([found[version], os.path.join("scripts", "test.py"), *arguments])
        results.append(("Python " + version, code, time.monotonic() - started))
    code = summary(results)
    missing = [version for version in VERSIONS if version not in found]
    if missing:
        print("not run: no usable Python %s on this machine" % ", ".join(missing))
    return code


def summary(results: Sequence[Tuple[str, int, float]]) -> int:
    """Print a table; returns 1 if anything failed."""
    print("\n%-26s %-9s %s" % ("what", "result", "seconds"))
    for name, code, seconds in results:
        print("%-26s %-9s %7.1f" % (name, "FAILED" if code else "passed", seconds))
    return 1 if any(code for _, code, _ in results) else 0


def interpreters() -> Iterator[Tuple[str, str]]:
    """Version and path of one working Python of each version that the machine has."""
    seen = set()
    for path in candidates():
        question = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
        try:
            answer = subprocess.run(
                [path, "-c", question],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=30,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        version = answer.stdout.decode("ascii", "replace").strip()
        if answer.returncode == 0 and version in VERSIONS and version not in seen:
            seen.add(version)
            yield version, path


def candidates() -> Iterator[str]:
    """Paths of possible Pythons: this one, the PATH, pyenv, and the Windows launcher's."""
    yield sys.executable
    for version in VERSIONS:
        path = shutil.which("python" + version)
        if path:
            yield path
    for pattern in ("versions/*/bin/python", "pyenv-win/versions/*/python.exe"):
        yield from map(str, sorted((Path.home() / ".pyenv").glob(pattern)))
    if shutil.which("py"):
        listing = subprocess.run(["py", "-0p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in listing.stdout.decode("utf-8", "replace").splitlines():
            # " -V:3.11 *        C:\...\python.exe"
            drive = line.find(":\\")
            if drive > 0:
                yield line[drive - 1 :].strip()

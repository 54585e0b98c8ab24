"""Waiting for an event, with a deadline."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

#: Seconds for an event on a busy machine before a test gives up.
PATIENCE = 60.0


def slack_s() -> float:
    """Seconds that the machine may add to opcws's own time: 5, and more if many processes wait for
    its CPUs.  If a test proves that something comes soon, what it excludes must take longer than
    this."""
    loaded = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 6.0
    return 5.0 * min(max(loaded, 1.0), 6.0)


def wait_until(
    true: Callable[[], Any], what: str, patience: float = PATIENCE, step: float = 0.01
) -> Any:
    """Poll *true* until it holds; fail with *what* at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + patience
    while True:
        result = true()
        if result:
            return result
        assert time.monotonic() < deadline, "not within %g s: %s" % (patience, what)
        pause.wait(step)


def whole_lines(path: Path) -> List[Dict[str, Any]]:
    """The lines of JSON in the file *path*, without an incomplete last one; none if there is no
    file."""
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def expect(process: "subprocess.Popen[str]", word: str) -> str:
    """Wait until *process* prints a line that begins with *word*, and return it."""
    assert process.stdout is not None
    # A silent process is killed, which ends its output.
    giving_up = threading.Timer(3 * PATIENCE, process.kill)
    giving_up.start()
    said: List[str] = []
    try:
        for line in process.stdout:
            if line.startswith(word):
                return line
            said.append(line)
    finally:
        giving_up.cancel()
        giving_up.join()
    raise AssertionError("%s never said %s: %s" % (process.args, word, "".join(said)[-2000:]))


def freeze(process: "subprocess.Popen[str]") -> None:
    """Stop *process*, and wait until it has stopped, because the signal may take a while."""
    if sys.platform == "win32":
        _windows("NtSuspendProcess", process)
    else:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def thaw(process: "subprocess.Popen[str]") -> None:
    """Let *process* go on."""
    if sys.platform == "win32":
        _windows("NtResumeProcess", process)
    else:
        process.send_signal(signal.SIGCONT)


def _windows(name: str, process: "subprocess.Popen[str]") -> None:
    import ctypes

    suspend_resume = 0x0800
    handle = ctypes.windll.kernel32.OpenProcess(suspend_resume, False, process.pid)
    assert handle, "process %d cannot be opened" % process.pid
    try:
        assert ctypes.windll.ntdll[name](ctypes.c_void_p(handle)) == 0
    finally:
        ctypes.windll.kernel32.CloseHandle(ctypes.c_void_p(handle))

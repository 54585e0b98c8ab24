"""What this process takes of a Windows machine."""

import os
import sys
import time

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from opcws.operations import windows_process
from opcws.operations.metrics import Metrics
from opcws.operations.windows_process import Taken, WindowsProcess, taken

on_windows = pytest.mark.skipif(sys.platform != "win32", reason="functions of Windows")


def test_the_metrics_have_the_names_that_they_have_on_linux(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windows_process, "taken", lambda: Taken(1.5, 2, 3, 4, 5.25))
    registry = CollectorRegistry()
    registry.register(WindowsProcess())
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "process_cpu_seconds_total 1.5",
        "process_resident_memory_bytes 2.0",
        "process_virtual_memory_bytes 3.0",
        "process_open_fds 4.0",
        "process_start_time_seconds 5.25",
    ]
    if sys.platform == "linux":
        of_linux = CollectorRegistry()
        ProcessCollector(registry=of_linux)
        theirs = {line.split()[0] for line in generate_latest(of_linux).decode().splitlines()}
        assert {line.split()[0] for line in lines} <= theirs


@pytest.mark.skipif(sys.platform == "win32", reason="of other systems")
def test_elsewhere_nothing_is_told() -> None:
    assert list(WindowsProcess().collect()) == []


@on_windows
def test_on_windows_the_numbers_are_those_of_this_process() -> None:
    before = taken()
    files = [open(os.devnull) for _ in range(50)]
    data = bytearray(32 << 20)
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    after = taken()
    for file in files:
        file.close()
    # Wine does not count handles.
    assert after.handles >= before.handles + 50 or after.handles == before.handles == 0
    assert after.cpu_s >= before.cpu_s + 0.1
    assert after.resident_bytes >= before.resident_bytes + len(data) // 2
    assert after.committed_bytes >= before.committed_bytes + len(data) // 2
    assert 0 < time.time() - after.started < 86400 and after.started == before.started


@pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="the library has none")
def test_the_document_tells_of_the_process() -> None:
    assert b"\nprocess_resident_memory_bytes " in Metrics(lambda: []).text()

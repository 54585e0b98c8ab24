"""The process is held to a CPU as long as others leave that CPU to it."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Dict, Iterator, List, Optional

import pytest

from opcws.cli import common
from opcws.config import loads
from opcws.model.deadline import Deadline
from opcws.model.errors import ConfigError
from opcws.operations import cpu_affinity
from opcws.operations.cpu_affinity import (
    BUSY,
    FREE,
    Affinity,
    Look,
    Usage,
    choose,
    used_by_others,
)

from ..support import PATIENCE, wait_until

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="a system call of Linux")
BOTH = frozenset((0, 1))


def ticks(used: Dict[int, int], own: int = 0, all: int = 100) -> Look:
    return Look({cpu: Usage(busy, all) for cpu, busy in used.items()}, own)


NOTHING = Look({0: Usage(0, 0), 1: Usage(0, 0)}, 0)


def test_what_the_process_uses_of_its_cpu_is_not_counted_as_used_by_others() -> None:
    now = ticks({0: 90, 1: 20}, own=80)
    assert used_by_others(NOTHING, now, 0, BOTH) == {0: 0.1, 1: 0.2}


def test_what_a_process_that_is_not_held_uses_is_spread_as_all_use_is() -> None:
    now = ticks({0: 60, 1: 20}, own=40)
    assert used_by_others(NOTHING, now, None, BOTH) == {0: 0.3, 1: 0.1}


def test_only_cpus_that_the_process_may_run_on_are_looked_at() -> None:
    assert set(used_by_others(NOTHING, ticks({0: 0, 1: 0}), None, frozenset((1,)))) == {1}


@pytest.mark.parametrize(
    ("others", "held", "wanted"),
    [
        ({0: 0.1, 1: 0.05}, None, 1),
        ({0: FREE, 1: 1.0}, None, 0),
        ({0: FREE + 0.01, 1: 1.0}, None, None),
        ({0: BUSY, 1: 0.0}, 0, 0),
        ({0: BUSY + 0.01, 1: 0.0}, 0, 1),
        ({0: BUSY + 0.01, 1: FREE + 0.01}, 0, None),
        ({}, 0, None),
        ({}, None, None),
    ],
)
def test_a_free_cpu_is_taken_and_kept_until_others_want_it(
    others: Dict[int, float], held: Optional[int], wanted: Optional[int]
) -> None:
    assert choose(others, held) == wanted


def test_a_system_other_than_linux_is_not_asked_for_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert cpu_affinity.look() is None


def test_proc_stat_is_read_as_proc_5_says() -> None:
    lines = [
        "cpu  1 2 3 4 5 6 7 8 9 10",
        "cpu0 1 2 3 40 50 6 7 8 9 10",
        "cpu11 1 0 0 9 0",
        "intr 5",
    ]
    assert cpu_affinity.parse_stat(lines) == {0: Usage(27, 117), 11: Usage(1, 10)}


@pytest.fixture
def restored() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    yield
    assert os.sched_getaffinity(0) == before


@on_linux
def test_a_number_holds_every_thread_until_the_end(restored: None) -> None:
    cpu = max(os.sched_getaffinity(0))
    going, held = threading.Event(), Affinity(cpu)
    seen: List[object] = []

    def late() -> None:
        going.wait(PATIENCE)
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=late)
    thread.start()
    held.start()
    going.set()
    thread.join(PATIENCE)
    assert seen == [{cpu}]
    assert os.sched_getaffinity(0) == {cpu}
    held.stop(Deadline(10))


@pytest.mark.skipif(sys.platform != "win32", reason="functions of Windows")
def test_a_number_holds_the_process_on_windows_until_the_end() -> None:
    before = cpu_affinity.allowed_cpus()
    held = Affinity(max(before))
    held.start()
    assert cpu_affinity.allowed_cpus() == {max(before)}
    held.stop(Deadline(10))
    assert cpu_affinity.allowed_cpus() == before


@on_linux
def test_auto_leaves_a_cpu_that_somebody_else_makes_busy(
    restored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is no other CPU")
    first, second = sorted(os.sched_getaffinity(0))[:2]
    looks = [
        ticks({first: 0, second: 0}, all=0),
        ticks({first: 0, second: 90}, all=100),  # the second is busy
        ticks({first: 90, second: 90}, all=200),  # then the first
        ticks({first: 180, second: 180}, all=300),  # then both
    ]
    held: List[Optional[int]] = []
    done = threading.Event()

    def look() -> Optional[Look]:
        held.append(auto.held)
        if looks:
            return looks.pop(0)
        done.set()
        return None

    monkeypatch.setattr(cpu_affinity, "look", look)
    monkeypatch.setattr(cpu_affinity, "allowed_cpus", lambda: frozenset((first, second)))
    before = os.sched_getaffinity(0)
    auto = Affinity("auto", look_s=0.0)
    # start() takes a look of its own, to see whether it can.
    looks.insert(0, looks[0])
    auto.start()
    assert done.wait(PATIENCE)
    assert held[-3:] == [first, second, None]
    auto.stop(Deadline(10))
    cpu_affinity.hold(before)


@on_linux
def test_auto_lets_go_when_there_are_many_threads(
    restored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is no other CPU")
    before = os.sched_getaffinity(0)
    all_free = ticks(dict.fromkeys(before, 0))
    monkeypatch.setattr(cpu_affinity, "look", lambda: all_free)
    auto = Affinity("auto", look_s=0.001)
    auto.start()
    try:
        wait_until(lambda: auto.held is not None, "it is held")
        monkeypatch.setattr(cpu_affinity, "FEW_THREADS", 0)
        wait_until(lambda: auto.held is None, "it is let go")
        assert os.sched_getaffinity(0) == before
        monkeypatch.undo()
        monkeypatch.setattr(cpu_affinity, "look", lambda: all_free)
        wait_until(lambda: auto.held is not None, "it is held again")
    finally:
        auto.stop(Deadline(10))


def test_off_and_auto_without_a_gil_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_affinity, "hold", lambda cpus: pytest.fail("held"))
    monkeypatch.setattr(cpu_affinity, "has_gil", lambda: False)
    for setting in ("off", "auto"):
        held = Affinity(setting, look_s=0.0)
        held.start()
        held.stop(Deadline(1))
        assert held.held is None


PLANT = "servers: {p: {endpoint: 'opc.tcp://127.0.0.1:1', variables: {V: {node: i=2258}}}}\n"


def test_serve_names_a_cpu_that_is_not_there_and_leaves(tmp_path: Path) -> None:
    file = tmp_path / "opcws.yaml"
    file.write_text(PLANT + "listen: {port: 0}\nprocess: {cpu_affinity: 1023}\n", "utf-8")
    command = [sys.executable, "-m", "opcws", "serve", "--config", str(file)]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=3 * PATIENCE)
    assert result.returncode == common.CONFIG_WRONG
    assert "opcws cannot run on CPU 1023; expected one of" in result.stderr


@pytest.mark.parametrize("wrong", ["on", "true", "-1", "1.5", "[0]"])
def test_what_is_no_cpu_is_told_with_what_would_be(wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(PLANT + "process: {cpu_affinity: %s}\n" % wrong)
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert "process.cpu_affinity: expected " in problem
    assert "expected auto, off or a whole number" in problem or "at least 0" in problem


@pytest.mark.parametrize("setting", ["auto", "off", 0, 3])
def test_a_cpu_is_set_as_a_number_or_a_word(setting: object) -> None:
    loaded = loads(PLANT + "process: {cpu_affinity: %s}\n" % setting)
    assert loaded.process.cpu_affinity == setting

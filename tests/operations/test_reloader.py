"""When the configuration is read again."""

import os
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from opcws.config import load
from opcws.config.settings import Config
from opcws.model.atomic_file import patiently
from opcws.model.deadline import Deadline
from opcws.model.errors import ConfigError
from opcws.operations.reloader import Reloader, Watched

from ..support import PATIENCE, no_threads_left, wait_until

TEXT = "servers: {plant: {endpoint: 'opc.tcp://127.0.0.1:4840', publishing_interval_ms: %d}}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "opcws.yaml"
    file.write_text(TEXT % 100)
    return file


Make = Callable[..., Reloader]


@pytest.fixture
def make(path: Path) -> Iterator[Make]:
    """Makes a reloader of the file at *path*, started."""
    made: List[Reloader] = []

    def start(apply: Callable[[Config], List[str]]) -> Reloader:
        reloader = Reloader(load(path), apply)
        made.append(reloader)
        reloader.start()
        return reloader

    yield start
    for each in made:
        each.stop(Deadline(PATIENCE))
    no_threads_left()


def put(path: Path, text: str) -> None:
    """Write the file in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    patiently(lambda: os.replace(fresh, path))  # the watcher may just read it


# --- the file ----------------------------------------------------------------------------------


def test_a_change_counts_when_the_file_has_stayed_the_same_for_a_look(path: Path) -> None:
    watched = Watched(str(path))
    assert not watched.has_changed() and not watched.has_changed()
    path.write_text(TEXT % 200)
    assert not watched.has_changed()
    assert watched.has_changed()


def test_a_file_that_grows_from_look_to_look_is_left_alone(path: Path) -> None:
    watched = Watched(str(path))
    with path.open("a") as file:
        for _ in range(5):
            file.write("# more\n")
            file.flush()
            assert not watched.has_changed()
    assert watched.has_changed()


def test_a_file_that_an_editor_puts_in_its_place_is_seen(path: Path) -> None:
    watched = Watched(str(path))
    fresh = path.with_suffix(".new")
    fresh.write_text(TEXT % 200)
    patiently(lambda: os.replace(fresh, path))  # the watcher may just read it
    assert [watched.has_changed() for _ in range(2)] == [False, True]


def test_a_file_that_is_gone_for_a_moment_is_no_change(path: Path) -> None:
    watched = Watched(str(path))
    text = path.read_text()
    path.unlink()
    assert not any(watched.has_changed() for _ in range(3))
    path.write_text(text)
    assert not any(watched.has_changed() for _ in range(3))


def test_the_same_content_written_again_is_no_change(path: Path) -> None:
    watched = Watched(str(path))
    path.write_text(path.read_text())
    assert not any(watched.has_changed() for _ in range(3))


def test_a_change_with_the_same_size_and_time_is_seen_while_the_times_are_young(path: Path) -> None:
    watched = Watched(str(path))
    times = os.stat(path)
    path.write_text(TEXT % 200)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [watched.has_changed() for _ in range(2)] == [False, True]


def test_an_old_file_is_not_read_again_and_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(path, (1.7e9, 1.7e9))
    watched = Watched(str(path))

    def fail(*arguments: Any) -> Any:
        raise AssertionError("it was read")

    monkeypatch.setattr("builtins.open", fail)
    assert not watched.has_changed()


# --- the wishes --------------------------------------------------------------------------------


def test_who_asks_is_told_what_changed(make: Make, path: Path) -> None:
    seen: List[float] = []

    def apply(loaded: Config) -> List[str]:
        seen.append(loaded.servers["plant"].publishing_interval_ms)
        return ["something"]

    reloader = make(apply)
    path.write_text(TEXT % 200)
    assert reloader.request() == {"changes": ["something"], "problems": []}
    assert seen == [200]


def test_who_asks_is_told_every_problem_of_the_file_and_nothing_is_applied(
    make: Make, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    applied: List[Config] = []
    reloader = make(lambda loaded: applied.append(loaded) or [])  # type: ignore[func-returns-value]
    path.write_text("servers: {plant: {endpoint: 7, colour: red}}\n")
    problems = reloader.request()["problems"]
    assert len(problems) == 2 and all(str(path) + ":1: " in each for each in problems)
    assert not applied
    assert "nothing has changed" in caplog.text and all(each in caplog.text for each in problems)


def test_what_cannot_be_applied_is_told_the_same_way(make: Make) -> None:
    def apply(loaded: Config) -> List[str]:
        raise ConfigError(["one", "two"])

    assert make(apply).request() == {"changes": [], "problems": ["one", "two"]}


def test_a_defect_is_told_and_does_not_end_it(make: Make) -> None:
    steps: Iterator[Callable[[], List[str]]] = iter([lambda: [][1], lambda: ["good"]])
    reloader = make(lambda loaded: next(steps)())
    assert "a defect in opcws" in reloader.request()["problems"][0]
    assert reloader.request()["changes"] == ["good"]


def test_wishes_that_come_meanwhile_become_one_more(make: Make) -> None:
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)
    count: List[int] = []

    def apply(loaded: Config) -> List[str]:
        count.append(1)
        begun.release()
        assert go_on.acquire(timeout=PATIENCE)
        return [str(len(count))]

    reloader = make(apply)
    reloader.trigger()
    assert begun.acquire(timeout=PATIENCE)
    answers: List[Any] = []
    asking = [threading.Thread(target=lambda: answers.append(reloader.request())) for _ in range(5)]
    for thread in asking:
        thread.start()
    wait_until(lambda: reloader._wished == 6, "all have asked")
    go_on.release()
    go_on.release()
    for thread in asking:
        thread.join(PATIENCE)
    assert len(count) == 2
    # Who asked while the first was being done did not get its outcome.
    assert answers == [{"changes": ["2"], "problems": []}] * 5


def test_who_waits_while_opcws_stops_is_told_so(make: Make) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def apply(loaded: Config) -> List[str]:
        begun.set()
        assert go_on.wait(PATIENCE)
        return []

    reloader = make(apply)
    reloader.trigger()
    assert begun.wait(PATIENCE)
    answers: List[Any] = []
    asking = threading.Thread(target=lambda: answers.append(reloader.request()))
    asking.start()
    wait_until(lambda: reloader._wished == 2, "it has asked")
    reloader.stop(Deadline(0.05))
    asking.join(PATIENCE)
    go_on.set()
    assert answers == [{"problems": ["opcws is stopping"]}]


def test_a_changed_file_is_read_by_itself_once_and_a_bad_one_is_not_tried_again(
    make: Make, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = "reload: {on_change: true, interval_s: 0.1}\n"
    path.write_text(TEXT % 100 + watch)
    seen: List[float] = []
    looks = threading.Semaphore(0)
    reloader = make(
        lambda loaded: seen.append(loaded.servers["plant"].publishing_interval_ms) or []  # type: ignore[func-returns-value]
    )
    real = reloader._watched.has_changed

    def look() -> bool:
        found = real()
        looks.release()
        return found

    reloader._watched.has_changed = look  # type: ignore[method-assign]

    def looked(times: int) -> None:
        for _ in range(times):
            assert looks.acquire(timeout=PATIENCE)

    put(path, TEXT % 200 + watch)
    wait_until(lambda: seen == [200], "the change is taken over")
    looked(3)
    put(path, "servers: [\n")
    wait_until(lambda: "nothing has changed" in caplog.text, "the bad file is told")
    caplog.clear()
    looked(4)
    assert "nothing has changed" not in caplog.text
    put(path, TEXT % 300 + watch)
    wait_until(lambda: seen == [200, 300], "the next change is taken over")

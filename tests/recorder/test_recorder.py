"""What is recorded and read back, with a real file."""

import threading
from pathlib import Path
from typing import Any, List

import pytest

from opcws.model import status_codes
from opcws.model.clock import utc_ticks
from opcws.model.data_types import DOUBLE, STRING, DataValue, Variant
from opcws.model.deadline import Deadline
from opcws.model.errors import ServiceError
from opcws.recorder import reader
from opcws.recorder.columns import Columns
from opcws.recorder.series import INTERPOLATED

from ..support import PATIENCE, wait_until
from ..support.threads import no_threads_left
from . import SECOND, T0, Owner, Running, number, numbers, query, recorder, row, update, variable

NOT_CONNECTED = status_codes.code("BadNotConnected")
OUT_OF_SERVICE = status_codes.code("BadOutOfService")
NO_BOUND = status_codes.code("BadBoundNotFound")


def rows(*values: float) -> List[Any]:
    """Numbers, a second apart, the first at T0."""
    return [row(each, T0 + place * SECOND) for place, each in enumerate(values)]


def at(seconds: float) -> int:
    return T0 + int(seconds * SECOND)


def test_what_was_taken_before_a_question_is_in_its_answer(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        for value in range(100):
            running.take([row(float(value), at(value))])
            assert running.page(query(at(value))).values == [number(float(value), at(value))]
    no_threads_left()


def test_it_is_there_after_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "history.sqlite"
    level, name = variable(), variable("Name")
    text = DataValue(Variant(STRING, "on"), 0, at(1), at(2))
    with Running(path, level, name) as running:
        running.take(rows(1.0, 2.0))
        running.take([update(text)], name)
    with Running(path, level, name) as running:
        (first, second, gap) = running.values()
        assert [first, second] == [number(1.0, at(0)), number(2.0, at(1))]
        assert (gap.value, gap.status) == (None, OUT_OF_SERVICE)
        assert running.values(name)[0] == text
        running.take([row(3.0, at(2))])
        assert numbers(running.values()) == [1.0, 2.0, hex(OUT_OF_SERVICE), 3.0]
    # Not while nothing came between two starts.
    for _ in range(2):
        with Running(path, level, name) as running:
            found = numbers(running.values())
    assert found == [1.0, 2.0, hex(OUT_OF_SERVICE), 3.0, hex(OUT_OF_SERVICE)]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 8])
def test_pages_in_both_directions(tmp_path: Path, most: int) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        running.take(rows(*range(10)))
        forwards = running.pages(query(at(2), at(8), most))
        assert numbers(sum(forwards, [])) == [*range(2, 9)]
        assert [len(page) for page in forwards[:-1]] == [most] * (len(forwards) - 1)
        backwards = running.pages(query(at(8), at(2), most))
        assert numbers(sum(backwards, [])) == [*range(8, 1, -1)]


@pytest.mark.parametrize("most", [1, 2, 3, 0])
def test_bounds(tmp_path: Path, most: int) -> None:
    with Running(tmp_path / "history.sqlite") as running:

        def read(start: float, end: float) -> List[Any]:
            return sum(running.pages(query(at(start), at(end), most, bounds=True)), [])

        running.take(rows(*range(6)))
        assert numbers(read(1.5, 3.5)) == [1, 2, 3, 4]
        assert numbers(read(3.5, 1.5)) == [4, 3, 2, 1]
        assert numbers(read(2, 4)) == [2, 3, 4]
        assert numbers(read(4, 2)) == [4, 3, 2]
        assert numbers(read(1.3, 1.7)) == [1, 2]
        assert numbers(read(2, 2)) == [2]
        first, *between, last = read(-1, 7)
        assert first == DataValue(None, NO_BOUND, at(-1))
        assert numbers(between) == [*range(6)]
        assert last == DataValue(None, NO_BOUND, at(7))


def test_a_page_of_large_values_has_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PAGE_BYTES", 2500)
    sizes = [10, 1000, 1000, 1000, 5000, 10, 10, 10, 9000]
    values = [DataValue(Variant(STRING, "a" * size), 0, at(n)) for n, size in enumerate(sizes)]
    with Running(tmp_path / "history.sqlite") as running:
        running.take([update(each) for each in values])
        for start, end, ordered in ((0, 9, values), (9, 0, values[::-1])):
            pages = running.pages(query(at(start), at(end)))
            assert sum(pages, []) == ordered
            assert len(pages) == 5
        page = running.page(query(at(0), 0, 6))
        assert (len(page.values), page.continuation_point is None) == (3, False)


def test_a_span_without_one_of_its_times_ends_with_the_number_of_values(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        running.take(rows(*range(6)))
        page = running.page(query(at(2), 0, 2))
        assert (numbers(page.values), page.continuation_point) == ([2, 3], None)
        page = running.page(query(0, at(3), 2))
        assert (numbers(page.values), page.continuation_point) == ([3, 2], None)
        page = running.page(query(at(2), 0, 3, bounds=True))
        assert numbers(page.values) == [2, 3, 4]


def test_pages_end_with_what_there_was_at_the_first(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        running.take(rows(0, 1, 2, 3))
        first = running.page(query(most=2))
        running.take([row(4.0, at(4))])
        rest = running.page(query()._replace(continuation_point=first.continuation_point))
        assert (numbers(rest.values), rest.continuation_point) == ([2, 3], None)


def test_a_continuation_point_is_used_once_or_released(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        running.take(rows(0, 1, 2))
        point = running.page(query(most=1)).continuation_point
        assert point is not None and point.usable
        following = query()._replace(continuation_point=point)
        assert numbers(running.page(following).values) == [1, 2]
        assert not point.usable
        with pytest.raises(ServiceError) as refused:
            running.page(following)
        assert refused.value.status == "BadContinuationPointInvalid"
        released = running.page(query(most=1)).continuation_point
        assert released is not None
        running.recorder.release_history(released)
        assert not released.usable


def test_entries_are_in_the_order_of_their_arrival_whatever_the_clock_says(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        running.take([row(1.0, at(0)), row(2.0, at(3600)), row(3.0, at(1)), row(4.0, at(2))])
        assert numbers(running.values()) == [1, 2, 3, 4]
        assert numbers(running.page(query(at(0), at(10))).values) == [1, 3, 4]
        assert numbers(running.page(query(at(10), at(0))).values) == [4, 3, 1]
        bounded = running.page(query(at(1800), at(1900), bounds=True))
        assert numbers(bounded.values) == [4, 2]


def test_a_lost_plant_is_a_gap_and_what_did_not_change_begins_anew_behind_it(
    tmp_path: Path,
) -> None:
    gap = DataValue(None, NOT_CONNECTED, at(10), at(10))
    with Running(tmp_path / "history.sqlite") as running:
        running.take([*rows(5.0), update(gap), update(gap)])
        running.take(rows(5.0))
        first, lost, again = running.values()
        assert (first, lost) == (number(5.0, at(0)), gap)
        assert again.value == first.value
        assert again.status == INTERPOLATED
        assert again.source_timestamp >= at(10)
        # And once more, and what is another value.
        running.take([update(gap._replace(source_timestamp=at(20))), *rows(5.0)])
        assert running.values()[-1].status == INTERPOLATED
        running.take([update(gap._replace(source_timestamp=at(30))), row(6.0, at(25))])
        assert running.values()[-2] == number(6.0, at(25))
        series = running.recorder.series(variable())
        assert series is not None
        running.recorder.lost([series], NOT_CONNECTED, at(40))
        assert running.values()[-1] == DataValue(None, NOT_CONNECTED, at(40))


@pytest.mark.parametrize("known", [False, True])
def test_a_gap_ends_though_the_value_behind_it_is_older(tmp_path: Path, known: bool) -> None:
    """As the first one of a variable that rarely changes, or one that changed before the loss was
    noticed."""
    now = utc_ticks()
    value = number(6.0, now - 60 * SECOND)
    first = [number(5.0, now - 70 * SECOND)] if known else []
    gap = DataValue(None, NOT_CONNECTED, now - 50 * SECOND, 0)
    with Running(tmp_path / "history.sqlite") as running:
        running.take([*map(update, first), update(gap), update(value)])
        *found, still = running.values()
    assert found == [*first, gap, value]
    assert (still.value, still.status) == (value.value, INTERPOLATED)
    assert now <= still.source_timestamp <= utc_ticks()


def test_what_is_known_again_comes_before_the_changes_behind_it(tmp_path: Path) -> None:
    """The first notification of a connection has the value and what changed until it was sent."""
    now = utc_ticks()
    gap = DataValue(None, NOT_CONNECTED, now - 50 * SECOND, 0)
    changes = [number(6.0 + each, now - (9 - each) * SECOND) for each in range(3)]
    with Running(tmp_path / "history.sqlite") as running:
        running.take(map(update, [gap, number(5.0, now - 60 * SECOND), *changes]))
        *_, old, still, first, second, third = running.values()
    assert old == number(5.0, now - 60 * SECOND)
    assert (still.value, still.status) == (old.value, INTERPOLATED)
    assert gap.source_timestamp < still.source_timestamp == changes[0].source_timestamp - 1
    assert [first, second, third] == changes


def test_a_restart_does_not_make_an_old_value_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take(rows(5.0))
    with Running(path) as running:
        running.take(rows(5.0))
        assert [each.status for each in running.values()] == [0, OUT_OF_SERVICE, INTERPOLATED]


def test_a_value_without_times_has_that_of_its_arrival(tmp_path: Path) -> None:
    before = utc_ticks()
    with Running(tmp_path / "history.sqlite") as running:
        running.take([update(DataValue(Variant(DOUBLE, 1.0)))])
        (value,) = running.values()
        assert value.source_timestamp == 0
        assert before <= value.server_timestamp <= utc_ticks()


def test_with_an_interval_the_latest_is_recorded_when_it_is_over(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite", (variable(), 250.0, 0.0)) as running:
        running.take([update(number(each, at(each)), 1 + each / 64) for each in range(50)])
        # One at once, the latest of each quarter of a second, and the one it comes to rest at.
        wait_until(lambda: numbers(running.values()) == [0, 15, 31, 47, 49], "it rests")


def test_another_status_and_a_loss_do_not_wait_for_the_interval(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite", (variable(), 3_600_000.0, 0.0)) as running:
        running.take(rows(1.0, 2.0))
        running.take([update(number(3.0, at(2), 0x40000000))])
        assert numbers(running.values()) == [1, 2, 3]
        running.take([update(number(4.0, at(3), 0x40000000))])
        assert numbers(running.values()) == [1, 2, 3]
        running.take([update(DataValue(None, NOT_CONNECTED, at(4)))])
        assert numbers(running.values()) == [1, 2, 3, 4, hex(NOT_CONNECTED)]


def test_a_deadband_leaves_out_what_differs_less(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite", (variable(), 0.0, 1.0)) as running:
        nan = float("nan")
        running.take(rows(1.0, 1.5, 0.25, 2.0, 2.9, 3.0, 2.5, nan, nan, 2.5))
        assert repr(numbers(running.values())) == repr([1.0, 2.0, 3.0, nan, 2.5])


def test_a_chart_gets_everything_as_arrays(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take(rows(*range(3000)))
        found: List[Columns] = []
        ends: List[Any] = []
        ended = threading.Event()

        def done(problem: Any) -> None:
            ends.append(problem)
            ended.set()

        running.recorder.columns(variable(), at(10), at(2990), found.append, done)
        assert ended.wait(PATIENCE)
        assert ends == [None]
        assert [each for part in found for each in part.values] == [*range(10, 2991)]
        assert [each for part in found for each in part.times] == [*map(at, range(10, 2991))]


def test_who_has_left_is_not_answered(tmp_path: Path) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        gone = Owner()
        gone.closed = True
        running.recorder.history(query(), gone, lambda answer: pytest.fail("answered"))
        running.values()


def test_what_is_recorded_can_be_changed(tmp_path: Path) -> None:
    level, flow = variable("Level"), variable("Flow")
    with Running(tmp_path / "history.sqlite", level) as running:
        running.take(rows(1.0))
        assert running.recorder.series(flow) is None
        old = running.recorder.series(level)
        assert old is not None
        running.recorder.change([(flow, 0.0, 0.0)], 30.0, 2**31)
        assert running.recorder.series(level) is None
        running.take(rows(7.0), flow)
        running.recorder.take([(old, row(2.0, at(1)))])
        assert numbers(running.values(level)) == [1.0, hex(OUT_OF_SERVICE)]
        assert numbers(running.values(flow)) == [7.0]
        running.recorder.change([(level, 0.0, 0.0), (flow, 0.0, 0.0)], 30.0, 2**31)
        running.take([row(3.0, at(2))])
        assert numbers(running.values(level)) == [1.0, hex(OUT_OF_SERVICE), 3.0]
        # Another node is another series.
        other = variable("Level", index_range="1")
        assert running.recorder.series(other) is None
        assert running.values(other) == []


def test_stopping_refuses_who_asks(tmp_path: Path) -> None:
    running = Running(tmp_path / "history.sqlite")
    with running:
        pass
    with pytest.raises(ServiceError) as refused:
        running.page(query())
    assert refused.value.status == "BadShutdown"


def test_a_recorder_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    recorder(tmp_path / "history.sqlite").stop(Deadline(PATIENCE))


def test_its_status(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take(rows(1.0, 2.0))
        running.values()
        status = running.recorder.status()
        assert status["State"] == "recording"
        assert (status["File"], status["Values"], status["Series"]) == (str(path), 2, 1)
        assert running.recorder.values == 2
        assert not running.recorder.failed
        assert running.recorder.dropped == running.recorder.backlog == 0

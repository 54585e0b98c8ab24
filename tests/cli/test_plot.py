"""The plot of numbers over time."""

import math
from typing import List

from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.cli.plot import Point, plot


def lines_of(points: List[Point], columns: int = 40, rows: int = 5) -> List[str]:
    return [line.plain for line in plot(points, 0, 100, columns, rows)]


def test_a_flat_line_is_in_the_middle() -> None:
    lines = lines_of([Point(at, 5.0) for at in range(0, 101)])
    assert [("─" in line.split("┤")[1]) for line in lines] == [False, False, True, False, False]


def test_a_peak_of_one_value_in_a_thousand_is_seen() -> None:
    points = [Point(at / 10, 100.0 if at == 500 else 0.0) for at in range(1000)]
    lines = lines_of(points)
    assert lines[0].lstrip().startswith("100") and "│" in lines[0].split("┤", 1)[1]


def test_a_value_holds_until_the_next_and_not_beyond_the_last() -> None:
    lines = lines_of([Point(0, 1.0), Point(50, 2.0)], columns=42)
    assert lines[-1].count("─") > 15
    assert len(lines[0]) < 30


def test_bad_values_interrupt_the_line_and_are_marked() -> None:
    points = [Point(0, 1.0), Point(40, None), Point(60, 1.0), Point(99, 1.0)]
    lines = lines_of(points, columns=52)
    assert lines[-1].strip().startswith("bad") and lines[-1].count("×") == 1
    drawn = lines[2].split("┤", 1)[1]
    assert " " in drawn.strip("─") and drawn.count("─") < 45


def test_nothing_that_is_a_number_draws_nothing() -> None:
    assert lines_of([Point(1, None), Point(2, math.nan)]) == []


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.none() | st.floats()).map(lambda pair: Point(*pair)),
        min_size=1,
        max_size=50,
    ),
    st.integers(10, 100),
    st.integers(3, 20),
)
def test_any_points_make_a_plot_within_its_bounds(
    points: List[Point], columns: int, rows: int
) -> None:
    lines = lines_of(points, columns, rows)
    assert len(lines) <= rows + 1
    assert all(len(line) <= max(columns, 30) for line in lines)

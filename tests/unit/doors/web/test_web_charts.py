"""The geometry of charts: bars stand on each other and on the ground, scales end at round numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.doors.web import charts
from valetkey.doors.web.charts import Bar, Row, Series

LOGINS, REFUSALS = Series("logins", "a"), Series("refusals", "b")
COUNTS = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=62)


def rows(*counts: tuple[int, ...]) -> list[Row]:
    return [Row(f"{day} March 2026", values, f"{day} March") for day, values in enumerate(counts, 1)]


def test_bars_are_stacked_from_the_ground() -> None:
    chart = charts.bars((LOGINS, REFUSALS), rows((6, 2), (0, 4)), "Day")
    assert (chart.top, chart.width, chart.marks) == (8, 20, (8, 4, 0))
    first, second = chart.columns
    assert first.bars == (Bar("a", 1.5, 25.0, 7, 75.0), Bar("b", 1.5, 0.0, 7, 25.0))
    assert second.bars == (Bar("b", 11.5, 50.0, 7, 50.0),)  # nothing is drawn for none


def test_lines_go_through_the_values() -> None:
    chart = charts.lines((LOGINS,), rows((0,), (5,), (10,)), "Day")
    (line,) = chart.lines
    assert (chart.top, chart.width) == (10, 20)
    assert line.path == "M0 100.0L10 50.0L20 0.0"
    assert line.area == "M0 100.0L10 50.0L20 0.0V100H0Z"


def test_parts_of_a_hundred_end_at_a_hundred() -> None:
    chart = charts.lines((LOGINS,), rows((3,), (7,)), "Week", percent=True)
    assert (chart.top, chart.unit, chart.marks) == (100, " %", (100, 50, 0))


def test_one_value_is_a_level_line() -> None:
    (line,) = charts.lines((LOGINS,), rows((1,)), "Day").lines
    assert line.path == "M0 0.0L10 0.0"


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (2, 2), (3, 4), (9, 10), (10, 10), (11, 20), (47, 60), (61, 80), (999, 1000)]
)
def test_scales_end_at_round_numbers(most: int, top: int) -> None:
    assert charts.bars((LOGINS,), rows((most,)), "Day").top == top


def test_the_axis_names_the_first_the_middle_and_the_last() -> None:
    assert charts.bars((LOGINS,), rows(*[(1,)] * 31), "Day").along == ("1 March", "16 March", "31 March")
    assert charts.bars((LOGINS,), rows((1,), (2,)), "Day").along == ("1 March", "2 March")


def test_nothing_to_show_is_a_chart_too() -> None:
    assert charts.bars((LOGINS,), [], "Day").columns == ()
    assert charts.lines((LOGINS,), [], "Day").lines == ()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="put days together"):
        charts.bars((LOGINS,), rows(*[(1,)] * 63), "Day")
    with pytest.raises(ValueError, match="one value for each"):
        charts.lines((LOGINS, REFUSALS), rows((1,)), "Day")


@given(COUNTS)
def test_bars_never_leave_the_chart(counts: list[tuple[int, int]]) -> None:
    chart = charts.bars((LOGINS, REFUSALS), rows(*counts), "Day")
    for column in chart.columns:
        for bar in column.bars:
            assert column.x <= bar.x <= bar.x + bar.width <= column.x + column.pitch <= chart.width
            assert 0 <= bar.y <= bar.y + bar.height <= 100.01
        if column.bars:
            assert column.bars[0].y + column.bars[0].height == pytest.approx(100)

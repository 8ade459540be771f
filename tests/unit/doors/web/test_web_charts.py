"""The geometry of charts: bars stand on each other and on the ground, scales end at round numbers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.doors.web import charts
from valetkey.doors.web.charts import Row, Series, Shape

LOGINS, REFUSALS = Series("logins", "a"), Series("refusals", "b")
COUNTS = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=62)


def rows(*counts: tuple[int, ...]) -> list[Row]:
    return [Row(f"{day} March 2026", values, f"{day} March") for day, values in enumerate(counts, 1)]


def test_bars_are_stacked_from_the_ground() -> None:
    chart = charts.bars((LOGINS, REFUSALS), rows((6, 2), (0, 4)), "Day")
    assert (chart.top, chart.width, chart.marks) == (8, 20, (8, 4, 0))
    assert chart.shapes == (
        Shape("a", "M1.5 25h7V100h-7z"),  # nothing is drawn for none
        Shape("b", "M1.5 0h7V25h-7zM11.5 50h7V100h-7z"),
    )


def test_lines_go_through_the_values() -> None:
    chart = charts.lines((LOGINS,), rows((0,), (5,), (10,)), "Day")
    assert (chart.top, chart.width) == (10, 20)
    assert chart.shapes == (Shape("a", "M0 100L10 50L20 0", "M0 100L10 50L20 0V100H0z"),)


def test_parts_of_a_hundred_end_at_a_hundred() -> None:
    chart = charts.lines((LOGINS,), rows((3,), (7,)), "Week", percent=True)
    assert (chart.top, chart.unit, chart.marks) == (100, " %", (100, 50, 0))


def test_one_value_is_a_level_line() -> None:
    (line,) = charts.lines((LOGINS,), rows((1,)), "Day").shapes
    assert line.path == "M0 0L10 0"


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (2, 2), (3, 4), (9, 10), (10, 10), (11, 20), (47, 60), (61, 80), (999, 1000)]
)
def test_scales_end_at_round_numbers(most: int, top: int) -> None:
    assert charts.bars((LOGINS,), rows((most,)), "Day").top == top


def test_the_axis_names_the_first_the_middle_and_the_last() -> None:
    assert charts.bars((LOGINS,), rows(*[(1,)] * 31), "Day").along == ("1 March", "16 March", "31 March")
    assert charts.bars((LOGINS,), rows((1,), (2,)), "Day").along == ("1 March", "2 March")


def test_nothing_to_show_is_a_chart_too() -> None:
    assert charts.bars((LOGINS,), [], "Day").shapes == (Shape("a", ""),)
    assert charts.lines((LOGINS,), [], "Day").shapes == ()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="put days together"):
        charts.bars((LOGINS,), rows(*[(1,)] * 63), "Day")
    with pytest.raises(ValueError, match="one value for each"):
        charts.lines((LOGINS, REFUSALS), rows((1,)), "Day")


@given(COUNTS)
def test_bars_never_leave_the_chart(counts: list[tuple[int, int]]) -> None:
    chart = charts.bars((LOGINS, REFUSALS), rows(*counts), "Day")
    drawn = [
        [float(part) for part in re.findall(r"[\d.]+", bar)]
        for shape in chart.shapes
        for bar in shape.path.split("z")[:-1]
    ]
    for left, upper, width, lower, _ in drawn:
        assert 0 <= left < left + width <= chart.width
        assert 0 <= upper < lower <= 100
    grounded = {left for left, _, _, lower, _ in drawn if lower == 100}
    assert grounded == {left for left, *_ in drawn}  # no bar hangs in the air

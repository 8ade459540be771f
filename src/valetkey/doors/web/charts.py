"""The geometry of charts, so that the server can draw them. Colours, words and numbers for eyes are the templates'.

A chart is as wide as its columns need and 100 units high, and is stretched to the room that the page has; nothing that
stretching would spoil (text, the width of a line) is measured in its units.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_HEIGHT = 100
_PITCH = 10  # from one column to the next
_FILL = 7  # of which this is the bar
_MOST_COLUMNS = 62  # two months of days; more are weeks, or the page grows heavy
_MARKS = (1, 2, 4, 6, 8, 10)  # tops of scales that have a whole number in the middle, but for the first


@dataclass(frozen=True, slots=True)
class Series:
    """One thing that is counted: its name, and its ink, "a" to "f". Logins are "a", refusals "b"."""

    name: str
    ink: str


@dataclass(frozen=True, slots=True)
class Row:
    """One step of the time axis."""

    label: str  # as the table and the pointer show it: "Monday, 3 March"
    values: tuple[int, ...]  # one for each series
    short: str = ""  # as the axis shows it: "3 March"


@dataclass(frozen=True, slots=True)
class Shape:
    """What is drawn for one series, as SVG path data: its bars, or a line."""

    ink: str
    path: str
    under: str = ""  # the area under a line


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    series: tuple[Series, ...]
    rows: tuple[Row, ...]
    over: str  # what the rows are: "Day"
    unit: str  # behind each number: "", " %"
    top: int
    width: int
    shapes: tuple[Shape, ...]
    pitch: int = _PITCH  # from one row to the next

    @property
    def marks(self) -> tuple[int, ...]:
        """Where the scale has a line, from the top."""
        return (self.top, self.top // 2, 0) if self.top % 2 == 0 else (self.top, 0)

    @property
    def along(self) -> tuple[str, ...]:
        """The words under the chart: first, middle and last."""
        named = [row.short or row.label for row in self.rows]
        return tuple(named) if len(named) < 3 else (named[0], named[len(named) // 2], named[-1])  # noqa: PLR2004  (both)

    def height_of(self, value: float) -> float:
        """Give how far below the top a value is drawn."""
        return _rounded(_HEIGHT * (1 - value / self.top))


def bars(series: Sequence[Series], rows: Iterable[Row], over: str) -> Chart:
    """Draw counts as stacked bars.

    Args:
        series: What is counted, from the bottom of the stack up.
        rows: The days or weeks, the oldest first.
        over: What a row is, as the head of the table's first column.

    Raises:
        ValueError: More than 62 rows, or a row that has not one count for each series.
    """
    kept = _checked(series, rows)
    top = _top(max((sum(row.values) for row in kept), default=0))
    drawn = tuple(Shape(one.ink, _bars(kept, place, top)) for place, one in enumerate(series))
    return Chart(tuple(series), kept, over, "", top, max(len(kept), 1) * _PITCH, drawn)


def lines(series: Sequence[Series], rows: Iterable[Row], over: str, *, percent: bool = False) -> Chart:
    """Draw how something changes as lines.

    Args:
        series: What is measured.
        rows: The days or weeks, the oldest first.
        over: What a row is, as the head of the table's first column.
        percent: The values are parts of a hundred, so the scale ends there.

    Raises:
        ValueError: As `bars`.
    """
    kept = _checked(series, rows)
    top = _HEIGHT if percent else _top(max((value for row in kept for value in row.values), default=0))
    width = max(len(kept) - 1, 1) * _PITCH
    drawn = tuple(
        _line(one.ink, [_HEIGHT * (1 - row.values[place] / top) for row in kept])
        for place, one in enumerate(series)
        if kept
    )
    return Chart(tuple(series), kept, over, " %" if percent else "", top, width, drawn)


def _checked(series: Sequence[Series], rows: Iterable[Row]) -> tuple[Row, ...]:
    kept = tuple(rows)
    if len(kept) > _MOST_COLUMNS:
        raise ValueError(f"a chart of {len(kept)} rows would be too heavy; put days together to weeks")
    if any(len(row.values) != len(series) for row in kept):
        raise ValueError("a row of a chart has not one value for each series")
    return kept


def _bars(rows: Sequence[Row], place: int, top: int) -> str:
    drawn = []
    for number, row in enumerate(rows):
        below = sum(row.values[:place])
        lower, upper = (_rounded(_HEIGHT * (1 - value / top)) for value in (below, below + row.values[place]))
        if lower > upper:
            drawn.append(f"M{_rounded(number * _PITCH + (_PITCH - _FILL) / 2)} {upper}h{_FILL}V{lower}h-{_FILL}z")
    return "".join(drawn)


def _line(ink: str, heights: Sequence[float]) -> Shape:
    if len(heights) == 1:
        heights = [*heights, *heights]  # a single value is a level line
    path = "M" + "L".join(f"{place * _PITCH} {_rounded(height)}" for place, height in enumerate(heights))
    return Shape(ink, path, f"{path}V{_HEIGHT}H0z")


def _top(most: int) -> int:
    """Give the smallest round number that is not below the most."""
    scale = 1
    while True:
        for mark in _MARKS:
            if mark * scale >= most:
                return mark * scale
        scale *= 10


def _rounded(number: float) -> float:
    rounded = round(number, 1)
    return int(rounded) if rounded.is_integer() else rounded

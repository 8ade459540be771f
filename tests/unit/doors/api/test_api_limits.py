"""Counting by the minute, in bounded memory."""

from datetime import UTC, datetime, timedelta

import pytest

from valetkey.doors.api import limits
from valetkey.doors.api.limits import Window, rate_headers

NOW = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)


def test_a_key_has_so_many_a_minute() -> None:
    window = Window(2)
    stands = [window.count("a", NOW) for _ in range(3)]
    assert [each.is_over for each in stands] == [False, False, True]
    assert [each.left for each in stands] == [1, 0, -1]
    assert not window.count("b", NOW).is_over
    assert stands[2].resets_in == 50
    assert not window.count("a", NOW + timedelta(seconds=50)).is_over


def test_nothing_below_zero_is_told() -> None:
    window = Window(1)
    window.count("a", NOW)
    assert rate_headers(window.count("a", NOW), "token")["RateLimit"] == '"token";r=0;t=50'


def test_a_flood_of_keys_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST_KEYS", 3)
    window = Window(2)
    for number in range(100):
        window.count(str(number), NOW)
    assert len(window._counts) <= 4
    assert window.count("never seen", NOW).is_over, "what comes behind is counted together"
    assert not window.count("1", NOW).is_over, "those that were there go on"


def test_a_clock_set_back_is_another_window() -> None:
    window = Window(1)
    window.count("a", NOW)
    assert not window.count("a", NOW - timedelta(minutes=5)).is_over

"""The times of a recovery, to the second, and the addresses that mail may go to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.core.errors import InvalidInput
from valetkey.core.mail_address import is_mailable, mail_address, masked
from valetkey.core.notice import NoticeKind
from valetkey.core.policy import LEAST_RECOVERY_WAIT, MOST_RECOVERY_WAIT, Policy, check_policy
from valetkey.core.recovery import OPEN_FOR, Phase, notice_due, phase_at, times

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@given(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)))
def test_no_wait_is_shorter_than_a_day(wait: timedelta) -> None:
    opens_at, closes_at = times(NOW, wait)
    assert opens_at - NOW >= LEAST_RECOVERY_WAIT == 24 * HOUR
    assert closes_at - opens_at == OPEN_FOR


@pytest.mark.parametrize(
    ("after", "phase"),
    [
        (-HOUR, Phase.WAITING),  # a clock set back opens nothing
        (72 * HOUR - SECOND, Phase.WAITING),
        (72 * HOUR, Phase.OPEN),
        (144 * HOUR - SECOND, Phase.OPEN),
        (144 * HOUR, Phase.OVER),
    ],
)
def test_phases_change_to_the_second(after: timedelta, phase: Phase) -> None:
    assert phase_at(NOW + after, *times(NOW, 72 * HOUR)) is phase


@pytest.mark.parametrize(
    ("after", "told_after", "kind"),
    [
        (HOUR, 0 * HOUR, None),
        (24 * HOUR, 0 * HOUR, NoticeKind.RECOVERY_WAITING),
        (47 * HOUR, 24 * HOUR, None),
        (72 * HOUR, 71 * HOUR, NoticeKind.RECOVERY_OPEN),
        (73 * HOUR, 72 * HOUR, None),
        (96 * HOUR, 72 * HOUR, NoticeKind.RECOVERY_OPEN),
        (144 * HOUR, 143 * HOUR, NoticeKind.RECOVERY_LAPSED),
    ],
)
def test_what_is_told_when(after: timedelta, told_after: timedelta, kind: NoticeKind | None) -> None:
    assert notice_due(NOW + after, NOW + told_after, *times(NOW, 72 * HOUR)) is kind


@pytest.mark.parametrize("wait", [LEAST_RECOVERY_WAIT - SECOND, MOST_RECOVERY_WAIT + SECOND, timedelta(0)])
def test_a_policy_keeps_to_the_bounds(wait: timedelta) -> None:
    with pytest.raises(InvalidInput):
        check_policy(Policy(recovery_wait=wait))


@given(st.text(max_size=80))
def test_a_mail_address_never_means_anything_else(typed: str) -> None:
    try:
        address = mail_address(typed)
    except InvalidInput:
        return
    assert is_mailable(address)
    assert address.isascii()
    assert not set(address) & set('\r\n\0<>,;:"\\ ()[]')


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Alice.Private@ELSEWHERE.example ", "Alice.Private@elsewhere.example"),
        ("a+b=c@münchen.example", "a+b=c@xn--mnchen-3ya.example"),
    ],
)
def test_an_address_keeps_what_it_was_typed_as_before_the_at(typed: str, kept: str) -> None:
    assert mail_address(typed) == kept


def test_a_masked_address_shows_its_owner_enough() -> None:
    assert masked("alice.private@elsewhere.example") == "a…@elsewhere.example"

"""Counts over time in the store: logins by day and by hour, and how many people have a second factor.

Their number is bounded by accounts, credentials, days and reasons. A stranger's guesses add no rows beyond these: what
names no account is counted by the hour alone, for the whole site.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, or_, select

from valetkey.adapters.store.schema import account, adoption_day, login_day, login_hour, passkey, totp
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.account import AccountKind, AccountState
from valetkey.core.scope import MailProtocol
from valetkey.service.ports import LoginEvent
from valetkey.service.store_parts import Adoption, DayCount, HourCount

_FIRST_DAY = date(1970, 1, 1)
_FIRST_HOUR = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_HOURS_OF_A_DAY = 24
_MOST_DAYS = 1_000  # that one question goes back

_COUNT_DAY = """
INSERT INTO login_day (day, account_id, credential_id, protocol, result, count) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (day, account_id, credential_id, protocol, result) DO UPDATE SET count = count + excluded.count
"""
_COUNT_HOUR = """
INSERT INTO login_hour (hour, protocol, result, count) VALUES (?, ?, ?, ?)
ON CONFLICT (hour, protocol, result) DO UPDATE SET count = count + excluded.count
"""
_SET_ADOPTION = """
INSERT INTO adoption_day (day, people, with_second_factor, with_passkey) VALUES (?, ?, ?, ?)
ON CONFLICT (day) DO UPDATE SET people = excluded.people, with_second_factor = excluded.with_second_factor,
  with_passkey = excluded.with_passkey
"""


def _days(day: date) -> int:
    return (day - _FIRST_DAY).days


def _day(stored: int) -> date:
    return _FIRST_DAY + timedelta(days=stored)


def _hours(at: datetime) -> int:
    return (at - _FIRST_HOUR) // _HOUR


class CountReader(Transaction):
    """What can be read of counts."""

    def login_days(self, account_id: str, credential_id: str | None, since: date) -> tuple[DayCount, ...]:
        """Count the logins of an account by UTC day and outcome, oldest day first; with None of all its credentials."""
        last = self._value(select(func.max(login_day.c.day)))
        if last is None:
            return ()
        # Day by day, each a look-up: a span of days would have to be read through with everybody's rows.
        days = range(max(_days(since), last - _MOST_DAYS), last + 1)
        columns = (login_day.c.day, login_day.c.protocol, login_day.c.result)
        statement = select(*columns, func.sum(login_day.c.count)).where(
            login_day.c.day.in_(days), login_day.c.account_id == account_id
        )
        if credential_id is not None:
            statement = statement.where(login_day.c.credential_id == credential_id)
        rows = self._rows(statement.group_by(*columns).order_by(*columns))
        return tuple(DayCount(_day(row[0]), MailProtocol(row[1]), row[2], row[3]) for row in rows)

    def login_hours(self, since: datetime) -> tuple[HourCount, ...]:
        """Count the logins of the whole site by hour and outcome, oldest hour first."""
        rows = self._rows(select(login_hour).where(login_hour.c.hour >= _hours(since)).order_by(*login_hour.c[:3]))
        return tuple(HourCount(_FIRST_HOUR + row[0] * _HOUR, MailProtocol(row[1]), row[2], row[3]) for row in rows)

    def adoption_days(self, since: date) -> tuple[Adoption, ...]:
        """Give how many people had a second factor, day by day, oldest first."""
        statement = select(adoption_day).where(adoption_day.c.day >= _days(since)).order_by(adoption_day.c.day)
        return tuple(Adoption(_day(row[0]), *row[1:]) for row in self._rows(statement))

    def adoption_now(self, day: date) -> Adoption:
        """Count active people and their second factors as they are now, for the given day."""
        has_passkey = exists(select(1).where(passkey.c.account_id == account.c.id))
        has_totp = exists(select(1).where(totp.c.account_id == account.c.id))
        people = (account.c.kind == AccountKind.PERSON.value, account.c.state == AccountState.ACTIVE.value)
        counted: Any = self._row(
            select(
                func.count(),
                func.count().filter(or_(has_totp, has_passkey)),
                func.count().filter(has_passkey),
            )
            .select_from(account)
            .where(*people)
        )
        return Adoption(day, *counted)


class CountWriter(CountReader):
    """Writes counts."""

    def count_logins(self, events: Sequence[LoginEvent]) -> None:
        """Add a batch of login events to the counts of their days and hours."""
        by_day: Counter[tuple[Any, ...]] = Counter()
        by_hour: Counter[tuple[Any, ...]] = Counter()
        for event in events:
            hour = _hours(event.last_at)
            how = (event.protocol.value, event.result)
            by_hour[hour, *how] += event.count
            if event.account_id is not None:
                by_day[hour // _HOURS_OF_A_DAY, event.account_id, event.credential_id or "", *how] += event.count
        for statement, counts in ((_COUNT_DAY, by_day), (_COUNT_HOUR, by_hour)):
            if counts:
                self._connection.exec_driver_sql(statement, [(*key, count) for key, count in counts.items()])

    def set_adoption(self, adoption: Adoption) -> None:
        """Keep how many people had a second factor on a day."""
        values = (_days(adoption.day), adoption.people, adoption.with_second_factor, adoption.with_passkey)
        self._connection.exec_driver_sql(_SET_ADOPTION, values)

    def forget_counts(self, *, days_before: date, hours_before: datetime) -> int:
        """Remove counts by day and by hour that are older; give how many rows went."""
        days = self._affected(delete(login_day).where(login_day.c.day < _days(days_before)))
        return days + self._affected(delete(login_hour).where(login_hour.c.hour < _hours(hours_before)))

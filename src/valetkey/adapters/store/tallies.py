"""Counts of what mail servers asked, and of messages that a limit stopped: one row for each thing that is counted."""

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import delete, select

from valetkey.adapters.store.rows import micros, moment
from valetkey.adapters.store.schema import asked, not_sent
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.limits import Overstep
from valetkey.service.tallies import Asked, AskedOutcome, Counted, NotSent, Tally

_FIRST_DAY = date(1970, 1, 1)

_COUNT_ASKED = """
INSERT INTO asked (door, peer, outcome, count, first_at, last_at, place) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (door, peer, outcome) DO UPDATE SET
  count = count + excluded.count,
  first_at = min(first_at, excluded.first_at),
  place = CASE WHEN excluded.last_at >= last_at THEN excluded.place ELSE place END,
  last_at = max(last_at, excluded.last_at)
"""
_COUNT_NOT_SENT = """
INSERT INTO not_sent (day, credential_id, why, count, first_at, last_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (day, credential_id, why) DO UPDATE SET
  count = count + excluded.count,
  first_at = min(first_at, excluded.first_at),
  last_at = max(last_at, excluded.last_at)
"""


class TallyReader(Transaction):
    """What can be read of these counts."""

    def asked(self) -> dict[Asked, Tally]:
        """Give what came of the questions of mail servers, by door, peer and outcome."""
        return {
            Asked(row.door, row.peer, AskedOutcome(row.outcome)): Tally(
                row.count, moment(row.first_at), moment(row.last_at), row.place
            )
            for row in self._rows(select(asked).order_by(asked.c.door, asked.c.peer, asked.c.outcome))
        }

    def not_sent(self, credential_id: str, since: date) -> dict[NotSent, Tally]:
        """Give what limits of an app password stopped since a day in UTC, the latest day first."""
        statement = select(not_sent).where(not_sent.c.credential_id == credential_id, not_sent.c.day >= _days(since))
        return {
            NotSent(credential_id, _FIRST_DAY + timedelta(days=row.day), Overstep(row.why)): Tally(
                row.count, moment(row.first_at), moment(row.last_at)
            )
            for row in self._rows(statement.order_by(not_sent.c.day.desc(), not_sent.c.last_at.desc()))
        }


class TallyWriter(TallyReader):
    """Adds to these counts."""

    def add_tallies(self, tallies: Mapping[Counted, Tally]) -> None:
        """Add what one process has counted."""
        questions, messages = [], []
        for what, tally in tallies.items():
            times = (tally.count, micros(tally.first_at), micros(tally.last_at))
            if isinstance(what, Asked):
                questions.append((what.door, what.peer, what.outcome.value, *times, tally.place))
            else:
                messages.append((_days(what.day), what.credential_id, what.why.value, *times))
        for statement, rows in ((_COUNT_ASKED, questions), (_COUNT_NOT_SENT, messages)):
            if rows:
                self._connection.exec_driver_sql(statement, rows)

    def forget_not_sent(self, before: date) -> int:
        """Forget the days before one. Gives how many counts."""
        return self._affected(delete(not_sent).where(not_sent.c.day < _days(before)))


def _days(day: date) -> int:
    return (day - _FIRST_DAY).days

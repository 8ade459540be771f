"""What each app password has sent on a day: bounded by app passwords and the days that are kept."""

from datetime import date

from sqlalchemy import delete, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from valetkey.adapters.store.schema import sent_day
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.limits import Sent

_FIRST_DAY = date(1970, 1, 1)


class SentReader(Transaction):
    """What can be read of sent mail."""

    def sent_on(self, credential_id: str, day: date) -> Sent:
        """Tell what an app password has sent on a day in UTC."""
        statement = select(sent_day.c.messages, sent_day.c.recipients)
        row = self._row(statement.where(sent_day.c.day == _days(day), sent_day.c.credential_id == credential_id))
        return Sent() if row is None else Sent(row.messages, row.recipients)


class SentWriter(SentReader):
    """Counts sent mail."""

    def count_sent(self, credential_id: str, day: date, recipients: int) -> None:
        """Count one message to so many recipients."""
        new = insert(sent_day).values(day=_days(day), credential_id=credential_id, messages=1, recipients=recipients)
        again = {
            "messages": sent_day.c.messages + 1,
            "recipients": sent_day.c.recipients + new.excluded.recipients,
        }
        self._affected(new.on_conflict_do_update(index_elements=["day", "credential_id"], set_=again))

    def carry_sent(self, old_id: str, new_id: str, day: date) -> None:
        """Let a new app password begin a day with what the one before it has sent."""
        columns = ("day", "credential_id", "messages", "recipients")
        held = select(sent_day.c.day, literal(new_id), sent_day.c.messages, sent_day.c.recipients)
        found = held.where(sent_day.c.day == _days(day), sent_day.c.credential_id == old_id)
        self._affected(insert(sent_day).from_select(columns, found))

    def uncount_sent(self, credential_id: str, day: date, recipients: int) -> None:
        """Take one message to so many recipients out of the count again: it was not taken."""
        statement = update(sent_day).where(sent_day.c.day == _days(day), sent_day.c.credential_id == credential_id)
        counted = (sent_day.c.messages > 0) & (sent_day.c.recipients >= recipients)
        less = {"messages": sent_day.c.messages - 1, "recipients": sent_day.c.recipients - recipients}
        self._affected(statement.where(counted).values(less))

    def forget_sent(self, before: date) -> int:
        """Forget the days before one. Gives how many counts."""
        return self._affected(delete(sent_day).where(sent_day.c.day < _days(before)))


def _days(day: date) -> int:
    return (day - _FIRST_DAY).days

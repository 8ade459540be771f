"""Counts the messages of a submission session whose app password has limits of a day, and the recipients of each."""

import asyncio
from collections.abc import Callable, Coroutine

import structlog

from valetkey.core.limits import Overstep
from valetkey.core.login import CannotTell, Grant
from valetkey.doors.gateway.rules import overstep_refusal
from valetkey.service.faults import place_of
from valetkey.service.ports import Ports
from valetkey.service.sending import count_message, note_stopped, today, uncount_message
from valetkey.wire.smtp_command import SmtpRefusal

_log = structlog.get_logger("valetkey.gateway")

_LATER = SmtpRefusal(451, "4.3.0", "Mail cannot be checked right now. Please try again later.")


class MessageCounting:
    """Fulfils `wire.smtp_filter.SmtpCounting`: takes a place in the day's count before a message begins.

    `answer` is set by who makes the session: it hands the filter its answer and lets octets flow again.
    """

    def __init__(self, ports: Ports, grant: Grant, session_id: str) -> None:
        self._ports = ports
        self._grant = grant
        self._session_id = session_id
        self._day = today(ports)  # of the last message: it may end on another
        self._tasks: set[asyncio.Task[None]] = set()
        self.answer: Callable[[SmtpRefusal | None], None] = _nobody

    def asked(self, recipients: int) -> None:
        """Take a place, and answer."""
        self._day = today(self._ports)
        self._begin(self._count(recipients))

    def not_taken(self, recipients: int) -> None:
        """Give the place back."""
        self._begin(uncount_message(self._ports, self._grant, recipients, self._day))

    async def _count(self, recipients: int) -> None:
        try:
            found: Overstep | CannotTell | None = await count_message(
                self._ports, self._grant, recipients, day=self._day
            )
        except Exception as bug:  # noqa: BLE001  the message waits for an answer, and a bug lets none through
            _log.error("counting_failed", session=self._session_id, bug=place_of(bug))
            found = CannotTell("a bug")
        match found:
            case None:
                self.answer(None)
            case CannotTell(why=why):
                _log.error("sending_undecided", session=self._session_id, why=why)
                self.answer(_LATER)
            case overstep:
                _log.info(
                    "sending_refused",
                    session=self._session_id,
                    account=self._grant.account_id,
                    credential=self._grant.credential_id,
                    why=overstep.value,
                )
                note_stopped(self._ports, self._grant.credential_id, overstep)
                self.answer(overstep_refusal(overstep))

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        # The loop itself keeps only weak references to tasks.
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _nobody(_: SmtpRefusal | None) -> None:
    """Stand where the session is not yet made."""

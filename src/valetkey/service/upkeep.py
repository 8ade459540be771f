"""What is done every minute without being asked."""

from datetime import datetime, timedelta

from valetkey.core.policy import MOST_CODE_FOR
from valetkey.core.throttle import window_of
from valetkey.service import app_passwords, proposals, recovery
from valetkey.service.one_time_links import KEPT_FOR
from valetkey.service.passkey_ceremonies import CHALLENGE_LASTS
from valetkey.service.portal_sessions import IDLE_LIFETIME, LIFETIME
from valetkey.service.ports import Ports, Writer

DAYS_KEPT = timedelta(days=400)  # logins counted by day: a year, and what it is compared with
HOURS_KEPT = timedelta(days=90)  # logins counted by hour
ANSWERS_KEPT = timedelta(hours=24)  # what the API answered, for a request that comes again
SENT_KEPT = timedelta(days=31)  # what app passwords sent by day, and what their limits stopped
REFUSALS_KEPT = timedelta(days=90)  # sign-ins with a wrong main password
_KEPT_WINDOWS = 2  # the running one and the one before, for a clock that goes back a little


async def every_minute(ports: Ports) -> int:
    """Stamp what has expired, count people once a day, and remove what is over: sessions, failures, old counts.

    Returns:
        How many app passwords were stamped as expired.

    Raises:
        Unavailable: The store failed.
    """
    lapsed = await app_passwords.lapse_expired(ports)
    await recovery.follow_up(ports)
    now = ports.clock.now()

    def tidy(writer: Writer) -> None:
        writer.remove_stale_portal_sessions(created_before=now - LIFETIME, seen_before=now - IDLE_LIFETIME)
        writer.forget_links(expired_before=now - KEPT_FOR)
        writer.forget_spent_challenges(now - 2 * CHALLENGE_LASTS)
        writer.forget_refused_sign_ins(now - REFUSALS_KEPT)
        writer.forget_failures(window_of(now, ports.throttle) - _KEPT_WINDOWS + 1)
        writer.forget_counts(days_before=(now - DAYS_KEPT).date(), hours_before=now - HOURS_KEPT)
        writer.forget_sent((now - SENT_KEPT).date())
        writer.forget_not_sent((now - SENT_KEPT).date())
        writer.forget_remembered_codes(now - MOST_CODE_FOR)
        writer.forget_closings(ports.server_sessions.servers, now)
        proposals.lapse_in(writer, now)
        writer.forget_api_answers(now - ANSWERS_KEPT)
        _count_people(writer, now)

    await ports.store.write(tidy)
    return lapsed


def _count_people(writer: Writer, now: datetime) -> None:
    """Keep once a day (UTC) how many people there are, and how many of them with a second factor."""
    today = now.date()
    if not writer.adoption_days(today):
        writer.set_adoption(writer.adoption_now(today))

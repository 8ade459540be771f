"""What is done every minute without being asked."""

from valetkey.core.throttle import window_of
from valetkey.service import app_passwords
from valetkey.service.ports import Ports, Writer
from valetkey.service.sign_in import IDLE_LIFETIME, LIFETIME

_KEPT_WINDOWS = 2  # the running one and the one before, for a clock that goes back a little


async def every_minute(ports: Ports) -> int:
    """Stamp what has expired, and remove portal sessions and failure counters that are over.

    Returns:
        How many app passwords were stamped as expired.

    Raises:
        Unavailable: The store failed.
    """
    lapsed = await app_passwords.lapse_expired(ports)
    now = ports.clock.now()

    def tidy(writer: Writer) -> None:
        writer.remove_stale_portal_sessions(created_before=now - LIFETIME, seen_before=now - IDLE_LIFETIME)
        writer.forget_failures(window_of(now, ports.throttle) - _KEPT_WINDOWS + 1)

    await ports.store.write(tidy)
    return lapsed

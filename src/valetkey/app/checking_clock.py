"""Checks this machine's clock against what was written down already."""

from valetkey.app.findings import problem
from valetkey.doors.cli.front import Finding
from valetkey.service.ports import Ports

_SLACK = 60  # seconds


async def clock_finding(ports: Ports) -> Finding | None:
    """Say that the clock is behind the newest audit record; None if it is not.

    Raises:
        Unavailable: The store failed.
    """
    newest = await ports.store.read(lambda reader: reader.audit(limit=1))
    behind = (newest[0].at - ports.clock.now()).total_seconds() if newest else 0.0
    if behind <= _SLACK:
        return None
    what = f"this machine's clock is {behind:.0f} seconds before the newest audit record"
    return problem("clock", what, "Set the clock; expiry and one-time codes depend on it.")

"""Stamping what has expired, so that a clock set back does not bring it to life again."""

from datetime import datetime

from valetkey.core.app_password import AppPassword
from valetkey.core.event import AppPasswordLapsed
from valetkey.service.closing import ask
from valetkey.service.ports import SYSTEM, Ports, Writer


def stamp_lapsed(ports: Ports, writer: Writer, app_password: AppPassword, now: datetime) -> None:
    """Stamp an app password as expired, record it, and have mail servers told, within the caller's transaction."""
    writer.set_lapsed(app_password.id, now)
    ask(ports, writer, app_password.account_id, [app_password.id], now)
    writer.record(
        AppPasswordLapsed(app_password.description),
        actor=SYSTEM,
        at=now,
        account_id=app_password.account_id,
        credential_id=app_password.id,
    )

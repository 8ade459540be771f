"""Logins that a mail server decides by passwords of its own: what Valetkey says to them, and what their owners see.

The server is believed when it says that a password was right, for it could let anybody in anyway. No secret comes here.
"""

from valetkey.core.account import Account, canonical_or_nobodys
from valetkey.core.errors import Unavailable
from valetkey.core.login import CannotTell, LoginAttempt, Reason, Refused
from valetkey.core.login_elsewhere import account_refusal
from valetkey.service.ports import LoginEvent, Ports, Reader, Writer
from valetkey.service.throttling import Tally, is_over, network_name, tally

_MAX_CLIENT = 200  # characters of what a client calls itself


async def may_begin(ports: Ports, attempt: LoginAttempt) -> Refused | CannotTell | None:
    """Tell whether a login may be tried at all, before its secret is compared. Nothing is recorded."""
    name = canonical_or_nobodys(attempt.name, ports.default_domain)
    where = _where(ports, attempt, name, "")

    def look(reader: Reader) -> tuple[bool, Account | None]:
        return is_over(ports, reader, where), reader.account_by_address(name)

    try:
        is_throttled, account = await ports.store.read(look)
        if is_throttled:
            return Refused(Reason.THROTTLED)
        reason = account_refusal(attempt, account, ports.rules.current().policy)
        return None if reason is None else Refused(reason)
    except Unavailable as fault:
        return CannotTell(str(fault))


async def note(
    ports: Ports, attempt: LoginAttempt, credential_id: str | None, *, success: bool, password_mark: str = ""
) -> None:
    """Record how a login ended; a failure counts towards the throttle of its network.

    Args:
        ports: What the verbs work with.
        attempt: The try, without a secret.
        credential_id: The app password that the server compared, if it says so; one of another account counts as none.
        success: Whether the login passed.
        password_mark: What stands for the wrong password, so that the same one again counts once.

    Raises:
        Unavailable: The store failed; what was to be recorded is lost.
    """
    name = canonical_or_nobodys(attempt.name, ports.default_domain)
    account = await ports.store.read(lambda reader: reader.account_by_address(name))
    if not success:
        await _count(ports, _where(ports, attempt, name, password_mark))
    known = ports.store.find_proven(account.id, credential_id) if account and credential_id else None
    now = ports.clock.now()
    ports.recorder.add(
        LoginEvent(
            account_id=account.id if account else None,
            credential_id=credential_id if success and known and known[1] else None,
            protocol=attempt.protocol,
            network=str(attempt.address or "unknown") if success else network_name(attempt.address),
            client=attempt.client[:_MAX_CLIENT],
            result="allowed" if success else Reason.WRONG_SECRET.value,
            first_at=now,
            last_at=now,
        )
    )


async def _count(ports: Ports, where: Tally) -> None:
    def count(writer: Writer) -> None:
        writer.count_failure(where.window, where.network, where.secret_key)

    if not await ports.store.read(lambda reader: is_over(ports, reader, where)):
        await ports.store.write(count)


def _where(ports: Ports, attempt: LoginAttempt, name: str, mark: str) -> Tally:
    return tally(ports, network=network_name(attempt.address), name=name, secret=mark)

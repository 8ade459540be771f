"""Asking for the main password in the portal: refusals are counted, and kept for the owner to see."""

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.errors import InvalidInput, Refused
from valetkey.core.network import canonical_address
from valetkey.core.sentence import Sentence, counted
from valetkey.core.throttle import minutes_left
from valetkey.service.main_passwords import Outcome, Tried, try_main_password
from valetkey.service.ports import Ports, Writer
from valetkey.service.throttling import network_name, tally


def may_sign_in(account: Account) -> bool:
    """Tell whether an account opens the portal: an active person's."""
    return account.kind is AccountKind.PERSON and account.state is AccountState.ACTIVE


async def right_password(
    ports: Ports, name: str, password: str, *, address: str, wrong: Sentence
) -> tuple[Account, Tried]:
    """Give the person whose main password this is, and the try, which has to hold still when something comes of it.

    Args:
        ports: The ports.
        name: The canonical name, or "" if what was typed is none.
        password: As typed.
        address: The client's address, or "" if unknown.
        wrong: What is said of a wrong password.

    Raises:
        Refused: Wrong, or throttled, said in a sentence.
        Unavailable: The store or the hasher failed.
    """
    network = _network_of(address)
    now = ports.clock.now()

    def keep(writer: Writer, account: Account | None) -> None:
        writer.count_refused_sign_in(account.id if account else None, network, now)

    where = tally(ports, network=network, name=name, secret=password)
    tried = await try_main_password(ports, name=name, password=password, where=where, is_for=may_sign_in, on_wrong=keep)
    if tried.outcome is Outcome.THROTTLED:
        minutes = minutes_left(now, ports.throttle)
        raise Refused(
            counted(
                "Too many tries from your network. Try again in {number} minute.",
                "Too many tries from your network. Try again in {number} minutes.",
                minutes,
            )
        )
    if tried.outcome is not Outcome.RIGHT or tried.account is None:
        raise Refused(wrong)
    return tried.account, tried


def _network_of(address: str) -> str:
    try:
        return network_name(canonical_address(address))
    except InvalidInput:
        return network_name(None)

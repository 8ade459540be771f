"""Counting failures, durably, and telling when there were too many (`core.throttle`)."""

import hmac
from dataclasses import dataclass, field

from valetkey.core.account import Account
from valetkey.core.network import Address, throttle_network
from valetkey.core.throttle import is_throttled, secret_key, window_of
from valetkey.service.ports import KeyPurpose, Ports, Reader

_NOBODY = b"valetkey name of nobody 1"


@dataclass(frozen=True, slots=True)
class Tally:
    """Under what one failure is counted."""

    window: int
    network: str
    secret_key: bytes = field(repr=False)


def network_name(address: Address | None) -> str:
    """Give the network that failures from an address are counted under; all unknown addresses share one."""
    return "unknown" if address is None else str(throttle_network(address))


def network_without_address(ports: Ports, *, door: str, name: str, account: Account | None) -> str:
    """Give what failures with main passwords are counted under where no address is known.

    All guesses would share one network, and anybody's keep everybody out; so each account has its own. Names that are
    nobody's share some hundred, for two reasons: were it one, whoever fills it would see who has an account by who is
    still compared; and were it one each, new names would never be throttled.

    Args:
        ports: The ports.
        door: The door that was asked.
        name: The canonical name.
        account: Whose name it is, if anybody's.
    """
    if account is not None:
        return f"{door} {account.id}"
    key = ports.keys.derive(KeyPurpose.THROTTLE, ports.keys.current)
    hashed = hmac.digest(key, b"\0".join((_NOBODY, name.encode())), "sha256")
    return f"{door} nobody {hashed[0]}"


def tally(ports: Ports, *, network: str, name: str, secret: str) -> Tally:
    """Work out under what a failure would be counted. The name is canonical, so that spellings share counters."""
    key = ports.keys.derive(KeyPurpose.THROTTLE, ports.keys.current)
    return Tally(window_of(ports.clock.now(), ports.throttle), network, secret_key(key, name, secret))


def is_over(ports: Ports, reader: Reader, where: Tally) -> bool:
    """Tell whether a further failure there is answered "try again later"."""
    return is_throttled(reader.throttle_counts(where.window, where.network, where.secret_key), ports.throttle)

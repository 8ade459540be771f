"""What a login changes in its app password at once: the network it is pinned to, and the stamp of expiry."""

import structlog

from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Unavailable
from valetkey.core.event import AppPasswordPinned
from valetkey.core.network import Address, throttle_network
from valetkey.core.restriction import NetworkRule
from valetkey.service.expiry import stamp_lapsed
from valetkey.service.ports import SYSTEM, Ports, Writer

_log = structlog.get_logger("valetkey.login")


def is_to_be_pinned(credential: AppPassword) -> bool:
    """Tell whether an app password takes on the network of its first login, and has none yet."""
    rule = credential.restrictions
    return rule.network_rule is NetworkRule.PINNED and rule.pinned_network is None


async def pin_network(ports: Ports, credential: AppPassword, address: Address | None) -> bool:
    """Pin an app password to the network of its first allowed login, by compare-and-set.

    Returns:
        Whether it has been pinned since it was looked up, by this login or by another one: then decide again.

    Raises:
        Unavailable: The store failed; the login must not pass unpinned.
    """
    if not is_to_be_pinned(credential) or address is None:
        return False
    network = throttle_network(address)

    def pin(writer: Writer) -> None:
        if writer.pin_network(credential.id, network):
            writer.record(
                AppPasswordPinned(str(network)),
                actor=SYSTEM,
                at=ports.clock.now(),
                account_id=credential.account_id,
                credential_id=credential.id,
            )

    await ports.store.write(pin)
    return True


async def stamp_if_expired(ports: Ports, credential: AppPassword) -> None:
    """Stamp an app password that a login found expired. It is refused whether or not this succeeds.

    One that only the policy's ceiling ends is not stamped: raised again, the ceiling lets it in again.
    """
    now = ports.clock.now()
    expires_at = credential.restrictions.expires_at
    if credential.lapsed_at is not None or expires_at is None or now < expires_at:
        return

    def stamp(writer: Writer) -> None:
        current = writer.app_password(credential.id)
        if current is not None and current.is_live:
            stamp_lapsed(ports, writer, current, now)

    try:
        await ports.store.write(stamp)
    except Unavailable:
        _log.warning("lapse_not_stamped", credential=credential.id)

"""Counting failures, durably, and telling when there were too many (`core.throttle`)."""

from dataclasses import dataclass, field

from valetkey.core.network import Address, throttle_network
from valetkey.core.throttle import is_throttled, secret_key, window_of
from valetkey.service.ports import KeyPurpose, Ports, Reader


@dataclass(frozen=True, slots=True)
class Tally:
    """Under what one failure is counted."""

    window: int
    network: str
    secret_key: bytes = field(repr=False)


def network_name(address: Address | None) -> str:
    """Give the network that failures from an address are counted under; all unknown addresses share one."""
    return "unknown" if address is None else str(throttle_network(address))


def tally(ports: Ports, *, network: str, name: str, secret: str) -> Tally:
    """Work out under what a failure would be counted. The name is canonical, so that spellings share counters."""
    key = ports.keys.derive(KeyPurpose.THROTTLE, ports.keys.current)
    return Tally(window_of(ports.clock.now(), ports.throttle), network, secret_key(key, name, secret))


def is_over(ports: Ports, reader: Reader, where: Tally) -> bool:
    """Tell whether a further failure there is answered "try again later"."""
    return is_throttled(reader.throttle_counts(where.window, where.network, where.secret_key), ports.throttle)

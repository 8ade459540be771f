"""Client addresses and the networks they are compared with, each in one canonical form."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from valetkey.core.errors import InvalidInput
from valetkey.core.sentence import Sentence, say

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_THROTTLE_PREFIX = {4: 24, 6: 56}
_V4_PREFIX_OF_MAPPED = 96
_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,30}")
_MAX_NAMES = 200
_MAX_PER_NAME = 200


def canonical_address(text: str) -> Address:
    """Read one address; an IPv4-mapped IPv6 address is the IPv4 address.

    Raises:
        InvalidInput: Not an address, or one with a zone id, which means nothing outside its host.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise InvalidInput("address", "This is not an IP address.") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise InvalidInput("address", "An address with a zone id (%eth0) cannot be compared.")
    return unmapped(address)


def unmapped(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address stands for, if it does."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def parse_network(text: str) -> Network:
    """Read an address or a CIDR network in canonical form.

    Raises:
        InvalidInput: Not a network, host bits set, a zone id, or the whole internet (/0).
    """
    value = text.strip()
    try:
        network = ip_network(value, strict=True)
    except ValueError:
        raise InvalidInput("allowed_ips", _why_no_network(value)) from None
    if isinstance(network, IPv6Network):
        if "%" in value:
            raise InvalidInput("allowed_ips", "An address with a zone id (%eth0) cannot be compared.")
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= _V4_PREFIX_OF_MAPPED:
            network = IPv4Network((mapped, network.prefixlen - _V4_PREFIX_OF_MAPPED))
    if network.prefixlen == 0:
        raise InvalidInput("allowed_ips", "A /0 network is everybody. Name a smaller one.")
    return network


def _why_no_network(value: str) -> Sentence:
    try:
        around = ip_network(value, strict=False)
    except ValueError:
        return say(
            "“{value}” is not an address or a network such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32.",
            value=value[:60],
        )
    address = value.partition("/")[0]
    return say(
        "“{value}” is neither: the address is {address}, the network around it {around}.",
        value=value[:60],
        address=address[:60],
        around=around,
    )


def throttle_network(address: Address) -> Network:
    """Give the network whose members are counted together: /24 for IPv4, /56 for IPv6."""
    # From the number: given the address itself, ipaddress would write it as text and read it again, four times as slow.
    if isinstance(address, IPv4Address):
        return IPv4Network((int(address), _THROTTLE_PREFIX[4]), strict=False)
    return IPv6Network((int(address), _THROTTLE_PREFIX[6]), strict=False)


@dataclass(frozen=True, slots=True)
class NamedNetworks:
    """The administrator's named networks, such as "office" or "vpn"."""

    by_name: dict[str, tuple[Network, ...]]

    def resolve(self, entries: tuple[str, ...]) -> tuple[Network, ...]:
        """Give the networks that a stored list means now; a name that no longer exists contains nobody."""
        networks: list[Network] = []
        for entry in entries:
            if entry in self.by_name:
                networks += self.by_name[entry]
            elif entry[:1] in "0123456789abcdefABCDEF:" and ("." in entry or ":" in entry):
                networks.append(parse_network(entry))
        return tuple(networks)

    def check_entries(self, entries: tuple[str, ...]) -> tuple[str, ...]:
        """Give the list in the form that is stored: names as they are, networks canonical.

        Raises:
            InvalidInput: An entry is neither a known name nor a network.
        """
        return tuple(entry if entry in self.by_name else self._network(entry) for entry in entries)

    def _network(self, entry: str) -> str:
        try:
            return str(parse_network(entry))
        except InvalidInput as error:
            if not self.by_name:
                raise
            names = ", ".join(sorted(self.by_name))
            both = say("{problem} The named networks are: {names}.", problem=error.sentence, names=names)
            raise InvalidInput(error.field, both) from None


def contains(networks: tuple[Network, ...], address: Address | None) -> bool:
    """Tell whether a network of the list has this address; an unknown address is in none."""
    return address is not None and any(address in network for network in networks)


def lies_in(inner: Network, outer: Network) -> bool:
    """Tell whether every address of one network is in another; networks of IPv4 and IPv6 share none."""
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def network_facts(networks: NamedNetworks) -> dict[str, list[str]]:
    """Give named networks as plain JSON: name → networks in canonical form."""
    return {name: [str(network) for network in members] for name, members in networks.by_name.items()}


def networks_from(facts: Mapping[str, Sequence[str]]) -> NamedNetworks:
    """Read named networks as `network_facts` gives them, or as somebody typed them.

    Raises:
        InvalidInput: A name that cannot be one, a name without a network, what is no network, or too many.
    """
    if len(facts) > _MAX_NAMES:
        raise InvalidInput("networks", "There can be {most} named networks at most.", most=_MAX_NAMES)
    return NamedNetworks({name: _members(name, entries) for name, entries in facts.items()})


def _members(name: str, entries: Sequence[str]) -> tuple[Network, ...]:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "networks",
            "“{name}” cannot name a network: use up to 31 letters, digits and hyphens, a letter first.",
            name=name[:60],
        )
    if not 0 < len(entries) <= _MAX_PER_NAME:
        raise InvalidInput(
            "networks", "Give “{name}” at least one address or network, {most} at most.", name=name, most=_MAX_PER_NAME
        )
    return tuple(dict.fromkeys(parse_network(entry) for entry in entries))


def names_that_grow(old: NamedNetworks, new: NamedNetworks) -> tuple[str, ...]:
    """Name the networks that have an address in the new list which the old one does not have for them, in order.

    A name that was not there grows too: app passwords may still be limited to it from an earlier time.
    """
    return tuple(
        name
        for name, members in sorted(new.by_name.items())
        if not all(any(lies_in(one, other) for other in old.by_name.get(name, ())) for one in members)
    )

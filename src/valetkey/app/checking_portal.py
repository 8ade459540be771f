"""Checks of the way to the portal: what the configuration tells of a reverse proxy before it."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from valetkey.app.findings import warning
from valetkey.config.sections import Config, Portal
from valetkey.core.network import contains
from valetkey.doors.cli.front import Finding

_HERE = {"localhost", "127.0.0.1", "::1"}


def portal_findings(config: Config) -> Iterator[Finding]:
    """Look whether visitors are told apart where a reverse proxy connects for all of them."""
    portal = config.portal
    wide = [str(network) for network in portal.trusted_proxies if network.prefixlen == 0]
    if wide:
        mend = "Name the addresses of the reverse proxies only."
        yield warning("portal", f"trusted_proxies holds {wide[0]}: whoever connects may claim any address", mend)
    if not _is_behind_proxy(portal):
        return
    if not portal.trusted_proxies:
        mend = f'Set trusted_proxies = ["{_loopback(portal) or "127.0.0.1"}"] under [portal], or what it connects from.'
        yield warning("portal", f"{portal.base_url} needs a reverse proxy, and none is trusted: {_ALIKE}", mend)
    elif (here := _loopback(portal)) and not contains(portal.trusted_proxies, ip_address(here)):
        mend = f'Add "{here}" to trusted_proxies under [portal].'
        yield warning("portal", f"only {here} can connect to {portal.listen}, and is no trusted proxy: {_ALIKE}", mend)


_ALIKE = "all visitors look like one, and are throttled together"


def _is_behind_proxy(portal: Portal) -> bool:
    """Tell whether people reach the plain listener by an address of another kind: something stands between."""
    return portal.listen is not None and (urlsplit(portal.base_url).hostname or "localhost") not in _HERE


def _loopback(portal: Portal) -> str:
    """Give the address that a proxy connects from, if it must be on this machine."""
    host = portal.listen.host if portal.listen is not None else ""
    return {"localhost": "127.0.0.1"}.get(host, host) if host in _HERE else ""

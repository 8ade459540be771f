"""Where a request comes from: the socket, or what a trusted proxy says of it."""

from starlette.requests import Request

from valetkey.core.errors import InvalidInput
from valetkey.core.network import Address, Network, canonical_address, contains

_MAX_HOPS = 32


def address_of(request: Request, trusted_proxies: tuple[Network, ...]) -> Address | None:
    """Give the visitor's address, or None if it cannot be known.

    X-Forwarded-For is read from the right, and only as long as the hop that wrote it is a trusted proxy; what stands
    further left could be written by anybody.
    """
    hop = _read(request.client.host if request.client else "")
    if hop is None or not contains(trusted_proxies, hop):
        return hop
    said = ",".join(request.headers.getlist("x-forwarded-for"))
    if not said:
        return hop
    for entry in reversed(said.split(",")[-_MAX_HOPS:]):
        hop = _read(entry)
        if hop is None or not contains(trusted_proxies, hop):
            return hop
    return hop


def _read(text: str) -> Address | None:
    try:
        return canonical_address(text)
    except InvalidInput:
        return None

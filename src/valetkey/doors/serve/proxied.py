"""The PROXY protocol at the head of a connection, from listed peers only."""

from valetkey.doors.serve.link import Link
from valetkey.wire.proxy import Local, Proxied, ProxyHeader

# The longest header of version 2: signature and length (16 octets), and what the length can count.
_PEEK = 2048


async def read_proxy_header(link: Link) -> Proxied | Local:
    """Take the PROXY header, and not one octet behind it: TLS may follow.

    Raises:
        PeerError: There is no header, or a malformed one.
        LinkClosed: The connection ended.
    """
    header = ProxyHeader()
    while True:
        seen = await link.peek(_PEEK)
        result = header.receive(seen)
        if result is None:
            link.take(len(seen))
            continue
        link.take(len(seen) - len(header.take_rest()))
        return result

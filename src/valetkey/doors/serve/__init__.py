"""The one driver under every listening door: sockets, TLS, deadlines, caps, PROXY protocol, shutdown.

Non-blocking sockets with OpenSSL directly on them, watched by asyncio's `add_reader` and `add_writer`. No asyncio
streams and no asyncio TLS: those keep a large buffer per connection, hide what was read before STARTTLS and drop
OpenSSL's alerts. Protocols are spoken by the machines of `wire`; what a login means is the door's.
"""

from valetkey.doors.serve.accepting import Accepted, AcceptLimits, Acceptor, bind, is_listed
from valetkey.doors.serve.certificates import CertificateFiles, ServerCertificates
from valetkey.doors.serve.link import Driver, Link, LinkClosed
from valetkey.doors.serve.proxied import read_proxy_header

__all__ = [
    "AcceptLimits",
    "Accepted",
    "Acceptor",
    "CertificateFiles",
    "Driver",
    "Link",
    "LinkClosed",
    "ServerCertificates",
    "bind",
    "is_listed",
    "read_proxy_header",
]

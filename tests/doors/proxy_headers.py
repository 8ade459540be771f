"""The PROXY headers that a balancer in front of us would write (haproxy's proxy-protocol.txt)."""

import ipaddress
import struct

from valetkey.wire.proxy import SIGNATURE, Local, Proxied


def version_1(header: Proxied | Local) -> bytes:
    """Write a header of version 1, which has no word for LOCAL."""
    if isinstance(header, Local):
        return b"PROXY UNKNOWN\r\n"
    family = f"TCP{ipaddress.ip_address(header.source).version}"
    words = ("PROXY", family, header.source, header.destination, str(header.source_port), str(header.destination_port))
    return " ".join(words).encode() + b"\r\n"


def version_2(header: Proxied | Local) -> bytes:
    """Write a header of version 2, without TLVs."""
    if isinstance(header, Local):
        return SIGNATURE + struct.pack("!BBH", 0x21 if header.is_unknown else 0x20, 0x00, 0)
    source, destination = (ipaddress.ip_address(text).packed for text in (header.source, header.destination))
    family = {4: 0x11, 16: 0x21}[len(source)]  # TCP over IPv4, over IPv6
    block = source + destination + struct.pack("!HH", header.source_port, header.destination_port)
    return SIGNATURE + struct.pack("!BBH", 0x21, family, len(block)) + block

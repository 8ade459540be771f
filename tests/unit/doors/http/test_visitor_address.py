from ipaddress import ip_network

import pytest
from starlette.requests import Request

from valetkey.doors.http.visitor_address import address_of

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))


def seen(peer: str | None, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    client = (peer, 1234) if peer is not None else None
    return str(address_of(Request({"type": "http", "headers": headers, "client": client}), PROXIES))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", (), "198.51.100.7"),
        ("198.51.100.7", ("203.0.113.9",), "198.51.100.7"),  # not a proxy: not believed
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("192.0.2.1, 203.0.113.9",), "203.0.113.9"),  # the left one could be anybody's
        ("10.0.0.1", ("192.0.2.1, 203.0.113.9, 10.0.0.2",), "203.0.113.9"),
        ("10.0.0.1", ("192.0.2.1", "203.0.113.9"), "203.0.113.9"),  # two headers are one list
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("::ffff:10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("2001:db8:1::5", ("2001:db8:9::1",), "2001:db8:9::1"),
        ("10.0.0.1", ("::ffff:203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("203.0.113.9, unknown",), "None"),
        ("10.0.0.1", ("203.0.113.9:4711",), "None"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9,",), "None"),
        ("10.0.0.1", ("fe80::1%eth0",), "None"),
        ("testclient", ("203.0.113.9",), "None"),
        (None, ("203.0.113.9",), "None"),
        ("10.0.0.1", (",".join(["203.0.113.9"] + ["10.0.0.2"] * 100),), "10.0.0.2"),
    ],
)
def test_the_rightmost_hop_that_is_no_proxy_is_the_visitor(
    peer: str | None, forwarded: tuple[str, ...], address: str
) -> None:
    assert seen(peer, *forwarded) == address

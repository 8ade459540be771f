"""Binding the portal's sockets: every address of a host, and a taken port is named."""

import socket

import pytest

from valetkey.app.sockets import bind
from valetkey.config.kinds import Endpoint
from valetkey.core.errors import CannotStart


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def closed(bound: list[socket.socket]) -> set[str]:
    hosts = {sock.getsockname()[0] for sock in bound}
    for sock in bound:
        sock.close()
    return hosts


def test_a_host_name_is_bound_on_every_address_that_it_has() -> None:
    assert "127.0.0.1" in closed(bind(Endpoint("localhost", free_port()), "the portal"))


def test_no_host_is_every_address() -> None:
    assert closed(bind(Endpoint("", free_port()), "the portal")) <= {"::", "0.0.0.0"}


def test_a_taken_port_is_named() -> None:
    first = bind(Endpoint("127.0.0.1", free_port()), "the portal")
    port = first[0].getsockname()[1]
    with pytest.raises(CannotStart, match=f"Port {port} is in use already, so the portal cannot listen on"):
        bind(Endpoint("127.0.0.1", port), "the portal")
    closed(first)


@pytest.mark.parametrize(
    ("host", "why"), [("192.0.2.1", "Cannot assign requested address"), ("no.such.host.invalid", "there is no host")]
)
def test_a_host_that_is_not_here_is_a_sentence(host: str, why: str) -> None:
    with pytest.raises(CannotStart, match=why):
        bind(Endpoint(host, free_port()), "the portal")

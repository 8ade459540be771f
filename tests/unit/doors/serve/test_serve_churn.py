"""Two things that happen to a connection in one turn of the loop."""

import asyncio
import select
import socket
import ssl
from pathlib import Path

import pytest
from tests.servers.certificates import CertificateAuthority

from valetkey.doors.serve import Driver, Link


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def server_context(authority: CertificateAuthority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = authority.issue()
    context.load_cert_chain(files.certificate, files.key)
    return context


async def test_a_handshake_that_had_to_wait_to_write_ends_no_later_wait(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last octets of a handshake find no room, and then room comes together with what the client says behind it."""
    loop = asyncio.get_running_loop()
    driver, (ours, theirs) = Driver(loop), socket.socketpair()
    ours.setblocking(False)
    link = Link(driver, ours)
    link.limit(loop.time() + 30, "the test takes too long")
    real, waits = ssl.SSLSocket.do_handshake, iter([True])

    def with_one_wait_more(sock: ssl.SSLSocket) -> None:
        real(sock)
        if sock.server_side and next(waits, False):
            select.select([sock], [], [], 30)  # until the client has said something
            raise ssl.SSLWantWriteError

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", with_one_wait_more)

    def talk() -> None:
        with authority.client_context().wrap_socket(theirs, server_hostname="localhost") as client:
            client.sendall(b"the first")
            client.recv(1)

    talking = asyncio.create_task(asyncio.to_thread(talk))
    try:
        await link.serve_tls(server_context(authority))
        assert await link.receive() == b"the first"
    finally:
        link.close("the test is over")
        driver.close()
        await asyncio.gather(talking, return_exceptions=True)

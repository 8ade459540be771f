"""HTTP requests of mail servers: who asks, and a body of bounded size. Plain ASGI, for speed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from valetkey.core.network import Address
from valetkey.doors.asked.peers import peer_of_secret, peers_at
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.serve.accepting import address_of
from valetkey.wire.http_requests import MOST_BODY

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class BadRequest(Exception):  # noqa: N818  the peer's fault, told to it
    """A request that cannot be answered: an HTTP status and a word for the peer's log."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, headers beside length and type, and the body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


def sender_of(scope: Mapping[str, Any]) -> Address | None:
    """Give the address that a request comes from, by its socket; None of a unix socket."""
    client = scope.get("client")
    return address_of(str(client[0]).partition("%")[0]) if client and client[0] else None


def header(scope: Mapping[str, Any], name: bytes) -> bytes:
    """Give a header, its name in lower case; empty if it is absent.

    Raises:
        BadRequest: It stands more than once, so that nobody can choose which one counts.
    """
    found: list[bytes] = [value for key, value in scope["headers"] if key == name]
    if len(found) > 1:
        raise BadRequest(400, f"the header {name.decode()} stands twice")
    return found[0] if found else b""


def peer_by_bearer(scope: Mapping[str, Any], door: Door) -> Peer:
    """Give the peer that proves itself by `Authorization: Bearer <its secret>`.

    Raises:
        BadRequest: Nobody who may ask from there has this secret.
    """
    given = header(scope, b"authorization")
    scheme, _, secret = given.partition(b" ")
    if scheme.lower() != b"bearer":
        secret = b""
    peer = peer_of_secret(peers_at(door, sender_of(scope)), secret.decode(errors="replace").strip())
    if peer is None:
        raise BadRequest(401, "no peer has this secret, or not from this address")
    return peer


async def body_of(receive: Receive) -> bytes:
    """Read the body of a request.

    Raises:
        BadRequest: It is too long, or the peer went away.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequest(400, "the request was not finished")
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            raise BadRequest(413, "the request is too long")
        if not message.get("more_body", False):
            return bytes(body)


async def send_reply(send: Send, reply: Reply) -> None:
    """Send an answer."""
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        (b"cache-control", b"no-store"),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})

"""HTTP requests of mail servers: who asks, and what is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from valetkey.doors.asked.peers import peer_of_secret
from valetkey.doors.asked.settings import Peer
from valetkey.wire.http_requests import HttpRequest


class BadRequest(Exception):  # noqa: N818  the peer's fault, told to it
    """A request that cannot be answered: an HTTP status and a word for the peer's log."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what


@dataclass(slots=True)  # not frozen: made for each request, and a frozen one costs three times as much
class Reply:
    """An answer: status, headers beside length and type, and the body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


@dataclass(frozen=True, slots=True)
class Sender:
    """Where the requests of one connection come from."""

    place: str  # its address; empty of a unix socket
    peers: tuple[Peer, ...]  # those that may ask from there


# What answers a request. Raises BadRequest.
HttpAnswer = Callable[[HttpRequest, Sender], Awaitable[Reply]]


def header(request: HttpRequest, name: bytes) -> bytes:
    """Give a header, its name in lower case; empty if it is absent.

    Raises:
        BadRequest: It stands more than once, so that nobody can choose which one counts.
    """
    found = [value for key, value in request.headers if key == name]
    if len(found) > 1:
        raise BadRequest(400, f"the header {name.decode()} stands twice")
    return found[0] if found else b""


def peer_by_bearer(request: HttpRequest, sender: Sender) -> Peer:
    """Give the peer that proves itself by `Authorization: Bearer <its secret>`.

    Raises:
        BadRequest: Nobody who may ask from there has this secret.
    """
    scheme, _, secret = header(request, b"authorization").partition(b" ")
    if scheme.lower() != b"bearer":
        secret = b""
    peer = peer_of_secret(sender.peers, secret.decode(errors="replace").strip())
    if peer is None:
        raise BadRequest(401, "no peer has this secret, or not from this address")
    return peer

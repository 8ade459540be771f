"""HTTP requests as a server of mail servers reads them (RFC 9112), by httptools: few, small, one after another.

Bodies are read whole before a request is given, since none is larger than a login needs.
"""

from collections import deque
from dataclasses import dataclass, field
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser

MOST_HEAD = 32_768  # octets; nginx passes on a client's certificate and chain in a header
MOST_BODY = 65_536  # octets; a name and a secret need a few hundred, a token some thousand
_MOST_HEADERS = 100
_DEL = b"\x7f"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BadHttp(Exception):  # noqa: N818  the peer's fault, told to it
    """What cannot be read as a request: the status of the answer, after which the connection ends, and a word."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what


@dataclass(slots=True)
class HttpRequest:
    """One request, read whole. Names of headers are in lower case."""

    method: str = ""
    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list, repr=False)
    body: bytes = field(default=b"", repr=False)
    is_http_10: bool = False
    keeps_alive: bool = False  # the peer wants to ask more on this connection

    @property
    def path(self) -> str:
        """The path of the target, decoded."""
        text = self.target.partition(b"?")[0].decode("latin-1")
        return unquote(text) if "%" in text else text

    @property
    def query(self) -> bytes:
        """What stands behind the question mark of the target."""
        return self.target.partition(b"?")[2]


class HttpReader:
    """Reads the requests of one connection."""

    def __init__(self) -> None:
        self._parser = HttpRequestParser(self)
        self._whole: deque[HttpRequest] = deque()
        self._one: HttpRequest | None = None
        self._headers: list[tuple[bytes, bytes]] = []  # of that one
        self._body = bytearray()
        self._is_in_head = False
        self._size = 0  # of the head that is being read
        self._fault: BadHttp | None = None
        self._is_over = False
        self._is_get = False
        self._wants_continue = False

    @property
    def is_between(self) -> bool:
        """Whether nothing of a next request has come."""
        return self._one is None

    def receive(self, data: bytes) -> None:
        """Take octets.

        Raises:
            BadHttp: They are no request, or a head or a body is too large.
        """
        if self._is_over:
            return
        if self._one is None:
            self._is_get = data.startswith(b"GET ")
        if self._is_get and _DEL in data:
            data = self._escaped(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:  # to another protocol: the request is answered, and what follows is not read
            self._is_over = True
            self._whole[-1].keeps_alive = False
        except HttpParserInvalidMethodError:
            raise BadHttp(405, "there is no such method here") from None
        except HttpParserError:
            raise self._fault or BadHttp(400, "this is not a request of HTTP/1.1") from None
        if self._is_in_head:
            # What the parser holds of an unfinished line is not told; this much it can be at most.
            self._size += len(data)
            self._check_head()

    @property
    def has_next(self) -> bool:
        """Whether a further request is there whole."""
        return bool(self._whole)

    def next_request(self) -> HttpRequest | None:
        """Give the next request that is there whole."""
        return self._whole.popleft() if self._whole else None

    def take_continue(self) -> bool:
        """Tell once that the peer waits for 100 (Continue) before it sends the body (RFC 9110 10.1.1)."""
        wanted, self._wants_continue = self._wants_continue, False
        return wanted and self._one is not None and not self._body

    def end(self) -> None:
        """Read no more. The parser knows us and we know it, so that both would wait for the garbage collector."""
        del self._parser
        self._is_over = True

    def _escaped(self, data: bytes) -> bytes:
        """Escape what nginx does not: of all control characters in a name or a password it leaves this one as it is.

        RFC 9110 5.5 has none of them in a header. Only where no body can be meant: nginx asks with GET.
        """
        head, end, rest = data.partition(b"\r\n\r\n")
        return head.replace(_DEL, b"%7F") + end + rest

    def _check_head(self) -> None:
        if self._size > MOST_HEAD:
            self._refuse(431, "the head of the request is too long")

    def _refuse(self, status: int, what: str) -> None:
        self._fault = BadHttp(status, what)
        raise self._fault

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._one = HttpRequest()
        self._headers = self._one.headers
        self._body.clear()
        self._is_in_head = True
        self._size = 0
        self._wants_continue = False

    def on_url(self, url: bytes) -> None:
        """Take the target, or a piece of it."""
        if self._one is not None:
            self._size += len(url)
            self._one.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if not self._is_in_head:
            self._refuse(400, "headers after the body are not taken")
        self._size += len(name) + len(value) + 4
        if self._size > MOST_HEAD:
            self._check_head()
        name = name.lower()
        self._headers.append((name, value))
        if name == b"expect" and value.lower() == b"100-continue":
            self._wants_continue = True

    def on_headers_complete(self) -> None:
        """End the head."""
        one = self._one
        if one is None:
            return
        self._is_in_head = False
        version = self._parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            self._refuse(400, "HTTP/1.1 is spoken here")
        if len(one.headers) > _MOST_HEADERS:
            self._refuse(431, "there are too many headers")
        one.method = self._parser.get_method().decode()
        one.is_http_10 = version == "1.0"
        self._wants_continue = self._wants_continue and not one.is_http_10

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._body += piece
        if len(self._body) > MOST_BODY:
            self._refuse(413, "the request is too long")

    def on_message_complete(self) -> None:
        """Give the request away."""
        one, self._one = self._one, None
        if one is not None:
            one.body = bytes(self._body)
            one.keeps_alive = self._parser.should_keep_alive()
            self._whole.append(one)

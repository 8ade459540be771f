"""How the server is asked: one bounded request at a time over verified TLS, and again where that cannot act twice."""

import json
import ssl
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from valetkey.client.decoding import decode, encode, in_query
from valetkey.client.errors import (
    ConflictError,
    UnreachableError,
    UnreadableAnswerError,
    UntrustedServerError,
    api_error,
)

T = TypeVar("T")

PREFIX = "/api/v1"
_SECONDS = 60.0  # for one answer, from the first octet sent to the last one read
_CONNECT_SECONDS = 10.0
_TRIES = 3
_PAUSE = 0.5  # seconds before the second try; doubled before each further one
_LONGEST_PAUSE = 10.0
_MAX_ANSWER = 16 * 1024 * 1024  # octets
_MAX_LINE = 1024 * 1024  # characters
_OK, _REFUSING = 200, 400
_ON_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Tagged(Generic[T]):
    """An answer and its entity tag, which a change gives back as `if_match`."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as an operation makes it."""

    method: str
    path: str  # behind /api/v1, with {names}
    names: Mapping[str, str | int] = field(default_factory=dict)  # for the path
    query: Mapping[str, Any] = field(default_factory=dict)  # what is None is left out
    body: Mapping[str, Any] | None = None
    if_match: str | None = None
    idempotency_key: str | None = None
    is_repeatable: bool = False  # a POST that takes a key

    @property
    def address(self) -> str:
        """Path and names joined; no name can lead elsewhere."""
        return PREFIX + self.path.format(**{name: quote(str(value), safe="") for name, value in self.names.items()})

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The query; each value of a list stands for itself."""
        pairs: list[tuple[str, str]] = []
        for name, value in self.query.items():
            several = isinstance(value, Iterable) and not isinstance(value, str)
            pairs += [(name, in_query(one)) for one in (value if several else (value,)) if one is not None]
        return tuple(pairs)

    def with_key(self) -> dict[str, str]:
        """Give the fields of the request; one that may come twice gets a key by which it acts once."""
        fields = {} if self.if_match is None else {"If-Match": self.if_match}
        if self.is_repeatable:
            fields["Idempotency-Key"] = self.idempotency_key or str(uuid.uuid4())
        return fields


class Bearer(httpx.Auth):
    """Shows the token in the Authorization field; nothing prints it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the field."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class Connection:
    """A connection to a server. Operations stand on it; close it, or use it as a context manager.

    Args:
        server: Where the portal is: https://mail.example.org. Plain http only on this machine.
        token: An API token.
        ca_file: A file with the certificates that the server's may be signed by, in place of the system's.
        pause: Waits so many seconds before another try.

    Raises:
        ValueError: Not an address that a token may be sent to, or not a token.
        OSError: The file with the certificates cannot be read.
    """

    def __init__(
        self, server: str, token: str, *, ca_file: Path | None = None, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.server = checked_server(server)
        if not token.isascii() or not token.isprintable() or not token or " " in token:
            raise ValueError("That is not an API token.")
        self._pause = pause
        self._http = httpx.Client(
            base_url=self.server,
            auth=Bearer(token),
            verify=ssl.create_default_context(cafile=ca_file),
            timeout=httpx.Timeout(_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            headers={"Accept": "application/json", "User-Agent": "valetkey-client"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def _ask(self, kind: type[T], asked: Asked) -> T:
        """Ask, and give the answer as a value of `kind`.

        Raises:
            ApiError: The server refused.
            UnreachableError: No answer came.
            UntrustedServerError: The server's certificate is not good.
            UnreadableAnswerError: It is not this API that answered.
        """
        response, octets = self._exchange(asked)
        return self._read(kind, response, octets)

    def _ask_tagged(self, kind: type[T], asked: Asked) -> Tagged[T]:
        """Ask for something with an entity tag; raises what `_ask` does."""
        response, octets = self._exchange(asked)
        return Tagged(self._read(kind, response, octets), response.headers.get("ETag", ""))

    def _ask_nothing(self, asked: Asked) -> None:
        """Ask for something that is answered by nothing; raises what `_ask` does."""
        self._exchange(asked)

    def _ask_lines(self, asked: Asked) -> Iterator[str]:
        """Ask for a text, and give its lines as they come; raises what `_ask` does."""
        with self._sent(asked, {"Accept": "*/*"}) as response:
            if response.status_code != _OK:
                self._refuse(response, _read_all(response))
            for line in response.iter_lines():
                if len(line) > _MAX_LINE:
                    raise self._unreadable()
                yield line

    def _each(self, page: Callable[[str | None], Any]) -> Iterator[Any]:
        """Give each item of all pages."""
        cursor: str | None = None
        while True:
            one = page(cursor)
            yield from one.items
            if one.next is None or one.next == cursor:
                return
            cursor = one.next

    def _exchange(self, asked: Asked) -> tuple[httpx.Response, bytes]:
        """Send a request and read the answer; again, if it broke and cannot act twice."""
        fields = asked.with_key()
        may_repeat = asked.method == "GET" or asked.is_repeatable
        for tried in range(_TRIES - 1):
            wait = _PAUSE * 2**tried
            try:
                return self._once(asked, fields)
            except UnreachableError:
                if not may_repeat:
                    raise
            except ConflictError as error:  # after a break: the first request may still run
                if not tried or not asked.is_repeatable or error.retry_after is None:
                    raise
                wait = min(error.retry_after, _LONGEST_PAUSE)
            self._pause(wait)
        return self._once(asked, fields)

    def _once(self, asked: Asked, fields: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        with self._sent(asked, fields) as response:
            octets = _read_all(response)
        if response.status_code >= _REFUSING:
            self._refuse(response, octets)
        if response.status_code >= 300:  # noqa: PLR2004  (a redirection: never followed with a token)
            raise self._unreadable()
        return response, octets

    @contextmanager
    def _sent(self, asked: Asked, fields: Mapping[str, str]) -> Iterator[httpx.Response]:
        content = None if asked.body is None else json.dumps(encode(asked.body)).encode()
        headers = dict(fields) | ({} if content is None else {"Content-Type": "application/json"})
        try:
            with self._http.stream(
                asked.method, asked.address, params=asked.parameters, headers=headers, content=content
            ) as response:
                yield response
        except httpx.TransportError as error:
            raise self._why(error) from None
        except httpx.DecodingError:
            raise self._unreadable() from None

    def _why(self, error: httpx.TransportError) -> Exception:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return UntrustedServerError(
                f"The certificate of {self.server} does not prove that it is that server. Nothing was sent."
            )
        if isinstance(error, httpx.TimeoutException):
            return UnreachableError(f"{self.server} did not answer in time. Try again later.")
        return UnreachableError(f"{self.server} cannot be reached. Try again later.")

    def _read(self, kind: type[T], response: httpx.Response, octets: bytes) -> T:
        if _media_type(response) != "application/json":
            raise self._unreadable()
        try:
            return decode(kind, json.loads(octets))
        except (ValueError, RecursionError):
            raise self._unreadable() from None

    def _refuse(self, response: httpx.Response, octets: bytes) -> None:
        facts: Any = {}
        if _media_type(response) == "application/problem+json":
            try:
                facts = json.loads(octets)
            except (ValueError, RecursionError):
                facts = {}
        elif response.status_code < 500:  # noqa: PLR2004  (a proxy before the server may say that it is away)
            raise self._unreadable()
        raise api_error(response.status_code, facts if isinstance(facts, dict) else {}, _retry_after(response))

    def _unreadable(self) -> UnreadableAnswerError:
        return UnreadableAnswerError(f"What answers at {self.server} is not the API of Valetkey.")


def checked_server(server: str) -> str:
    """Give a server's address as it is used.

    Raises:
        ValueError: A token must not be sent there.
    """
    parts = urlsplit(server)
    if not parts.hostname or parts.username or parts.query or parts.fragment or parts.path not in {"", "/"}:
        raise ValueError("Name the server as https://mail.example.org, without anything behind it.")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _ON_THIS_MACHINE):
        raise ValueError("Name the server with https: a token is never sent unencrypted.")
    return f"{parts.scheme}://{parts.netloc}"


def _read_all(response: httpx.Response) -> bytes:
    """Read an answer, bounded in octets and in time."""
    ends = time.monotonic() + _SECONDS
    octets = bytearray()
    for chunk in response.iter_bytes():
        octets += chunk
        if len(octets) > _MAX_ANSWER:
            raise UnreadableAnswerError("The answer is far too long.")
        if time.monotonic() > ends:
            raise UnreachableError("The answer took too long. Try again later.")
    return bytes(octets)


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def _retry_after(response: httpx.Response) -> int | None:
    said = str(response.headers.get("Retry-After", ""))
    return int(said[:6]) if said.isascii() and said.isdecimal() else None

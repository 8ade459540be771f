"""What nginx asks of a login to its mail proxy, and what it is answered (ngx_mail_auth_http_module).

Both are headers of HTTP. Name and password are percent-encoded, octet by octet.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from valetkey.wire.machine import Refusal, RefusalKind

Headers = tuple[tuple[bytes, bytes], ...]

_ATTEMPTS = 1_000_000
_DIGITS = 7
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_UNCARRIED = re.compile(rb"[\x00-\x1f\x7f]")
_END = b"-----END CERTIFICATE-----"

_IMAP = {
    RefusalKind.WRONG: b"[AUTHENTICATIONFAILED] ",
    RefusalKind.EXPIRED: b"[EXPIRED] ",
    RefusalKind.FORBIDDEN: b"[NOPERM] ",
    RefusalKind.TRY_LATER: b"[UNAVAILABLE] ",
    RefusalKind.TLS_NEEDED: b"[PRIVACYREQUIRED] ",
}
_POP3 = {RefusalKind.TRY_LATER: b"[SYS/TEMP] ", RefusalKind.TLS_NEEDED: b""}
_SMTP = {RefusalKind.TRY_LATER: b"454 4.7.0", RefusalKind.TLS_NEEDED: b"538 5.7.11"}


class NotNginx(ValueError):  # noqa: N818  the peer's fault, told to it
    """Headers that nginx does not send. The text holds nothing of them."""


@dataclass(slots=True)  # not frozen: made for each login, and a frozen one costs three times as much
class NginxAsks:
    """One try to log in, as nginx tells it."""

    method: str  # plain (PLAIN, LOGIN, USER and PASS), external, or one that carries no password
    protocol: str  # imap, pop3, smtp
    name: bytes
    secret: bytes = field(repr=False)
    attempt: int = 1  # of this connection
    address: str = ""  # the client's
    host: str = ""  # the client's name by DNS; SMTP only
    is_tls: bool = False  # nginx has ended the client's TLS
    certificate: bytes | None = field(default=None, repr=False)  # DER, shown by the client and verified by nginx


def read_request(headers: Sequence[tuple[bytes, bytes]]) -> NginxAsks:
    """Read the headers of a request; their names in lower case.

    Raises:
        NotNginx: A header of nginx's is missing, stands twice, or cannot be read.
    """
    found = dict(headers)
    if len(found) < len(headers):
        _check_once(name for name, _ in headers)
    attempt = found.get(b"auth-login-attempt", b"1")
    if not attempt.isdigit() or len(attempt) > _DIGITS or int(attempt) > _ATTEMPTS:
        raise NotNginx("Auth-Login-Attempt is not a number")
    return NginxAsks(
        method=_word(found, b"auth-method"),
        protocol=_word(found, b"auth-protocol"),
        name=unquote_to_bytes(found.get(b"auth-user", b"")),
        secret=unquote_to_bytes(found.get(b"auth-pass", b"")),
        attempt=int(attempt),
        address=found.get(b"client-ip", b"").decode("latin-1"),
        host=found.get(b"client-host", b"").decode("latin-1"),
        is_tls=found.get(b"auth-ssl") == b"on",
        certificate=_certificate(found),
    )


def passes(host: str, port: int, user: bytes | None = None, secret: bytes | None = None) -> Headers:
    """Tell nginx where to go on, and as whom; without user and secret as the client itself.

    Raises:
        ValueError: User or secret has a control character, which a header cannot carry.
    """
    headers = [(b"auth-status", b"OK"), (b"auth-server", host.encode()), (b"auth-port", b"%d" % port)]
    if user is not None:
        headers.append((b"auth-user", _carried(user)))
    if secret is not None:
        headers.append((b"auth-pass", _carried(secret)))
    return tuple(headers)


def refuses(protocol: str, refusal: Refusal, wait: int | None) -> Headers:
    """Tell nginx what the client hears, and after how many seconds it may try again; None: nginx closes."""
    text = refusal.text.encode("ascii", "replace")
    headers: list[tuple[bytes, bytes]] = []
    match protocol:
        case "smtp":
            headers.append((b"auth-status", text))
            headers.append((b"auth-error-code", _SMTP.get(refusal.kind, b"535 5.7.8")))
        case "pop3":
            headers.append((b"auth-status", _POP3.get(refusal.kind, b"[AUTH] ") + text))
        case _:
            headers.append((b"auth-status", _IMAP[refusal.kind] + text))
    if wait is not None:
        headers.append((b"auth-wait", b"%d" % wait))
    return tuple(headers)


def _check_once(names: Iterable[bytes]) -> None:
    seen = set()
    for name in names:
        if name in seen and name.startswith((b"auth-", b"client-")):
            raise NotNginx("a header of nginx stands twice")
        seen.add(name)


def _word(found: dict[bytes, bytes], name: bytes) -> str:
    value = found.get(name, b"")
    if not value:
        raise NotNginx("a header of nginx is missing")
    return value.decode("latin-1").lower()


def _certificate(found: dict[bytes, bytes]) -> bytes | None:
    """Give the client's certificate. What nginx did not verify is none."""
    if found.get(b"auth-ssl-verify") != b"SUCCESS" or b"auth-ssl-cert" not in found:
        return None
    _, begin, rest = unquote_to_bytes(found[b"auth-ssl-cert"]).partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    try:
        der = b64decode(b"".join(body.split()), validate=True)
    except ValueError:
        der = b""
    if not (begin and end and der):
        raise NotNginx("Auth-SSL-Cert is no certificate")
    return der


def _carried(value: bytes) -> bytes:
    if _UNCARRIED.search(value) or value != value.strip():
        raise ValueError("a header cannot carry this")
    return value

"""The ways in over HTTP: Dovecot's Lua, oauth2 and auth_policy, nginx's auth_http."""

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tests.doors.ways_in import (
    ALL_PROTOCOLS,
    EVERYTHING,
    IMAP,
    OF_CLIENTS,
    PEER,
    POP3,
    SIEVE,
    SMTP,
    Asker,
    Login,
    Shown,
    Way,
    holding,
)

from valetkey.core.limits import Held
from valetkey.doors.asked.settings import Backend, BackendLogin, CertificateLogin, DoorKind

if TYPE_CHECKING:
    from tests.doors.every_door import EveryDoor

MASTER_USER = "valetkey"
BACKENDS = {
    "example.org": {
        IMAP: Backend("192.0.2.1", 143, BackendLogin.MASTER_USER, MASTER_USER, "master"),
        POP3: Backend("192.0.2.1", 110, BackendLogin.MASTER_USER, MASTER_USER, "master"),
        SMTP: Backend("192.0.2.2", 25, BackendLogin.XCLIENT),
    }
}
_SERVICES = {IMAP: "imap", POP3: "pop3", SMTP: "submission", SIEVE: "sieve"}
_IN_ITS_WORDS = {"date", "content-type", "content-length", "cache-control", "connection"}


async def exchanged(site: "EveryDoor", asker: Asker, request: bytes) -> bytes:
    """Send a request on a connection of its own and give all that is answered; nothing if there is no answer."""
    line = await site.connect(DoorKind.HTTP, asker)
    try:
        await line.say(request)
        return await line.rest()
    finally:
        line.close()


def request_of(path: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """Write a request; a body makes it a POST."""
    lines = [f"{key}: {value}" for key, value in headers.items() if value]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    head = "\r\n".join([f"{'GET' if body is None else 'POST'} {path} HTTP/1.0", "Host: valetkey", *lines, "", ""])
    return head.encode() + (body or b"")


def heard_of(octets: bytes) -> str:
    """Say an answer in one line: status, headers that are its own, body."""
    if not octets:
        return ""
    head, _, body = octets.partition(b"\r\n\r\n")
    status, *headers = head.decode("latin-1").split("\r\n")
    told = "; ".join(each for each in headers if each.partition(":")[0].lower() not in _IN_ITS_WORDS)
    return " ".join(part for part in (status.split(" ")[1], told, body.decode()) if part)


def _bearer(login: Login) -> dict[str, str]:
    return {"Authorization": f"Bearer {login.peer_secret}"}


def facts_of(login: Login, **changes: Any) -> bytes:
    """Write what the Lua script sends."""
    facts = {
        "dovecot": "2.3",
        "user": login.name,
        "password": login.secret,
        "service": _SERVICES[login.protocol],
        "mechanism": "PLAIN",
        "remote_ip": login.address or None,
        "remote_port": "50123",
        "local_ip": "192.0.2.1",
        "local_port": "993",
        "secured": "TLS" if login.tls else None,
        "session": "abcd",
        "vouched": False,
    }
    return json.dumps(facts | changes).encode()


def lua_request(login: Login, **changes: Any) -> bytes:
    """Write a question of the Lua script."""
    return request_of("/dovecot/auth", _bearer(login), facts_of(login, **changes))


def _lua(mechanism: str, **changes: Any) -> Any:
    async def ask(site: "EveryDoor", asker: Asker, login: Login) -> str:
        given = {key: value(login) if callable(value) else value for key, value in changes.items()}
        return heard_of(await exchanged(site, asker, lua_request(login, mechanism=mechanism, **given)))

    return ask


def token_request(login: Login) -> bytes:
    """Write a password grant as Dovecot does."""
    form = {"grant_type": "password", "username": login.name, "password": login.secret}
    body = urlencode(form | {"client_id": PEER, "client_secret": login.peer_secret}, errors="surrogateescape").encode()
    place = {
        "X-Dovecot-Auth-Service": _SERVICES[login.protocol],
        "X-Dovecot-Auth-Remote": f"{login.address}:50123" if login.address else "",
    }
    return request_of("/dovecot/token", place, body)


async def _token(site: "EveryDoor", asker: Asker, login: Login) -> str:
    return heard_of(await exchanged(site, asker, token_request(login)))


async def _introspect(site: "EveryDoor", asker: Asker, login: Login) -> str:
    body = urlencode({"token": login.secret}, errors="surrogateescape").encode()
    return heard_of(await exchanged(site, asker, request_of("/dovecot/introspect", {}, body)))


def policy_request(login: Login) -> bytes:
    """Write the question of auth_policy, before a password is compared or behind it."""
    facts = {
        "login": login.name,
        "remote": login.address,
        "protocol": _SERVICES[login.protocol],
        "secured": "TLS" if login.tls else "",
        "session_id": "s",
        "app": login.app_password,
        "pwhash": "0123",
    }
    return request_of("/dovecot/policy?command=allow", _bearer(login), json.dumps(facts).encode())


async def _auth_policy(site: "EveryDoor", asker: Asker, login: Login) -> str:
    return heard_of(await exchanged(site, asker, policy_request(login)))


def nginx_request(login: Login, method: str = "plain", **more: str) -> bytes:
    """Write a request of auth_http."""
    said = {
        "Auth-Method": method,
        "Auth-User": quote(login.name, errors="surrogateescape"),
        "Auth-Pass": quote(login.secret, errors="surrogateescape"),
        "Auth-Protocol": login.protocol.value,
        "Auth-Login-Attempt": "1",
        "Client-IP": login.address,
        "Auth-SSL": "on" if login.tls else "",
    }
    return request_of("/nginx", _bearer(login) | said | more)


def _nginx(method: str) -> Any:
    async def ask(site: "EveryDoor", asker: Asker, login: Login) -> str:
        return heard_of(await exchanged(site, asker, nginx_request(login, method)))

    return ask


def _certificate(app_password: str) -> bytes:
    return b"the certificate of " + app_password.encode()


def certificate_logins(logins: list[tuple[str, str]]) -> dict[bytes, CertificateLogin]:
    """Let a certificate stand for each app password, given with its account's address."""
    return {hashlib.sha256(_certificate(one)).digest(): CertificateLogin(name, one) for name, one in logins}


async def _nginx_certificate(site: "EveryDoor", asker: Asker, login: Login) -> str:
    shown = base64.b64encode(_certificate(login.app_password)).decode()
    pem = quote(f"-----BEGIN CERTIFICATE-----\n{shown}\n-----END CERTIFICATE-----\n")
    more = {"Auth-SSL-Verify": "SUCCESS", "Auth-SSL-Cert": pem, "Auth-Pass": ""}
    return heard_of(await exchanged(site, asker, nginx_request(login, "external", **more)))


def _http(path: str, mechanism: str, row: str, protocols: tuple[Any, ...], ask: Any, **facts: Any) -> Way:
    return Way(f"http {path}", mechanism, row, protocols, ask, **({"has_peer_secret": True} | facts))


_OWN = dict.fromkeys(ALL_PROTOCOLS, EVERYTHING - {Held.SENDING})
_BY_SASL = {"session": None, "remote_port": "0", "local_port": "0"}
_SENDING = {SMTP: frozenset({Held.SENDING, Held.RECIPIENTS})}
_VOUCHED = {
    "vouched": True,
    "master_user": MASTER_USER,
    "app_password": lambda login: login.app_password,
    "password": None,
}
_SERVERS = (POP3, IMAP, SIEVE)

WAYS = (
    _http("/dovecot/auth", "PLAIN", "lua", ALL_PROTOCOLS, _lua("PLAIN"), holds=_OWN, keeps_name=True),
    _http("/dovecot/auth", "XOAUTH2", "lua", ALL_PROTOCOLS, _lua("XOAUTH2"), opens=False),
    _http("/dovecot/auth", "for Postfix", "lua-sasl", (SMTP,), _lua("PLAIN", service="smtp", **_BY_SASL), holds=_SENDING),
    _http("/dovecot/auth", "for others", "lua-sasl", _SERVERS, _lua("PLAIN", **_BY_SASL), keeps_name=True),
    _http(
        "/dovecot/auth", "the gateway's master user", "lua", ALL_PROTOCOLS, _lua("PLAIN", **_VOUCHED),
        shown=Shown.PROVEN, holds=holding(*EVERYTHING), holds_itself=True, is_always_tls=True, is_in_use=True,
    ),
    _http("/dovecot/token", "PLAIN", "oauth2", ALL_PROTOCOLS, _token, tells_tls=False, keeps_name=True),
    _http("/dovecot/introspect", "token", "introspect", (IMAP,), _introspect, opens=False, has_peer_secret=False),
    _http("/dovecot/policy", "before", "auth-policy", ALL_PROTOCOLS, _auth_policy, shown=Shown.NAME),
    _http(
        "/dovecot/policy", "behind", "auth-policy", ALL_PROTOCOLS, _auth_policy,
        shown=Shown.PROVEN, is_in_use=True,
    ),
    _http("/nginx", "plain", "nginx", OF_CLIENTS, _nginx("plain"), holds=_SENDING),
    _http("/nginx", "cram-md5", "nginx", OF_CLIENTS, _nginx("cram-md5"), opens=False),
    _http("/nginx", "apop", "nginx", (POP3,), _nginx("apop"), opens=False),
    _http(  # who shows a certificate may name the account that it stands for, and no other name
        "/nginx", "external", "nginx", OF_CLIENTS, _nginx_certificate,
        shown=Shown.PROVEN, holds=_SENDING, keeps_name=True,
    ),
)  # fmt: skip

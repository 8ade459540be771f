"""Portal and API on one address with everything there is on it, and requests that show any credential in any form."""

import base64
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI
from tests.browser.portal_client import BROWSER, ORIGIN, portal_of
from tests.verbs.api_client import token_for
from tests.verbs.endpoints import Endpoint, every_endpoint
from tests.verbs.site import HOME, House, Person

from valetkey.app.one_site import OneSite
from valetkey.core.passkey import Passkey
from valetkey.core.role import Action, Role
from valetkey.core.scope import MailProtocol
from valetkey.doors.api.app import create_api
from valetkey.doors.api.operations import PREFIX
from valetkey.doors.api.settings import ApiSettings
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.service import portal_sessions, proposals, sign_in
from valetkey.service.ports import LiveSession
from valetkey.service.tokens import new_token

COOKIE = "__Host-valetkey"
HOST = urlsplit(ORIGIN).netloc.encode()
Table = dict[str, list[tuple[Any, ...]]]
_NOBODYS: dict[str, tuple[int, str]] = {}  # endpoint → how it answers somebody with no credential, whatever there is


@dataclass
class Shown:
    """A credential as a request shows it, and the token for forms that belongs to it."""

    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    csrf: str = ""


@dataclass
class Answered:
    status: int
    location: str
    text: str

    @property
    def kind(self) -> tuple[int, str]:
        return self.status, self.location.partition("?")[0]


class Scene:
    """Portal and API on one address, an administrator with everything there is, and somebody else."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.portal: FastAPI = portal_of(house)
        api = create_api(house.ports, ApiSettings(ORIGIN, per_minute=10**6, failures_per_minute=10**6))
        self.endpoints = every_endpoint(self.portal)
        self._database = folder / "valetkey.db"
        self._app = OneSite(self.portal, api)

    async def populate(self) -> None:
        self.ada = await self.house.person("ada@example.org", role=Role.ADMIN)
        self.bob = await self.house.person("bob@example.org")
        self.chief = await self.house.person("chief@example.org", role=Role.ADMIN)
        self.secret = (await self.house.issue(self.ada)).secret
        self.token = (await token_for(self.house, self.ada)).secret
        self.session = await self.house.signed_in(self.ada)
        self.ids = await self.things_of(self.ada)

    async def things_of(self, person: Person) -> dict[str, str]:
        """Make one of everything for a person, and give what paths name them by."""
        house, account = self.house, person.account
        now, issued = house.clock.now(), await house.issue(person, "In a path")
        key = Passkey(f"pk_{account.id}", account.id, "Laptop", account.id.encode(), b"", 0, (), True, now, None)
        await house.store.write(lambda writer: writer.add_passkey(key))
        totp = (await house.store.read(lambda reader: reader.totps(account.id)))[0]
        made = await token_for(house, person, {Action.OWN_READ})
        proposal = await proposals.propose_reset(house.ports, house.acting(self.chief.account), account.id, "Lost")
        live = LiveSession(
            f"s-{account.id}", account.id, issued.app_password.id, MailProtocol.IMAP, HOME, "x", now, "1"
        )
        house.live.sessions.append(live)
        other = await house.signed_in(person)
        return {
            "account_id": account.id, "credential_id": issued.app_password.id, "app_password_id": issued.app_password.id,
            "totp_id": totp.id, "passkey_id": key.id, "token_id": made.token.id, "proposal_id": proposal.id,
            "session_id": live.id, "connection_id": live.id, "name": portal_sessions.public_id(other.session),
            "owner_id": account.id, "address": "x@example.org", "number": "1", "form": "csv", "token": "x" * 43,
        }  # fmt: skip

    async def new_session(self, person: Person) -> sign_in.Started:
        """Begin a complete session whatever factors somebody has left."""
        ports, now = self.house.ports, self.house.clock.now()
        new = portal_sessions.NewSession(person.account.id, HOME, "Firefox", is_proven=True, has_second_factor=True)
        token = new_token(ports)
        session = await ports.store.write(lambda writer: portal_sessions.begin(ports, writer, new, token, now))
        return sign_in.Started(token, session, sign_in.NextStep.DONE)

    async def ask(
        self, endpoint: Endpoint, shown: Shown, ids: Mapping[str, str] | None = None, body: Any = None, method: str = ""
    ) -> Answered:
        """Send one request."""
        headers, content = {**BROWSER, **shown.headers}, b""
        if endpoint.operation is not None and endpoint.operation.body is not Nothing:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body or {}).encode()
        elif endpoint.operation is None and not endpoint.is_look:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urlencode({"sent": "1", "csrf": shown.csrf, **shown.fields}).encode()
        path = endpoint.at(**(self.ids if ids is None else ids))
        answered = await self.send(method or endpoint.method, path, headers.items(), content)
        assert answered.status < 500, f"{endpoint} failed: {answered.status}"
        return answered

    async def send(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), content: bytes = b""
    ) -> Answered:
        """Call the application itself: no client that adds, keeps or follows anything."""
        name, _, query = path.partition("?")
        fields = [(b"host", HOST), (b"content-length", b"%d" % len(content))]
        fields += [(key.lower().encode(), value.encode()) for key, value in headers]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": name, "raw_path": name.encode(), "query_string": query.encode(), "root_path": "",
            "headers": fields, "client": (HOME, 40_000), "server": (HOST.decode(), 443), "state": {},
        }  # fmt: skip
        waiting = [{"type": "http.request", "body": content, "more_body": False}]
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            told.append(message)

        await self._app(scope, receive, send)
        location = next((value for key, value in told[0]["headers"] if key == b"location"), b"")
        text = b"".join(message.get("body", b"") for message in told[1:])
        return Answered(told[0]["status"], location.decode(), text.decode(errors="replace"))

    async def unlike_nobody(self, shown: Shown, endpoints: Iterable[Endpoint] | None = None) -> list[str]:
        """Ask for everything; name what is answered otherwise than to somebody with no credential."""
        found = []
        for endpoint in self.endpoints if endpoints is None else endpoints:
            if str(endpoint) not in _NOBODYS:
                _NOBODYS[str(endpoint)] = (await self.ask(endpoint, Shown())).kind
            kind = (await self.ask(endpoint, shown)).kind
            if kind != _NOBODYS[str(endpoint)]:
                found.append(f"{endpoint}: {kind}, to nobody {_NOBODYS[str(endpoint)]}")
        return found

    async def note_use(self, token: Shown) -> None:
        """Have a token used once, so that the next use within this minute writes nothing."""
        assert (await self.send("GET", f"{PREFIX}/me", token.headers.items())).status == 200

    def rows(self) -> Table:
        """Read the whole database."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}


def changed(before: Table, after: Table) -> list[str]:
    return [name for name in before if before[name] != after[name]]


def cookie(token: str, name: str = COOKIE) -> dict[str, str]:
    return {"Cookie": f"{name}={token}"}


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def by_session(started: sign_in.Started) -> Shown:
    return Shown(cookie(started.token), csrf=started.session.csrf)

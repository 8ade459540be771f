"""What is sent and answered: connections."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from valetkey.client.models.me import MailProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenConnection:
    """An open mail connection."""

    id: str
    account_id: str
    app_password_id: str | None  # What opened it; null: the main password.
    protocol: MailProtocol
    address: str
    client: str
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPage:
    """A part of the open mail connections, the newest first."""

    items: tuple[OpenConnection, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.
    is_complete: bool  # False: a part of the mail side did not say which ones it has.


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One protocol of one mail server behind the gateway, and how it stands."""

    protocol: MailProtocol
    host: str
    port: int
    tls: str  # implicit, starttls or none
    domains: tuple[str, ...]
    connections: int
    reached_at: datetime | None
    failed_at: datetime | None
    why: str  # Of the last failure.
    is_failing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The mail servers behind the gateway."""

    items: tuple[Server, ...]


AskedOutcome = Literal["yes", "no", "cannot-tell", "misunderstood", "turned-away"]  # What came of a question.


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How often questions came to the same, and when."""

    outcome: AskedOutcome
    count: int
    first_at: datetime
    last_at: datetime
    last_from: str | None  # Where the last one came from that was turned away, if it is known.


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingServer:
    """A mail server that may ask at a door, and what came of it."""

    name: str | None  # The peer; null: all that asked and are no peer there.
    has_asked: bool
    outcomes: tuple[Outcome, ...]  # Of what there was. Counted over restarts.


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A place where mail servers ask."""

    kind: str  # http, sasl, policy, socketmap, saslauthd, authdaemon, radius or ldap
    place: str  # Address and port, or the path of a unix socket.
    has_tls: bool
    servers: tuple[AskingServer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The places where mail servers ask, with all who may."""

    items: tuple[Door, ...]

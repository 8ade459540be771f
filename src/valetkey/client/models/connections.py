"""What is sent and answered: connections."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass
from datetime import datetime

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

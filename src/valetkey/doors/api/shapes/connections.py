"""The forms of mail connections and mail servers."""

from datetime import datetime

from pydantic import Field

from valetkey.core.scope import MailProtocol
from valetkey.doors.api.paging import Page
from valetkey.doors.api.shapes.fields import Shape
from valetkey.service.ports import LiveSession, MailServer


class OpenConnectionShape(Shape):
    """An open mail connection."""

    id: str
    account_id: str
    app_password_id: str | None = Field(description="What opened it; null: the main password.")
    protocol: MailProtocol
    address: str
    client: str
    opened_at: datetime


class ConnectionPage(Page[OpenConnectionShape]):
    """A part of the open mail connections, the newest first."""

    is_complete: bool = Field(description="False: a part of the mail side did not say which ones it has.")


class ServerShape(Shape):
    """One protocol of one mail server behind the gateway, and how it stands."""

    protocol: MailProtocol
    host: str
    port: int
    tls: str = Field(description="implicit, starttls or none")
    domains: list[str]
    connections: int
    reached_at: datetime | None
    failed_at: datetime | None
    why: str = Field(description="Of the last failure.")
    is_failing: bool


class Servers(Shape):
    """The mail servers behind the gateway."""

    items: list[ServerShape]


def connection_shape(one: LiveSession) -> OpenConnectionShape:
    """Give the form of an open connection."""
    return OpenConnectionShape(
        id=one.id,
        account_id=one.account_id,
        app_password_id=one.credential_id,
        protocol=one.protocol,
        address=one.address,
        client=one.client,
        opened_at=one.opened_at,
    )


def server_shape(one: MailServer) -> ServerShape:
    """Give the form of a mail server."""
    return ServerShape(
        protocol=one.protocol,
        host=one.host,
        port=one.port,
        tls=one.tls,
        domains=list(one.domains),
        connections=one.connections,
        reached_at=one.reached_at,
        failed_at=one.failed_at,
        why=one.why,
        is_failing=one.is_failing,
    )

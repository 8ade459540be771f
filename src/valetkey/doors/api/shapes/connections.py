"""The forms of mail connections and mail servers."""

from datetime import datetime

from pydantic import Field

from valetkey.core.scope import MailProtocol
from valetkey.doors.api.paging import Page
from valetkey.doors.api.shapes.fields import Shape
from valetkey.service.ports import LiveSession
from valetkey.service.server_parts import MailServer
from valetkey.service.servers import AskedDoor, AskingPeer
from valetkey.service.tallies import AskedOutcome


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


class OutcomeShape(Shape):
    """How often questions came to the same, and when."""

    outcome: AskedOutcome
    count: int
    first_at: datetime
    last_at: datetime
    last_from: str | None = Field(description="Where the last one came from that was turned away, if it is known.")


class AskingServerShape(Shape):
    """A mail server that may ask at a door, and what came of it."""

    name: str | None = Field(description="The peer; null: all that asked and are no peer there.")
    has_asked: bool
    outcomes: list[OutcomeShape] = Field(description="Of what there was. Counted over restarts.")


class DoorShape(Shape):
    """A place where mail servers ask."""

    kind: str = Field(description="http, sasl, policy, socketmap, saslauthd, authdaemon, radius or ldap")
    place: str = Field(description="Address and port, or the path of a unix socket.")
    has_tls: bool
    servers: list[AskingServerShape]


class Doors(Shape):
    """The places where mail servers ask, with all who may."""

    items: list[DoorShape]


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


def door_shape(one: AskedDoor) -> DoorShape:
    """Give the form of a place where mail servers ask."""
    door = one.door
    servers = [_asking_shape(each) for each in one.peers]
    return DoorShape(kind=door.kind, place=door.place, has_tls=door.has_tls, servers=servers)


def _asking_shape(one: AskingPeer) -> AskingServerShape:
    outcomes = [
        OutcomeShape(
            outcome=outcome,
            count=tally.count,
            first_at=tally.first_at,
            last_at=tally.last_at,
            last_from=tally.place or None,
        )
        for outcome, tally in one.tallies.items()
    ]
    return AskingServerShape(name=one.name or None, has_asked=bool(outcomes), outcomes=outcomes)

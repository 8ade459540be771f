"""The forms of what is seen of signing in to the portal: browsers, the history, the notice address. Read only."""

from datetime import datetime

from pydantic import Field

from valetkey.doors.api.paging import Page
from valetkey.doors.api.shapes.fields import Shape
from valetkey.doors.api.shapes.records import AuditShape
from valetkey.service.notice_addresses import Shown
from valetkey.service.portal_sessions import public_id
from valetkey.service.ports import PortalSession
from valetkey.service.store_parts import RefusedSignIn


class SessionShape(Shape):
    """A browser that is signed in to the portal, without anything that opens it."""

    id: str = Field(description="Its name; nothing is opened with it.")
    client: str = Field(description="What the browser called itself.")
    address: str
    created_at: datetime
    seen_at: datetime
    is_complete: bool = Field(description="False: the main password was right, the second factor is not given yet.")


class SessionPage(Page[SessionShape]):
    """A part of the browsers that are signed in."""


class RefusedSignInShape(Shape):
    """Sign-ins from one network with a wrong main password."""

    network: str = Field(examples=["198.51.100.0/24"])
    first_at: datetime
    last_at: datetime
    count: int


class SignInPage(Page[AuditShape]):
    """A part of the history of sign-ins, the newest first."""

    refused: list[RefusedSignInShape] = Field(
        description="With a wrong main password, by network, the latest first; on the first page only."
    )


class NoticeAddressShape(Shape):
    """Where notices go beside the mailbox. It is changed in person only."""

    address: str | None = Field(description="null: to the mailbox alone.")
    confirmed_at: datetime | None
    pending: str | None = Field(description="An address that waits to be confirmed.")
    can_mail: bool = Field(description="Whether this site sends mail at all.")


def session_shape(session: PortalSession) -> SessionShape:
    """Give the form of a browser that is signed in."""
    return SessionShape(
        id=public_id(session),
        client=session.client,
        address=session.address,
        created_at=session.created_at,
        seen_at=session.seen_at,
        is_complete=session.proven_at is not None,
    )


def refused_shape(refused: RefusedSignIn) -> RefusedSignInShape:
    """Give the form of refused sign-ins."""
    return RefusedSignInShape(
        network=refused.network, first_at=refused.first_at, last_at=refused.last_at, count=refused.count
    )


def notice_address_shape(shown: Shown) -> NoticeAddressShape:
    """Give the form of where notices go."""
    kept = shown.kept
    return NoticeAddressShape(
        address=None if kept is None else kept.address,
        confirmed_at=None if kept is None else kept.confirmed_at,
        pending=shown.pending or None,
        can_mail=shown.can_mail,
    )

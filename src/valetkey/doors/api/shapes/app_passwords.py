"""The forms of app passwords."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from valetkey.core.app_password import AppPassword, SecretFormat
from valetkey.core.limits import NO_LIMITS
from valetkey.core.login import end_of, idle_limit
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope
from valetkey.doors.api.paging import Page, Paged
from valetkey.doors.api.shapes.accounts import Search
from valetkey.doors.api.shapes.closed import Closed
from valetkey.doors.api.shapes.fields import WHOLE, Entry, Flag, Id, Moment, ReasonText, Seconds, Shape, left_out_stays
from valetkey.doors.api.shapes.limits import (
    LimitsChange,
    LimitsShape,
    LimitsWanted,
    limits_changed,
    limits_of,
    limits_shape,
)
from valetkey.service.store_parts import AppPasswordFilter

Description = Annotated[
    str, StringConstraints(min_length=1, max_length=100), Field(description="Its name.", examples=["Office scanner"])
]


class ScopeShape(Shape):
    """What an app password may do."""

    mode: PermissionMode = Field(
        description="inherit: all that the account may; restrict: less the list; replace: the list."
    )
    permissions: list[Permission]
    protocols: list[MailProtocol]


class ScopeWanted(Shape):
    """What an app password shall be able to do."""

    mode: PermissionMode
    permissions: Annotated[list[Permission], Field(max_length=20)] = []
    protocols: Annotated[list[MailProtocol], Field(min_length=1, max_length=10)]


class RestrictionsShape(Shape):
    """From where, until when and how far it works."""

    expires_at: datetime | None
    idle_for: int | None = Field(description="Seconds: unused for so long, it stops working.")
    network_rule: NetworkRule
    allowed_ips: list[str]
    pinned_network: str | None = Field(description="The network of the first login, for network_rule pinned.")
    limits: LimitsShape


class RestrictionsWanted(Shape):
    """From where, until when and how far it shall work."""

    expires_at: Moment | None = None
    idle_for: Seconds | None = Field(default=None, description="Seconds: unused for so long, it stops working.")
    network_rule: NetworkRule = NetworkRule.ANYWHERE
    allowed_ips: Annotated[list[Entry], Field(max_length=200)] = []
    limits: LimitsWanted | None = Field(default=None, description="null: none.")


class RestrictionsChange(Shape):
    """What of from where, until when and how far shall be otherwise. What is left out stays; null lifts it."""

    expires_at: Moment | None = Field(default=None, json_schema_extra=left_out_stays)
    idle_for: Seconds | None = Field(
        default=None, description="Seconds: unused for so long, it stops working.", json_schema_extra=left_out_stays
    )
    network_rule: NetworkRule | None = Field(default=None, json_schema_extra=left_out_stays)
    allowed_ips: Annotated[list[Entry], Field(max_length=200)] | None = Field(
        default=None, json_schema_extra=left_out_stays
    )
    limits: LimitsChange | None = Field(
        default=None, description="null lifts them all.", json_schema_extra=left_out_stays
    )


class Use(Shape):
    """A login."""

    at: datetime
    address: str
    protocol: MailProtocol
    client: str


class Refusal(Shape):
    """A login that was refused although the secret was right."""

    at: datetime
    address: str
    protocol: MailProtocol
    reason: str


class AppPasswordShape(Shape):
    """An app password, without its secret."""

    id: str = Field(examples=["ap_wq7xk3v5m2abcdef"])
    account_id: str
    description: str
    format: SecretFormat
    scope: ScopeShape
    restrictions: RestrictionsShape
    is_live: bool = Field(description="Neither revoked nor seen expired.")
    ends_at: datetime | None = Field(
        description="When it ends under the policy that holds, which may be sooner; null: never."
    )
    stops_unused_after: int | None = Field(description="Seconds, under the policy that holds; null: never.")
    created_at: datetime
    created_by: str = Field(description="An account's id, a token's id, or cli.")
    created_from: str
    lapsed_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_reason: str | None
    last_use: Use | None
    last_refusal: Refusal | None
    rotated_from: str | None = Field(description="In whose place it was put.")


class AppPasswordOfAccount(Shape):
    """An app password with the address of its account."""

    app_password: AppPasswordShape
    address: str


class AppPasswordPage(Page[AppPasswordShape]):
    """A part of one account's app passwords."""


class AllAppPasswordPage(Page[AppPasswordOfAccount]):
    """A part of everybody's app passwords."""


class AppPasswordsAsked(Paged):
    """Which app passwords of one account are listed."""

    live_only: Flag = True


class AllAppPasswordsAsked(Paged):
    """Which app passwords of all accounts are listed."""

    filter: AppPasswordFilter = AppPasswordFilter.LIVE
    search: Search = ""


class NewAppPassword(Shape):
    """An app password to be made."""

    description: Description
    scope: ScopeWanted | None = Field(default=None, description="Or ready_made.")
    ready_made: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="The key of a ready-made choice, see /ready-made.", examples=["send-only"]
    )
    restrictions: RestrictionsWanted | None = Field(default=None, description="null: what the policy gives by default.")
    format: SecretFormat = SecretFormat.DEFAULT


class AppPasswordChange(Shape):
    """What shall be otherwise; what is left out stays, and so does what is null here."""

    description: Description | None = None
    scope: ScopeWanted | None = None
    restrictions: RestrictionsChange | None = None


class AppPasswordMade(Shape):
    """A new app password with its secret, which is never to be had again."""

    app_password: AppPasswordShape
    secret: str | None = Field(description="Shown once; null in a repetition.")
    replayed: bool = Field(default=False, description="Whether this repeats an earlier answer.")


class AppPasswordRotatedShape(Closed):
    """A new app password with its secret, and the one whose place it takes."""

    app_password: AppPasswordShape
    secret: str | None = Field(description="Shown once; null in a repetition.")
    replaced: AppPasswordShape
    replayed: bool = Field(default=False, description="Whether this repeats an earlier answer.")


class Overlap(Shape):
    """How long the one that is replaced shall work on."""

    overlap: Annotated[int, Field(ge=0, le=2_592_000), WHOLE] = Field(
        default=0, description="Seconds: 0, 3600, 86400, 604800 or 2592000.", examples=[86400]
    )


class AppPasswordChanged(Closed):
    """An app password after it was revoked or changed."""

    app_password: AppPasswordShape


class AppPasswordsRevoked(Closed):
    """What was revoked. With each are those of its connections that were open here; `closed` is all together."""

    items: list[AppPasswordChanged]


class ManyWanted(Shape):
    """App passwords to be revoked together."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=500)]
    reason: ReasonText = ""


class ManyPlanned(Shape):
    """What revoking them would do."""

    app_passwords: int
    people: int
    connections: int | None = Field(description="null: it cannot be asked now.")
    skipped: int = Field(description="Unknown, revoked already, or of somebody with a role that you have not.")


class ManyRevoked(Closed):
    """What revoking them did."""

    revoked: int
    people: int
    skipped: int


class ReadyMadeShape(Shape):
    """A ready-made choice."""

    key: str
    title: str
    sentence: str
    scope: ScopeShape
    needs_folders: bool = Field(description="It is for folders that have to be named, in restrictions.limits.")


class ReadyMadeList(Shape):
    """The ready-made choices."""

    items: list[ReadyMadeShape]


def app_password_shape(one: AppPassword, policy: Policy) -> AppPasswordShape:
    """Give the form of an app password. One that is over keeps the end that it had."""
    ends_at, idle_for = one.restrictions.expires_at, one.restrictions.idle_for
    if one.is_live:
        ends_at, idle_for = end_of(one, policy), idle_limit(one, policy)
    use, refusal = one.last_use, one.last_refusal
    return AppPasswordShape(
        id=one.id,
        account_id=one.account_id,
        description=one.description,
        format=one.format,
        scope=scope_shape(one.scope),
        restrictions=_restrictions_shape(one.restrictions),
        is_live=one.is_live,
        ends_at=ends_at,
        stops_unused_after=None if idle_for is None else int(idle_for.total_seconds()),
        created_at=one.created_at,
        created_by=one.created_by,
        created_from=one.created_from,
        lapsed_at=one.lapsed_at,
        revoked_at=one.revoked_at,
        revoked_by=one.revoked_by,
        revoked_reason=one.revoked_reason,
        last_use=None if use is None else Use(at=use.at, address=use.address, protocol=use.protocol, client=use.client),
        last_refusal=None
        if refusal is None
        else Refusal(at=refusal.at, address=refusal.address, protocol=refusal.protocol, reason=refusal.reason),
        rotated_from=one.rotated_from,
    )


def scope_shape(scope: Scope) -> ScopeShape:
    """Give the form of a scope."""
    return ScopeShape(mode=scope.mode, permissions=sorted(scope.permissions), protocols=sorted(scope.protocols))


def scope_of(wanted: ScopeWanted) -> Scope:
    """Read a wanted scope."""
    return Scope(wanted.mode, frozenset(wanted.permissions), frozenset(wanted.protocols))


def restrictions_of(wanted: RestrictionsWanted) -> Restrictions:
    """Read wanted restrictions."""
    return Restrictions(
        expires_at=wanted.expires_at,
        idle_for=None if wanted.idle_for is None else timedelta(seconds=wanted.idle_for),
        network_rule=wanted.network_rule,
        allowed_ips=tuple(wanted.allowed_ips),
        limits=limits_of(wanted.limits),
    )


def restrictions_changed(held: Restrictions, asked: RestrictionsChange) -> Restrictions:
    """Give restrictions after a change. What is not named stays, so that none vanishes as a client does not know it."""
    values: dict[str, object] = {
        "expires_at": asked.expires_at,
        "idle_for": None if asked.idle_for is None else timedelta(seconds=asked.idle_for),
        "network_rule": asked.network_rule or NetworkRule.ANYWHERE,
        "allowed_ips": tuple(asked.allowed_ips or ()),
        "limits": NO_LIMITS if asked.limits is None else limits_changed(held.limits, asked.limits),
    }
    named: Any = {name: value for name, value in values.items() if name in asked.model_fields_set}
    return replace(held, **named)


def _restrictions_shape(held: Restrictions) -> RestrictionsShape:
    return RestrictionsShape(
        expires_at=held.expires_at,
        idle_for=None if held.idle_for is None else int(held.idle_for.total_seconds()),
        network_rule=held.network_rule,
        allowed_ips=list(held.allowed_ips),
        pinned_network=None if held.pinned_network is None else str(held.pinned_network),
        limits=limits_shape(held.limits),
    )

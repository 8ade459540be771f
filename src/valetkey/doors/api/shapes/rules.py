"""The forms of policy, named networks and proposals."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from valetkey.core.network import NamedNetworks, network_facts
from valetkey.core.policy import Policy, policy_facts, policy_from
from valetkey.core.proposal import ProposalKind, ProposalState
from valetkey.doors.api.paging import Page, Paged
from valetkey.doors.api.shapes.accounts import NamedAccount, named
from valetkey.doors.api.shapes.closed import Closed
from valetkey.doors.api.shapes.fields import WHOLE, Entry, Flag, Id, ReasonText, Seconds, Shape
from valetkey.service.policy import Effect, Hit, Origin, Preview
from valetkey.service.proposals import ShownProposal

Strict = Annotated[bool, Field(strict=True)]
NetworkName = Annotated[str, StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_-]{0,30}$")]
Networks = Annotated[
    dict[NetworkName, Annotated[list[Entry], Field(min_length=1, max_length=200)]],
    Field(max_length=200, json_schema_extra={"additionalProperties": False}),
]


class PolicyShape(Shape):
    """The site's policy. Durations are in seconds; null is no ceiling or no default."""

    max_app_passwords: Annotated[int, Field(ge=1, le=10_000), WHOLE]
    default_lifetime: Seconds | None
    max_lifetime: Seconds | None
    default_idle_for: Seconds | None
    max_idle_for: Seconds | None
    main_password_opens_mail: Strict
    require_tls: Strict
    strict_hash: Strict
    min_password_length: Annotated[int, Field(ge=8, le=128), WHOLE]
    recovery_wait: Annotated[int, Field(ge=86_400, le=2_592_000), WHOLE]
    password_with_code: Strict
    password_with_code_for: Annotated[int, Field(ge=60, le=2_592_000), WHOLE]


class PolicyRead(PolicyShape):
    """The policy as it holds, and where it comes from."""

    comes_from: Origin


class PolicyWanted(Shape):
    """The whole policy that shall hold."""

    policy: PolicyShape
    reason: ReasonText = ""


class NetworksRead(Shape):
    """The named networks as they are, and where they come from."""

    networks: dict[str, list[str]]
    comes_from: Origin


class NetworksWanted(Shape):
    """All named networks as they shall be."""

    networks: Networks
    reason: ReasonText = ""


class HitShape(Shape):
    """Whom a change hits."""

    account: NamedAccount
    app_password_id: str | None = Field(description="null: the main password, or an API token.")
    api_token_id: str | None
    description: str
    effect: Effect
    ends_at: datetime | None


class PreviewShape(Shape):
    """What a change would do."""

    changed: list[str]
    weaker: list[str] = Field(description="What of it permits more: then a second administrator is needed.")
    needs_two: bool
    stops: int
    shortened: int
    elsewhere: int
    loses_mail: int
    people: int
    hits: list[HitShape] = Field(description="The first of them.")


class DifferenceShape(Shape):
    """One thing as it was and as it would be."""

    name: str
    before: Any
    after: Any


class ProposalShape(Shape):
    """Something that takes effect only when a second administrator countersigns it, in person."""

    id: str
    kind: ProposalKind
    state: ProposalState
    account: NamedAccount | None = Field(description="Whom it is about.")
    reason: str
    differences: list[DifferenceShape]
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    other_administrators: int = Field(description="Who could countersign it.")


class Proposals(Page[ProposalShape]):
    """A part of the proposals, the newest first."""


class ProposalMade(Shape):
    """A proposal that was made."""

    id: str
    kind: ProposalKind
    expires_at: datetime = Field(description="It lapses then.")


class Saved(Closed):
    """What became of a change. Of connections at mail servers that it closes nothing is known yet."""

    proposal_id: str | None = Field(description="Not null: it waits for a second administrator and does not hold yet.")


class OpenOnly(Paged):
    """Whether decided and lapsed ones are left out."""

    open_only: Flag = True


class ProposalWanted(Shape):
    """Something to propose. To lower the policy, save it: that makes a proposal."""

    kind: Annotated[ProposalKind, Field(json_schema_extra={"not": {"const": ProposalKind.LOWER_POLICY.value}})]
    account_id: Id | None = Field(default=None, description="Whom it is about; not for export-everything.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]


def policy_shape(policy: Policy, comes_from: Origin) -> PolicyRead:
    """Give the form of the policy that holds."""
    return PolicyRead(**_whole(policy_facts(policy)), comes_from=comes_from)


def policy_of(wanted: PolicyShape) -> Policy:
    """Read a wanted policy.

    Raises:
        InvalidInput: It makes no sense.
    """
    return policy_from(wanted.model_dump(), Policy())


def networks_shape(networks: NamedNetworks, comes_from: Origin) -> NetworksRead:
    """Give the form of the named networks."""
    return NetworksRead(networks=network_facts(networks), comes_from=comes_from)


def preview_shape(found: Preview) -> PreviewShape:
    """Give the form of a preview."""
    return PreviewShape(
        changed=list(found.changed),
        weaker=list(found.weaker),
        needs_two=found.needs_two,
        stops=found.stops,
        shortened=found.shortened,
        elsewhere=found.elsewhere,
        loses_mail=found.loses_mail,
        people=found.people,
        hits=[_hit(each) for each in found.hits],
    )


def proposal_shape(shown: ShownProposal) -> ProposalShape:
    """Give the form of a proposal."""
    one = shown.proposal
    return ProposalShape(
        id=one.id,
        kind=one.kind,
        state=one.state,
        account=None if shown.account is None else named(shown.account),
        reason=one.reason,
        differences=[DifferenceShape(name=e.name, before=e.before, after=e.after) for e in shown.differences],
        proposed_by=one.proposed_by,
        proposed_at=one.proposed_at,
        expires_at=one.expires_at,
        decided_by=one.decided_by,
        decided_at=one.decided_at,
        other_administrators=shown.other_administrators,
    )


def _hit(hit: Hit) -> HitShape:
    credential, token = hit.app_password, hit.api_token
    return HitShape(
        account=named(hit.account),
        app_password_id=None if credential is None else credential.id,
        api_token_id=None if token is None else token.id,
        description=credential.description if credential else token.name if token else "",
        effect=hit.effect,
        ends_at=hit.ends_at,
    )


def _whole(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: int(value) if isinstance(value, float) else value for name, value in facts.items()}

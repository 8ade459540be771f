"""The audit events; `core.event_sentences` says each in a sentence.

Every change of state is one of these, written by the verb in its own transaction. An event never holds a secret.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AccountCreated:
    """An account was made."""

    address: str
    kind: str


@dataclass(frozen=True, slots=True)
class AccountDisabled:
    """An account may no longer log in anywhere."""


@dataclass(frozen=True, slots=True)
class AccountEnabled:
    """A disabled account may log in again."""


@dataclass(frozen=True, slots=True)
class RightsSet:
    """What an account's credentials may be given was changed."""

    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AliasAdded:
    """An account can log in with one more address."""

    address: str


@dataclass(frozen=True, slots=True)
class AliasRemoved:
    """An account can no longer log in with this address."""

    address: str


@dataclass(frozen=True, slots=True)
class OwnerAdded:
    """A person may manage the app passwords of a shared account."""

    owner: str


@dataclass(frozen=True, slots=True)
class OwnerRemoved:
    """A person may no longer manage the app passwords of a shared account."""

    owner: str


@dataclass(frozen=True, slots=True)
class MainPasswordSet:
    """The main password was set."""


@dataclass(frozen=True, slots=True)
class UpstreamPasswordSet:
    """The password that the gateway logs in upstream with was stored."""


@dataclass(frozen=True, slots=True)
class UpstreamPasswordRemoved:
    """The stored upstream password was removed."""


@dataclass(frozen=True, slots=True)
class SecondFactorAdded:
    """An authenticator app was set up and proven with a code, or a passkey was registered."""

    name: str
    factor: str = "totp"  # or "passkey"


@dataclass(frozen=True, slots=True)
class SecondFactorRemoved:
    """An authenticator app or a passkey was removed by its owner."""

    name: str
    factor: str = "totp"  # or "passkey"


@dataclass(frozen=True, slots=True)
class SecondFactorRenamed:
    """An authenticator app or a passkey was given another name by its owner."""

    before: str
    name: str
    factor: str = "totp"  # or "passkey"


@dataclass(frozen=True, slots=True)
class SecondFactorReset:
    """All second factors of an account were removed by an administrator."""


@dataclass(frozen=True, slots=True)
class CodeEntryDisabled:
    """Too many wrong codes: code entry is disabled until an administrator resets it or a recovery code is used."""


@dataclass(frozen=True, slots=True)
class PasskeyRefused:
    """A passkey was used whose counter went back: somebody may have a copy of it."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class RecoveryCodesDrawn:
    """A new set of recovery codes replaced the old one."""

    count: int


@dataclass(frozen=True, slots=True)
class RecoveryCodeUsed:
    """A recovery code was used up."""

    left: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody signed in to the portal."""

    factor: str
    address: str
    client: str


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """A sign-in with the right main password failed at the second factor."""

    reason: str
    address: str


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A portal session was ended by its owner."""

    sessions: int


@dataclass(frozen=True, slots=True)
class AppPasswordIssued:
    """An app password was made."""

    description: str
    permissions: str
    protocols: tuple[str, ...]
    expires_at: str | None
    from_networks: tuple[str, ...]
    limits: dict[str, Any] = field(default_factory=dict)  # those that it has, by name; the first records do not have it


@dataclass(frozen=True, slots=True)
class AppPasswordChanged:
    """An app password was renamed, narrowed or widened."""

    fields: tuple[str, ...]  # of "description", "scope", "restrictions", "limits"
    description: str = ""  # as it was called until then; the first records do not have it
    limits: dict[str, Any] = field(default_factory=dict)  # those that it has now, if they were changed


@dataclass(frozen=True, slots=True)
class AppPasswordRevoked:
    """An app password was revoked; its digest is erased."""

    description: str
    reason: str


@dataclass(frozen=True, slots=True)
class AppPasswordLapsed:
    """An app password was seen expired for the first time."""

    description: str


@dataclass(frozen=True, slots=True)
class AppPasswordPinned:
    """An app password was bound to the network of its first login."""

    network: str


@dataclass(frozen=True, slots=True)
class KeysRotated:
    """A new key was made; secrets move to it as they are used."""

    key_number: int


@dataclass(frozen=True, slots=True)
class AppPasswordRotated:
    """An app password got a successor; the old one works until the overlap ends."""

    description: str
    successor: str  # the id of the new one
    until: str  # when the old one expires, ISO 8601


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """Somebody closed one mail connection."""

    protocol: str
    address: str


@dataclass(frozen=True, slots=True)
class NoticeAddressSet:
    """Notices go to one more address."""

    address: str


@dataclass(frozen=True, slots=True)
class NoticeAddressRemoved:
    """Notices go to the mailbox alone."""

    address: str


@dataclass(frozen=True, slots=True)
class RecoveryBegun:
    """Somebody proved main password and notice address to recover a lost second factor; a waiting time runs."""

    opens_at: str  # ISO 8601
    address: str


@dataclass(frozen=True, slots=True)
class RecoveryCancelled:
    """A recovery was called off."""


@dataclass(frozen=True, slots=True)
class RecoveryDone:
    """A recovery took all second factors away after its waiting time."""


@dataclass(frozen=True, slots=True)
class Invited:
    """A one-time link was made with which a person sets main password and second factor."""

    expires_at: str  # ISO 8601


@dataclass(frozen=True, slots=True)
class InvitationUsed:
    """An invitation was used: its person has set a main password."""


@dataclass(frozen=True, slots=True)
class RoleSet:
    """An account's role in the console was set."""

    role: str  # "" is none


@dataclass(frozen=True, slots=True)
class ApiTokenMade:
    """An API token was made."""

    name: str
    actions: tuple[str, ...]
    expires_at: str  # ISO 8601
    allowed_ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiTokenRevoked:
    """An API token was revoked; its digest is erased."""

    name: str


@dataclass(frozen=True, slots=True)
class ProposalMade:
    """An administrator wants something that another must countersign."""

    proposal_id: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProposalDecided:
    """A proposal was countersigned, declined, withdrawn, or it lapsed."""

    proposal_id: str
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """The site's policy was changed."""

    before: dict[str, Any]  # the fields that differ, as they were
    after: dict[str, Any]  # and as they are


@dataclass(frozen=True, slots=True)
class NetworksChanged:
    """The named networks were changed."""

    before: dict[str, Any]  # name → list of CIDRs, those that differ; a name that is missing was not there
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exported:
    """Records left the house."""

    what: str  # such as "audit log" or "everything"
    records: int


Event = (
    AccountCreated | AccountDisabled | AccountEnabled | RightsSet | AliasAdded | AliasRemoved | OwnerAdded | OwnerRemoved
    | MainPasswordSet | UpstreamPasswordSet | UpstreamPasswordRemoved | SecondFactorAdded | SecondFactorRemoved
    | SecondFactorRenamed | SecondFactorReset | CodeEntryDisabled | PasskeyRefused | RecoveryCodesDrawn | RecoveryCodeUsed | SignedIn | SignInRefused | SignedOut
    | AppPasswordIssued | AppPasswordChanged | AppPasswordRevoked | AppPasswordLapsed | AppPasswordPinned | KeysRotated
    | AppPasswordRotated | ConnectionClosed | NoticeAddressSet | NoticeAddressRemoved | RecoveryBegun | RecoveryCancelled
    | RecoveryDone | Invited | InvitationUsed | RoleSet | ApiTokenMade | ApiTokenRevoked | ProposalMade | ProposalDecided
    | PolicyChanged | NetworksChanged | Exported
)  # fmt: skip

_BY_NAME: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__args__}


def to_facts(event: Event) -> dict[str, Any]:
    """Give the facts of an event as they are stored."""
    return asdict(event)


def from_facts(kind: str, facts: dict[str, Any]) -> Event:
    """Read a stored event.

    Raises:
        ValueError: A kind or a fact that this version does not know.
    """
    event_type: Any = _BY_NAME.get(kind)
    if event_type is None:
        raise ValueError(f"unknown event {kind}")
    try:
        event: Event = event_type(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
        )
    except TypeError:
        raise ValueError(f"unknown facts in event {kind}") from None
    return event

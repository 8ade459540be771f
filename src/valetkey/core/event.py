"""The audit events, and the sentence that each is shown as.

Every change of state is one of these, written by the verb in its own transaction. An event never holds a secret.
"""

from dataclasses import asdict, dataclass
from typing import Any, assert_never


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
    """An authenticator was set up and proven with a code."""

    name: str


@dataclass(frozen=True, slots=True)
class SecondFactorRemoved:
    """An authenticator was removed by its owner."""

    name: str


@dataclass(frozen=True, slots=True)
class SecondFactorReset:
    """All second factors of an account were removed by an administrator."""


@dataclass(frozen=True, slots=True)
class CodeEntryDisabled:
    """Too many wrong codes: code entry is disabled until an administrator resets it or a recovery code is used."""


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


@dataclass(frozen=True, slots=True)
class AppPasswordChanged:
    """An app password was renamed, narrowed or widened."""

    fields: tuple[str, ...]  # of "description", "scope", "restrictions"
    description: str = ""  # as it was called until then; the first records do not have it


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


Event = (
    AccountCreated | AccountDisabled | AccountEnabled | RightsSet | AliasAdded | AliasRemoved | OwnerAdded | OwnerRemoved
    | MainPasswordSet | UpstreamPasswordSet | UpstreamPasswordRemoved | SecondFactorAdded | SecondFactorRemoved
    | SecondFactorReset | CodeEntryDisabled | RecoveryCodesDrawn | RecoveryCodeUsed | SignedIn | SignInRefused | SignedOut
    | AppPasswordIssued | AppPasswordChanged | AppPasswordRevoked | AppPasswordLapsed | AppPasswordPinned | KeysRotated
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


_CHANGED = {"description": "its name", "scope": "what it may do", "restrictions": "from where and until when"}


def describe(event: Event) -> str:  # noqa: C901  (one flat case per event; assert_never keeps it complete)
    """Say an event in one sentence."""
    match event:
        case AccountCreated(address=address, kind=kind):
            return f"Account {address} created ({kind})"
        case AccountDisabled():
            return "Account disabled"
        case AccountEnabled():
            return "Account enabled"
        case RightsSet(rights=rights):
            return f"Rights set to {', '.join(rights) or 'none'}"
        case AliasAdded(address=address):
            return f"Alias {address} added"
        case AliasRemoved(address=address):
            return f"Alias {address} removed"
        case OwnerAdded(owner=owner):
            return f"Owner {owner} added"
        case OwnerRemoved(owner=owner):
            return f"Owner {owner} removed"
        case MainPasswordSet():
            return "Main password set"
        case UpstreamPasswordSet():
            return "Upstream password stored"
        case UpstreamPasswordRemoved():
            return "Upstream password removed"
        case _:
            return _describe_credentials(event)


def _describe_credentials(  # noqa: C901, PLR0912  (one flat case per event)
    event: SecondFactorAdded
    | SecondFactorRemoved
    | SecondFactorReset
    | CodeEntryDisabled
    | RecoveryCodesDrawn
    | RecoveryCodeUsed
    | SignedIn
    | SignInRefused
    | SignedOut
    | AppPasswordIssued
    | AppPasswordChanged
    | AppPasswordRevoked
    | AppPasswordLapsed
    | AppPasswordPinned
    | KeysRotated,
) -> str:
    match event:
        case SecondFactorAdded(name=name):
            return f"Authenticator “{name}” added"
        case SecondFactorRemoved(name=name):
            return f"Authenticator “{name}” removed"
        case SecondFactorReset():
            return "Second factors reset by an administrator"
        case CodeEntryDisabled():
            return "Code entry disabled after too many wrong codes"
        case RecoveryCodesDrawn(count=count):
            return f"{count} recovery codes made"
        case RecoveryCodeUsed(left=left):
            return f"Recovery code used, {left} left"
        case SignedIn(factor=factor, address=address):
            return f"Signed in with {factor} from {address}"
        case SignInRefused(reason=reason, address=address):
            return f"Sign-in from {address} refused: {reason}"
        case SignedOut(sessions=sessions):
            return f"Signed out of {sessions} session{'' if sessions == 1 else 's'}"
        case AppPasswordIssued(description=description):
            return f"App password “{description}” made"
        case AppPasswordChanged(description=description, fields=fields):
            what = ", ".join(_CHANGED.get(field, field) for field in fields)
            return f"App password {f'“{description}” ' if description else ''}changed: {what}"
        case AppPasswordRevoked(description=description, reason=reason):
            return f"App password “{description}” revoked{f' ({reason})' if reason else ''}"
        case AppPasswordLapsed(description=description):
            return f"App password “{description}” expired"
        case AppPasswordPinned(network=network):
            return f"App password bound to {network}"
        case KeysRotated(key_number=number):
            return f"Key {number} made"
        case _:
            assert_never(event)

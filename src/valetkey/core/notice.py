"""Notices: what people are told by mail when something about their account changes, and in which words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from valetkey.core.names import ROLES, named
from valetkey.core.sentence import Sentence, say


class NoticeKind(StrEnum):
    """What is told. `FACTS` names the facts of each; those of `WITH_LINK` carry a one-time link."""

    APP_PASSWORD_MADE = "app-password-made"  # noqa: S105  (no secret)
    APP_PASSWORD_ROTATED = "app-password-rotated"  # noqa: S105  (no secret)
    REVOKED_BY_ADMINISTRATOR = "revoked-by-administrator"  # app passwords or API tokens
    FACTOR_ADDED = "factor-added"
    FACTOR_REMOVED = "factor-removed"
    FACTORS_RESET = "factors-reset"
    PASSKEY_REFUSED = "passkey-refused"
    RECOVERY_CODES_MADE = "recovery-codes-made"
    RECOVERY_CODE_USED = "recovery-code-used"
    CODE_ENTRY_DISABLED = "code-entry-disabled"
    MAIN_PASSWORD_CHANGED = "main-password-changed"  # noqa: S105  (no secret)
    NOTICE_ADDRESS_CHANGED = "notice-address-changed"
    NOTICE_ADDRESS_REMOVED = "notice-address-removed"
    API_TOKEN_MADE = "api-token-made"  # noqa: S105  (no secret)
    ACCOUNT_DISABLED = "account-disabled"
    ROLE_GIVEN = "role-given"
    ROLE_TAKEN = "role-taken"
    ROLE_GIVEN_TO_ANOTHER = "role-given-to-another"  # told to the administrators
    INVITED_AGAIN = "invited-again"
    INVITATION_USED = "invitation-used"
    RECOVERY_CANCELLED = "recovery-cancelled"
    RECOVERY_DONE = "recovery-done"
    RECOVERY_LAPSED = "recovery-lapsed"
    RECOVERY_BEGUN = "recovery-begun"
    RECOVERY_WAITING = "recovery-waiting"
    RECOVERY_OPEN = "recovery-open"
    RECOVERY_LINK = "recovery-link"
    NOTICE_ADDRESS_LINK = "notice-address-link"
    INVITATION = "invitation"


FACTS: dict[NoticeKind, frozenset[str]] = {
    NoticeKind.APP_PASSWORD_MADE: frozenset({"description", "address"}),
    NoticeKind.APP_PASSWORD_ROTATED: frozenset({"description", "address"}),
    NoticeKind.REVOKED_BY_ADMINISTRATOR: frozenset({"names"}),
    NoticeKind.FACTOR_ADDED: frozenset({"name", "address"}),
    NoticeKind.FACTOR_REMOVED: frozenset({"name", "address"}),
    NoticeKind.FACTORS_RESET: frozenset(),
    NoticeKind.PASSKEY_REFUSED: frozenset({"name", "address"}),
    NoticeKind.RECOVERY_CODES_MADE: frozenset({"address"}),
    NoticeKind.RECOVERY_CODE_USED: frozenset({"left"}),
    NoticeKind.CODE_ENTRY_DISABLED: frozenset(),
    NoticeKind.MAIN_PASSWORD_CHANGED: frozenset({"address"}),
    NoticeKind.NOTICE_ADDRESS_CHANGED: frozenset({"new"}),
    NoticeKind.NOTICE_ADDRESS_REMOVED: frozenset({"old"}),
    NoticeKind.API_TOKEN_MADE: frozenset({"name", "address"}),
    NoticeKind.ACCOUNT_DISABLED: frozenset(),
    NoticeKind.ROLE_GIVEN: frozenset({"role"}),
    NoticeKind.ROLE_GIVEN_TO_ANOTHER: frozenset({"role", "other"}),
    NoticeKind.ROLE_TAKEN: frozenset(),
    NoticeKind.INVITED_AGAIN: frozenset(),
    NoticeKind.INVITATION_USED: frozenset({"address"}),
    NoticeKind.RECOVERY_CANCELLED: frozenset(),
    NoticeKind.RECOVERY_DONE: frozenset({"address"}),
    NoticeKind.RECOVERY_LAPSED: frozenset(),
    NoticeKind.RECOVERY_BEGUN: frozenset({"opens_at", "address"}),
    NoticeKind.RECOVERY_WAITING: frozenset({"opens_at"}),
    NoticeKind.RECOVERY_OPEN: frozenset({"closes_at"}),
    NoticeKind.RECOVERY_LINK: frozenset({"address"}),
    NoticeKind.NOTICE_ADDRESS_LINK: frozenset(),
    NoticeKind.INVITATION: frozenset({"expires_at"}),
}

# The page that takes the token of a notice's link, behind the portal's address.
WITH_LINK: dict[NoticeKind, str] = {
    NoticeKind.RECOVERY_BEGUN: "/recover/call-off/",
    NoticeKind.RECOVERY_WAITING: "/recover/call-off/",
    NoticeKind.RECOVERY_OPEN: "/recover/call-off/",
    NoticeKind.RECOVERY_LINK: "/recover/link/",
    NoticeKind.NOTICE_ADDRESS_LINK: "/account/notices/confirm/",
    NoticeKind.INVITATION: "/welcome/",
}


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a notice says: a subject of one line, and paragraphs."""

    subject: Sentence
    paragraphs: tuple[Sentence, ...]


def notice_text(
    kind: NoticeKind, facts: Mapping[str, Any], *, account: str, at: datetime, portal: str, link: str = ""
) -> NoticeText:
    """Say a notice.

    Args:
        kind: What is told.
        facts: The facts that `FACTS` names for it.
        account: The address of the account that it is about.
        at: When it happened.
        portal: The portal's web address.
        link: The whole of the one-time link, for the kinds of `WITH_LINK`.
    """
    values = {name: _shown(name, value) for name, value in facts.items()}
    common: dict[str, object] = {**values, "account": account, "at": at, "portal": portal, "link": link}
    subject, what = _SAID[kind]
    paragraphs = [Sentence(what.message, common)]
    if facts.get("address"):
        paragraphs.append(say("When: {at}. From: {address}.", at=at, address=values["address"]))
    elif kind not in {NoticeKind.INVITATION, NoticeKind.NOTICE_ADDRESS_LINK}:
        paragraphs.append(say("When: {at}.", at=at))
    paragraphs.extend(Sentence(text.message, common) for text in _TO_DO[kind])
    return NoticeText(Sentence(subject.message, common), tuple(paragraphs))


def _shown(name: str, value: Any) -> object:
    if name.endswith("_at"):
        return datetime.fromisoformat(str(value))
    if name == "role":
        return named(ROLES, str(value))
    return tuple(str(one) for one in value) if isinstance(value, list) else str(value)


_SAID: dict[NoticeKind, tuple[Sentence, Sentence]] = {
    NoticeKind.APP_PASSWORD_MADE: (
        say("New app password for {account}"),
        say("An app password “{description}” was made for {account}."),
    ),
    NoticeKind.APP_PASSWORD_ROTATED: (
        say("App password of {account} rotated"),
        say("The app password “{description}” of {account} got a new secret. The old one ends soon."),
    ),
    NoticeKind.REVOKED_BY_ADMINISTRATOR: (
        say("An administrator revoked something of {account}"),
        say("An administrator revoked for {account}: {names}. What used it no longer gets in."),
    ),
    NoticeKind.FACTOR_ADDED: (
        say("New second factor for {account}"),
        say("The second factor “{name}” was added to {account}."),
    ),
    NoticeKind.FACTOR_REMOVED: (
        say("Second factor of {account} removed"),
        say("The second factor “{name}” of {account} was removed."),
    ),
    NoticeKind.FACTORS_RESET: (
        say("Second factors of {account} taken away"),
        say("Administrators took away all second factors of {account}. Sign in and set up a new one."),
    ),
    NoticeKind.PASSKEY_REFUSED: (
        say("A passkey of {account} may have been copied"),
        say(
            "The passkey “{name}” of {account} was refused, because its counter went back: somebody may have a copy "
            "of it. Sign in another way, remove it, and add it anew."
        ),
    ),
    NoticeKind.RECOVERY_CODES_MADE: (
        say("New recovery codes for {account}"),
        say("New recovery codes were made for {account}. The old ones no longer work."),
    ),
    NoticeKind.RECOVERY_CODE_USED: (
        say("A recovery code of {account} was used"),
        say("Somebody with the main password of {account} used a recovery code. Codes left: {left}."),
    ),
    NoticeKind.CODE_ENTRY_DISABLED: (
        say("Too many wrong codes for {account}"),
        say(
            "Somebody who knows the main password of {account} tried too many wrong codes. No code is taken any more until "
            "a recovery code is used."
        ),
    ),
    NoticeKind.MAIN_PASSWORD_CHANGED: (
        say("Main password of {account} changed"),
        say("The main password of {account} was changed. Other browsers were signed out."),
    ),
    NoticeKind.NOTICE_ADDRESS_CHANGED: (
        say("Where notices about {account} go has changed"),
        say("Notices about {account} now go to its mailbox and to {new}."),
    ),
    NoticeKind.NOTICE_ADDRESS_REMOVED: (
        say("Where notices about {account} go has changed"),
        say("Notices about {account} no longer go to {old}, but to its mailbox alone."),
    ),
    NoticeKind.API_TOKEN_MADE: (
        say("New API token for {account}"),
        say("An API token “{name}” was made for {account}."),
    ),
    NoticeKind.ACCOUNT_DISABLED: (
        say("Account {account} disabled"),
        say("An administrator disabled {account}. Nothing opens it any more."),
    ),
    NoticeKind.ROLE_GIVEN: (
        say("{account} has another role in the console"),
        say(
            "An administrator gave {account} this role in the console: {role}. It can now act on other people’s accounts."
        ),
    ),
    NoticeKind.ROLE_GIVEN_TO_ANOTHER: (
        say("{other} has another role in the console"),
        say("{other} was given this role in the console: {role}. {account} is told because it is an administrator."),
    ),
    NoticeKind.ROLE_TAKEN: (
        say("{account} has no role in the console any more"),
        say(
            "An administrator took the role in the console from {account}. Its mail and app passwords stay as they are."
        ),
    ),
    NoticeKind.INVITED_AGAIN: (
        say("{account} was invited again"),
        say("Two administrators made a one-time link with which a new main password can be set for {account}."),
    ),
    NoticeKind.INVITATION_USED: (
        say("{account} is set up"),
        say("The invitation of {account} was used: its main password is set."),
    ),
    NoticeKind.RECOVERY_CANCELLED: (
        say("Recovery of {account} called off"),
        say("The recovery of {account} was called off. Its second factors stay as they are."),
    ),
    NoticeKind.RECOVERY_DONE: (
        say("Second factors of {account} taken away by recovery"),
        say("The recovery of {account} is finished: all its second factors and API tokens are taken away."),
    ),
    NoticeKind.RECOVERY_LAPSED: (
        say("Recovery of {account} has run out"),
        say("The recovery of {account} was not finished in time. Its second factors stay as they are."),
    ),
    NoticeKind.RECOVERY_BEGUN: (
        say("Somebody wants to take away the second factor of {account}"),
        say(
            "Somebody who knows the main password of {account} and reads its notice address says that the second "
            "factor is lost. From {opens_at} on it can be taken away."
        ),
    ),
    NoticeKind.RECOVERY_WAITING: (
        say("The second factor of {account} will be taken away"),
        say("A recovery of {account} is under way. From {opens_at} on its second factor can be taken away."),
    ),
    NoticeKind.RECOVERY_OPEN: (
        say("The second factor of {account} can now be taken away"),
        say("The waiting time for {account} is over. Until {closes_at} its second factor can be taken away."),
    ),
    NoticeKind.RECOVERY_LINK: (
        say("Your recovery link for {account}"),
        say("Somebody asks to recover {account}. If it is you, open this link within 15 minutes:\n\n{link}"),
    ),
    NoticeKind.NOTICE_ADDRESS_LINK: (
        say("Confirm this address for {account}"),
        say(
            "{account} asks that notices about its safety also come to this address. "
            "If that is you, open this link within 24 hours:\n\n{link}"
        ),
    ),
    NoticeKind.INVITATION: (
        say("Your invitation to {account}"),
        say("An administrator invites you to set up {account}. This link works once, until {expires_at}:\n\n{link}"),
    ),
}

_NOT_YOU = say(
    "If this was not you, sign in at {portal}, revoke what you do not know, and change your main password. "
    "If you cannot sign in, call your administrator."
)
_ASK = say("If you do not know why, ask your administrator.")
_CALL_OFF = say("If this is not you, call it off with one click. You need not sign in:\n\n{link}")
_DO_NOTHING = say("If it is not you, do nothing: without the link nothing happens.")
_SIGN_IN = say("You can also sign in at {portal} with your second factor: that calls it off, too.")

_TO_DO: dict[NoticeKind, tuple[Sentence, ...]] = {
    NoticeKind.APP_PASSWORD_MADE: (_NOT_YOU,),
    NoticeKind.APP_PASSWORD_ROTATED: (_NOT_YOU,),
    NoticeKind.REVOKED_BY_ADMINISTRATOR: (_ASK,),
    NoticeKind.FACTOR_ADDED: (_NOT_YOU,),
    NoticeKind.FACTOR_REMOVED: (_NOT_YOU,),
    NoticeKind.FACTORS_RESET: (_ASK,),
    NoticeKind.PASSKEY_REFUSED: (_NOT_YOU,),
    NoticeKind.RECOVERY_CODES_MADE: (_NOT_YOU,),
    NoticeKind.RECOVERY_CODE_USED: (_NOT_YOU,),
    NoticeKind.CODE_ENTRY_DISABLED: (_NOT_YOU,),
    NoticeKind.MAIN_PASSWORD_CHANGED: (_NOT_YOU,),
    NoticeKind.NOTICE_ADDRESS_CHANGED: (_NOT_YOU,),
    NoticeKind.NOTICE_ADDRESS_REMOVED: (_NOT_YOU,),
    NoticeKind.API_TOKEN_MADE: (_NOT_YOU,),
    NoticeKind.ACCOUNT_DISABLED: (_ASK,),
    NoticeKind.ROLE_GIVEN: (_ASK,),
    NoticeKind.ROLE_GIVEN_TO_ANOTHER: (
        say("If no administrator that you know did this, take the role away at {portal} and look into the audit log."),
    ),
    NoticeKind.ROLE_TAKEN: (_ASK,),
    NoticeKind.INVITED_AGAIN: (_ASK,),
    NoticeKind.INVITATION_USED: (_NOT_YOU,),
    NoticeKind.RECOVERY_CANCELLED: (
        say(
            "If you had begun it, an administrator, or somebody who has your second factor or reads your notices, "
            "called it off."
        ),
    ),
    NoticeKind.RECOVERY_DONE: (_NOT_YOU,),
    NoticeKind.RECOVERY_LAPSED: (_ASK,),
    NoticeKind.RECOVERY_BEGUN: (_CALL_OFF, _SIGN_IN),
    NoticeKind.RECOVERY_WAITING: (_CALL_OFF, _SIGN_IN),
    NoticeKind.RECOVERY_OPEN: (_CALL_OFF, _SIGN_IN),
    NoticeKind.RECOVERY_LINK: (
        say("The link only begins a waiting time, or ends it. Never give it to anybody who calls or writes to you."),
        _DO_NOTHING,
    ),
    NoticeKind.NOTICE_ADDRESS_LINK: (say("If you do not know {account}, do nothing and delete this mail."),),
    NoticeKind.INVITATION: (say("Never give the link to anybody. If you do not expect it, do nothing."),),
}

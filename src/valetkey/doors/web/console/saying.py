"""What a page of the console says once about what was just done; see doors/web/notices.py."""

from collections.abc import Callable, Mapping

from valetkey.core.sentence import Sentence, counted, say

DONE: Mapping[str, Sentence] = {
    "account-created": say("The account is made. Nobody can use it yet."),
    "account-enabled": say("The account is enabled. What was revoked stays revoked."),
    "recovery-ended": say("The recovery is called off. Its person is told; the main password should be changed."),
    "alias-added": say("The alias is added."),
    "alias-removed": say("The alias is removed."),
    "owner-added": say("The owner is added, and can manage the app passwords of this account."),
    "owner-removed": say("The owner is removed. App passwords stay as they are."),
    "role-set": say("The role is changed. It holds from the next click on."),
    "proposed": say("Proposed. It takes effect when a second administrator countersigns it, within 24 hours."),
    "declined": say("Declined. Nothing is changed."),
    "withdrawn": say("Withdrawn. Nothing is changed."),
    "token-revoked": say("The API token is revoked. It opens nothing any more."),
}


def _disabled(closed: int) -> Sentence:
    return counted(
        "Disabled: no login, no portal. {number} connection closed.",
        "Disabled: no login, no portal. {number} connections closed.",
        closed,
    )


def _rules_saved(closed: int) -> Sentence:
    return counted(
        "Saved, and it holds now. {number} connection closed.",
        "Saved, and it holds now. {number} connections closed.",
        closed,
    )


def _countersigned(closed: int) -> Sentence:
    if not closed:
        return say("Countersigned. It holds now.")
    return counted(
        "Countersigned. It holds now. {number} connection closed.",
        "Countersigned. It holds now. {number} connections closed.",
        closed,
    )


def _revoked_many(revoked: int) -> Sentence:
    return counted(
        "{number} app password is revoked. It opens nothing any more.",
        "{number} app passwords are revoked. They open nothing any more.",
        revoked,
    )


COUNTED: Mapping[str, Callable[[int], Sentence]] = {
    "account-disabled": _disabled,
    "rules-saved": _rules_saved,
    "countersigned": _countersigned,
    "revoked-many": _revoked_many,
}

"""What the limits of a credential mean, in sentences."""

from collections.abc import Iterable

from valetkey.core.limits import Limits, Overstep, Sent, permits_folder
from valetkey.core.scope import MailProtocol, Permission, Scope, may_open
from valetkey.core.sentence import Sentence, counted, say

_SHOWN = 5  # entries of a list in a sentence; the others are counted


def describe_limits(limits: Limits, scope: Scope, rights: frozenset[Permission]) -> tuple[Sentence, ...]:
    """Say in whole sentences what limits mean for a credential; limits of what it cannot do anyhow are left out."""
    granted = scope.effective(rights)
    opens = frozenset(each for each in scope.protocols if may_open(each, granted))
    said: list[Sentence] = []
    if limits.folders and opens & {MailProtocol.IMAP, MailProtocol.POP3}:
        said += _of_folders(limits, opens)
    if limits.limit_sending and MailProtocol.SMTP in opens:
        said += _of_sending(limits)
    if said and MailProtocol.SIEVE in opens:
        said.append(say("With its filters it can forward mail past these limits."))
    return tuple(said)


def folder_words(entries: Iterable[str]) -> tuple[Sentence, ...]:
    """Name the folders of limits."""
    return tuple(
        say("what lies in “{folder}”", folder=each[:-2]) if each.endswith("/*") else say("“{folder}”", folder=each)
        for each in entries
    )


def address_words(entries: Iterable[str]) -> tuple[Sentence | str, ...]:
    """Name the senders or recipients of limits."""
    return tuple(say("any address at {domain}", domain=each[1:]) if each.startswith("@") else each for each in entries)


def amount_words(limits: Limits) -> tuple[Sentence, ...]:
    """Name the amounts of limits, to stand behind "at most"."""
    messages, recipients, each = limits.messages_per_day, limits.recipients_per_day, limits.recipients_per_message
    amounts = (
        counted("{number} message a day", "{number} messages a day", messages or 0),
        counted("to {number} recipient a day", "to {number} recipients a day", recipients or 0),
        counted("to {number} recipient with one message", "to {number} recipients with one message", each or 0),
    )
    return tuple(amount for amount in amounts if amount.number)


def sent_words(limits: Limits, sent: Sent) -> tuple[Sentence, ...]:
    """Say what was sent today beside each amount of a day that limits name."""
    found = []
    if limits.messages_per_day is not None:
        most, done = limits.messages_per_day, sent.messages
        found.append(counted("{sent} of {number} message", "{sent} of {number} messages", most, sent=done))
    if limits.recipients_per_day is not None:
        most, done = limits.recipients_per_day, sent.recipients
        found.append(counted("{sent} of {number} recipient", "{sent} of {number} recipients", most, sent=done))
    return tuple(found)


def stopped_words(why: Overstep) -> Sentence:
    """Say what a limit of sending stopped."""
    return _STOPPED[why]


_STOPPED = {
    Overstep.SENDER: say("Mail as another sender"),
    Overstep.RECIPIENT: say("Mail to somebody it may not write to"),
    Overstep.RECIPIENTS_PER_MESSAGE: say("Too many recipients of one message"),
    Overstep.MESSAGES_PER_DAY: say("Too many messages in a day"),
    Overstep.RECIPIENTS_PER_DAY: say("Too many recipients in a day"),
}


def _of_folders(limits: Limits, opens: frozenset[MailProtocol]) -> list[Sentence]:
    said = []
    if MailProtocol.IMAP in opens:
        said.append(say("It sees no folder but {folders}.", folders=_first(folder_words(limits.folders))))
    if MailProtocol.POP3 in opens and not permits_folder(limits, "INBOX"):
        said.append(say("It does not open POP3, which knows no folder but the inbox."))
    return said


def _of_sending(limits: Limits) -> list[Sentence]:
    said = []
    if limits.senders:
        said.append(say("It sends only as {addresses}.", addresses=_first(address_words(limits.senders))))
    if limits.recipients:
        said.append(say("It sends only to {addresses}.", addresses=_first(address_words(limits.recipients))))
    if amounts := amount_words(limits):
        said.append(say("It sends at most {amounts}.", amounts=amounts))
    return said


def _first(entries: tuple[Sentence | str, ...]) -> tuple[Sentence | str, ...]:
    rest = len(entries) - _SHOWN
    if rest < 1:
        return entries
    return (*entries[:_SHOWN], counted("{number} more", "{number} more", rest))

"""What limits mean, in sentences."""

import pytest

from valetkey.core.limit_sentences import address_words, amount_words, describe_limits, folder_words, sent_words
from valetkey.core.limits import NO_LIMITS, Limits, Sent
from valetkey.core.scope import ALL_PERMISSIONS, ALL_PROTOCOLS, MailProtocol, Permission, PermissionMode, Scope

EVERYTHING = Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS)
IMAP = Scope(PermissionMode.INHERIT, frozenset(), frozenset({MailProtocol.IMAP}))
SEND = Scope(PermissionMode.REPLACE, frozenset({Permission.SEND}), frozenset({MailProtocol.SMTP}))


def said(limits: Limits, scope: Scope) -> list[str]:
    return list(map(str, describe_limits(limits, scope, ALL_PERMISSIONS)))


def test_without_limits_nothing_is_said() -> None:
    assert said(NO_LIMITS, EVERYTHING) == []


def test_folders_are_named_and_what_lies_in_them() -> None:
    folders = Limits(folders=("Customers", "Archive/*"))
    assert said(folders, IMAP) == ["It sees no folder but “Customers” and what lies in “Archive”."]


def test_sending_is_said_as_whom_to_whom_and_how_much() -> None:
    limits = Limits(
        senders=("scanner@example.org",),
        recipients=("office@example.org", "@example.net"),
        messages_per_day=20,
        recipients_per_day=1,
        recipients_per_message=3,
    )
    assert said(limits, SEND) == [
        "It sends only as scanner@example.org.",
        "It sends only to office@example.org and any address at example.net.",
        "It sends at most 20 messages a day, to 1 recipient a day and to 3 recipients with one message.",
    ]


def test_limits_of_what_it_cannot_do_are_left_out() -> None:
    assert said(Limits(folders=("Archive",)), SEND) == []
    assert said(Limits(messages_per_day=1), IMAP) == []


def test_pop3_is_said_to_stay_shut_where_the_inbox_is_not_named() -> None:
    pop3 = Scope(PermissionMode.INHERIT, frozenset(), frozenset({MailProtocol.POP3}))
    assert said(Limits(folders=("Archive",)), pop3) == ["It does not open POP3, which knows no folder but the inbox."]
    assert said(Limits(folders=("INBOX",)), pop3) == []


def test_filters_are_named_as_a_way_past() -> None:
    assert (
        said(Limits(recipients=("a@x.org",)), EVERYTHING)[-1]
        == "With its filters it can forward mail past these limits."
    )


def test_of_long_lists_a_few_are_shown() -> None:
    limits = Limits(recipients=tuple(f"r{number}@example.org" for number in range(9)))
    assert said(limits, SEND) == [
        "It sends only to r0@example.org, r1@example.org, r2@example.org, r3@example.org, r4@example.org and 4 more."
    ]


def test_all_are_named_one_by_one() -> None:
    assert [*map(str, folder_words(("A", "A/*")))] == ["“A”", "what lies in “A”"]
    assert [*map(str, address_words(("a@x.org", "@x.org")))] == ["a@x.org", "any address at x.org"]
    assert [*map(str, amount_words(Limits(messages_per_day=1)))] == ["1 message a day"]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(senders=("a@x.org",), recipients_per_message=3), []),
        (Limits(messages_per_day=20), ["3 of 20 messages"]),
        (Limits(messages_per_day=1, recipients_per_day=50), ["3 of 1 message", "12 of 50 recipients"]),
    ],
)
def test_what_was_sent_is_said_beside_the_amounts_of_a_day(limits: Limits, words: list[str]) -> None:
    assert [*map(str, sent_words(limits, Sent(3, 12)))] == words

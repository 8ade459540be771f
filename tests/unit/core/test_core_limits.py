"""Folders, senders, recipients and amounts: what is permitted, what is stored, what is narrower, what must be held."""

from dataclasses import replace

import pytest

from valetkey.core.errors import InvalidInput
from valetkey.core.limits import (
    NO_LIMITS,
    Held,
    Limits,
    Sent,
    check_limits,
    limit_facts,
    limits_within,
    needed,
    permits_folder,
    permits_message,
    permits_recipient,
    permits_sender,
)
from valetkey.core.scope import ALL_PERMISSIONS, ALL_PROTOCOLS, MailProtocol, Permission

ARCHIVE = Limits(folders=("Archive", "Archive/*"))


@pytest.mark.parametrize(
    ("folders", "name", "is_permitted"),
    [
        ((), "Anything", True),
        (("Archive",), "Archive", True),
        (("Archive",), "archive", False),
        (("Archive",), "Archive/2026", False),
        (("Archive",), "Archives", False),
        (("Archive/*",), "Archive", False),
        (("Archive/*",), "Archive/2026/March", True),
        (("Archive/*",), "Archives/2026", False),
        (("Archive/2026",), "Archive", False),
        (("INBOX",), "inbox", True),
        (("INBOX",), "InBoX", True),
        (("INBOX",), "INBOX/Lists", False),
        (("INBOX/*",), "inbox/Lists", True),
        (("INBOX",), "ınbox", False),  # a dotless i, which large is an I
        (("Archive",), "", False),
    ],
)
def test_a_folder_is_permitted_by_its_name_or_by_what_it_lies_in(folders, name: str, is_permitted: bool) -> None:
    assert permits_folder(Limits(folders=folders), name) is is_permitted


@pytest.mark.parametrize(
    ("entries", "address", "is_permitted"),
    [
        ((), "bob@example.net", True),
        ((), "", True),
        (("bob@example.net",), "Bob@EXAMPLE.net", True),
        (("bob@example.net",), "bob+list@example.net", False),
        (("bob@example.net",), "eve@example.net", False),
        (("@example.net",), "anybody@example.net", True),
        (("@example.net",), "anybody@sub.example.net", False),
        (("@example.net",), "anybody@notexample.net", False),
        (("@example.net",), "bob@example.net@evil.test", False),
        (("@example.net",), "@example.net", False),
        (("@xn--bcher-kva.example",), "bob@bücher.example", True),
        (("bob@example.net",), "", False),
        (("bob@example.net",), "bob", False),
        (("@example.net",), '"a b"@example.net', False),  # what cannot be read is not permitted
        (("@example.net",), "bob@[192.0.2.1]", False),
    ],
)
def test_an_address_is_permitted_by_itself_or_by_its_domain(entries, address: str, is_permitted: bool) -> None:
    assert permits_sender(Limits(senders=entries), address) is is_permitted
    assert permits_recipient(Limits(recipients=entries), address) is is_permitted


@pytest.mark.parametrize(
    "address", ["eve%evil.test@example.net", "evil.test!eve@example.net", '"eve%evil.test"@example.net']
)
def test_no_domain_stands_for_what_leads_on_to_another(address: str) -> None:
    assert not permits_recipient(Limits(recipients=("@example.net",)), address)
    assert permits_recipient(Limits(recipients=(address,)), address)
    assert permits_sender(Limits(senders=("@example.net",)), address)


@pytest.mark.parametrize(
    ("limits", "sent", "recipients", "is_permitted"),
    [
        (NO_LIMITS, Sent(10**6, 10**6), 10**6, True),
        (Limits(messages_per_day=2), Sent(1, 1), 500, True),
        (Limits(messages_per_day=2), Sent(2, 2), 1, False),
        (Limits(recipients_per_day=10), Sent(1, 7), 3, True),
        (Limits(recipients_per_day=10), Sent(1, 7), 4, False),
        (Limits(recipients_per_message=5), Sent(), 5, True),
        (Limits(recipients_per_message=5), Sent(), 6, False),
        (Limits(messages_per_day=2), Sent(5, 5), 0, False),  # it was narrowed after they were sent
    ],
)
def test_a_message_is_permitted_while_no_amount_is_used_up(limits, sent, recipients: int, is_permitted: bool) -> None:
    assert permits_message(limits, sent, recipients) is is_permitted


def test_what_is_stored_is_canonical_and_named_once() -> None:
    stored = check_limits(
        Limits(
            folders=(" inbox ", "INBOX", "inbox/*", "Entwu\u0308rfe", "", "Kunden/Müller & Co."),
            senders=("Alice@Example.ORG", "alice@example.org", "@BÜCHER.example"),
            recipients=(" bob@example.net ",),
            messages_per_day=20,
        )
    )
    assert stored.folders == ("INBOX", "INBOX/*", "Entwürfe", "Kunden/Müller & Co.")
    assert stored.senders == ("alice@example.org", "@xn--bcher-kva.example")
    assert stored.recipients == ("bob@example.net",)
    assert stored.messages_per_day == 20
    assert check_limits(stored) == stored


@pytest.mark.parametrize(
    "folder",
    [
        "/*",
        "*",
        "Arch*",
        "50%",
        "a\tb",
        "a\x00b",
        "a\u202eb",
        "\ud800",
        "a\nb",
        "/Archive",
        "Archive/",
        "A//B",
        "A//*",
        "x" * 201,
    ],
)
def test_a_name_that_no_folder_has_is_refused(folder: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_limits(Limits(folders=(folder,)))
    assert refused.value.field == "folders"


def test_names_with_joiners_are_folders() -> None:
    assert check_limits(Limits(folders=("نامه\u200cها",))).folders == ("نامه\u200cها",)


@pytest.mark.parametrize("field", ["senders", "recipients"])
@pytest.mark.parametrize(
    "entry", ["alice", "@", "alice@", "@exa mple.org", "a@b@c.org", "a\x00@example.org", "@" + "x" * 300]
)
def test_what_is_no_address_and_no_domain_is_refused(field: str, entry: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_limits(replace(NO_LIMITS, **{field: (entry,)}))
    assert refused.value.field == field


@pytest.mark.parametrize("field", ["messages_per_day", "recipients_per_day", "recipients_per_message"])
@pytest.mark.parametrize("number", [0, -1, 1_000_001])
def test_an_amount_is_a_number_above_zero(field: str, number: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_limits(replace(NO_LIMITS, **{field: number}))
    assert refused.value.field == field


def test_lists_are_bounded() -> None:
    many = tuple(f"Folder {number}" for number in range(51))
    assert len(check_limits(Limits(folders=many[:50])).folders) == 50
    with pytest.raises(InvalidInput):
        check_limits(Limits(folders=many))


@pytest.mark.parametrize(
    ("new", "old", "is_within"),
    [
        (NO_LIMITS, NO_LIMITS, True),
        (ARCHIVE, NO_LIMITS, True),
        (NO_LIMITS, ARCHIVE, False),
        (Limits(folders=("Archive/2026", "Archive/2026/*")), ARCHIVE, True),
        (Limits(folders=("Archive/*",)), Limits(folders=("Archive",)), False),
        (Limits(folders=("Archive", "INBOX")), ARCHIVE, False),
        (Limits(senders=("a@x.org",)), Limits(senders=("@x.org",)), True),
        (Limits(senders=("@x.org",)), Limits(senders=("a@x.org",)), False),
        (Limits(senders=("@x.org",)), Limits(senders=("@x.org", "a@y.org")), True),
        (Limits(recipients=()), Limits(recipients=("a@x.org",)), False),
        (Limits(messages_per_day=5), Limits(messages_per_day=6), True),
        (Limits(messages_per_day=7), Limits(messages_per_day=6), False),
        (Limits(), Limits(recipients_per_message=6), False),
        (Limits(recipients_per_day=5), Limits(recipients_per_message=6), False),
    ],
)
def test_narrower_is_what_permits_nothing_more(new: Limits, old: Limits, is_within: bool) -> None:
    assert limits_within(new, old) is is_within


@pytest.mark.parametrize(
    ("protocol", "limits", "held"),
    [
        (MailProtocol.IMAP, ARCHIVE, {Held.FOLDERS}),
        (MailProtocol.SMTP, ARCHIVE, set()),
        (MailProtocol.POP3, ARCHIVE, set()),
        (MailProtocol.SMTP, Limits(senders=("a@x.org",)), {Held.SENDING}),
        (MailProtocol.SMTP, Limits(recipients=("a@x.org",)), {Held.SENDING}),
        (MailProtocol.SMTP, Limits(messages_per_day=1), {Held.SENDING}),
        (MailProtocol.SMTP, Limits(recipients_per_message=1), {Held.RECIPIENTS}),
        (MailProtocol.IMAP, Limits(messages_per_day=1), set()),
        (MailProtocol.SIEVE, Limits(messages_per_day=1, folders=("A",)), set()),
    ],
)
def test_each_protocol_needs_its_own_limits_held(protocol: MailProtocol, limits: Limits, held: set[Held]) -> None:
    assert needed(protocol, ALL_PERMISSIONS, limits) == held


def test_permissions_and_folders_are_both_needed() -> None:
    assert needed(MailProtocol.IMAP, frozenset({Permission.READ}), ARCHIVE) == {Held.PERMISSIONS, Held.FOLDERS}


def test_nothing_needs_to_be_held_of_what_is_not_limited() -> None:
    assert not any(needed(protocol, ALL_PERMISSIONS, NO_LIMITS) for protocol in ALL_PROTOCOLS)


def test_the_facts_name_only_what_limits() -> None:
    assert limit_facts(NO_LIMITS) == {}
    assert limit_facts(replace(ARCHIVE, messages_per_day=3)) == {
        "folders": ["Archive", "Archive/*"],
        "messages_per_day": 3,
    }

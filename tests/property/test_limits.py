"""Limits, for every value: what is stored stays so, what is narrower permits nothing more, nothing wild gets in."""

import json

from hypothesis import given
from hypothesis import strategies as st

from valetkey.core.errors import InvalidInput
from valetkey.core.limit_sentences import describe_limits
from valetkey.core.limits import (
    Limits,
    Sent,
    check_limits,
    limit_facts,
    limits_within,
    permits_folder,
    permits_message,
    permits_recipient,
    permits_sender,
)
from valetkey.core.scope import ALL_PERMISSIONS, ALL_PROTOCOLS, PermissionMode, Scope

FOLDERS = ("INBOX", "INBOX/*", "Archive", "Archive/*", "Archive/2026", "Archive/2026/*", "Archives")
NAMES = (
    "INBOX",
    "inbox",
    "Inbox/Lists",
    "Archive",
    "Archive/2026",
    "Archive/2026/March",
    "Archives",
    "archive",
    "Trash",
    "",
)
ENTRIES = ("a@x.org", "b@x.org", "@x.org", "@y.org", "a@y.org")
ADDRESSES = ("a@x.org", "A@X.ORG", "b@x.org", "c@x.org", "a@y.org", "c@z.org", "", "@x.org")
amounts = st.none() | st.integers(1, 5)


def some(entries: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(entries), max_size=3, unique=True).map(tuple)


limits = st.builds(Limits, some(FOLDERS), some(ENTRIES), some(ENTRIES), amounts, amounts, amounts)
sents = st.builds(Sent, st.integers(0, 6), st.integers(0, 6))
texts = st.text(max_size=260) | st.text("aA/*%@. \tüı\u0307\u202e\ud800", max_size=12)
wild = st.builds(Limits, *[st.lists(texts, max_size=4).map(tuple)] * 3, *[st.none() | st.integers(-2, 2_000_000)] * 3)


@given(limits, limits, st.sampled_from(NAMES), st.sampled_from(ADDRESSES))
def test_what_is_within_permits_no_folder_and_no_address_that_the_other_refuses(
    new: Limits, old: Limits, name: str, address: str
) -> None:
    if not limits_within(new, old):
        return
    for judge, value in ((permits_folder, name), (permits_sender, address), (permits_recipient, address)):
        assert judge(old, value) or not judge(new, value)


@given(limits, limits, sents, st.integers(1, 6))
def test_what_is_within_permits_no_message_that_the_other_refuses(
    new: Limits, old: Limits, sent: Sent, recipients: int
) -> None:
    if limits_within(new, old):
        assert permits_message(old, sent, recipients) or not permits_message(new, sent, recipients)


@given(limits, limits, limits)
def test_narrower_is_an_order(one: Limits, two: Limits, three: Limits) -> None:
    assert limits_within(one, one)
    if limits_within(one, two) and limits_within(two, three):
        assert limits_within(one, three)


@given(wild)
def test_what_is_stored_is_stored_as_it_is_again_and_can_be_written(wanted: Limits) -> None:
    try:
        stored = check_limits(wanted)
    except InvalidInput:
        return
    assert check_limits(stored) == stored
    assert json.loads(json.dumps(limit_facts(stored))) == limit_facts(stored)
    json.dumps(limit_facts(stored), ensure_ascii=False).encode()  # no surrogates, which no store takes
    for entry in (*stored.folders, *stored.senders, *stored.recipients):
        assert entry == entry.strip() != ""
        assert not any(letter in entry for letter in "\0\r\n\t\u202e")
    describe_limits(stored, Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS), ALL_PERMISSIONS)


@given(texts)
def test_anything_may_be_asked_for(text: str) -> None:
    narrow = Limits(("Archive/*",), ("@x.org",), ("a@x.org",))
    assert not permits_folder(narrow, text) or text.startswith("Archive/")
    assert not permits_sender(narrow, text) or text.lower().strip().rstrip(".").endswith("@x.org")
    assert not permits_recipient(narrow, text) or text.lower().strip().rstrip(".") == "a@x.org"

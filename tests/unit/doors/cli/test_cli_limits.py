"""Limits of app passwords on the command line: made with them, shown, changed, lifted, refused."""

from typing import Any

import pytest

SCANNER = "scanner@example.org"
LIMITED = (
    "--sender", SCANNER, "--recipient", "office@example.org", "--recipient", "@example.net",
    "--messages-per-day", "20", "--recipients-per-day", "50", "--recipients-per-message", "5",
)  # fmt: skip


@pytest.fixture
def made(people: Any) -> dict[str, Any]:
    return dict(people.json("app-password", "create", SCANNER, "Scanner", "--for", "send-only", *LIMITED))


def test_limits_are_stored_and_shown(people: Any, made: dict[str, Any]) -> None:
    assert made["limits"] == {
        "senders": [SCANNER],
        "recipients": ["office@example.org", "@example.net"],
        "messages_per_day": 20,
        "recipients_per_day": 50,
        "recipients_per_message": 5,
    }
    shown = people("app-password", "show", made["id"])
    assert "It sends only as scanner@example.org. It sends only to office@example.org and any address" in shown
    assert "0 of 20 messages, 0 of 50 recipients" in shown
    assert people.json("app-password", "show", made["id"])["sent_today"] == {"messages": 0, "recipients": 0}


def test_a_reader_of_folders_needs_their_names(people: Any) -> None:
    people("app-password", "create", SCANNER, "CRM", "--for", "named-folders", code=2)
    assert "--folder" in people.err
    assert people.json("app-password", "list", SCANNER) == []
    one = people.json("app-password", "create", SCANNER, "CRM", "--for", "named-folders", "--folder", "Customers")
    assert (one["limits"], one["protocols"]) == ({"folders": ["Customers"]}, ["imap"])


def test_what_is_not_limited_is_said_to_be_so(people: Any) -> None:
    one = people.json("app-password", "create", SCANNER, "Scanner", "--for", "send-only")
    assert one["limits"] == {}
    shown = people("app-password", "show", one["id"])
    assert [line.split() for line in shown.splitlines() if line.startswith("Limits")] == [["Limits", "none"]]
    assert "Sent today" not in shown


def test_editing_changes_what_is_named_and_leaves_the_rest(people: Any, made: dict[str, Any]) -> None:
    done = people(
        "app-password", "edit", made["id"], "--name", "Scanner, second floor", "--recipient", "office@example.org"
    )
    assert done == "“Scanner, second floor” changed.\n"
    shown = people.json("app-password", "show", made["id"])
    assert shown["limits"] == {**made["limits"], "recipients": ["office@example.org"]}
    assert shown["expires_at"] == made["expires_at"]
    lifted = people.json(
        "app-password", "edit", made["id"], "--lift", "senders", "--lift", "recipients", "--lift", "messages-per-day"
    )
    assert lifted["limits"] == {"recipients_per_day": 50, "recipients_per_message": 5}
    (record,) = people.json("audit", "list", SCANNER, "--limit", "1")
    assert record["facts"]["fields"] == ["limits"]
    assert record["facts"]["limits"] == {"recipients_per_day": 50, "recipients_per_message": 5}


def test_what_cannot_be_is_a_sentence_and_changes_nothing(people: Any, made: dict[str, Any]) -> None:
    people("app-password", "edit", made["id"], code=2)
    people("app-password", "edit", made["id"], "--lift", "everything", code=2)
    assert "messages-per-day" in people.err
    people("app-password", "edit", made["id"], "--sender", "nobody", code=1)
    assert "anna@example.org" in people.err
    people("app-password", "edit", made["id"], "--folder", "A*", code=1)
    people("app-password", "edit", made["id"], "--messages-per-day", "0", code=2)
    people("app-password", "edit", "ap_none", "--name", "X", code=1)
    assert people.json("app-password", "show", made["id"])["limits"] == made["limits"]


def test_nobody_edits_a_persons(people: Any) -> None:
    people("app-password", "edit", "ap_none", "--name", "X", "--as", "alice@example.org", "--code", "000000",
           "--password-stdin", given="a wrong password\n", code=1)  # fmt: skip

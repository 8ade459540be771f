"""Inviting people and looking after recoveries from the command line, on a real store."""

import re
import sqlite3
from contextlib import closing
from typing import Any


def test_an_invitation_is_a_link_shown_once(people: Any) -> None:
    people("account", "create", "new@example.org", "--no-password")
    shown = people("account", "invite", "new@example.org").strip()
    assert re.fullmatch(r"http://localhost:\d+/welcome/[A-Za-z0-9_-]{43}", shown), shown
    again = people.json("account", "invite", "new@example.org")
    assert again["account"] == "new@example.org"
    assert again["link"] != shown
    assert again["mailed_to"] == ""


def test_nobody_and_machines_are_not_invited(people: Any) -> None:
    people("account", "invite", "nobody@example.org", code=1)
    assert "no such account" in people.err
    people("account", "invite", "scanner@example.org", code=1)
    assert "Only a person" in people.err


def test_recoveries_are_listed_and_called_off(people: Any) -> None:
    assert people.json("recovery", "list") == []
    people("recovery", "cancel", "alice@example.org", code=1)
    assert "under way" in people.err
    account = people.json("account", "show", "alice@example.org")["id"]
    with closing(sqlite3.connect(people.config.parent / "valetkey.db")) as store, store:
        store.execute("INSERT INTO recovery VALUES ('rc_1', ?, 'waiting', 1, '192.0.2.1', 2, 3, 1, NULL)", (account,))
    (listed,) = people.json("recovery", "list")
    assert (listed["account"], listed["begun_from"]) == ("alice@example.org", "192.0.2.1")
    assert "alice@example.org" in people("recovery", "list")
    people("recovery", "cancel", "alice@example.org")
    assert people.json("recovery", "list") == []
    assert "RecoveryCancelled" in str(people.json("audit", "list"))

"""Putting a new app password in the place of one, on the command line."""

from typing import Any

import pytest


@pytest.fixture
def old(people: Any) -> dict[str, Any]:
    return dict(people.json("app-password", "create", "scanner@example.org", "Scanner", "--for", "send-only"))


def test_the_new_one_is_shown_once_and_the_old_one_works_on(people: Any, old: dict[str, Any]) -> None:
    new = people.json("app-password", "rotate", old["id"], "--overlap", "1d")
    assert new["rotated_from"] == old["id"]
    assert new["secret"] != old["secret"]
    assert new["replaced"]["id"] == old["id"]
    assert new["replaced"]["expires_at"] is not None
    listed = people.json("app-password", "list", "scanner@example.org")
    assert {one["id"] for one in listed} == {new["id"], old["id"]}
    assert new["secret"] not in str(listed)


def test_without_overlap_the_old_one_stops(people: Any, old: dict[str, Any]) -> None:
    secret = people("app-password", "rotate", old["id"], "--overlap", "none").strip()
    assert secret.startswith("vkey-")
    assert "The old one has stopped working." in people.err
    (new,) = people.json("app-password", "list", "scanner@example.org")
    assert new["rotated_from"] == old["id"]


def test_by_default_there_is_a_week(people: Any, old: dict[str, Any]) -> None:
    people("app-password", "rotate", old["id"])
    assert "The old one works until" in people.err


def test_what_does_not_go_is_a_sentence(people: Any, old: dict[str, Any]) -> None:
    people("app-password", "rotate", old["id"], "--overlap", "2d", code=2)
    assert "none, 1h, 1d, 7d, 30d" in people.err
    people("app-password", "rotate", "ap_none", code=1)
    assert "no such app password" in people.err
    people("app-password", "revoke", old["id"])
    people("app-password", "rotate", old["id"], code=1)
    assert "no longer in use" in people.err


def test_all_connections_of_an_app_password_are_closed(people: Any, old: dict[str, Any]) -> None:
    assert people.json("sessions", "close", "--all-of", old["id"]) == {"app_password": old["id"], "closed": 0}
    people("sessions", "close", "--all-of", "ap_none", code=1)

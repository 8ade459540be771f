"""Commands on accounts, app passwords, sessions and the audit log, on a real store."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

PASSWORD = "meadow-lantern-otter"
ALICE, SCANNER = "alice@example.org", "scanner@example.org"
NOTHING_CLOSED = {"closed": 0, "servers": [], "not_told": []}


def test_accounts_are_created_listed_and_shown(people: Any) -> None:
    assert [a["address"] for a in people.json("account", "list")] == [
        "admin@example.org", "alice@example.org", "scanner@example.org"
    ]  # fmt: skip
    assert [a["address"] for a in people.json("account", "list", "--search", "scan")] == ["scanner@example.org"]
    shown = people.json("account", "show", "scanner@example.org")
    assert shown["owners"] == ["alice@example.org"]
    assert (shown["kind"], shown["has_main_password"]) == ("shared", False)
    assert "alice@example.org" in people("account", "show", "ALICE@example.org")


def test_pipes_get_columns_and_no_decoration(people: Any) -> None:
    lines = people("account", "list").splitlines()
    assert lines[0].split("\t") == ["ADDRESS", "KIND", "STATE", "2FA", "ID"]
    assert lines[2].split("\t")[:4] == ["alice@example.org", "person", "active", "no"]


@pytest.mark.parametrize("password", ["short", "password12345", "vkey-abcd-efgh-ijkl-mnop-qrst-uvwx"])
def test_unfit_main_passwords_are_refused(cli: Any, password: str) -> None:
    cli("account", "create", "bob@example.org", "--password-stdin", given=f"{password}\n", code=1)
    assert cli.err.startswith("error: ")
    assert password not in cli.err
    assert len(cli.json("account", "list")) == 1


def test_without_a_terminal_a_password_is_not_asked_for(cli: Any) -> None:
    cli("account", "create", "bob@example.org", code=2)
    assert "--password-stdin" in cli.err


def test_a_taken_address_and_a_missing_account_are_sentences(people: Any) -> None:
    people("account", "create", "alice@example.org", "--no-password", code=1)
    assert people.err.startswith("error: ")
    people("account", "show", "nobody@example.org", code=1)
    assert "no such account" in people.err


def test_state_password_aliases_owners_and_rights(people: Any) -> None:
    people("account", "disable", "alice@example.org")
    assert people.json("account", "show", "alice@example.org")["state"] == "disabled"
    people("account", "enable", "alice@example.org")
    people("account", "password", "alice@example.org", "--password-stdin", given="another-good-password\n")
    people("account", "upstream-password", "alice@example.org", "--password-stdin", given="upstream\n")
    people("account", "alias", "add", "alice@example.org", "al@example.org")
    people("account", "rights", "alice@example.org", "read,flag", "send")
    shown = people.json("account", "show", "al@example.org")
    assert shown["aliases"] == ["al@example.org"]
    assert shown["rights"] == ["flag", "read", "send"]
    assert shown["has_upstream_password"]
    people("account", "alias", "remove", "alice@example.org", "al@example.org")
    people("account", "alias", "remove", "alice@example.org", "al@example.org", code=1)
    people("account", "upstream-password", "alice@example.org", "--remove")
    people("account", "owner", "remove", "scanner@example.org", "alice@example.org")
    people("account", "rights", "alice@example.org", "fly", code=2)
    people("account", "reset-2fa", "alice@example.org", "--yes")


def test_a_shared_accounts_app_password_is_made_shown_and_revoked(people: Any) -> None:
    made = people.json(
        "app-password", "create", "scanner@example.org", "Office scanner", "--for", "send-only", "--days", "30",
        "--network", "192.0.2.0/24", "--device",
    )  # fmt: skip
    assert len(made["secret"]) == 20
    assert (made["permissions"], made["protocols"]) == (["send"], ["smtp"])
    assert made["allowed_ips"] == ["192.0.2.0/24"]
    assert made["expires_at"] is not None
    shown = people("app-password", "show", made["id"])
    assert "send mail" in shown
    assert made["secret"] not in shown
    assert made["secret"] not in json.dumps(people.json("app-password", "list", "scanner@example.org"))
    done = people("app-password", "revoke", made["id"], "--reason", "sold")
    assert done == "“Office scanner” revoked, 0 open connections closed.\n"
    assert people.json("app-password", "list", "scanner@example.org") == []
    (old,) = people.json("app-password", "list", "scanner@example.org", "--all")
    assert (old["state"], old["revoked_reason"]) == ("revoked", "sold")
    people("app-password", "revoke", made["id"], code=1)


def test_all_of_an_account_are_revoked_at_once(people: Any) -> None:
    for name in ("One", "Two"):
        people("app-password", "create", "scanner@example.org", name, "--for", "send-only")
    assert len(people.json("app-password", "revoke", "--all-of", "scanner@example.org")) == 2
    assert people.json("app-password", "list", "scanner@example.org") == []


def test_nobody_makes_one_for_a_person(people: Any) -> None:
    people("app-password", "create", "alice@example.org", "Spy", code=1)
    assert "only that person" in people.err
    people(
        "app-password", "create", "alice@example.org", "Spy", "--as", "alice@example.org", "--code", "000000",
        "--password-stdin", given="a wrong password\n", code=1,
    )  # fmt: skip
    assert "not right" in people.err
    people(
        "app-password", "create", "alice@example.org", "Mine", "--as", "alice@example.org", "--code", "000000",
        "--password-stdin", given=f"{PASSWORD}\n", code=1,
    )  # fmt: skip
    assert "second factor" in people.err
    assert people.json("app-password", "list", "alice@example.org") == []


def test_unknown_choices_and_names_are_sentences(people: Any) -> None:
    people("app-password", "create", "scanner@example.org", "X", "--for", "everything-and-more", code=2)
    assert "send-only" in people.err
    people("app-password", "create", "scanner@example.org", "X", "--network", "nowhere", code=1)
    people("app-password", "create", "scanner@example.org", " ", code=1)
    people("app-password", "show", "ap_none", code=1)


def test_strange_descriptions_do_not_reach_the_terminal(people: Any) -> None:
    people("app-password", "create", "scanner@example.org", "[bold]x[/bold] \u202e", code=1)
    people("app-password", "create", "scanner@example.org", "[red]not markup[/red]", "--for", "send-only")
    assert "[red]not markup[/red]" in people("app-password", "list", "scanner@example.org")


def test_no_open_connections(people: Any) -> None:
    assert people.json("sessions", "list") == []
    people("sessions", "close", "nothing", code=1)


def test_audit_is_listed_and_verified(people: Any, tmp_path: Path) -> None:
    records = people.json("audit", "list")
    assert [record["number"] for record in records] == sorted(record["number"] for record in records)
    assert records[0]["what"].startswith("Account admin@example.org created")
    assert {record["actor"] for record in records} == {"operator"}
    assert [r["address"] for r in people.json("audit", "list", "alice@example.org")][:1] == ["alice@example.org"]
    assert len(people.json("audit", "list", "--limit", "2")) == 2
    verified = people.json("audit", "verify")
    assert (verified["is_intact"], verified["records"]) == (True, len(records))


@pytest.mark.parametrize(
    ("command", "given", "told"),
    [
        ("account disable alice@example.org", "", {"account": ALICE, "state": "disabled"} | NOTHING_CLOSED),
        ("account enable alice@example.org", "", {"account": ALICE, "state": "active"}),
        (
            "account rights alice@example.org read,send",
            "",
            {"account": ALICE, "rights": ["read", "send"]} | NOTHING_CLOSED,
        ),
        ("account alias add alice@example.org al@example.org", "", {"account": ALICE, "alias": "al@example.org"}),
        ("account owner remove scanner@example.org alice@example.org", "", {"account": SCANNER, "removed": ALICE}),
        ("account reset-2fa alice@example.org --yes", "", {"account": ALICE, "has_second_factor": False}),
        (
            "account password alice@example.org --password-stdin",
            "otter-lantern-meadow\n",
            {"account": ALICE, "has_main_password": True},
        ),
        (
            "account upstream-password alice@example.org --password-stdin",
            "upstream\n",
            {"account": ALICE, "has_upstream_password": True},
        ),
        ("keys rotate", "", {"current": 2}),
    ],
)
def test_every_verb_answers_in_json_too(people: Any, command: str, given: str, told: dict[str, Any]) -> None:
    assert people.json(*command.split(), given=given) == told


def test_without_a_default_lifetime_the_longest_one_holds(people: Any) -> None:
    text = people.config.read_text()
    people.config.write_text(text.replace('#max_lifetime = ""', 'max_lifetime = "30 days"'))
    made = people.json("app-password", "create", SCANNER, "Scanner", "--for", "send-only", "--network", "192.0.2.0/24")
    lifetime = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert timedelta(days=29) < lifetime <= timedelta(days=30)
    assert (made["network_rule"], made["allowed_ips"]) == ("allowed", ["192.0.2.0/24"])


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("valetkey app-password create x y --for s", ["send-only"]),
        ("valetkey account rights x re", ["read"]),
        ("valetkey acc", ["account"]),
    ],
)
def test_the_shell_completes_commands_and_choices(people: Any, words: str, offered: list[str]) -> None:
    place = {"_VALETKEY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    answer = CliRunner().invoke(people.app, [], env=place, prog_name="valetkey")
    assert answer.stdout.split() == offered


def test_a_record_that_was_changed_is_named(people: Any, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "valetkey.db")) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE audit SET actor = 'somebody' WHERE number = 2")
    found = people.json("audit", "verify", code=1)
    assert (found["is_intact"], found["first_bad_record"]) == (False, 2)
    assert "Record 2 is bad" in people.err
    assert "altered. Compare" in people.err

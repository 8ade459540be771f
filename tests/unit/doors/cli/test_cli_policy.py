"""The policy and the roles on the command line: which policy holds, and the way back to the file's."""

import sqlite3
from contextlib import closing
from typing import Any


def save(cli: Any, policy: str | None, networks: str | None) -> None:
    """Save rules as the console would, or damaged ones."""
    with closing(sqlite3.connect(cli.config.parent / "valetkey.db")) as store, store:
        store.execute("INSERT OR REPLACE INTO site_rules VALUES (1, ?, ?)", (policy, networks))


def test_the_files_policy_holds_until_another_is_saved(cli: Any) -> None:
    text = cli.config.read_text()
    cli.config.write_text(text.replace("\n[networks]\n", '\n[networks]\noffice = ["203.0.113.0/24"]\n'))
    shown = cli.json("policy", "show")
    assert (shown["policy_from"], shown["networks_from"]) == ("file", "file")
    assert shown["policy"]["max_app_passwords"] == 50
    assert shown["networks"] == {"office": ["203.0.113.0/24"]}
    save(cli, '{"max_app_passwords": 7, "max_lifetime": 864000}', '{"vpn": ["2001:db8::/32"]}')
    shown = cli.json("policy", "show")
    assert (shown["policy_from"], shown["networks_from"]) == ("console", "console")
    assert (shown["policy"]["max_app_passwords"], shown["networks"]) == (7, {"vpn": ["2001:db8::/32"]})
    text = cli("policy", "show")
    assert "the console" in text
    assert "10 days" in text
    assert "2001:db8::/32" in text
    assert "policy reset" in cli.err
    assert cli.json("policy", "reset", "--yes") == {
        "policy_from": "file",
        "networks_from": "file",
        "closed": 0,
        "servers": [],
        "not_told": [],
    }
    assert cli.json("policy", "show")["policy"]["max_app_passwords"] == 50
    assert "PolicyChanged" in str(cli.json("audit", "list"))


def test_a_damaged_policy_is_told_by_check_and_mended_by_reset(cli: Any) -> None:
    save(cli, '{"require_tls": "perhaps"}', None)
    cli("policy", "show", code=3)
    assert "policy reset" in cli.err
    said = cli("check", code=1)
    assert "policy" in said
    assert "policy reset" in said
    cli("policy", "reset", "--yes")
    assert cli.json("policy", "show")["policy_from"] == "file"


def test_nothing_is_reset_unasked(cli: Any) -> None:
    save(cli, '{"max_app_passwords": 7}', None)
    cli("policy", "reset", given="n\n", code=1)
    assert cli.json("policy", "show")["policy"]["max_app_passwords"] == 7


def test_check_says_which_policy_holds(cli: Any) -> None:
    def policy_lines() -> list[str]:
        return [line for line in cli("check", code=1).splitlines() if "policy" in line]

    assert any("that of the configuration file holds" in line for line in policy_lines())
    save(cli, '{"require_tls": false}', None)
    lines = policy_lines()
    assert any("saved in the console" in line and "[policy]" in line and "[networks]" not in line for line in lines)
    assert any("without TLS" in line for line in lines)


def test_roles_are_set_and_the_last_administrator_stays(people: Any) -> None:
    assert people.json("account", "role", "alice@example.org", "helpdesk") == {
        "account": "alice@example.org",
        "role": "helpdesk",
    }
    assert people.json("account", "show", "alice@example.org")["role"] == "helpdesk"
    people("account", "role", "admin@example.org", "none", code=1)
    assert "last administrator" in people.err
    people("account", "role", "alice@example.org", "admin")
    people("account", "role", "admin@example.org", "none")
    people("account", "disable", "alice@example.org", code=1)
    people("account", "role", "alice@example.org", "emperor", code=2)
    people("account", "role", "scanner@example.org", "auditor", code=1)

"""What commands say of connections that were closed, here and at mail servers."""

from typing import Any

import pytest

from valetkey.client import models
from valetkey.doors.cli.closed import closed_facts, closed_words
from valetkey.doors.cli.from_api import closed_of
from valetkey.service.closing import AtServer, Closed

PEER = """
[[peer]]
name = "mx2"
doveadm_url = "http://127.0.0.1:1"
doveadm_key_file = "no-such-key"
"""


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        (Closed(), "0 open connections closed."),
        (Closed(1), "1 open connection closed."),
        (Closed(0, (AtServer("mx1", 0),)), "0 open connections closed."),
        (Closed(0, (AtServer("mx1", 2),)), "2 open connections closed: 2 at mx1."),
        (
            Closed(1, (AtServer("mx1", 2),), ("mx2",)),
            "3 open connections closed: 1 here, 2 at mx1. mx2 could not be reached; Valetkey goes on trying.",
        ),
        (
            Closed(0, (), ("mx1", "mx2")),
            "0 open connections closed. mx1 and mx2 could not be reached; Valetkey goes on trying.",
        ),
    ],
)
def test_words(closed: Closed, words: str) -> None:
    assert closed_words(closed) == words


def test_what_the_api_says_is_read_as_it_was() -> None:
    servers = (models.ServerClosed(server="mx1", closed=2),)
    closed = closed_of(models.Closed(closed=3, servers=servers, not_told=("mx2",)))
    assert closed == Closed(1, (AtServer("mx1", 2),), ("mx2",))
    assert closed_facts(closed) == {"closed": 3, "servers": [{"server": "mx1", "closed": 2}], "not_told": ["mx2"]}


def test_a_server_that_cannot_be_told_hinders_no_command(people: Any) -> None:
    people.config.write_text(people.config.read_text() + PEER)
    made = [people.json("app-password", "create", "scanner@example.org", name) for name in ("One", "Two", "Three")]
    done = people("app-password", "revoke", made[0]["id"])
    assert done == ("“One” revoked, 0 open connections closed. mx2 could not be reached; Valetkey goes on trying.\n")
    (told,) = people.json("app-password", "revoke", made[1]["id"])
    assert (told["closed"], told["not_told"]) == (0, ["mx2"])
    lines = people("app-password", "revoke", "--all-of", "scanner@example.org").splitlines()
    assert lines == [
        "“Three” revoked, 0 open connections closed.",
        "All together: 0 open connections closed. mx2 could not be reached; Valetkey goes on trying.",
    ]
    assert people.json("account", "disable", "alice@example.org")["not_told"] == ["mx2"]

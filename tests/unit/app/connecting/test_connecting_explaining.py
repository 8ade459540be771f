"""What a trial shows: from what the client saw and what Valetkey counted to the one thing that is wrong."""

from dataclasses import replace

import pytest

from valetkey.app.connecting.client import End, Outcome, Port
from valetkey.app.connecting.explaining import Tried, explain
from valetkey.app.connecting.finding import RECIPE_NAMES
from valetkey.app.connecting.watching import Counts, Recorded
from valetkey.core.login import Reason
from valetkey.core.scope import MailProtocol
from valetkey.doors.cli.front import Level

PORT = Port("imaps", "localhost", 993, MailProtocol.IMAP)
IN = Outcome(End.IN)
WRONG = Outcome(End.REFUSED, "it answers: NO [AUTHENTICATIONFAILED]")
LATER = Outcome(End.LATER, "it answers: NO [UNAVAILABLE]")
ASKED = Counts({("http", "imap", "allowed"): 1})
NOTHING = Counts()
RIGHT = Tried("dovecot", PORT, frozenset({"http"}), WRONG, IN, ASKED, ASKED, Recorded("allowed", "198.51.100.7"))


def said(tried: Tried) -> list[tuple[Level, str]]:
    return [(finding.level, finding.what) for finding in explain(tried)]


def test_all_is_well() -> None:
    ((level, what),) = said(RIGHT)
    assert level is Level.GOOD
    assert "opens it, from 198.51.100.7, and a wrong one is refused" in what


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"right": Outcome(End.UNREACHABLE, "Connection refused")}, "nobody answers: Connection refused"),
        ({"right": Outcome(End.NO_TLS, "its certificate is not accepted: x")}, "its certificate is not accepted: x"),
        ({"wrong": IN}, "A WRONG PASSWORD WAS LET IN"),
        ({"asked_right": NOTHING}, "the app password was let in, and Valetkey was not asked"),
        ({"asked_wrong": None, "asked_right": None}, "Valetkey does not run"),
        ({"wrong": LATER}, "a wrong password is answered as if something were broken"),
        ({"right": WRONG, "asked_right": NOTHING}, "no question came to Valetkey"),
        ({"right": LATER, "asked_right": NOTHING}, "nobody can log in, and no question came to Valetkey"),
        ({"right": LATER}, "Valetkey lets it in, and the server fails after that"),
        ({"right": WRONG}, "Valetkey lets it in, and the server does not"),
        ({"right": LATER, "recorded": None}, "Valetkey could not tell"),
        ({"right": WRONG, "recorded": None}, "Valetkey refuses it"),
        (
            {"right": LATER, "asked_right": Counts({("http", "", "refused"): 1})},
            "its requests are refused before they are read",
        ),
    ],
)
def test_each_end(change: dict[str, object], what: str) -> None:
    found = said(replace(RIGHT, **change))  # type: ignore[arg-type]
    assert any(what in text and level is not Level.GOOD for level, text in found), found
    assert all(finding.mend for finding in explain(replace(RIGHT, **change)) if finding.level is Level.PROBLEM)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("answer", [WRONG, LATER], ids=["wrong", "later"])
def test_each_reason_has_words_and_a_mend(reason: Reason, answer: Outcome) -> None:
    tried = replace(RIGHT, right=answer, recorded=Recorded(reason.value, "198.51.100.7"))
    (finding,) = explain(tried)
    assert finding.what.startswith("Valetkey refuses it: ")
    assert finding.mend
    assert "{" not in finding.what + finding.mend


@pytest.mark.parametrize("server", sorted(RECIPE_NAMES))
def test_holds_is_named_only_where_it_counts(server: str) -> None:
    tried = replace(RIGHT, server=server, right=WRONG, recorded=Recorded(Reason.NOT_HELD.value, "198.51.100.7"))
    (finding,) = explain(tried)
    assert ("name them in holds" in finding.mend) == (server in {"dovecot", "postfix", "exim"})


def test_logins_of_other_protocols_and_doors_are_not_ours() -> None:
    counts = Counts({("http", "pop3", "allowed"): 3, ("sasl", "imap", "allowed"): 2, ("http", "", "answered"): 5})
    assert RIGHT.questions(counts) == 0
    assert RIGHT.questions(Counts({("http", "unknown", "wrong-secret"): 1})) == 1

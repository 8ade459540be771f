"""No door makes a verdict by itself: read from the code of every door."""

import ast
from functools import cache
from pathlib import Path

DOORS = Path(__file__).parents[3] / "src" / "valetkey" / "doors"
FILES = sorted(DOORS.rglob("*.py"))
VERBS = {"check", "check_certificate", "decide_again", "vouched"}
# Of core.login these make a verdict or are its grounds; a door may only take a verdict apart.
MAKES_VERDICTS = {"decide", "Proven", "Conditions"}
ONLY_GIVEN = {"Allowed", "Grant", "Proven"}
GROUNDS = {"hasher", "find_login", "find_proven"}  # of Ports and of the store
SAID_OF_A_TRY = {"name", "secret", "protocol", "address", "tls", "door", "holds"}


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    trees = [(str(file.relative_to(DOORS)), ast.parse(file.read_text())) for file in FILES]
    return tuple((where, node) for where, tree in trees for node in ast.walk(tree))


def calls(name: str) -> list[tuple[str, ast.Call]]:
    return [
        (where, node)
        for where, node in nodes()
        if isinstance(node, ast.Call) and name in {getattr(node.func, "id", ""), getattr(node.func, "attr", "")}
    ]


def imported(module: str) -> set[tuple[str, str]]:
    return {
        (where, alias.name)
        for where, node in nodes()
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_a_verdict_comes_from_the_verbs_alone() -> None:
    verbs = imported("valetkey.service.login")
    assert {name for _, name in verbs} == VERBS, "another verb needs its rows in the matrix"
    assert [each for each in imported("valetkey.core.login") if each[1] in MAKES_VERDICTS] == []
    whole = [where for where, node in nodes() if isinstance(node, ast.Import) and "login" in ast.unparse(node)]
    whole += [
        f"{where} {name}" for where, name in imported("valetkey.core") | imported("valetkey.service") if name == "login"
    ]
    assert whole == []


def test_a_yes_is_never_made_in_a_door() -> None:
    assert [(name, where) for name in ONLY_GIVEN for where, _ in calls(name)] == []


def test_the_one_no_that_a_door_says_by_itself_is_that_of_a_wrong_secret() -> None:
    """And of a session that is open, that it is revoked."""
    of_logins = {where for where, name in imported("valetkey.core.login") if name == "Refused"}
    said = {(where, ast.unparse(call.args[0])) for where, call in calls("Refused") if where in of_logins}
    assert {reason for _, reason in said - {("gateway/live.py", "Reason.REVOKED")}} == {"Reason.WRONG_SECRET"}


def test_no_door_looks_at_what_a_verdict_is_made_of() -> None:
    assert [
        (where, node.attr) for where, node in nodes() if isinstance(node, ast.Attribute) and node.attr in GROUNDS
    ] == []


def test_every_try_says_where_it_comes_from_how_it_is_protected_and_what_it_can_be_held_to() -> None:
    tries = calls("LoginAttempt")
    assert len(tries) >= 3
    for where, call in tries:
        said = {keyword.arg for keyword in call.keywords}
        assert said >= SAID_OF_A_TRY, where
        assert not call.args, where

"""Rights that Dovecot's ACL plugin is given: never more than the app password has."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.core.limits import Limits, permits_folder
from valetkey.core.login import Grant
from valetkey.core.scope import ALL_PERMISSIONS, MailProtocol, Permission
from valetkey.doors.dovecot.rights import NOTHING_TO_HOLD, Holding, Namespaces, holding_of, letters_of

NAMES = ("Archive", "INBOX", "Projects", "a", "a.b", "a?c", "abc", "x y", 'q"u\\o')
PRIVATE = Namespaces()
folders = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), st.booleans()).map(
        lambda made: "/".join(made[0]) + ("/*" if made[1] else "")
    ),
    min_size=1,
    max_size=4,
)
names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
permissions = st.frozensets(st.sampled_from(Permission))


def a_grant(granted: frozenset[Permission], limits: Limits, protocol: MailProtocol = MailProtocol.IMAP) -> Grant:
    return Grant("ac_1", "alice@example.org", "ap_1", protocol, granted, None, 1, limits)


def rights(holding: Holding, name: str) -> set[str]:
    """Read a list as Dovecot does: all lines whose pattern matches, together; `*` matches "/" too."""
    assert holding.file is not None
    found: set[str] = set()
    taken: set[str] = set()
    for line in holding.file.text.splitlines():
        quoted, who, letters = re.fullmatch(r'"((?:[^"\\]|\\.)*)" (\S+) (\S+)', line).groups()  # type: ignore[union-attr]
        assert who in {"anyone", "-anyone"}
        pattern = re.sub(r"\\(.)", r"\1", quoted)
        expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
        if re.fullmatch(expression, name, re.DOTALL):
            (taken if who.startswith("-") else found).update(letters)
    return found - taken


@given(folders, names, permissions)
def test_no_list_opens_a_folder_that_the_limits_do_not(entries: list[str], name: str, granted: frozenset[Permission]):
    limits = Limits(folders=tuple(entries))
    holding = holding_of(a_grant(granted, limits), PRIVATE, is_new=False)
    found = rights(holding, name)
    assert found <= set(letters_of(granted)) | {"p"}
    if not permits_folder(limits, name):
        assert found <= {"p", "k"}
    if "k" in found or "x" in found:
        # What is made in it, or goes along with it, may be used as well.
        assert permits_folder(limits, f"{name}/anything")


@given(folders, names)
def test_with_another_separator_no_list_opens_more(entries: list[str], name: str):
    limits = Limits(folders=tuple(entries))
    holding = holding_of(a_grant(ALL_PERMISSIONS, limits), Namespaces("."), is_new=False)
    if "." not in name and not permits_folder(limits, name):
        assert rights(holding, name.replace("/", ".")) <= {"p", "k"}


@given(folders, names, permissions)
def test_no_list_opens_what_is_shared(entries: list[str], name: str, granted: frozenset[Permission]):
    """Whoever names a folder of somebody else gets no right to it, and whoever may read reads only their own."""
    namespaces = Namespaces("/", ("Archive/", "Other Users/"))
    for limits in (Limits(folders=tuple(entries)), Limits()):
        for is_new in (False, True):
            holding = holding_of(a_grant(granted, limits), namespaces, is_new=is_new)
            if holding is not NOTHING_TO_HOLD:
                assert rights(holding, f"Archive/{name}") == set()


def test_a_listed_folder_opens():
    limits = Limits(folders=("Archive", "Projects/*"))
    holding = holding_of(a_grant(frozenset({Permission.READ}), limits), PRIVATE, is_new=True)
    assert rights(holding, "Archive") == set("lrp")
    assert rights(holding, "Projects/One/Two") == set("lrp")
    assert rights(holding, "Projects") == {"p"}
    assert rights(holding, "") == {"l", "p"}


@pytest.mark.parametrize(
    ("granted", "letters"),
    [
        ("", "l"),
        ("read", "lr"),
        ("read flag", "lrws"),
        ("read write", "lri"),
        ("read delete", "lrte"),
        ("read folders", "lrk"),
        ("read delete folders", "lrtekx"),
        ("read flag write delete folders send filters", "lrwsitekx"),
    ],
)
def test_letters(granted, letters):
    assert letters_of(Permission(word) for word in granted.split()) == letters


def test_what_has_no_limits_is_not_held():
    for protocol in MailProtocol:
        assert holding_of(a_grant(ALL_PERMISSIONS, Limits(), protocol), PRIVATE, is_new=True) is NOTHING_TO_HOLD
    sending = Limits(recipients_per_message=1)
    given_ = a_grant(ALL_PERMISSIONS, sending, MailProtocol.SMTP)
    assert holding_of(given_, PRIVATE, is_new=True) is NOTHING_TO_HOLD


def test_lists_have_names_of_their_content():
    one = holding_of(a_grant(ALL_PERMISSIONS, Limits(folders=("A",))), PRIVATE, is_new=False).file
    other = holding_of(a_grant(ALL_PERMISSIONS, Limits(folders=("B",))), PRIVATE, is_new=False).file
    assert one is not None
    assert other is not None
    assert one.name != other.name
    assert re.fullmatch(r"ap_1-[0-9a-f]{16}", one.name)


def test_newer_dovecots_need_no_file_for_permissions_alone():
    holding = holding_of(a_grant(frozenset({Permission.READ}), Limits()), PRIVATE, is_new=True)
    assert holding.file is None
    assert holding.fields["userdb_acl_user"] == "app-password:ap_1"

"""Where a mailbox is: no address leads out of its folder."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.doors.courier.mailbox import mailbox_of, require_pattern

PATTERNS = ["/var/mail/{domain}/{local_part}", "/srv/{user}", "/home/{local_part}/Maildir", "/srv/.{local_part}/x"]


def test_the_parts_of_an_address_stand_in_the_path():
    assert mailbox_of("/var/mail/{domain}/{local_part}", "alice@example.org") == "/var/mail/example.org/alice"
    assert mailbox_of("/srv/{user}/Maildir", "alice@example.org") == "/srv/alice@example.org/Maildir"
    assert mailbox_of("/srv/{{x}}/{user}", "a@example.org") == "/srv/{x}/a@example.org"


@pytest.mark.parametrize(
    ("pattern", "local_part"),
    [
        ("/var/mail/{local_part}", ".."),
        ("/var/mail/{local_part}", "."),
        ("/var/mail/{local_part}/x", ""),
        ("/var/mail/.{local_part}", "."),
        ("/var/mail/{local_part}", "../root"),
        ("/var/mail/{local_part}", "bob/Maildir"),
        ("/var/mail/{user}", "/etc"),
        ("/var/mail/{local_part}", "a\0b"),
        ("/var/mail/{local_part}", "a\nUID=0"),
    ],
)
def test_what_would_lead_elsewhere_is_refused(pattern, local_part):
    with pytest.raises(ValueError, match="path"):
        mailbox_of(pattern, f"{local_part}@example.org")


def test_braces_in_an_address_mean_nothing():
    assert mailbox_of("/var/mail/{local_part}", "{user}@example.org") == "/var/mail/{user}"


@given(st.sampled_from(PATTERNS), st.text(max_size=12), st.text(alphabet="abc./", max_size=8))
def test_a_mailbox_lies_where_its_pattern_says(pattern, local_part, domain):
    try:
        path = mailbox_of(pattern, f"{local_part}@{domain}")
    except ValueError:
        return
    folders = PurePosixPath(path).parts
    assert len(folders) == len(PurePosixPath(pattern).parts)
    assert not {".", ".."} & set(folders)
    assert str(PurePosixPath(path)) == path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_taken(pattern):
    require_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("/var/mail/{user", "partner"),
        ("/var/mail/user}", "partner"),
        ("/var/mail/{name}", "nothing else"),
        ("/var/mail/{}", "nothing else"),
        ("/var/mail/{user.__class__}", "nothing else"),
        ("/var/mail/{user!r}", "nothing else"),
        ("/var/mail/{user:>9999999}", "nothing else"),
        ("/var/mail/{domain}", "share one mailbox"),
        ("/var/mail/all", "share one mailbox"),
        ("var/mail/{user}", "whole path"),
        ("{user}", "whole path"),
        ("/var/mail/../{user}", "whole path"),
        ("/var//{user}", "whole path"),
        ("/var/mail/{user}/", "whole path"),
        ("", "share one mailbox"),
    ],
)
def test_other_patterns_are_refused(pattern, why):
    with pytest.raises(ValueError, match=why):
        require_pattern(pattern)

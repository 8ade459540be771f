"""Where passkeys belong."""

import pytest

from valetkey.doors.web.relying_party import relying_party
from valetkey.doors.web.settings import WebSettings

BOTH = WebSettings("https://mail.example.org", also_at=("http://localhost:8080", "https://Mail.example.net:8443/"))


@pytest.mark.parametrize(
    ("host", "party_id", "origin"),
    [
        ("mail.example.org", "mail.example.org", "https://mail.example.org"),
        ("localhost:8080", "localhost", "http://localhost:8080"),
        ("mail.example.net:8443", "mail.example.net", "https://mail.example.net:8443"),
        ("evil.example", "mail.example.org", "https://mail.example.org"),
        ("", "mail.example.org", "https://mail.example.org"),
    ],
)
def test_the_address_that_is_visited_is_chosen_among_our_own(host: str, party_id: str, origin: str) -> None:
    party = relying_party(BOTH, host)
    assert party is not None
    assert (party.id, party.origin) == (party_id, origin)


def test_a_default_port_is_no_part_of_an_origin() -> None:
    party = relying_party(WebSettings("https://mail.example.org:443"), "mail.example.org:443")
    assert party is not None
    assert party.origin == "https://mail.example.org"


@pytest.mark.parametrize(
    "base_url", ["http://mail.example.org", "https://192.0.2.7", "http://127.0.0.1:8080", "https://[::1]"]
)
def test_where_browsers_permit_none_none_are_offered(base_url: str) -> None:
    assert relying_party(WebSettings(base_url), "") is None

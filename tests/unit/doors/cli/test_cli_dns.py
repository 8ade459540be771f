"""`valetkey dns`: records that mail programs look for, in the form of a zone."""

import re
from typing import Any

import pytest

RECORD = re.compile(r"(\S+\.)\s+IN\s+(SRV|CNAME)\s+(.+?)\s+; (.+)")


def records(said: str) -> dict[str, tuple[str, str]]:
    found = [RECORD.fullmatch(line) for line in said.splitlines()]
    assert all(found), said
    return {one[1]: (one[2], one[3]) for one in found if one is not None}


def test_the_records_of_the_standard_ports(cli: Any) -> None:
    found = records(cli("dns", "Example.ORG"))
    assert found["_imaps._tcp.example.org."] == ("SRV", "0 1 993 mail.example.org.")
    assert found["_imap._tcp.example.org."] == ("SRV", "10 1 143 mail.example.org.")
    assert found["_pop3s._tcp.example.org."] == ("SRV", "20 1 995 mail.example.org.")
    assert found["_submissions._tcp.example.org."] == ("SRV", "0 1 465 mail.example.org.")
    assert found["_submission._tcp.example.org."] == ("SRV", "10 1 587 mail.example.org.")
    assert found["_sieve._tcp.example.org."] == ("SRV", "0 1 4190 mail.example.org.")
    assert "autoconfig.example.org." not in found
    assert "[portal] base_url" in cli.err


def test_a_portal_is_found_too(cli: Any) -> None:
    text = cli.config.read_text()
    assert 'base_url = "http://localhost:8080"' in text
    cli.config.write_text(text.replace("http://localhost:8080", "https://portal.example.org/"))
    found = records(cli("dns", "example.org"))
    assert found["autoconfig.example.org."] == ("CNAME", "portal.example.org.")
    assert found["autodiscover.example.org."] == ("CNAME", "portal.example.org.")
    assert found["_autodiscover._tcp.example.org."] == ("SRV", "0 1 443 portal.example.org.")
    assert "certificate" in cli.err
    assert {"name": "autoconfig.example.org.", "type": "CNAME"}.items() <= cli.json("dns", "example.org")[-3].items()


def test_what_is_not_offered_is_said(cli: Any) -> None:
    text = re.sub(r"(?s)\[\[listener\]\].*?(?=\n\[(?!\[listener\]\]))", "", cli.config.read_text())
    cli.config.write_text(text + '\n[[listener]]\nprotocol = "imap"\nlisten = "*:993"\n')
    found = records(cli("dns", "example.org"))
    assert found["_imaps._tcp.example.org."][1] == "0 1 993 mail.example.org."
    assert found["_pop3s._tcp.example.org."][1] == found["_sieve._tcp.example.org."][1] == "0 0 0 ."


@pytest.mark.parametrize("domain", ["not a domain", "", "a" * 300 + ".org", "example..org"])
def test_what_is_no_domain(cli: Any, domain: str) -> None:
    cli("dns", domain, code=1)
    assert "is not a domain name" in cli.err

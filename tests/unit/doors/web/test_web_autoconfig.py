"""What mail programs fetch to set themselves up, as their makers document it."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient, portal_of
from tests.browser.portal_site import ENDPOINTS
from tests.verbs.site import House, Person

from valetkey.core.errors import InvalidInput
from valetkey.core.scope import MailProtocol
from valetkey.doors.web.autoconfig import MAX_REQUEST, Site, mozilla, outlook, read_outlook_request
from valetkey.doors.web.settings import ClientEndpoint, Encryption

OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
ASKED = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request>
    <EMailAddress>{address}</EMailAddress>
    <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>
  </Request>
</Autodiscover>"""
XML_PATHS = ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml")


@pytest.fixture
def program(portal: FastAPI) -> PortalClient:
    """A mail program: no cookie, no Origin, nobody signed in."""
    return PortalClient(portal)


async def posted(program: PortalClient, body: str | bytes, path: str = XML_PATHS[0]) -> httpx.Response:
    return await program.http.post(path, content=body, headers={"Content-Type": "text/xml"})


@pytest.mark.parametrize("path", ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"])
async def test_thunderbird_is_told_where_to_connect(program: PortalClient, path: str) -> None:
    answer = await program.get(f"{path}?emailaddress=alice%40example.org")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    assert "public" in answer.headers["cache-control"]
    root = ET.fromstring(answer.content)
    assert (root.tag, root.attrib["version"]) == ("clientConfig", "1.1")
    provider = root.find("emailProvider")
    assert provider is not None
    assert provider.attrib["id"] == provider.findtext("domain") == "example.org"
    assert provider.findtext("displayName") == "Valetkey"
    servers = [(s.tag, s.attrib["type"], {c.tag: c.text for c in s}) for s in provider if s.tag.endswith("Server")]
    assert [(tag, kind) for tag, kind, _ in servers] == [
        ("incomingServer", "imap"), ("outgoingServer", "smtp"), ("incomingServer", "pop3"),
    ]  # fmt: skip
    assert servers[0][2] == {
        "hostname": "mail.example.org",
        "port": "993",
        "socketType": "SSL",
        "authentication": "password-cleartext",
        "username": "%EMAILADDRESS%",
    }


async def test_every_address_gets_the_same_answer(program: PortalClient, house: House, alice: Person) -> None:
    reads = house.count_calls()[0]
    known = await program.get("/mail/config-v1.1.xml?emailaddress=alice@example.org")
    unknown = await program.get("/mail/config-v1.1.xml?emailaddress=nobody@example.org")
    assert known.content == unknown.content
    one, other = [re.sub(rb"alice|bob", b"x", (await posted(program, ASKED.format(address=a))).content)
                  for a in ("alice@example.org", "bob@example.org")]  # fmt: skip
    assert one == other
    assert not reads  # nobody is looked up


async def test_a_domain_that_is_not_served(house: House) -> None:
    program = PortalClient(portal_of(house, mail_domains=("example.org", "example.net")))
    assert (await program.get("/mail/config-v1.1.xml?emailaddress=a@example.net")).status_code == 200
    assert (await program.get("/mail/config-v1.1.xml?emailaddress=a@elsewhere.example")).status_code == 404
    assert (await program.get("/mail/apple.mobileconfig?address=a@elsewhere.example")).status_code == 404
    said = (await posted(program, ASKED.format(address="a@elsewhere.example"))).text
    assert "<ErrorCode>500</ErrorCode>" in said
    assert "<Protocol>" not in said


@pytest.mark.parametrize(
    ("host", "domains"),
    [
        ("autoconfig.example.net", ["example.net"]),
        ("example.org:8443", ["example.org"]),
        ("portal.example.com", ["example.org", "example.net"]),
        ("[::1]:8080", ["example.org", "example.net"]),
    ],
)
async def test_without_an_address_the_host_decides(house: House, host: str, domains: list[str]) -> None:
    program = PortalClient(portal_of(house, mail_domains=("example.org", "example.net")))
    answer = await program.get("/mail/config-v1.1.xml", Host=host)
    assert [one.text for one in ET.fromstring(answer.content).iter("domain")] == domains


async def test_a_site_of_all_domains_names_the_one_that_was_asked(program: PortalClient) -> None:
    answer = await program.get("/mail/config-v1.1.xml", Host="autoconfig.example.net")
    assert [one.text for one in ET.fromstring(answer.content).iter("domain")] == ["example.net"]
    assert (await program.get("/mail/config-v1.1.xml", Host="&<>")).status_code == 404
    assert (await program.get("/mail/config-v1.1.xml?emailaddress=a@%26%3C")).status_code == 404


@pytest.mark.parametrize("path", XML_PATHS)
async def test_outlook_is_told_where_to_connect(program: PortalClient, path: str) -> None:
    answer = await posted(program, ASKED.format(address="Alice@Example.org"), path)
    assert answer.status_code == 200
    account = ET.fromstring(answer.content).find(f"{OUTLOOK}Response/{OUTLOOK}Account")
    assert account is not None
    assert account.findtext(f"{OUTLOOK}AccountType") == "email"
    assert account.findtext(f"{OUTLOOK}Action") == "settings"
    found = {
        str(one.findtext(f"{OUTLOOK}Type")): {child.tag.removeprefix(OUTLOOK): child.text for child in one}
        for one in account.iter(f"{OUTLOOK}Protocol")
    }
    assert set(found) == {"IMAP", "POP3", "SMTP"}
    assert found["IMAP"] == {
        "Type": "IMAP", "Server": "mail.example.org", "Port": "993", "DomainRequired": "off",
        "LoginName": "alice@example.org", "SPA": "off", "SSL": "on", "Encryption": "SSL", "AuthRequired": "on",
    }  # fmt: skip
    assert found["SMTP"]["UsePOPAuth"] == "on"
    looked = await program.get(path)
    assert b"LoginName" not in looked.content
    assert looked.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        "<Autodiscover>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Autodiscover>&b;</Autodiscover>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><Autodiscover><Request><EMailAddress>a@example.org</EMailAddress></Request></Autodiscover>',
        "<a>" * 50 + "</a>" * 50,
        '<?xml version="1.0" encoding="nobody-knows"?><Autodiscover/>',
        ASKED.format(address="not an address at all @"),
        b"\xff\xfe\x00",
    ],
)
async def test_what_outlook_would_not_send_is_an_error_in_its_own_form(
    program: PortalClient, body: str | bytes
) -> None:
    answer = await posted(program, body)
    assert answer.status_code == 200
    assert "<ErrorCode>600</ErrorCode>" in answer.text
    assert "root:" not in answer.text


async def test_a_request_without_an_address_is_answered_without_a_login_name(program: PortalClient) -> None:
    answer = await posted(program, ASKED.format(address=""))
    assert b"LoginName" not in answer.content
    assert b"<Server>mail.example.org</Server>" in answer.content


async def test_a_large_request_is_not_read(program: PortalClient) -> None:
    assert (await posted(program, "<a>" + "x" * MAX_REQUEST)).status_code == 413


def test_an_address_is_put_together_from_its_pieces() -> None:
    document = ASKED.format(address="a&amp;b<![CDATA[@]]>example.org").encode()
    assert read_outlook_request(document) == "a&b@example.org"
    with pytest.raises(InvalidInput):
        read_outlook_request(b"<Autodiscover><Request>")


async def test_markup_in_an_address_stays_text(program: PortalClient) -> None:
    answer = await posted(program, ASKED.format(address="a&amp;b@example.org"))
    assert b"<LoginName>a&amp;b@example.org</LoginName>" in answer.content
    ET.fromstring(answer.content)


@pytest.mark.parametrize(
    "path", ["/autodiscover/autodiscover.json", "/autodiscover/autodiscover.json/v1.0/a@example.org"]
)
async def test_version_2_leads_to_version_1(program: PortalClient, path: str) -> None:
    answer = await program.get(f"{path}?Email=a@example.org&Protocol=AutodiscoverV1&RedirectCount=1")
    assert answer.json() == {
        "Protocol": "AutodiscoverV1",
        "Url": "https://portal.example.org/autodiscover/autodiscover.xml",
    }
    other = await program.get(f"{path}?Protocol=ActiveSync")
    assert (other.status_code, json.loads(other.content)["ErrorCode"]) == (400, "InvalidProtocol")


def test_nobody_is_sent_to_a_port_without_tls() -> None:
    endpoints = (
        *ENDPOINTS,
        ClientEndpoint(MailProtocol.IMAP, "mail.example.org", 143, Encryption.STARTTLS),
        ClientEndpoint(MailProtocol.SMTP, "mail.example.org", 25, Encryption.NONE),
    )
    site = Site("A & B <Mail>", "https://portal.example.org", endpoints)
    root: Any = ET.fromstring(mozilla(site, ("example.org",)))
    assert root.findtext("emailProvider/displayName") == "A & B <Mail>"
    assert [one.text for one in root.iter("port")] == ["993", "465", "995", "143"]
    assert [one.text for one in root.iter("socketType")] == ["SSL", "SSL", "SSL", "STARTTLS"]
    assert b"<Port>143</Port>" not in outlook(site, "")  # one of each
    assert b"<Port>25</Port>" not in outlook(site, "")


def test_no_parser_of_trees_reads_what_strangers_send() -> None:
    source = Path(__file__).parents[4] / "src" / "valetkey" / "doors" / "web" / "autoconfig.py"
    assert not re.search(r"fromstring|\bparse\(|XMLParser|iterparse", source.read_text())

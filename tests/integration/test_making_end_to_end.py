"""From the portal's form to a real client that logs in with the lines it was given; the page hears of it at once."""

import html
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from tests.servers.clients import curl
from tests.servers.commands import Command
from tests.servers.people import CAROL
from tests.servers.valetkey import Valetkey

from valetkey.service import second_factors
from valetkey.service.ports import Actor, ActorKind, Ports

pytestmark = pytest.mark.needs("msmtp", "mbsync", "openssl")
_BROWSER = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}


async def _authenticator(ports: Ports, account_id: str) -> pyotp.TOTP:
    actor = Actor(ActorKind.ACCOUNT, account_id, "", ports.clock.now())
    offer = second_factors.offer_totp(ports, actor, CAROL.address)
    totp = pyotp.parse_uri(offer.uri)
    assert isinstance(totp, pyotp.TOTP)
    await second_factors.confirm_totp(ports, actor, offer.sealed, totp.now(), "Of a test")
    return totp


class Visitor:
    """A browser's part of it: keeps cookies, reads forms, sends them."""

    def __init__(self, valetkey: Valetkey) -> None:
        self.http = httpx.Client(base_url=f"http://localhost:{valetkey.ports.portal}", timeout=20)
        self.cookies: dict[str, str] = {}
        self.page = ""

    def ask(self, method: str, path: str, fields: dict[str, Any] | None = None) -> httpx.Response:
        headers = {**_BROWSER, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = self.http.request(method, path, data=fields, headers=headers)
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        if not answer.is_redirect:
            self.page = answer.text
        return answer

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page)
        assert found is not None, name
        return html.unescape(found[1])

    def send(self, path: str, **fields: Any) -> httpx.Response:
        return self.ask("POST", path, {"csrf": self.hidden("csrf"), **fields})

    def sign_in(self, address: str, password: str, totp: pyotp.TOTP) -> None:
        self.ask("GET", "/sign-in")
        self.send("/sign-in", name=address, password=password, next="/")
        self.ask("GET", "/sign-in/code")
        unused = totp.at(int(time.time()) + totp.interval)  # the one before is used up
        answer = self.send("/sign-in/code", code=unused, next="/")
        assert answer.headers["location"] == "/", self.page

    def make(self, purpose: str, permission: str, protocol: str) -> str:
        """Make an app password and give its id."""
        self.ask("GET", f"/app-passwords/new?purpose={purpose}")
        answer = self.send(
            "/app-passwords/new", purpose=purpose, account=self.hidden("account"), once=self.hidden("once"),
            description=purpose, format="default", expires="365", idle="never", rule="anywhere",
            permission=permission, protocol=protocol,
        )  # fmt: skip
        assert answer.status_code == 200
        found = re.search(r'data-live="/app-passwords/([^/]+)/waiting"', self.page)
        assert found is not None
        return found[1]

    def lines(self, guide: str) -> str:
        """Give the lines to paste that the page shows."""
        found = re.search(rf'(?s)<pre id="lines-{guide}-1"[^>]*><code>(.*?)</code>', self.page)
        assert found is not None, guide
        return html.unescape(found[1])

    @contextmanager
    def waiting(self, credential_id: str) -> Iterator[Iterator[str]]:
        """Listen to what the page hears."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        with self.http.stream("GET", f"/app-passwords/{credential_id}/waiting", headers=headers) as stream:
            yield stream.iter_lines()


def heard(lines: Iterator[str], wanted: str) -> str:
    """Read the stream up to a line that holds a text."""
    return next(line for line in lines if wanted in line)


@pytest.fixture(scope="module")
def totp(valetkey: Valetkey) -> pyotp.TOTP:
    account_id = valetkey.keys.account_id(CAROL)
    return valetkey.keys.do(lambda ports: _authenticator(ports, account_id))


@pytest.fixture(scope="module")
def visitor(valetkey: Valetkey, totp: pyotp.TOTP) -> Iterator[Visitor]:
    made = Visitor(valetkey)
    with made.http:
        made.sign_in(CAROL.address, CAROL.password, totp)
        yield made


def local(text: str) -> str:
    """The lines as they are shown, but for the name: the test's servers are on this machine, with ports of their own."""
    return text.replace("imap.example.test", "localhost")


def test_msmtp_sends_with_the_lines_of_the_page(visitor: Visitor, valetkey: Valetkey, client_home: Path) -> None:
    made = visitor.make("website", "send", "smtp")
    configuration = client_home / ".msmtprc"
    configuration.write_text(local(visitor.lines("msmtp")) + f"tls_trust_file {valetkey.ca}\n")
    configuration.chmod(0o600)
    letter = b"Subject: from the shop\r\n\r\nHello\r\n"
    with visitor.waiting(made) as lines:
        heard(lines, "Waiting for the first login")
        sent = Command(("msmtp", "-C", str(configuration), "--", CAROL.address), client_home, stdin=letter).run()
        assert sent.code == 0, sent.output
        assert "over SMTP. It works." in heard(lines, "signed in")


def test_mbsync_fetches_with_the_lines_of_the_page(visitor: Visitor, valetkey: Valetkey, client_home: Path) -> None:
    made = visitor.make("archive", "read", "imap")
    lines_shown = local(visitor.lines("mbsync")).replace("\nSSLType", f"\nCertificateFile {valetkey.ca}\nSSLType")
    configuration = client_home / ".mbsyncrc"
    configuration.write_text(lines_shown)
    configuration.chmod(0o600)
    (client_home / "mail-backup").mkdir()
    with visitor.waiting(made) as lines:
        fetched = Command(("mbsync", "backup"), client_home).run()
        assert fetched.code == 0, fetched.output
        assert "over IMAP. It works." in heard(lines, "signed in")
    assert (client_home / "mail-backup" / "INBOX" / "cur").is_dir()


def test_a_refused_client_reads_why_on_the_page(visitor: Visitor, valetkey: Valetkey, client_home: Path) -> None:
    made = visitor.make("website", "send", "smtp")
    secret = re.search(r"^password\s+(\S+)", visitor.lines("msmtp"), re.MULTILINE)
    assert secret is not None
    login = valetkey.login(valetkey.keys.issue(CAROL), "imaps", secret=secret[1])
    with visitor.waiting(made) as lines:
        assert curl(client_home, login, "imap", "INBOX").run().code != 0
        assert "this protocol is off for it" in heard(lines, "Refused")


def test_the_profile_is_signed_by_the_portals_certificate(
    visitor: Visitor, valetkey: Valetkey, client_home: Path
) -> None:
    profile = visitor.http.get("/mail/apple.mobileconfig", params={"address": "anybody@example.test"}).content
    (client_home / "profile").write_bytes(profile)
    command = ("openssl", "cms", "-verify", "-inform", "DER", "-in", "profile", "-CAfile", str(valetkey.ca),
               "-purpose", "any", "-out", "opened")  # fmt: skip
    verified = Command(command, client_home).run()
    assert verified.code == 0, verified.output
    assert b"com.apple.mail.managed" in (client_home / "opened").read_bytes()

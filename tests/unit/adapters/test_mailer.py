"""Handing mail to a submission server: certificates, logins, headers that cannot be forged, and what goes wrong."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.submission import PASSWORD, USER, Submission, running_submission

from valetkey.adapters import submission
from valetkey.adapters.mailer import MailEncryption, MailServer
from valetkey.adapters.submission import SmtpMailer
from valetkey.core.errors import CannotStart, Refused, Unavailable
from valetkey.service.mail_parts import Mail

MAIL = Mail(
    recipient="alice@elsewhere.example",
    subject="New second factor for alice@example.org",
    text="The second factor “Phone” was added.\n\n.a line that begins with a dot\n",
    date=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    id="notice.7.1",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


def mailer_at(server: Submission, encryption: MailEncryption = MailEncryption.NONE, **changes: Any) -> SmtpMailer:
    password = changes.pop("password", PASSWORD)
    at = MailServer("127.0.0.1", server.port, encryption, "valetkey@example.org", "Example Mail")
    return SmtpMailer(replace(at, **changes), lambda: password)


async def test_a_mail_arrives_with_headers_that_say_what_it_is() -> None:
    async with running_submission() as server:
        await mailer_at(server).send(MAIL)
    message = server.parsed()
    assert server.envelope()[0].startswith(b"MAIL FROM:<valetkey@example.org>")
    assert server.envelope()[1:] == [b"RCPT TO:<alice@elsewhere.example>"]
    assert message["From"] == "Example Mail <valetkey@example.org>"
    assert message["To"] == "alice@elsewhere.example"
    assert message["Subject"] == MAIL.subject
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<notice.7.1@example.org>"
    assert message["Date"].datetime == MAIL.date
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == MAIL.text


@pytest.mark.parametrize("encryption", [MailEncryption.TLS, MailEncryption.STARTTLS])
async def test_a_verified_server_gets_login_and_mail(
    authority: CertificateAuthority, encryption: MailEncryption
) -> None:
    context = authority.issue().server_context()
    way = {"tls": context} if encryption is MailEncryption.TLS else {"starttls": context}
    async with running_submission(**way) as server:
        server.needs_login = True
        mailer = mailer_at(server, encryption, ca_file=authority.file, user=USER)
        await mailer.probe()
        assert server.messages == []
        await mailer.send(MAIL)
    assert len(server.messages) == 1


@pytest.mark.parametrize("encryption", [MailEncryption.TLS, MailEncryption.STARTTLS])
@pytest.mark.parametrize("what", ["unknown authority", "other name", "expired"])
async def test_a_server_that_is_not_who_it_should_be_gets_nothing(
    authority: CertificateAuthority, tmp_path: Path, encryption: MailEncryption, what: str
) -> None:
    trusted = CertificateAuthority(tmp_path).file if what == "unknown authority" else authority.file
    names = ["other.example.test"] if what == "other name" else []
    context = authority.issue(*names, expired=what == "expired").server_context()
    way = {"tls": context} if encryption is MailEncryption.TLS else {"starttls": context}
    async with running_submission(**way) as server:
        with pytest.raises(Unavailable):
            await mailer_at(server, encryption, ca_file=trusted, user=USER).send(MAIL)
    assert not [line for line in server.commands if line.startswith((b"AUTH", b"MAIL"))]


async def test_without_starttls_nothing_is_sent_in_the_clear(authority: CertificateAuthority) -> None:
    async with running_submission() as server:
        with pytest.raises(Unavailable):
            await mailer_at(server, MailEncryption.STARTTLS, ca_file=authority.file, user=USER).send(MAIL)
    assert not [line for line in server.commands if line.startswith((b"AUTH", b"MAIL"))]


async def test_what_is_slipped_in_before_the_handshake_is_not_believed(authority: CertificateAuthority) -> None:
    """An answer in the clear behind that to STARTTLS would otherwise be taken for the server's (CVE-2011-0411)."""
    async with running_submission(starttls=authority.issue().server_context()) as server:
        server.injected = b"250-evil\r\n250 AUTH LOGIN\r\n"
        server.needs_login = True
        try:
            await mailer_at(server, MailEncryption.STARTTLS, ca_file=authority.file, user=USER).send(MAIL)
        except Unavailable:
            assert server.messages == []
    assert not [line for line in server.commands if line.startswith(b"AUTH LOGIN")]


@pytest.mark.parametrize(
    ("verb", "answer", "error"),
    [
        (b"RCPT", b"550 5.1.1 no such\x1b[31m mailbox", Refused),
        (b"MAIL", b"550 5.7.1 not from you", Refused),
        (b"DATA", b"554 5.6.0 spam", Refused),
        (b"AUTH", b"535 5.7.8 no", Unavailable),
        (b"EHLO", b"421 4.3.2 not now", Unavailable),
        (b"EHLO", b"nonsense", Unavailable),
    ],
)
async def test_refusals_are_told_from_trouble_and_said_on_one_line(
    verb: bytes, answer: bytes, error: type[Exception]
) -> None:
    async with running_submission() as server:
        server.answers = {verb: answer, **({b"HELO": answer} if verb == b"EHLO" else {})}
        server.needs_login = True
        with pytest.raises(error) as caught:
            await mailer_at(server, user=USER).send(MAIL)
    assert str(caught.value).isprintable()
    assert PASSWORD not in str(caught.value)
    assert server.messages == []


@pytest.mark.parametrize("verb", [b"EHLO", b"MAIL", b"DATA"])
async def test_a_server_that_says_nothing_is_left(verb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "_STEP_SECONDS", 0.2)
    async with running_submission() as server:
        server.silent_at = verb
        with pytest.raises(Unavailable):
            await mailer_at(server).send(MAIL)


async def test_nobody_listens() -> None:
    async with running_submission() as server:
        pass
    with pytest.raises(Unavailable):
        await mailer_at(server).send(MAIL)


async def test_a_password_that_cannot_be_read_is_trouble() -> None:
    def missing() -> str:
        raise CannotStart("[mailer] password_file: it cannot be read.")

    async with running_submission() as server:
        server.needs_login = True
        at = MailServer("127.0.0.1", server.port, MailEncryption.NONE, "valetkey@example.org", "Example", user=USER)
        with pytest.raises(Unavailable, match="password_file"):
            await SmtpMailer(at, missing).send(MAIL)


@pytest.mark.parametrize(
    "recipient",
    [
        "a@elsewhere.example>\r\nRCPT TO:<b@elsewhere.example",
        "a\r\nBcc: b@elsewhere.example",
        "a@elsewhere.example\n",
        "a,b@elsewhere.example",
        '"a b"@elsewhere.example',
        "<a@elsewhere.example>",
        "a b@elsewhere.example",
        "a\u202eb@elsewhere.example",
        "@elsewhere.example",
        "a@",
        "",
        "a@b>c",
    ],
)
async def test_addresses_that_could_say_more_than_one_thing_are_not_written_to(recipient: str) -> None:
    async with running_submission() as server:
        with pytest.raises(Refused):
            await mailer_at(server).send(replace(MAIL, recipient=recipient))
    assert server.commands == []


async def test_a_line_break_in_a_subject_reaches_no_header() -> None:
    async with running_submission() as server:
        with pytest.raises(Refused):
            await mailer_at(server).send(replace(MAIL, subject="Hello\r\nBcc: everybody@example.net"))
    assert server.messages == []


async def test_an_address_in_other_letters_needs_a_server_that_takes_it() -> None:
    async with running_submission() as server:
        await mailer_at(server).send(replace(MAIL, recipient="grüße@elsewhere.example"))
        assert server.envelope()[1] == "RCPT TO:<grüße@elsewhere.example>".encode()
        assert b"SMTPUTF8" in server.envelope()[0]
        assert server.parsed()["To"] == "grüße@elsewhere.example"
        server.offers_utf8 = False
        with pytest.raises(Refused):
            await mailer_at(server).send(replace(MAIL, recipient="grüße@elsewhere.example"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "_ALL_SECONDS", 5.0)

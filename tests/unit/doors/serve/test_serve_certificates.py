import asyncio
import os
import shutil
import socket
import ssl
import warnings
from pathlib import Path

import pytest
from tests.doors.gateway_site import LOCALHOST, GatewaySite, running_gateway
from tests.servers.certificates import CertificateAuthority, ServerCertificate

from valetkey.core.errors import CannotStart
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import Certificate, TlsMode
from valetkey.doors.serve import CertificateFiles, ServerCertificates

IMAP, POP3 = MailProtocol.IMAP, MailProtocol.POP3


def named(issued: ServerCertificate) -> Certificate:
    return Certificate(issued.certificate, issued.key)


def place(issued: ServerCertificate, files: Certificate) -> None:
    """Put a certificate in place of another, as certbot does."""
    for source, target in ((issued.certificate, files.chain), (issued.key, files.key)):
        passing = target.with_suffix(".passing")
        shutil.copy(source, passing)
        passing.rename(target)


async def names_shown(site: GatewaySite, name: str) -> set[str]:
    """Connect by this name and give the names in the certificate that is shown."""
    context = ssl.create_default_context(cafile=str(site.authority.file))
    context.check_hostname = False
    reader, writer = await asyncio.open_connection(LOCALHOST, site.port(IMAP), ssl=context, server_hostname=name)
    shown = writer.get_extra_info("peercert")
    await reader.readline()
    writer.close()
    await writer.wait_closed()
    return {value for _, value in shown["subjectAltName"]}


async def test_each_name_gets_its_certificate_and_others_the_first(tmp_path: Path):
    authority = CertificateAuthority(tmp_path)
    certificates = (
        named(authority.issue("mail.example.org", "mail.example.com")),
        named(authority.issue("*.example.net")),
        named(authority.issue("imap.example.net")),
    )
    async with running_gateway(tmp_path, {}, authority=authority, certificates=certificates) as site:
        assert await names_shown(site, "MAIL.example.com") == {"mail.example.org", "mail.example.com"}
        assert await names_shown(site, "a.example.net") == {"*.example.net"}
        assert await names_shown(site, "imap.example.net") == {"imap.example.net"}
        for other in ("example.net", "a.b.example.net", "elsewhere.example"):
            assert await names_shown(site, other) == {"mail.example.org", "mail.example.com"}


async def test_a_new_certificate_is_used_within_seconds_and_a_broken_one_is_not(tmp_path: Path):
    authority = CertificateAuthority(tmp_path)
    files = named(authority.issue("old.example.org"))
    async with running_gateway(tmp_path, {}, authority=authority, certificates=(files,)) as site:
        open_before = await site.connect(IMAP, name="old.example.org")
        await open_before.until("* OK")
        files.chain.write_text("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
        await asyncio.sleep(1.2)
        assert await names_shown(site, "x") == {"old.example.org"}
        place(authority.issue("new.example.org"), files)
        async with asyncio.timeout(30):
            while await names_shown(site, "x") != {"new.example.org"}:
                await asyncio.sleep(0.1)
        await open_before.ask("a NOOP", "a OK")


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (lambda files: files.chain.unlink(), "cannot be read"),
        (lambda files: files.key.unlink(), "cannot be read"),
        (lambda files: files.chain.write_text("nothing"), "holds no PEM certificate"),
        (lambda files: files.key.write_text("nothing"), "cannot be used together"),
    ],
)
def test_what_cannot_be_used_at_the_start_is_named(tmp_path: Path, breaks, says: str):
    issued = CertificateAuthority(tmp_path).issue()
    files = CertificateFiles(issued.certificate, issued.key)
    breaks(files)
    with pytest.raises(CannotStart, match=says) as raised:
        ServerCertificates([files], ["imap"])
    assert str(tmp_path) in str(raised.value)


def test_a_key_of_another_certificate_is_named(tmp_path: Path):
    authority = CertificateAuthority(tmp_path)
    first, second = authority.issue(), authority.issue("other.example.org")
    with pytest.raises(CannotStart, match="does not belong to"):
        ServerCertificates([CertificateFiles(first.certificate, second.key)], ["imap"])


def test_touching_a_file_reads_it_again_without_harm(tmp_path: Path):
    issued = CertificateAuthority(tmp_path).issue()
    certificates = ServerCertificates([CertificateFiles(issued.certificate, issued.key)], ["imap"])
    before = certificates.context("imap")
    certificates.reload()
    assert certificates.context("imap") is before
    os.utime(issued.certificate, (1, 1))
    certificates.reload()
    assert certificates.context("imap") is not before


async def handshake(site: GatewaySite, context: ssl.SSLContext, protocol: MailProtocol) -> tuple[str | None, bytes]:
    """Connect; give the protocol that was agreed and the first line."""
    reader, writer = await asyncio.open_connection(
        LOCALHOST, site.port(protocol), ssl=context, server_hostname="localhost"
    )
    agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    try:
        return agreed, await asyncio.wait_for(reader.readline(), 30)
    except ConnectionError:
        return agreed, b""
    finally:
        writer.transport.abort()


async def test_a_client_that_wants_another_protocol_hears_nothing(tmp_path: Path):
    async with running_gateway(tmp_path, {}) as site:
        for offered, heard in (
            (["imap"], b"* OK"),
            (["h2", "http/1.1"], b""),
            (["http/1.1"], b""),
            (["pop3"], b""),
            (["ftp"], b""),
            ([], b"* OK"),
        ):
            context = site.authority.client_context()
            if offered:
                context.set_alpn_protocols(offered)
            _, line = await handshake(site, context, IMAP)
            assert line[:4] == heard, offered


async def test_old_tls_is_refused_with_an_alert(tmp_path: Path):
    async with running_gateway(tmp_path, {}) as site:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(site.authority.file)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1_1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError, match=r"(?i)alert.protocol.version"):
            await handshake(site, context, POP3)


async def test_tls_sessions_are_resumed(tmp_path: Path):
    async with running_gateway(tmp_path, {}) as site:
        context = site.authority.client_context()

        def connect(session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
            with (
                socket.create_connection((LOCALHOST, site.port(IMAP)), 5) as raw,
                context.wrap_socket(raw, server_hostname="localhost", session=session) as tls,
            ):
                tls.recv(1000)
                return bool(tls.session_reused), tls.session

        is_resumed, session = await asyncio.to_thread(connect, None)
        assert not is_resumed
        is_resumed, _ = await asyncio.to_thread(connect, session)
        assert is_resumed


async def test_every_starttls_listener_has_the_same_certificates(tmp_path: Path):
    async with running_gateway(tmp_path, {}) as site:
        talk = await site.connect(IMAP, TlsMode.STARTTLS)
        await talk.until("* OK")
        await talk.ask("a STARTTLS", "a OK")
        await talk.start_tls(site.authority.client_context())
        await talk.ask("b CAPABILITY", "b OK")

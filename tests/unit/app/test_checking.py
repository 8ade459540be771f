"""What `valetkey check` says of certificates and mail servers."""

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from valetkey.app.checking_certificates import certificate_findings
from valetkey.app.checking_upstreams import upstream_findings
from valetkey.app.local_ca import LocalCertificate, ensure_local_certificate
from valetkey.app.web_server import ReloadingCertificate
from valetkey.config import Config, describe, parse
from valetkey.config.sections import Certificate, Domain, Upstream
from valetkey.doors.cli.front import Level
from valetkey.doors.gateway.settings import TlsMode, UpstreamLogin

NOW = datetime.now(UTC)


@pytest.fixture
def files(tmp_path: Path) -> LocalCertificate:
    return ensure_local_certificate(tmp_path / "tls", "mail.example.org", NOW)


@pytest.fixture
def config(tmp_path: Path, files: LocalCertificate) -> Config:
    made = parse(describe(), tmp_path / "valetkey.toml")
    return replace(made, certificate=(Certificate(files.chain, files.key),))


def said(config: Config, now: datetime = NOW) -> list[tuple[Level, str]]:
    return [(finding.level, finding.what) for finding in certificate_findings(config, now)]


def test_a_good_certificate(config: Config) -> None:
    ((level, what),) = said(config)
    assert level is Level.GOOD
    assert "is good until" in what


@pytest.mark.parametrize(
    ("days", "level", "what"),
    [(390, Level.WARNING, "ends on"), (398, Level.PROBLEM, "ended on"), (-1, Level.PROBLEM, "not valid yet")],
)
def test_times(config: Config, days: int, level: Level, what: str) -> None:
    assert [(found, what in text) for found, text in said(config, NOW + timedelta(days=days))] == [(level, True)]


def test_another_name(config: Config) -> None:
    config = replace(config, server=replace(config.server, hostname="imap.example.net"))
    assert any(
        level is Level.PROBLEM and "no certificate is good for imap.example.net" in t for level, t in said(config)
    )


def test_a_key_that_is_not_its_own_and_one_that_is_open(
    config: Config, files: LocalCertificate, tmp_path: Path
) -> None:
    other = ensure_local_certificate(tmp_path / "other", "mail.example.org", NOW)
    wrong = replace(config, certificate=(Certificate(files.chain, other.key),))
    assert any(level is Level.PROBLEM and "is not the key of" in what for level, what in said(wrong))
    files.key.chmod(0o644)
    assert any(level is Level.PROBLEM and "everybody can read" in what for level, what in said(config))


def test_none_named_is_the_local_authority(config: Config) -> None:
    assert "local authority" in said(replace(config, certificate=()))[0][1]


def test_a_broken_new_certificate_keeps_the_old(files: LocalCertificate, tmp_path: Path) -> None:
    following = ReloadingCertificate(files.chain, files.key)
    before = served(following.context)
    files.chain.write_text("half a file")
    following.reload_if_changed()
    assert served(following.context) == before
    other = ensure_local_certificate(tmp_path / "other", "mail.example.org", NOW)
    shutil.copy(other.chain, files.chain)
    shutil.copy(other.key, files.key)
    following.reload_if_changed()
    assert served(following.context) == ssl.PEM_cert_to_DER_cert(first_of(other.chain))


def first_of(chain: Path) -> str:
    end = "-----END CERTIFICATE-----\n"
    return chain.read_text().partition(end)[0] + end


def served(context: ssl.SSLContext) -> bytes:
    with tls_server(context, b"") as port:
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=30))


@contextmanager
def tls_server(context: ssl.SSLContext | None, greeting: bytes) -> Iterator[int]:
    """Greet every caller, inside TLS if there is a context."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)

        def greet() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller:
                    try:
                        speaking = context.wrap_socket(caller, server_side=True) if context else caller
                        with speaking:
                            speaking.sendall(greeting)
                    except OSError:
                        continue

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def upstream(
    config: Config, port: int, tls: TlsMode, ca: Path | None = None, name: str = ""
) -> list[tuple[Level, str, str]]:
    entry = Upstream("127.0.0.1", port, tls, UpstreamLogin.STORED_PASSWORD, ca, name)
    config = replace(config, domain=(Domain("*", imap=entry),))
    return [(finding.level, finding.what, finding.mend) for finding in upstream_findings(config, None)]


def server_context(files: LocalCertificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    return context


def test_a_mail_server_that_is_who_it_should_be(config: Config, files: LocalCertificate) -> None:
    with tls_server(server_context(files), b"* OK hello\x1b[31m\r\n") as port:
        ((level, what, _),) = upstream(config, port, TlsMode.IMPLICIT, files.ca)
    assert level is Level.GOOD
    assert what.endswith("answers: * OK hello[31m")


def test_one_whose_certificate_nobody_vouches_for(config: Config, files: LocalCertificate) -> None:
    with tls_server(server_context(files), b"") as port:
        ((level, what, mend),) = upstream(config, port, TlsMode.IMPLICIT)
        ((level_name, what_name, _),) = upstream(config, port, TlsMode.IMPLICIT, files.ca, "imap.example.net")
    assert level is level_name is Level.PROBLEM
    assert "is not accepted" in what
    assert "ca_file" in mend
    assert "imap.example.net" in what_name


def test_one_that_begins_without_tls(config: Config, files: LocalCertificate) -> None:
    with tls_server(None, b"* OK hello\r\n") as port:
        ((level, what, mend),) = upstream(config, port, TlsMode.IMPLICIT, files.ca)
        assert upstream(config, port, TlsMode.STARTTLS)[0][0] is Level.GOOD
    assert level is Level.PROBLEM
    assert "no TLS" in what
    assert "starttls" in mend


def test_one_that_is_not_there(config: Config) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ((level, what, mend),) = upstream(config, port, TlsMode.NONE)
    assert level is Level.PROBLEM
    assert "cannot be reached" in what
    assert "Is it running" in mend

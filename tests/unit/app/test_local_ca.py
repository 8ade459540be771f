"""The local certificate authority: made, kept, renewed, and good for this installation's names alone."""

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from valetkey.app.local_ca import LocalCertificate, ensure_local_certificate
from valetkey.core.errors import CannotStart

NOW = datetime.now(UTC)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "tls"


def verified_as(files: LocalCertificate, name: str) -> str:
    """Shake hands as a client that trusts the authority; gives the TLS version."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.chain, files.key)
    client = ssl.create_default_context(cafile=files.ca)
    near, far = socket.socketpair()

    def answer() -> None:
        try:
            server.wrap_socket(far, server_side=True).close()
        except OSError:
            far.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=name) as sock:
            return sock.version() or ""
    finally:
        near.close()
        thread.join()


@pytest.mark.parametrize("name", ["mail.example.org", "localhost", "127.0.0.1", "::1"])
def test_clients_that_trust_it_accept_every_name_of_this_installation(directory: Path, name: str) -> None:
    files = ensure_local_certificate(directory, "mail.example.org", NOW)
    assert verified_as(files, name) == "TLSv1.3"


def test_it_is_no_certificate_for_other_names(directory: Path) -> None:
    files = ensure_local_certificate(directory, "mail.example.org", NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        verified_as(files, "www.example.com")
    constraints = x509.load_pem_x509_certificate(files.ca.read_bytes()).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    assert constraints.critical
    permitted = [str(name.value) for name in constraints.value.permitted_subtrees or ()]
    assert permitted == ["mail.example.org", "localhost", "127.0.0.1/32", "::1/128"]


def test_keys_are_readable_by_their_owner_alone(directory: Path) -> None:
    files = ensure_local_certificate(directory, "mail.example.org", NOW)
    for path in (files.key, directory / "ca-key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_good_one_is_kept(directory: Path) -> None:
    first = ensure_local_certificate(directory, "mail.example.org", NOW).chain.read_bytes()
    assert (
        ensure_local_certificate(directory, "mail.example.org", NOW + timedelta(days=300)).chain.read_bytes() == first
    )


def test_one_that_ends_soon_is_renewed_by_the_same_authority(directory: Path) -> None:
    files = ensure_local_certificate(directory, "mail.example.org", NOW)
    chain, authority = files.chain.read_bytes(), files.ca.read_bytes()
    ensure_local_certificate(directory, "mail.example.org", NOW + timedelta(days=370))
    assert files.chain.read_bytes() != chain
    assert files.ca.read_bytes() == authority


def test_another_name_gets_another_authority(directory: Path) -> None:
    files = ensure_local_certificate(directory, "mail.example.org", NOW)
    authority = files.ca.read_bytes()
    ensure_local_certificate(directory, "mail.example.net", NOW)
    assert files.ca.read_bytes() != authority
    assert verified_as(files, "mail.example.net") == "TLSv1.3"


def test_damage_is_a_sentence(directory: Path) -> None:
    files = ensure_local_certificate(directory, "mail.example.org", NOW)
    files.chain.write_text("not a certificate")
    with pytest.raises(CannotStart, match="Remove the directory"):
        ensure_local_certificate(directory, "mail.example.org", NOW)


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="cannot be made or read"):
        ensure_local_certificate(tmp_path / "file" / "tls", "mail.example.org", NOW)

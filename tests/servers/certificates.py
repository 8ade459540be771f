"""A small certificate authority for the test servers."""

import datetime as dt
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAMES = ("localhost", "imap.example.test", "smtp.example.test", "127.0.0.1")
_HOUR = dt.timedelta(hours=1)
_LIFE = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The PEM files of one server: its certificate (with the CA's behind it) and its key."""

    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Make a server's TLS context from the files."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


class CertificateAuthority:
    """A CA with a fresh key. `file` is the PEM certificate that clients are told to trust."""

    def __init__(self, directory: Path, name: str = "Valetkey test CA") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        own = _builder(self._name, self._name, self._key.public_key())
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        own = own.add_extension(usage, critical=True)
        self._certificate = own.sign(self._key, hashes.SHA256())
        self.file = directory / f"{name.replace(' ', '-').lower()}.pem"
        self.file.write_bytes(_pem(self._certificate))

    def issue(self, *names: str, expired: bool = False) -> ServerCertificate:
        """Issue a certificate for DNS names and addresses (default: SERVER_NAMES); clients may show it too."""
        names = names or SERVER_NAMES
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(names[0]), self._name, key.public_key(), expired=expired)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        # Without it Python 3.13 and newer refuse the certificate (RFC 5280 section 4.2.1.1).
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        stem = f"{names[0]}-{certificate.serial_number % 10**8}"
        files = ServerCertificate(self._directory / f"{stem}.pem", self._directory / f"{stem}.key")
        files.certificate.write_bytes(_pem(certificate) + _pem(self._certificate))
        files.key.write_bytes(_key_pem(key))
        files.key.chmod(0o600)
        return files

    def client_context(self) -> ssl.SSLContext:
        """Make a client's TLS context that trusts this CA only, and checks names."""
        return ssl.create_default_context(cafile=str(self.file))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, expired: bool = False
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    begin, end = (now - _LIFE, now - _HOUR) if expired else (now - _HOUR, now + _LIFE)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

"""The local certificate authority, made on first run when the configuration names no certificate.

Its certificates are good for this installation's names alone (name constraints, RFC 5280 section 4.2.1.10), so a
device that trusts it for mail trusts it for nothing else.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from valetkey.app.private_files import replace
from valetkey.core.errors import CannotStart

_CA_LIFE = timedelta(days=3650)
_SERVER_LIFE = timedelta(days=397)  # the longest that mail clients and browsers accept
_RENEW_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(hours=1)  # a client whose clock is a little behind
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class LocalCertificate:
    """The files of the local authority and of the certificate that it issued."""

    ca: Path
    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_local_certificate(directory: Path, hostname: str, now: datetime) -> LocalCertificate:
    """Give a certificate for `hostname`, localhost, 127.0.0.1 and ::1; make or renew it if need be.

    Raises:
        CannotStart: The directory cannot be written, or holds files that cannot be read.
    """
    names = tuple(dict.fromkeys((hostname, *_LOOPBACK)))
    files = LocalCertificate(directory / "ca.pem", directory / "server.pem", directory / "server-key.pem")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_good(files, names, now):
            authority = _authority(files.ca, directory / "ca-key.pem", names, now)
            _issue(authority, files, names, now)
    except OSError as error:
        raise CannotStart(f"The local certificate in {directory} cannot be made or read: {error.strerror}.") from None
    except ValueError:
        mend = "Remove the directory, and a new one is made."
        raise CannotStart(f"The local certificate in {directory} is damaged. {mend}") from None
    return files


def _is_good(files: LocalCertificate, names: Sequence[str], now: datetime) -> bool:
    if not (files.ca.exists() and files.chain.exists() and files.key.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(files.chain.read_bytes())
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return now < certificate.not_valid_after_utc - _RENEW_BEFORE and set(alternative) == set(_general_names(names))


def _authority(path: Path, key_path: Path, names: Sequence[str], now: datetime) -> _Authority:
    if path.exists() and key_path.exists():
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        permitted = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
        is_current = now + _SERVER_LIFE < certificate.not_valid_after_utc
        if isinstance(key, ec.EllipticCurvePrivateKey) and is_current and set(permitted) == set(_subtrees(names)):
            return _Authority(certificate, key)
    return _new_authority(path, key_path, names, now)


def _new_authority(path: Path, key_path: Path, names: Sequence[str], now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Valetkey local CA for {names[0]}"[:64])])
    builder = _builder(subject, subject, key.public_key(), now, _CA_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.NameConstraints(_subtrees(names), None), critical=True)
    builder = builder.add_extension(_usage(is_ca=True), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    replace(key_path, _pem(key))
    replace(path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return _Authority(certificate, key)


def _issue(authority: _Authority, files: LocalCertificate, names: Sequence[str], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    builder = _builder(subject, authority.certificate.subject, key.public_key(), now, _SERVER_LIFE)
    builder = builder.add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(is_ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    replace(files.key, _pem(key))
    chain = (certificate, authority.certificate)
    replace(files.chain, b"".join(link.public_bytes(serialization.Encoding.PEM) for link in chain), mode=0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(now + life)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(ipaddress.ip_address(n)) if _is_address(n) else x509.DNSName(n) for n in names]


def _subtrees(names: Sequence[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(ipaddress.ip_network(n)) if _is_address(n) else x509.DNSName(n) for n in names]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

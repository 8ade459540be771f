"""Signs profiles for Apple's devices with the portal's certificate (CMS, RFC 5652)."""

from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from valetkey.doors.web.signer import Trust

_log = structlog.get_logger()
_CAN_SIGN = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)
_Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Identity:
    stamp: _Stamp
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]


class ProfileSigner:
    """Signs with the files of a certificate, which may change while this runs."""

    def __init__(self, chain: Path, key: Path, *, is_local: bool) -> None:
        """Take note of the files; `is_local` says that this installation's own authority issued the certificate."""
        self._chain = chain
        self._key = key
        self._trust = Trust.LOCAL if is_local else Trust.PUBLIC
        self._identity: _Identity | None = None

    @property
    def trust(self) -> Trust:
        """Say what a device will think of the signature."""
        return self._trust if self._current() is not None else Trust.NONE

    def sign(self, document: bytes) -> bytes:
        """Give the document inside a signature; as it was, and a line in the log, if the files cannot be used."""
        identity = self._current()
        if identity is None:
            return document
        builder = pkcs7.PKCS7SignatureBuilder().set_data(document)
        builder = builder.add_signer(identity.certificate, identity.key, hashes.SHA256())
        for link in identity.intermediates:
            builder = builder.add_certificate(link)
        return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])

    def _current(self) -> _Identity | None:
        try:
            stamp = tuple((found.st_mtime_ns, found.st_ino) for found in (self._chain.stat(), self._key.stat()))
            if self._identity is None or self._identity.stamp != stamp:
                self._identity = self._read(stamp)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            _log.warning("profiles_not_signed", file=str(self._chain), why=type(error).__name__)
            return None
        return self._identity

    def _read(self, stamp: _Stamp) -> _Identity:
        certificate, *intermediates = x509.load_pem_x509_certificates(self._chain.read_bytes())
        key = serialization.load_pem_private_key(self._key.read_bytes(), None)
        if not isinstance(key, _CAN_SIGN):
            raise TypeError("neither RSA nor an elliptic curve of NIST")
        if key.public_key() != certificate.public_key():
            raise ValueError("the key belongs to another certificate")
        return _Identity(stamp, key, certificate, tuple(intermediates))

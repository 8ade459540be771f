"""Certificates of our listeners: read from files, chosen by SNI, read again when the files change."""

import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509

from valetkey.core.errors import CannotStart

_log = structlog.get_logger(__name__)

# Protocols that a browser, or a client of another service, may have been led to us with (ALPACA). They are named so
# that they can be told from clients which name none: OpenSSL goes on without ALPN where nothing fits.
_ALIEN = (
    *("h2", "http/1.1", "http/1.0", "http/0.9", "h2c", "spdy/1", "spdy/2", "spdy/3"),
    *("ftp", "nntp", "nnsp", "irc", "xmpp-client", "xmpp-server", "postgresql", "mqtt", "dot", "acme-tls/1"),
    *("smb", "sunrpc", "sip/2", "webrtc", "c-webrtc", "ntske/1", "tds/8.0"),
)
_MAIL = ("imap", "pop3", "managesieve", "smtp", "submission")


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A chain and its key, as PEM files."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One certificate as it was read: its names, and one context for each protocol."""

    stamp: tuple[object, ...]
    names: frozenset[str]
    contexts: Mapping[str, ssl.SSLContext]


class ServerCertificates:
    """The certificates of all listeners; the first serves clients that name no server we know.

    `protocols` are ALPN names (RFC 7301), one context each; "" is a protocol that has none.
    """

    def __init__(self, files: Sequence[CertificateFiles], protocols: Iterable[str]) -> None:
        """Read all files.

        Raises:
            CannotStart: A file is missing, unreadable or broken, or chain and key do not belong together.
        """
        self._files = tuple(files)
        self._protocols = frozenset(protocols)
        try:
            self._loaded = [self._load(each) for each in self._files]
        except (OSError, ValueError) as error:
            raise CannotStart(str(error)) from None

    def context(self, protocol: str) -> ssl.SSLContext:
        """Give the context that a listener of this protocol begins handshakes with."""
        return self._loaded[0].contexts[protocol]

    def may_speak(self, sock: object, protocol: str) -> bool:
        """Tell, after the handshake, whether the client named no protocol by ALPN, or this one."""
        if not isinstance(sock, ssl.SSLSocket):
            return True
        chosen = sock.selected_alpn_protocol()
        return chosen is None or chosen == protocol or (not protocol and chosen in {"smtp", "submission"})

    def reload(self) -> None:
        """Read again what has changed; a file that cannot be used leaves the certificate in use in place."""
        for position, files in enumerate(self._files):
            loaded = self._loaded[position]
            stamp = _stamp(files)
            if stamp == loaded.stamp:
                continue
            try:
                self._loaded[position] = self._load(files)
            except (OSError, ValueError) as error:
                _log.error("certificate_not_reloaded", file=str(files.chain), why=str(error))
                # Not tried again until the files change once more.
                self._loaded[position] = _Loaded(stamp, loaded.names, loaded.contexts)
            else:
                _log.info("certificate_reloaded", file=str(files.chain))

    def _load(self, files: CertificateFiles) -> _Loaded:
        stamp = _stamp(files)
        names = _names(files.chain)
        contexts = {protocol: self._new_context(files, protocol) for protocol in self._protocols}
        return _Loaded(stamp, names, contexts)

    def _new_context(self, files: CertificateFiles, protocol: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.num_tickets = 1  # a second one costs each handshake and serves nobody
        own = (protocol,) if protocol else ("smtp", "submission")
        context.set_alpn_protocols([*own, *(name for name in (*_MAIL, *_ALIEN) if name not in own)])
        try:
            context.load_cert_chain(files.chain, files.key)
        except ssl.SSLError as error:
            raise ValueError(_mend(files, error)) from None
        except OSError as error:
            raise ValueError(f"The key {files.key} cannot be read: {error.strerror}.") from None

        def choose(sock: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            chosen = self._by_name(name, protocol)
            if chosen is not None:
                sock.context = chosen

        context.sni_callback = choose
        return context

    def _by_name(self, name: str | None, protocol: str) -> ssl.SSLContext | None:
        if not name:
            return None
        wanted = name.lower().rstrip(".")
        wildcard = "*." + wanted.partition(".")[2]
        for candidate in (wanted, wildcard):
            for loaded in self._loaded:
                if candidate in loaded.names:
                    return loaded.contexts[protocol]
        return None


def _stamp(files: CertificateFiles) -> tuple[object, ...]:
    """What changes when a file is written or replaced."""
    marks: list[object] = []
    for path in (files.chain, files.key):
        try:
            found = path.stat()
        except OSError as error:
            marks.append(error.errno)
        else:
            marks.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(marks)


def _names(chain: Path) -> frozenset[str]:
    try:
        certificate = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except OSError as error:
        raise ValueError(f"The certificate {chain} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ValueError(f"{chain} holds no PEM certificate.") from None
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in alternatives.value.get_values_for_type(x509.DNSName))


def _mend(files: CertificateFiles, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"The key {files.key} does not belong to the certificate {files.chain}."
    return f"{files.chain} and {files.key} cannot be used together: {(error.reason or 'TLS error').lower()}."

"""What the portal is told by the configuration."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from valetkey.core.network import Network
from valetkey.core.scope import MailProtocol
from valetkey.doors.web.signer import NoSigner, Signer


class Encryption(StrEnum):
    """How a mail client is told to encrypt."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ClientEndpoint:
    """Where a mail client connects for one protocol; shown beside a new app password."""

    protocol: MailProtocol
    host: str
    port: int
    encryption: Encryption = Encryption.TLS


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The portal's settings. Policy and named networks come with the ports."""

    base_url: str  # where people reach the portal, such as https://mail.example.org
    also_at: tuple[str, ...] = ()  # further addresses under which it may be used
    site_name: str = "Valetkey"
    trusted_proxies: tuple[Network, ...] = ()  # only these may say X-Forwarded-For
    client_settings: tuple[ClientEndpoint, ...] = ()  # the best one of a protocol first
    live_pages: int = 500  # streams of events at once
    mail_domains: tuple[str, ...] = ("*",)  # whose addresses mail programs may ask about; "*" is every one
    signer: Signer = NoSigner()  # noqa: RUF009  (it holds nothing)

    def serves(self, domain: str) -> bool:
        """Tell whether mail of a domain is served here."""
        return "*" in self.mail_domains or domain in self.mail_domains

    @property
    def origins(self) -> frozenset[str]:
        """The origins that forms may come from (RFC 6454 section 6.1)."""
        return frozenset("/".join(url.split("/", 3)[:3]).lower() for url in (self.base_url, *self.also_at))

    @property
    def https_url(self) -> str:
        """The address of the portal for programs that insist on HTTPS."""
        return next((url for url in (self.base_url, *self.also_at) if url.startswith("https:")), self.base_url).rstrip(
            "/"
        )


def wants_strict_transport(base_url: str) -> bool:
    """Tell whether browsers shall insist on HTTPS: not for localhost, where other things are tried without it."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}

"""What the gateway is told by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from valetkey.core.network import Network
from valetkey.core.scope import MailProtocol


class TlsMode(StrEnum):
    """How TLS begins."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


class UpstreamLogin(StrEnum):
    """How the gateway proves itself to an upstream."""

    MASTER_USER = "master-user"  # SASL PLAIN with an authorization identity
    XCLIENT = "xclient"  # Postfix, SMTP only
    STORED_PASSWORD = "stored-password"  # noqa: S105  (a per-account password, sealed in the store)


class UserForm(StrEnum):
    """How an upstream calls its users."""

    ADDRESS = "address"
    LOCAL_PART = "local-part"


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket."""

    protocol: MailProtocol
    host: str
    port: int
    tls: TlsMode
    plaintext_login: bool = False  # logins without TLS are permitted on this listener
    proxy_peers: tuple[Network, ...] = ()  # not empty: PROXY protocol is required, from these peers only
    tls_before: bool = False  # those peers have ended the client's TLS already: it counts as if it were here


@dataclass(frozen=True, slots=True)
class Upstream:
    """One protocol of one mail server behind the gateway."""

    host: str
    port: int
    tls: TlsMode  # certificates are always verified; NONE is for this machine or a private link
    login: UpstreamLogin
    ca_file: Path | None = None  # None: the system's
    server_name: str | None = None  # the name in its certificate, if it is not `host`
    master_user: str = ""
    master_secret: str = field(default="", repr=False)
    user_form: UserForm = UserForm.ADDRESS
    forward_client: bool = False  # it trusts us: pass client address and session id on (ID, XCLIENT)


@dataclass(frozen=True, slots=True)
class Domain:
    """Where the mail of one domain lives. The name "*" serves domains that have no entry of their own."""

    name: str
    upstreams: Mapping[MailProtocol, Upstream]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its key, as PEM files; reloaded when they change, chosen by SNI."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may cost; seconds and counts."""

    handshake: float = 10.0
    login: float = 60.0  # from accept to logged in, absolute
    idle: float = 2100.0  # a logged-in connection with no byte either way (RFC 9051 5.4: at least 30 minutes)
    send: float = 120.0  # a peer that takes no byte
    upstream_connect: float = 10.0
    upstream_login: float = 20.0
    connections: int = 20_000  # per worker
    waiting_per_network: int = 100  # not yet logged in, per /24 or /56, per worker
    sessions_per_account: int = 500  # logged in, per worker
    failure_delay: float = 2.0  # a refused login is answered no earlier than this after it was asked
    message_size: int = 100 * 1024 * 1024  # announced as SMTP SIZE


@dataclass(frozen=True, slots=True)
class Settings:
    """The gateway's settings."""

    hostname: str
    listeners: tuple[Listener, ...]
    domains: tuple[Domain, ...]
    certificates: tuple[Certificate, ...]
    run_directory: Path  # holds the workers' control sockets
    limits: Limits = Limits()
    help_url: str = ""  # shown in refusals: where to make an app password

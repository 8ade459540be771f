"""What the doors for mail servers are told by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from valetkey.core.limits import Held
from valetkey.core.network import Network
from valetkey.core.scope import MailProtocol
from valetkey.doors.serve import CertificateFiles


class DoorKind(StrEnum):
    """Which protocol mail servers ask by."""

    HTTP = "http"  # Dovecot's Lua, oauth2 and auth_policy; nginx's auth_http
    SASL = "sasl"  # the auth-client protocol of Dovecot: Postfix, Exim
    POLICY = "policy"  # Postfix: may this message be sent?
    SOCKETMAP = "socketmap"  # Postfix: who may send as this address?
    SASLAUTHD = "saslauthd"  # Cyrus
    AUTHDAEMON = "authdaemon"  # Courier
    RADIUS = "radius"
    LDAP = "ldap"


@dataclass(frozen=True, slots=True)
class Doveadm:
    """How a Dovecot is told to close sessions."""

    url: str  # of its HTTP API; empty: by the command `doveadm` on this machine
    key: str = field(default="", repr=False)
    ca_file: Path | None = None  # None: the system's
    by_app: bool = False  # Dovecot 2.4: by the app password's id; else by user and address


@dataclass(frozen=True, slots=True)
class Peer:
    """A mail server that may ask, and is believed when it says where a client is."""

    name: str
    networks: tuple[Network, ...]  # it asks from there; of no meaning on a unix socket
    secret: str = field(default="", repr=False)  # empty: it proves itself by its place alone
    holds: frozenset[Held] = frozenset()  # what it holds sessions to, as its administrator has set up
    tls_only: bool = False  # it takes passwords over TLS alone, for protocols that cannot say so of a login
    master_user: str = ""  # the gateway's, whose logins on behalf of others it may confirm; empty: none
    message_authenticator: bool = True  # RADIUS: ask for one in every request
    doveadm: Doveadm | None = None  # None: nobody to be told of a revocation
    is_nginx: bool = False  # it is told how to log in to the mail servers behind it
    gateway: tuple["GatewayPlace", ...] = ()  # nginx: where sessions go that it cannot hold to their limits


class BackendLogin(StrEnum):
    """How nginx proves itself to the mail server behind it."""

    MASTER_USER = "master-user"  # user*master, the form of Dovecot
    XCLIENT = "xclient"  # Postfix: the name is told, and nothing proven
    STORED_PASSWORD = "stored-password"  # noqa: S105  (a per-account password, sealed in the store)


@dataclass(frozen=True, slots=True)
class Backend:
    """The mail server that nginx goes on to, for one protocol of a domain. nginx speaks no TLS to it."""

    host: str  # an address: nginx resolves no names here
    port: int
    login: BackendLogin
    master_user: str = ""
    master_secret: str = field(default="", repr=False)
    local_part: bool = False  # it calls its users by what stands before the @


@dataclass(frozen=True, slots=True)
class GatewayPlace:
    """A listener of Valetkey's own gateway, as nginx reaches it."""

    protocol: MailProtocol
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class CertificateLogin:
    """An app password that a client certificate stands for."""

    account: str  # its address
    app_password: str  # the id


@dataclass(frozen=True, slots=True)
class Door:
    """One listening socket of one protocol: `host` and `port`, or the `path` of a unix socket."""

    kind: DoorKind
    peers: tuple[Peer, ...]  # on a unix socket the one whose place it is
    host: str = ""
    port: int = 0
    path: Path | None = None
    group: str = ""  # of the unix socket; empty: for its owner alone
    tls: bool = False
    protocol: MailProtocol | None = None  # what is logged in to, where the peer cannot say
    login_user: str = ""  # Courier: the system user that mailboxes belong to
    mailbox: str = ""  # Courier: where they are, with {user}, {local_part}, {domain}

    @property
    def name(self) -> str:
        """How the door is called in logs and counts."""
        return self.kind.value

    @property
    def counted_as(self) -> str:
        """What its questions are counted under: there may be several doors of a kind."""
        return f"{self.kind.value} {self.place}"

    @property
    def place(self) -> str:
        """Where it listens, in the operator's words."""
        return str(self.path) if self.path is not None else f"{self.host or '*'}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What askers may cost; seconds and counts."""

    answer: float = 10.0  # from a request to its answer
    request: float = 10.0  # from a request's first octet to its last
    idle: float = 3600.0  # a kept connection without a request; Postfix keeps one per process
    send: float = 10.0  # a peer that takes no octet
    connections: int = 2_000  # per door and worker
    at_once: int = 64  # requests of one connection that are being answered
    failure_delay: float = 2.0  # a refused login is answered no earlier, where the peer does not wait by itself


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of all doors for mail servers."""

    hostname: str
    doors: tuple[Door, ...]
    peers: tuple[Peer, ...]
    certificates: tuple[CertificateFiles, ...] = ()
    help_url: str = ""  # shown in refusals: where to make an app password
    # By domain ("*": any other) and protocol. One that nginx cannot go to is not there.
    backends: Mapping[str, Mapping[MailProtocol, Backend]] = field(default_factory=dict)
    certificate_logins: Mapping[bytes, CertificateLogin] = field(default_factory=dict)  # by SHA-256 of the certificate
    limits: Limits = Limits()

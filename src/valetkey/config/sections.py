"""The sections of the configuration file. Each setting's documentation stands in its field and nowhere else."""

# ruff: noqa: RUF009  (a setting is declared by a call that makes its dataclass field)

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from valetkey.adapters.mailer import MailEncryption
from valetkey.config.door_sections import ClientCertificateSection, DoorSection, PeerSection
from valetkey.config.kinds import (
    DOMAIN,
    DOMAIN_OR_STAR,
    DURATION,
    DURATION_OR_NONE,
    ENDPOINT,
    ENDPOINT_OR_NONE,
    FLAG,
    HOST,
    HOST_OR_NONE,
    NETWORKS,
    PATH,
    PORT,
    PORT_OR_NONE,
    SIZE,
    TEXT,
    URL,
    Endpoint,
    choice,
    count,
)
from valetkey.config.setting import named_networks, optional_table, required_table, table, tables, value
from valetkey.core.network import Network
from valetkey.core.policy import LEAST_RECOVERY_WAIT
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import TlsMode, UpstreamLogin, UserForm


class LogFormat(StrEnum):
    """How log lines are written."""

    AUTO = "auto"  # text on a terminal, JSON elsewhere
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Server:
    """This installation: its name, its processes, where it keeps what runs."""

    hostname: str = value(
        DOMAIN, "The name that mail clients connect to. It is in the certificate.", example="mail.example.org"
    )
    default_domain: str = value(
        TEXT, 'The domain of login names without an @, such as "example.org". Empty: whole addresses only.', ""
    )
    workers: int = value(count(1, 256), "Gateway processes; one per processor core is a good number.", 1)
    user: str = value(
        TEXT,
        "The system user to become after the ports are bound, when started as root. It must be able to read the "
        "certificates and their keys. Empty: stay who one is.",
        "",
    )
    run_directory: Path = value(
        PATH, "Holds the workers' control sockets. Belongs to this installation alone.", Path("run")
    )
    tls_directory: Path = value(
        PATH, "Holds the local certificate authority that is made when no [[certificate]] is given.", Path("tls")
    )
    log_format: LogFormat = value(
        choice(LogFormat), "How log lines are written; auto is text on a terminal and JSON elsewhere.", LogFormat.AUTO
    )
    log_level: LogLevel = value(choice(LogLevel), "The least that is logged.", LogLevel.INFO)


@dataclass(frozen=True, slots=True)
class Store:
    """Accounts, app passwords, audit log and sessions: one SQLite file."""

    path: Path = value(PATH, "The database, made by `valetkey init`, for this user alone.", Path("valetkey.db"))
    busy_timeout: timedelta = value(
        DURATION,
        "How long a write waits for another process before it fails as “try again later”.",
        timedelta(seconds=5),
    )


@dataclass(frozen=True, slots=True)
class Keys:
    """The key file. Without it the database opens nothing, so back it up, and apart from the database."""

    path: Path = value(PATH, "The key file, made by `valetkey init`. Only its owner may read it.", Path("keys.toml"))


@dataclass(frozen=True, slots=True)
class Portal:
    """The web pages where people sign in and make app passwords."""

    listen: Endpoint | None = value(
        ENDPOINT_OR_NONE,
        "Plain HTTP, for a reverse proxy on this machine, or for http://localhost.",
        Endpoint("127.0.0.1", 8080),
    )
    base_url: str = value(
        URL, "The address that people open for `listen`. Empty: http://localhost with its port.", "",
        example="https://mail.example.org",
    )  # fmt: skip
    tls_listen: Endpoint | None = value(
        ENDPOINT_OR_NONE, "HTTPS without a reverse proxy.", None, example=Endpoint("", 443)
    )
    tls_base_url: str = value(
        URL, "The address that people open for `tls_listen`. Empty: https:// with hostname and port.", ""
    )
    language: str = value(
        TEXT, "The language of mails, which go to people whose browser is not asked: en, de or another installed one.",
        "en",
    )  # fmt: skip
    site_name: str = value(TEXT, "Shown at the top of each page and in authenticator apps.", "Valetkey")
    trusted_proxies: tuple[Network, ...] = value(
        NETWORKS, "Reverse proxies whose X-Forwarded-For is believed.", (), example=("127.0.0.1/32", "::1/128")
    )
    live_pages: int = value(
        count(0, 100_000),
        "Pages that follow by themselves what happens, open at the same time; further ones show it when they are "
        "loaded again.",
        500,
    )


@dataclass(frozen=True, slots=True)
class ApiSection:
    """The REST API for machines, at the portal's addresses below /api/v1. It opens with API tokens only."""

    enabled: bool = value(FLAG, "Without it /api answers nothing, and tokens open nothing.", True)
    per_minute: int = value(count(1, 1_000_000), "Requests of one API token in a minute, at most.", 600)
    failures_per_minute: int = value(
        count(1, 1_000_000), "Requests without a token that works from one network (/24, /56) in a minute.", 30
    )


@dataclass(frozen=True, slots=True)
class Ops:
    """Health and metrics, on a listener of their own: /healthz, /readyz, /metrics."""

    listen: Endpoint | None = value(
        ENDPOINT_OR_NONE, "Who can reach this can read counts, no secrets.", Endpoint("127.0.0.1", 9095)
    )


@dataclass(frozen=True, slots=True)
class PolicySection:
    """What people may choose for their app passwords. Holds until a policy is saved in the console."""

    max_app_passwords: int = value(count(1, 10_000), "App passwords in use per account, at most.", 50)
    default_lifetime: timedelta | None = value(
        DURATION_OR_NONE,
        "How long an app password lives unless its owner chooses otherwise.",
        None,
        example=timedelta(365),
    )
    max_lifetime: timedelta | None = value(DURATION_OR_NONE, "How long an app password may live at most.", None)
    default_idle_for: timedelta | None = value(
        DURATION_OR_NONE, "An app password unused for so long stops working, unless its owner chooses otherwise.", None,
        example=timedelta(90),
    )  # fmt: skip
    max_idle_for: timedelta | None = value(
        DURATION_OR_NONE, "The longest time that an app password may stay unused.", None
    )
    main_password_opens_mail: bool = value(
        FLAG,
        "The main password opens mail too, for the move; for an account with a second factor it never does.",
        False,
    )
    require_tls: bool = value(FLAG, "Mail logins need TLS.", True)
    strict_hash: bool = value(
        FLAG, "Keep new app passwords under Argon2id too; each login then costs milliseconds.", False
    )
    min_password_length: int = value(count(8, 128), "The least length of a main password.", 12)
    recovery_wait: timedelta = value(
        DURATION,
        "Whoever lost a second factor waits so long, and is told at every address, before a recovery takes it away: "
        "1 to 30 days.",
        LEAST_RECOVERY_WAIT * 3,
    )
    password_with_code: bool = value(
        FLAG,
        "Through RADIUS, PAM and saslauthd the main password opens mail with a one-time code typed right behind it.",
        False,
    )
    password_with_code_for: timedelta = value(
        DURATION,
        "The same text then passes again from the same network: 1 minute to 30 days.",
        timedelta(hours=12),
    )


@dataclass(frozen=True, slots=True)
class MailerSection:
    """The server that notices, invitations and recovery links are handed to. Without it none are sent."""

    host: str = value(HOST_OR_NONE, "Where it is. Empty: no mail is sent.", "", example="127.0.0.1")
    port: int = value(PORT, "Its port: 465 for tls, 587 for starttls.", 465)
    encryption: MailEncryption = value(
        choice(MailEncryption),
        "Its certificate is always verified; none is for a server on this machine.",
        MailEncryption.TLS,
    )
    sender: str = value(TEXT, "The address that the mails come from.", "", example="valetkey@example.org")
    user: str = value(TEXT, "As whom to log in. Empty: without logging in.", "", example="valetkey@example.org")
    password_file: Path | None = value(
        PATH, "A file with the password. Only its owner may read it.", None, example=Path("mailer-password")
    )
    ca_file: Path | None = value(
        PATH, "Verify with this authority and not with the system's.", None, example=Path("ca.pem")
    )


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many failed logins pass before further ones hear “try again later”. A right secret always passes."""

    window: timedelta = value(DURATION, "What counts as one spell.", timedelta(minutes=10))
    per_network: int = value(count(1, 10_000_000), "Different wrong secrets from one network (/24, /56).", 60)
    per_secret: int = value(count(1, 10_000_000), "Repeats of the same wrong secret.", 120)
    overall: int = value(count(1, 1_000_000_000), "Different wrong secrets from everywhere.", 20_000)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What mail connections may cost."""

    help_url: str = value(
        URL, "Shown to mail clients whose password is refused. Empty: the portal's address.", "",
        example="https://mail.example.org/help",
    )  # fmt: skip
    handshake: timedelta = value(DURATION, "For the TLS handshake.", timedelta(seconds=10))
    login: timedelta = value(DURATION, "From connecting to being logged in.", timedelta(seconds=60))
    idle: timedelta = value(
        DURATION,
        "A logged-in connection with no byte either way; RFC 9051 wants 30 minutes at least.",
        timedelta(minutes=35),
    )
    send: timedelta = value(DURATION, "A peer that takes no byte.", timedelta(minutes=2))
    upstream_connect: timedelta = value(DURATION, "Connecting to the mail server.", timedelta(seconds=10))
    upstream_login: timedelta = value(DURATION, "Logging in there.", timedelta(seconds=20))
    connections: int = value(count(1, 10_000_000), "Open connections per worker.", 20_000)
    waiting_per_network: int = value(
        count(1, 1_000_000), "Connections not yet logged in, per network (/24, /56) and worker.", 100
    )
    sessions_per_account: int = value(
        count(1, 10_000_000), "Logged-in connections of one account, per worker; so nobody takes all of them.", 500
    )
    failure_delay: timedelta = value(
        DURATION, "A refused login is answered no earlier than this.", timedelta(seconds=2)
    )
    message_size: int = value(
        SIZE,
        "The largest message that clients are told they may send; a mail server that takes less has the last word.",
        100 * 1024 * 1024,
    )


@dataclass(frozen=True, slots=True)
class Listener:
    """One address that mail clients connect to."""

    protocol: MailProtocol = value(choice(MailProtocol), "What is spoken there.", example=MailProtocol.IMAP)
    listen: Endpoint = value(ENDPOINT, "Address and port; * is every address.", example=Endpoint("", 993))
    tls: TlsMode = value(choice(TlsMode), "TLS from the first byte, by STARTTLS, or not at all.", TlsMode.IMPLICIT)
    plaintext_login: bool = value(FLAG, "Permit logins without TLS here. For private links only.", False)
    proxy_peers: tuple[Network, ...] = value(
        NETWORKS, "If given, only these may connect, and they must speak the PROXY protocol (v1 or v2).", ()
    )
    tls_before: bool = value(
        FLAG,
        "The proxy_peers have ended the client's TLS already, such as nginx, so that logins count as made over TLS. "
        'Needs tls = "none" here, and a private link.',
        False,
    )


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of the mail listeners and of HTTPS. Several are chosen by the name that the client asks for."""

    chain: Path = value(
        PATH, "PEM file: the certificate, then its intermediates. Reloaded when it changes.",
        example=Path("/etc/letsencrypt/live/mail.example.org/fullchain.pem"),
    )  # fmt: skip
    key: Path = value(
        PATH, "PEM file: its private key.", example=Path("/etc/letsencrypt/live/mail.example.org/privkey.pem")
    )


@dataclass(frozen=True, slots=True)
class Upstream:
    """A mail server behind the gateway."""

    host: str = value(HOST, "Where it is.", example="127.0.0.1")
    port: int = value(PORT, "Its port.", example=10143)
    tls: TlsMode = value(
        choice(TlsMode),
        "Its certificate is always verified; none is for this machine or a private link.",
        TlsMode.IMPLICIT,
    )
    login: UpstreamLogin = value(
        choice(UpstreamLogin),
        "How the gateway proves itself; xclient is for SMTP (Postfix).",
        UpstreamLogin.MASTER_USER,
    )
    ca_file: Path | None = value(
        PATH, "Verify with this authority and not with the system's.", None, example=Path("ca.pem")
    )
    server_name: str = value(TEXT, "The name in its certificate, if it is not `host`.", "")
    master_user: str = value(TEXT, "The master user (login = master-user).", "", example="valetkey")
    master_secret_file: Path | None = value(
        PATH,
        "A file with the master user's password. Only its owner may read it.",
        None,
        example=Path("upstream-secret"),
    )
    user_form: UserForm = value(choice(UserForm), "How it calls its users.", UserForm.ADDRESS)
    forward_client: bool = value(
        FLAG, "It trusts this machine: pass on the client's address and session id (IMAP ID, XCLIENT).", False
    )
    nginx_port: int | None = value(
        PORT_OR_NONE,
        "The port for nginx, which speaks no TLS to it and may begin with the PROXY protocol. Empty: the same port, "
        "if tls is none.",
        None,
    )


_UPSTREAM_IMAP = Upstream(
    "127.0.0.1", 10143, TlsMode.NONE, UpstreamLogin.MASTER_USER, None, "", "valetkey", Path("upstream-secret")
)
_UPSTREAM_POP3 = Upstream(
    "127.0.0.1", 10110, TlsMode.NONE, UpstreamLogin.MASTER_USER, None, "", "valetkey", Path("upstream-secret")
)
_UPSTREAM_SMTP = Upstream("127.0.0.1", 10587, TlsMode.NONE, UpstreamLogin.XCLIENT, forward_client=True)
_UPSTREAM_SIEVE = Upstream(
    "127.0.0.1", 14190, TlsMode.NONE, UpstreamLogin.MASTER_USER, None, "", "valetkey", Path("upstream-secret")
)


@dataclass(frozen=True, slots=True)
class Domain:
    """Where the mail of one domain lives. The name "*" serves the domains that have no entry of their own."""

    name: str = value(DOMAIN_OR_STAR, "The part of the address behind the @.", example="*")
    imap: Upstream | None = optional_table(Upstream, "Its IMAP server.", _UPSTREAM_IMAP)
    pop3: Upstream | None = optional_table(Upstream, "Its POP3 server.", _UPSTREAM_POP3)
    smtp: Upstream | None = optional_table(Upstream, "Its submission server.", _UPSTREAM_SMTP)
    sieve: Upstream | None = optional_table(Upstream, "Its ManageSieve server.", _UPSTREAM_SIEVE)


def standard_listeners() -> tuple[Listener, ...]:
    """Give the listeners that mail clients expect (RFC 8314 section 3, RFC 5804 section 1.8)."""
    ports = (
        (MailProtocol.IMAP, 993, TlsMode.IMPLICIT),
        (MailProtocol.IMAP, 143, TlsMode.STARTTLS),
        (MailProtocol.POP3, 995, TlsMode.IMPLICIT),
        (MailProtocol.POP3, 110, TlsMode.STARTTLS),
        (MailProtocol.SMTP, 465, TlsMode.IMPLICIT),
        (MailProtocol.SMTP, 587, TlsMode.STARTTLS),
        (MailProtocol.SIEVE, 4190, TlsMode.STARTTLS),
    )
    return tuple(Listener(protocol, Endpoint("", port), tls) for protocol, port, tls in ports)


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration file."""

    server: Server = required_table(Server)
    store: Store = table(Store)
    keys: Keys = table(Keys)
    portal: Portal = table(Portal)
    api: ApiSection = table(ApiSection)
    ops: Ops = table(Ops)
    policy: PolicySection = table(PolicySection)
    mailer: MailerSection = table(MailerSection)
    throttle: Throttle = table(Throttle)
    networks: Mapping[str, tuple[Network, ...]] = named_networks(
        "Names for networks, which people can choose when they limit where an app password works. "
        "They hold until networks are saved in the console.",
        {"office": ("192.0.2.0/24", "2001:db8:1::/48")},
    )
    gateway: Gateway = table(Gateway)
    listener: tuple[Listener, ...] = tables(Listener, "", standard_listeners())
    certificate: tuple[Certificate, ...] = tables(Certificate, "", ())
    door: tuple[DoorSection, ...] = tables(DoorSection, "", ())
    peer: tuple[PeerSection, ...] = tables(PeerSection, "", ())
    client_certificate: tuple[ClientCertificateSection, ...] = tables(ClientCertificateSection, "", ())
    domain: tuple[Domain, ...] = tables(
        Domain, "", (Domain("*", _UPSTREAM_IMAP, _UPSTREAM_POP3, _UPSTREAM_SMTP, _UPSTREAM_SIEVE),)
    )

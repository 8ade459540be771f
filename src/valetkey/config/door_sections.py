"""The sections of the configuration file for mail servers that ask. Each setting's documentation stands in its field."""

# ruff: noqa: RUF009  (a setting is declared by a call that makes its dataclass field)

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from valetkey.config.kinds import (
    ENDPOINT_OR_NONE,
    FINGERPRINT,
    FLAG,
    HOST_OR_NONE,
    NAME,
    NAMES,
    NETWORKS,
    PATH,
    PATH_OR_NONE,
    TEXT,
    URL,
    Endpoint,
    choice,
    choice_or_none,
    choices,
)
from valetkey.config.setting import value
from valetkey.core.limits import Held
from valetkey.core.network import Network
from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import DoorKind

_LOCALHOST = (ip_network("127.0.0.1/32"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class DoorSection:
    """A socket where mail servers ask whether a login may pass. `valetkey connect` says which one a server needs."""

    kind: DoorKind = value(
        choice(DoorKind),
        "What is spoken there: http for Dovecot and nginx; sasl for Postfix and Exim without Dovecot; policy and "
        "socketmap for Postfix; saslauthd for Cyrus; authdaemon for Courier; radius; ldap.",
        example=DoorKind.HTTP,
    )
    listen: Endpoint | None = value(
        ENDPOINT_OR_NONE, "Address and port (of UDP for radius).", None, example=Endpoint("127.0.0.1", 9080)
    )
    socket: Path | None = value(
        PATH_OR_NONE, "In its place a unix socket, such as /var/spool/postfix/private/valetkey.", None
    )
    socket_group: str = value(TEXT, "The system group that may use the unix socket. Empty: its owner alone.", "")
    tls: bool = value(FLAG, "With TLS from the first byte, by the certificate of [[certificate]] (http, ldap).", False)
    peers: tuple[str, ...] = value(
        NAMES, "The [[peer]]s that may ask here; none named is all. A unix socket belongs to one.", ()
    )
    protocol: MailProtocol | None = value(
        choice_or_none(MailProtocol), "What is logged in to, where the server cannot say.", None
    )
    login_user: str = value(TEXT, "The system user that owns the mailboxes (authdaemon).", "", example="vmail")
    mailbox: str = value(
        TEXT,
        "Where a mailbox is, with {user}, {local_part} and {domain} (authdaemon).",
        "",
        example="/var/mail/{domain}/{local_part}",
    )


@dataclass(frozen=True, slots=True)
class PeerSection:
    """A mail server that may ask. What it says of a client's address is believed."""

    name: str = value(NAME, "How it is called here.", example="mx1")
    networks: tuple[Network, ...] = value(NETWORKS, "Where it asks from.", _LOCALHOST)
    secret_file: Path | None = value(
        PATH,
        "A file with its secret, for http, radius and ldap. Only its owner may read it.",
        None,
        example=Path("peers/mx1"),
    )
    holds: frozenset[Held] = value(
        choices(Held),
        "What it holds sessions to, as it is set up: permissions and folders by Dovecot's ACL, sending by Postfix's "
        "policy service, recipients (how many one message may have) by Dovecot's submission. An app password with "
        "limits that it does not hold is refused there.",
        frozenset(),
        example=frozenset({Held.PERMISSIONS}),
    )
    tls_only: bool = value(
        FLAG,
        "It takes passwords from its clients over TLS alone, as it is set up. For saslauthd, authdaemon and radius, "
        "which cannot say so of a login, and for ldap where the filter does not; without it policy refuses logins "
        "there while it demands TLS.",
        False,
    )
    master_user: str = value(
        TEXT, "Valetkey's own gateway logs in to it as this master user, and may (Dovecot).", "", example="valetkey"
    )
    message_authenticator: bool = value(
        FLAG, "Refuse RADIUS requests without a Message-Authenticator; false for libpam-radius-auth 2.", True
    )
    doveadm: bool = value(FLAG, "A Dovecot that is told to close sessions when an app password is revoked.", False)
    doveadm_url: str = value(
        URL, "Its HTTP API. Empty: by the command doveadm on this machine.", "", example="http://127.0.0.1:8099"
    )
    doveadm_key_file: Path | None = value(
        PATH, "A file with its doveadm_api_key. Only its owner may read it.", None, example=Path("peers/mx1-doveadm")
    )
    doveadm_ca_file: Path | None = value(PATH_OR_NONE, "Verify it with this authority and not with the system's.", None)
    doveadm_by_app: bool = value(FLAG, "Dovecot 2.4 or newer: sessions are known by their app password.", False)
    nginx: bool = value(
        FLAG,
        "It is an nginx: with each login it is told how to log in to the mail servers of [[domain]], by the secret of "
        "their master user too. No other peer is.",
        False,
    )
    gateway: str = value(
        HOST_OR_NONE,
        "For nginx: this machine's IP address, as nginx reaches it. Sessions with limits that nginx cannot hold go to "
        "Valetkey's own gateway there, to the [[listener]] with tls_before; so do those whose mail server nginx cannot "
        "reach by itself. Empty: they are refused.",
        "",
    )


@dataclass(frozen=True, slots=True)
class ClientCertificateSection:
    """A client certificate that logs in, through nginx, in the place of an app password: by whose limits, and as long."""

    sha256: bytes = value(
        FINGERPRINT,
        "The certificate: openssl x509 -noout -fingerprint -sha256 -in FILE.",
        example=bytes(range(32)),
    )
    account: str = value(TEXT, "Whose mailbox it opens.", example="scanner@example.org")
    app_password: str = value(TEXT, "The id of the app password that it stands for.", example="ap_abcdefgh234567ij")

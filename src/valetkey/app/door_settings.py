"""From the configuration file to the settings of the doors for mail servers."""

from ipaddress import ip_address

from valetkey.app.settings import portal_urls, read_secret
from valetkey.config.consistency import upstreams_of
from valetkey.config.door_sections import DoorSection, PeerSection
from valetkey.config.sections import Config, Upstream
from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import (
    Backend,
    BackendLogin,
    CertificateLogin,
    Door,
    DoorKind,
    Doveadm,
    GatewayPlace,
    Limits,
    Peer,
    Settings,
)
from valetkey.doors.gateway.settings import TlsMode, UserForm
from valetkey.service.server_parts import MailDoor

_NGINX_SPEAKS = frozenset({MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP})
_LOCALHOST = "127.0.0.1"


def door_settings(config: Config) -> Settings:
    """Give the settings of all doors; the peers' secrets are read here.

    Raises:
        CannotStart: A secret's file is missing, empty, or readable by others.
    """
    peers = {entry.name: _peer(entry, config) for entry in config.peer}
    return Settings(
        hostname=config.server.hostname,
        doors=tuple(
            _door(entry, tuple(peers[name] for name in entry.peers) or tuple(peers.values())) for entry in config.door
        ),
        peers=tuple(peers.values()),
        help_url=config.gateway.help_url or portal_urls(config)[0],
        limits=Limits(failure_delay=config.gateway.failure_delay.total_seconds()),
        backends=_backends(config),
        certificate_logins={
            entry.sha256: CertificateLogin(entry.account, entry.app_password) for entry in config.client_certificate
        },
    )


def mail_doors_of(config: Config) -> tuple[MailDoor, ...]:
    """Give the places where mail servers ask, and who may; no file is read."""
    everybody = tuple(peer.name for peer in config.peer)
    return tuple(
        MailDoor(entry.kind.value, _door(entry, ()).place, entry.tls, entry.peers or everybody) for entry in config.door
    )


def _door(entry: DoorSection, peers: tuple[Peer, ...]) -> Door:
    return Door(
        kind=entry.kind,
        peers=peers,
        host=entry.listen.host if entry.listen else "",
        port=entry.listen.port if entry.listen else 0,
        path=entry.socket,
        group=entry.socket_group,
        tls=entry.tls,
        protocol=entry.protocol,
        login_user=entry.login_user,
        mailbox=entry.mailbox,
    )


def _peer(entry: PeerSection, config: Config) -> Peer:
    where = f"[[peer]] {entry.name}"
    return Peer(
        name=entry.name,
        networks=entry.networks,
        secret=read_secret(entry.secret_file, f"{where} secret_file") if entry.secret_file else "",
        holds=entry.holds,
        tls_only=entry.tls_only,
        master_user=entry.master_user,
        message_authenticator=entry.message_authenticator,
        doveadm=_doveadm(entry, where) if entry.doveadm or entry.doveadm_url else None,
        is_nginx=entry.nginx,
        gateway=_gateway_places(entry.gateway, config) if entry.gateway else (),
    )


def _gateway_places(host: str, config: Config) -> tuple[GatewayPlace, ...]:
    return tuple(
        GatewayPlace(listener.protocol, host, listener.listen.port)
        for listener in config.listener
        if listener.tls_before and listener.protocol in _NGINX_SPEAKS
    )


def _backends(config: Config) -> dict[str, dict[MailProtocol, Backend]]:
    """Give the mail servers that nginx can go to; the master users' secrets are read here."""
    if not any(door.kind is DoorKind.HTTP for door in config.door):
        return {}
    found: dict[str, dict[MailProtocol, Backend]] = {}
    for domain in config.domain:
        found[domain.name] = {}
        for protocol, upstream in upstreams_of(domain):
            backend = _backend(upstream, f"[domain.{protocol.value}] master_secret_file")
            if protocol in _NGINX_SPEAKS and backend is not None:
                found[domain.name][protocol] = backend
    return found


def _backend(upstream: Upstream, where: str) -> Backend | None:
    """Give what nginx can go to: an address, without TLS; None if it is no such one."""
    host = _LOCALHOST if upstream.host == "localhost" else upstream.host
    port = upstream.nginx_port or (upstream.port if upstream.tls is TlsMode.NONE else None)
    if port is None or not _is_address(host):
        return None
    login, secret = BackendLogin(upstream.login.value), ""
    if login is BackendLogin.MASTER_USER and upstream.master_secret_file is not None:
        secret = read_secret(upstream.master_secret_file, where)
    is_local_part = upstream.user_form is UserForm.LOCAL_PART
    return Backend(host, port, login, upstream.master_user, secret, is_local_part)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _doveadm(entry: PeerSection, where: str) -> Doveadm:
    key = read_secret(entry.doveadm_key_file, f"{where} doveadm_key_file") if entry.doveadm_key_file else ""
    return Doveadm(entry.doveadm_url, key, entry.doveadm_ca_file, entry.doveadm_by_app)

"""From the configuration file to the settings of the doors for mail servers."""

from valetkey.app.settings import portal_urls, read_secret
from valetkey.config.door_sections import DoorSection, PeerSection
from valetkey.config.sections import Config
from valetkey.doors.asked.settings import Door, Doveadm, Limits, Peer, Settings


def door_settings(config: Config) -> Settings:
    """Give the settings of all doors; the peers' secrets are read here.

    Raises:
        CannotStart: A secret's file is missing, empty, or readable by others.
    """
    peers = {entry.name: _peer(entry) for entry in config.peer}
    return Settings(
        hostname=config.server.hostname,
        doors=tuple(_door(entry, peers) for entry in config.door),
        peers=tuple(peers.values()),
        help_url=config.gateway.help_url or portal_urls(config)[0],
        limits=Limits(failure_delay=config.gateway.failure_delay.total_seconds()),
    )


def _door(entry: DoorSection, peers: dict[str, Peer]) -> Door:
    return Door(
        kind=entry.kind,
        peers=tuple(peers[name] for name in entry.peers) or tuple(peers.values()),
        host=entry.listen.host if entry.listen else "",
        port=entry.listen.port if entry.listen else 0,
        path=entry.socket,
        group=entry.socket_group,
        tls=entry.tls,
        protocol=entry.protocol,
        login_user=entry.login_user,
        mailbox=entry.mailbox,
    )


def _peer(entry: PeerSection) -> Peer:
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
    )


def _doveadm(entry: PeerSection, where: str) -> Doveadm:
    key = read_secret(entry.doveadm_key_file, f"{where} doveadm_key_file") if entry.doveadm_key_file else ""
    return Doveadm(entry.doveadm_url, key, entry.doveadm_ca_file, entry.doveadm_by_app)

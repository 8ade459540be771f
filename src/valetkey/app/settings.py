"""From the configuration file to the settings that each room has of its own."""

import stat
from datetime import datetime
from pathlib import Path

from valetkey.app.local_ca import LocalCertificate, ensure_local_certificate
from valetkey.app.profile_signing import ProfileSigner
from valetkey.config.consistency import upstreams_of
from valetkey.config.sections import Config, Domain, Listener, Upstream
from valetkey.core.errors import CannotStart
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.api.settings import ApiSettings
from valetkey.doors.gateway import settings as gateway
from valetkey.doors.web.settings import ClientEndpoint, Encryption, WebSettings, wants_strict_transport
from valetkey.doors.web.signer import NoSigner

_MAX_SECRET = 4096
_HTTPS = 443
PLACEHOLDER = "put the master user's password here"  # what `init` writes into the secret's file


def policy_of(config: Config) -> Policy:
    """Give the policy that decisions are held against."""
    section = config.policy
    return Policy(
        max_app_passwords=section.max_app_passwords,
        default_lifetime=section.default_lifetime,
        max_lifetime=section.max_lifetime,
        default_idle_for=section.default_idle_for,
        max_idle_for=section.max_idle_for,
        main_password_opens_mail=section.main_password_opens_mail,
        require_tls=section.require_tls,
        strict_hash=section.strict_hash,
        min_password_length=section.min_password_length,
        recovery_wait=section.recovery_wait,
        password_with_code=section.password_with_code,
        password_with_code_for=section.password_with_code_for,
    )


def throttle_of(config: Config) -> ThrottleLimits:
    """Give the limits of failed logins."""
    section = config.throttle
    return ThrottleLimits(section.window, section.per_network, section.per_secret, section.overall)


def networks_of(config: Config) -> NamedNetworks:
    """Give the named networks."""
    return NamedNetworks(dict(config.networks))


def local_certificate(config: Config, now: datetime) -> LocalCertificate | None:
    """Make or renew the local certificate if the configuration names none; None if it does.

    Raises:
        CannotStart: It cannot be written.
    """
    if config.certificate:
        return None
    return ensure_local_certificate(config.server.tls_directory, config.server.hostname, now)


def certificates_of(config: Config, local: LocalCertificate | None) -> tuple[gateway.Certificate, ...]:
    """Give the certificates, the default one first."""
    if local is not None:
        return (gateway.Certificate(local.chain, local.key),)
    return tuple(gateway.Certificate(entry.chain, entry.key) for entry in config.certificate)


def gateway_settings(config: Config, local: LocalCertificate | None) -> gateway.Settings:
    """Give the gateway's settings; the secrets' files are read here.

    Raises:
        CannotStart: A secret's file is missing, empty, or readable by others.
    """
    section = config.gateway
    return gateway.Settings(
        hostname=config.server.hostname,
        listeners=tuple(_listener(entry) for entry in config.listener),
        domains=tuple(_domain(entry) for entry in config.domain),
        certificates=certificates_of(config, local),
        run_directory=config.server.run_directory,
        limits=gateway.Limits(
            handshake=section.handshake.total_seconds(),
            login=section.login.total_seconds(),
            idle=section.idle.total_seconds(),
            send=section.send.total_seconds(),
            upstream_connect=section.upstream_connect.total_seconds(),
            upstream_login=section.upstream_login.total_seconds(),
            connections=section.connections,
            waiting_per_network=section.waiting_per_network,
            sessions_per_account=section.sessions_per_account,
            failure_delay=section.failure_delay.total_seconds(),
            message_size=section.message_size,
        ),
        help_url=section.help_url or portal_urls(config)[0],
    )


def web_settings(config: Config, local: LocalCertificate | None = None) -> WebSettings:
    """Give the portal's settings; `local` is the local certificate, if there is one."""
    certificate = next(iter(certificates_of(config, local)), None)
    base_url, *also_at = portal_urls(config)
    return WebSettings(
        base_url=base_url,
        also_at=tuple(also_at),
        site_name=config.portal.site_name,
        trusted_proxies=config.portal.trusted_proxies,
        client_settings=client_endpoints(config),
        live_pages=config.portal.live_pages,
        mail_domains=tuple(entry.name for entry in config.domain),
        signer=ProfileSigner(certificate.chain, certificate.key, is_local=local is not None)
        if certificate
        else NoSigner(),
    )


def api_settings(config: Config) -> ApiSettings:
    """Give the API's settings."""
    base_url = portal_urls(config)[0]
    return ApiSettings(
        base_url=base_url,
        trusted_proxies=config.portal.trusted_proxies,
        per_minute=config.api.per_minute,
        failures_per_minute=config.api.failures_per_minute,
        strict_transport=wants_strict_transport(base_url),
    )


def portal_urls(config: Config) -> tuple[str, ...]:
    """Give the addresses that people open, the main one first."""
    portal = config.portal
    urls = []
    if portal.listen is not None:
        urls.append(portal.base_url or f"http://localhost:{portal.listen.port}")
    if portal.tls_listen is not None:
        port = portal.tls_listen.port
        default = f"https://{config.server.hostname}{'' if port == _HTTPS else f':{port}'}"
        urls.append(portal.tls_base_url or (portal.base_url if portal.listen is None else "") or default)
    return tuple(urls)


def client_endpoints(config: Config) -> tuple[ClientEndpoint, ...]:
    """Give what people type into a mail client, for each protocol the best listener first."""
    order = {gateway.TlsMode.IMPLICIT: 0, gateway.TlsMode.STARTTLS: 1, gateway.TlsMode.NONE: 2}
    words = {
        gateway.TlsMode.IMPLICIT: Encryption.TLS,
        gateway.TlsMode.STARTTLS: Encryption.STARTTLS,
        gateway.TlsMode.NONE: Encryption.NONE,
    }
    direct = sorted((entry for entry in config.listener if not entry.proxy_peers), key=lambda entry: order[entry.tls])
    host = config.server.hostname
    return tuple(ClientEndpoint(entry.protocol, host, entry.listen.port, words[entry.tls]) for entry in direct)


def read_secret(path: Path, what: str) -> str:
    """Read a secret from the first line of a file that only its owner can read.

    Raises:
        CannotStart: It is missing, empty, too long, or readable by others.
    """
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            octets = file.read(_MAX_SECRET + 1)
    except OSError as error:
        raise CannotStart(f"{what}: {path} cannot be read ({error.strerror}).") from None
    if stat.S_IMODE(mode) & 0o077:
        raise CannotStart(f"{what}: others can read {path}. Mend it with: chmod 600 {path}")
    secret = octets.decode(errors="replace").split("\n", 1)[0].rstrip("\r")
    if not secret or len(octets) > _MAX_SECRET:
        raise CannotStart(f"{what}: {path} should hold the secret, on one line.")
    return secret


def _listener(entry: Listener) -> gateway.Listener:
    host, port = entry.listen.host, entry.listen.port
    plain = entry.plaintext_login
    return gateway.Listener(entry.protocol, host, port, entry.tls, plain, entry.proxy_peers, entry.tls_before)


def _domain(entry: Domain) -> gateway.Domain:
    pairs = upstreams_of(entry)
    named = {protocol: _upstream(upstream, f"[domain.{protocol.value}]") for protocol, upstream in pairs}
    return gateway.Domain(entry.name, named)


def _upstream(entry: Upstream, where: str) -> gateway.Upstream:
    uses_master = entry.login is gateway.UpstreamLogin.MASTER_USER and entry.master_secret_file is not None
    return gateway.Upstream(
        host=entry.host,
        port=entry.port,
        tls=entry.tls,
        login=entry.login,
        ca_file=entry.ca_file,
        server_name=entry.server_name or None,
        master_user=entry.master_user,
        master_secret=read_secret(entry.master_secret_file, f"{where} master_secret_file")
        if uses_master and entry.master_secret_file
        else "",
        user_form=entry.user_form,
        forward_client=entry.forward_client,
    )

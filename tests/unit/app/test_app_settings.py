"""From the configuration file to the settings of the rooms."""

from dataclasses import replace
from pathlib import Path

import pytest

from valetkey.app.settings import client_endpoints, gateway_settings, policy_of, portal_urls, read_secret, web_settings
from valetkey.config import Config, describe, parse
from valetkey.config.kinds import Endpoint
from valetkey.core.errors import CannotStart
from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.gateway.settings import Limits, TlsMode, UpstreamLogin
from valetkey.doors.web.settings import Encryption


@pytest.fixture
def config(tmp_path: Path) -> Config:
    secret = tmp_path / "upstream-secret"
    secret.touch(0o600)
    secret.write_text("master\nsecond line\n")
    return parse(describe(), tmp_path / "valetkey.toml")


def test_defaults_of_the_file_are_the_defaults_of_the_rooms(config: Config) -> None:
    """What the reference promises is what the rooms do when they are told nothing."""
    assert policy_of(config) == Policy()
    assert gateway_settings(config, None).limits == Limits()
    section = config.throttle
    assert ThrottleLimits() == ThrottleLimits(section.window, section.per_network, section.per_secret, section.overall)


def test_upstreams_hold_their_secrets_and_do_not_show_them(config: Config) -> None:
    settings = gateway_settings(config, None)
    imap = settings.domains[0].upstreams[MailProtocol.IMAP]
    assert (imap.master_user, imap.master_secret) == ("valetkey", "master")
    assert "master_secret" not in repr(settings)
    smtp = settings.domains[0].upstreams[MailProtocol.SMTP]
    assert (smtp.login, smtp.master_secret, smtp.forward_client) == (UpstreamLogin.XCLIENT, "", True)


def test_people_are_shown_the_best_listener_first(config: Config) -> None:
    shown = [(e.protocol, e.port, e.encryption) for e in client_endpoints(config) if e.protocol is MailProtocol.IMAP]
    assert shown == [(MailProtocol.IMAP, 993, Encryption.TLS), (MailProtocol.IMAP, 143, Encryption.STARTTLS)]
    behind_proxy = replace(config.listener[0], proxy_peers=config.networks["office"])
    left = client_endpoints(replace(config, listener=(behind_proxy, *config.listener[1:])))
    assert 993 not in [entry.port for entry in left]


@pytest.mark.parametrize(
    ("changes", "urls"),
    [
        ({}, ("http://localhost:8080",)),
        ({"base_url": "https://m.example"}, ("https://m.example",)),
        ({"tls_listen": Endpoint("", 443)}, ("http://localhost:8080", "https://mail.example.org")),
        ({"listen": None, "tls_listen": Endpoint("", 8443)}, ("https://mail.example.org:8443",)),
        ({"listen": None, "tls_listen": Endpoint("", 443), "base_url": "https://m.example"}, ("https://m.example",)),
    ],
)
def test_addresses_of_the_portal(config: Config, changes: dict[str, object], urls: tuple[str, ...]) -> None:
    config = replace(config, portal=replace(config.portal, **changes))
    assert portal_urls(config) == urls
    web = web_settings(config)
    assert (web.base_url, *web.also_at) == urls
    assert gateway_settings(config, None).help_url == urls[0]


def test_listeners_keep_their_tls(config: Config) -> None:
    modes = {entry.port: entry.tls for entry in gateway_settings(config, None).listeners}
    assert (modes[993], modes[143]) == (TlsMode.IMPLICIT, TlsMode.STARTTLS)


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        ("", 0o600, "on one line"),
        ("\nsecret\n", 0o600, "on one line"),
        ("x" * 5000, 0o600, "on one line"),
        ("secret", 0o640, "chmod 600"),
        ("secret", 0o604, "chmod 600"),
    ],
)
def test_unfit_secret_files_are_refused(tmp_path: Path, content: str, mode: int, why: str) -> None:
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(CannotStart, match=why) as caught:
        read_secret(path, "[domain.imap] master_secret_file")
    assert "xxx" not in str(caught.value)


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="none cannot be read"):
        read_secret(tmp_path / "none", "[domain.imap] master_secret_file")

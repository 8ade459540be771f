"""What the configuration says of nginx: mail servers it can go to, our own gateway, client certificates."""

from pathlib import Path

import pytest

from valetkey.app.door_settings import door_settings
from valetkey.app.settings import gateway_settings
from valetkey.config import BadConfig, parse
from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import BackendLogin, CertificateLogin, GatewayPlace

IMAP, POP3, SMTP = MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP
FINGERPRINT = ":".join(f"{number:02X}" for number in range(32))

START = """\
[server]
hostname = "mail.example.org"
[[door]]
kind = "http"
listen = "127.0.0.1:9080"
[[peer]]
name = "nginx1"
secret_file = "nginx1"
nginx = true
"""
GATEWAY = """\
gateway = "192.0.2.9"
[[listener]]
protocol = "imap"
listen = "*:1143"
tls = "none"
tls_before = true
proxy_peers = ["192.0.2.1"]
[[listener]]
protocol = "sieve"
listen = "*:4190"
tls = "starttls"
"""
DOMAIN = """\
[[domain]]
name = "example.org"
[domain.imap]
host = "localhost"
port = 10143
tls = "none"
master_user = "valetkey"
master_secret_file = "master"
[domain.pop3]
host = "192.0.2.4"
port = 995
tls = "implicit"
master_user = "valetkey"
master_secret_file = "not-there"
[domain.smtp]
host = "192.0.2.5"
port = 10025
tls = "none"
login = "xclient"
user_form = "local-part"
[domain.sieve]
host = "192.0.2.4"
port = 4190
tls = "none"
master_user = "valetkey"
master_secret_file = "master"
"""
CERTIFICATE = f"""\
[[client_certificate]]
sha256 = "{FINGERPRINT}"
account = "scanner@example.org"
app_password = "ap_abcdefgh234567ij"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, text in (("nginx1", "secret of the peer"), ("master", "master secret")):
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_text(f"{text}\n")
    return tmp_path / "valetkey.toml"


def mistakes(text: str) -> list[tuple[str, str]]:
    with pytest.raises(BadConfig) as caught:
        parse(text, Path("/etc/valetkey/valetkey.toml"))
    return [(one.setting, one.what) for one in caught.value.mistakes]


def test_nginx_goes_to_addresses_without_tls(place: Path) -> None:
    found = door_settings(parse(START + GATEWAY + DOMAIN, place)).backends["example.org"]
    assert found.keys() == {IMAP, SMTP}
    assert (found[IMAP].host, found[IMAP].port, found[IMAP].master_user) == ("127.0.0.1", 10143, "valetkey")
    assert found[IMAP].master_secret == "master secret"
    assert "master secret" not in repr(found)
    assert (found[SMTP].login, found[SMTP].local_part) == (BackendLogin.XCLIENT, True)


def test_mail_servers_are_of_use_to_nginx_alone(place: Path) -> None:
    assert door_settings(parse(START + DOMAIN, place)).backends["example.org"].keys() == {IMAP, SMTP}
    with_sasl = START.replace('kind = "http"', 'kind = "sasl"') + DOMAIN
    assert ("[[listener]]", "no mail client could connect") in mistakes(with_sasl)


def test_nginx_may_have_a_port_of_its_own(place: Path) -> None:
    with_tls = DOMAIN.replace('tls = "implicit"', 'tls = "implicit"\nnginx_port = 10110').replace("not-there", "master")
    found = door_settings(parse(START + GATEWAY + with_tls.replace("10143", "10143\nnginx_port = 10144"), place))
    assert {protocol: one.port for protocol, one in found.backends["example.org"].items()} == {
        IMAP: 10144,
        POP3: 10110,
        SMTP: 10025,
    }


def test_a_name_is_no_address(place: Path) -> None:
    config = parse(START + GATEWAY + DOMAIN.replace("localhost", "imap.example.org"), place)
    assert door_settings(config).backends["example.org"].keys() == {SMTP}


def test_our_gateway_is_where_tls_has_ended_before(place: Path) -> None:
    config = parse(START + GATEWAY + DOMAIN, place)
    assert door_settings(config).peers[0].gateway == (GatewayPlace(IMAP, "192.0.2.9", 1143),)
    assert [one.tls_before for one in gateway_settings_without_secrets(config, place)] == [True, False]


def gateway_settings_without_secrets(config, place):
    (place.parent / "not-there").touch(mode=0o600)
    (place.parent / "not-there").write_text("x\n")
    return gateway_settings(config, None).listeners


def test_a_certificate_stands_for_an_app_password(place: Path) -> None:
    plain = FINGERPRINT.replace(":", "").lower()
    for written in (CERTIFICATE, CERTIFICATE.replace(FINGERPRINT, plain)):
        found = door_settings(parse(START + written, place)).certificate_logins
        assert found == {bytes(range(32)): CertificateLogin("scanner@example.org", "ap_abcdefgh234567ij")}


def test_without_such_settings_there_is_nothing(place: Path) -> None:
    settings = door_settings(parse(START, place))
    assert settings.certificate_logins == {}
    assert settings.backends == {}
    assert settings.peers[0].gateway == ()


@pytest.mark.parametrize(
    ("text", "setting", "what"),
    [
        (START + 'gateway = "192.0.2.9"\n', "[peer] gateway", "no listener is there for nginx"),
        (START + GATEWAY.replace("192.0.2.9", "gw.example.org") + DOMAIN, "[peer] gateway", "nginx resolves no names"),
        (
            START + GATEWAY.replace('"imap"', '"smtp"') + DOMAIN,
            "[peer] gateway",
            "nginx cannot log in to the gateway where it tells Postfix the name by XCLIENT",
        ),
        (START + GATEWAY.replace('tls = "none"', 'tls = "starttls"') + DOMAIN, "[listener] tls_before", "nobody is"),
        (START + GATEWAY.replace('proxy_peers = ["192.0.2.1"]', "") + DOMAIN, "[listener] tls_before", "nobody is"),
        (START + CERTIFICATE + CERTIFICATE, "[client_certificate] sha256", "this certificate stands twice"),
        (START + CERTIFICATE.replace(FINGERPRINT, "AB:CD"), "[client_certificate] sha256", "is not a SHA-256"),
    ],
)
def test_contradictions_are_found(text: str, setting: str, what: str) -> None:
    assert any(found[0] == setting and what in found[1] for found in mistakes(text)), mistakes(text)

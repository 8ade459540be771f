"""Reading the configuration file: what is right is read, and every mistake is named with its line and its mend."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from valetkey.config import BadConfig, load, parse
from valetkey.config.kinds import Endpoint
from valetkey.core.errors import CannotStart
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import TlsMode, UpstreamLogin

PLACE = Path("/etc/valetkey/valetkey.toml")

SMALLEST = """\
[server]
hostname = "Mail.Example.org"

[[listener]]
protocol = "imap"
listen = "*:993"

[[domain]]
name = "example.org"

[domain.imap]
host = "127.0.0.1"
port = 10143
tls = "none"
login = "stored-password"
"""


def mistakes(text: str) -> list[tuple[int, str, str, str]]:
    with pytest.raises(BadConfig) as caught:
        parse(text, PLACE)
    return [(m.line, m.setting, m.what, m.mend) for m in caught.value.mistakes]


def changed(old: str, new: str) -> str:
    assert old in SMALLEST
    return SMALLEST.replace(old, new)


def test_smallest_file_has_defaults_for_all_the_rest() -> None:
    config = parse(SMALLEST, PLACE)
    assert config.server.hostname == "mail.example.org"
    assert config.server.workers == 1
    assert config.store.path == Path("/etc/valetkey/valetkey.db")
    assert config.server.run_directory == Path("/etc/valetkey/run")
    assert config.portal.listen == Endpoint("127.0.0.1", 8080)
    assert config.throttle.window == timedelta(minutes=10)
    assert not config.policy.main_password_opens_mail
    assert config.listener[0].protocol is MailProtocol.IMAP
    assert config.listener[0].listen == Endpoint("", 993)
    assert config.listener[0].tls is TlsMode.IMPLICIT
    assert config.domain[0].imap is not None
    assert config.domain[0].imap.login is UpstreamLogin.STORED_PASSWORD
    assert config.domain[0].pop3 is None


def test_values_of_every_kind_are_read() -> None:
    text = (
        SMALLEST
        + """
[domain.smtp]
host = "::1"
port = 587
tls = "starttls"
login = "xclient"
ca_file = "ca.pem"

[policy]
max_lifetime = "52 weeks"
default_lifetime = "90 days"
require_tls = false

[networks]
office = ["192.0.2.0/24", "2001:db8::/32"]

[gateway]
message_size = "20 MiB"
idle = "1 hour"

[portal]
listen = "[::1]:8081"
base_url = "https://mail.example.org/"
"""
    )
    config = parse(text, PLACE)
    assert config.domain[0].smtp is not None
    assert config.domain[0].smtp.ca_file == Path("/etc/valetkey/ca.pem")
    assert config.policy.max_lifetime == timedelta(days=364)
    assert config.networks == {"office": (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))}
    assert config.gateway.message_size == 20 * 1024 * 1024
    assert config.gateway.idle == timedelta(hours=1)
    assert config.portal.listen == Endpoint("::1", 8081)
    assert config.portal.base_url == "https://mail.example.org"


def test_relative_paths_begin_at_the_file_and_absolute_ones_stay() -> None:
    config = parse(SMALLEST + '\n[store]\npath = "data/v.db"\n[keys]\npath = "/secret/keys.toml"\n', PLACE)
    assert config.store.path == Path("/etc/valetkey/data/v.db")
    assert config.keys.path == Path("/secret/keys.toml")


def test_every_mistake_is_reported_at_once_in_the_order_of_lines() -> None:
    text = """\
[server]
hostname = "mail.example.org"
worker = 2

[portal]
listen = "localhost"

[[listener]]
protocol = "imaps"
listen = "*:99999"

[[listener]]
protocol = "imap"
"""
    assert [(line, setting) for line, setting, _, _ in mistakes(text)] == [
        (3, "[server] worker"),
        (6, "[portal] listen"),
        (9, "[listener] protocol"),
        (10, "[listener] listen"),
        (12, "[listener] listen"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "setting", "what", "mend"),
    [
        ("hostname", "hostnam", 1, "[server] hostname", "missing", 'hostname = "mail.example.org"'),
        ("hostname", "hostnam", 2, "[server] hostnam", "unknown setting", "did you mean hostname?"),
        ("[server]", "[servers]", 1, "[servers]", "unknown setting", "did you mean [server]?"),
        ('"Mail.Example.org"', "5", 2, "[server] hostname", "should be text", 'in quotes: "5"'),
        ('"Mail.Example.org"', '"a b"', 2, "[server] hostname", "not a host or domain name", "mail.example.org"),
        ('"*:993"', '"993"', 6, "[listener] listen", "not an address to listen on", "*:993"),
        ('"*:993"', '"*:0"', 6, "[listener] listen", "not a port", "1 to 65535"),
        ('"*:993"', '"::1:993"', 6, "[listener] listen", "not an address to listen on", "[::1]:8080"),
        ("10143", '"10143"', 13, "[domain.imap] port", "whole number", "without quotes"),
        ("10143", "true", 13, "[domain.imap] port", "whole number", "without quotes"),
        ("10143", "0", 13, "[domain.imap] port", "out of range", "1 to 65535"),
        ('"stored-password"', '"xclient"', 15, "[domain.imap] login", "SMTP only", "master-user"),
        ('"stored-password"', '"master"', 15, "[domain.imap] login", "not one of the choices", '"master-user"'),
        ("[[listener]]", "[listener]", 4, "[listener]", "may stand several times", "[[listener]]"),
        ("[domain.imap]", "[domain.imaps]", 11, "[domain] imaps", "unknown setting", "did you mean imap?"),
        ('name = "example.org"', "", 8, "[domain] name", "missing", 'name = "*"'),
    ],
)
def test_each_mistake_names_line_setting_and_mend(  # noqa: PLR0917  one row of the table
    old: str, new: str, line: int, setting: str, what: str, mend: str
) -> None:
    found = [entry for entry in mistakes(changed(old, new)) if entry[:2] == (line, setting)]
    assert len(found) == 1
    assert what in found[0][2]
    assert mend in found[0][3]


@pytest.mark.parametrize(
    ("section", "setting", "value", "mend"),
    [
        ("policy", "max_lifetime", '"soon"', "90 days"),
        ("policy", "max_lifetime", '"0 days"', "1 second"),
        ("policy", "max_lifetime", "90", "90 days"),
        ("policy", "require_tls", '"yes"', "without quotes"),
        ("policy", "min_password_length", "3", "8 to 128"),
        ("gateway", "message_size", '"big"', "100 MiB"),
        ("gateway", "help_url", '"mail.example.org"', "https://mail.example.org"),
        ("portal", "base_url", '"ftp://mail.example.org"', "https://mail.example.org"),
        ("portal", "trusted_proxies", '"127.0.0.1"', '["192.0.2.0/24"'),
        ("portal", "trusted_proxies", '["127.0.0.300"]', "host bits"),
        ("networks", "office", '["192.0.2.1/24"]', "host bits"),
        ("networks", "office", '["0.0.0.0/0"]', "host bits"),
        ("networks", "my office!", '["192.0.2.0/24"]', "letters, digits and hyphens"),
        ("store", "path", '""', "name a file"),
        ("server.run", "x", "1", "remove it"),
        ("ops", "base_url", '"https://x.example"', "this belongs under [portal]"),
    ],
)
def test_unusable_values_are_mended_by_an_example(section: str, setting: str, value: str, mend: str) -> None:
    text = f'{SMALLEST}\n[{section}]\n"{setting}" = {value}\n'
    found = mistakes(text)
    assert len(found) == 1
    assert found[0][0] == (18 if section != "server.run" else 17)
    assert mend in found[0][3]


@pytest.mark.parametrize(
    ("addition", "line", "what"),
    [
        ('[policy]\ndefault_lifetime = "2 days"\nmax_lifetime = "1 day"\n', 18, "longer than max_lifetime"),
        ('[policy]\ndefault_idle_for = "2 days"\nmax_idle_for = "1 day"\n', 18, "longer than max_idle_for"),
        ('[policy]\nrecovery_wait = "1 hour"\n', 18, "out of range"),
        ('[policy]\npassword_with_code_for = "10 seconds"\n', 18, "out of range"),
        ('[mailer]\nhost = "m.example"\nencryption = "none"\nsender = "a@example.org"\n', 19, "in the clear"),
        ('[mailer]\nhost = "127.0.0.1"\nsender = "nobody"\n', 19, "not a mail address"),
        ('[mailer]\nhost = "127.0.0.1"\nsender = "a@example.org"\nuser = "a"\n', 20, "go together"),
        ('[portal]\nbase_url = "http://mail.example.org"\n', 18, "in the clear"),
        ('[portal]\nlisten = ""\n', 17, "listens nowhere"),
        ('[portal]\nlisten = "*:993"\n', 6, "taken already by [portal] listen"),
        ('[portal]\ntls_listen = "*:443"\ntls_base_url = "http://localhost"\n', 19, "HTTPS"),
        ('[[listener]]\nprotocol = "pop3"\nlisten = "*:993"\n', 19, "taken already"),
        ('[[listener]]\nprotocol = "pop3"\nlisten = "*:110"\ntls = "none"\n', 20, "nobody could log in"),
        (
            '[[listener]]\nprotocol = "pop3"\nlisten = "*:110"\ntls = "none"\nplaintext_login = true\n',
            21,
            "requires TLS",
        ),
        ('[[domain]]\nname = "example.org"\n', 18, "stands twice"),
        ('[[domain]]\nname = "example.net"\n', 17, "has no mail server"),
        ('[domain.pop3]\nhost = "127.0.0.1"\nport = 110\n', 17, "missing"),
    ],
)
def test_contradictions_are_found(addition: str, line: int, what: str) -> None:
    found = mistakes(f"{SMALLEST}\n{addition}")
    assert (line, True) in [(entry[0], what in entry[2]) for entry in found]


def test_the_portal_alone_is_no_mistake_and_a_mail_server_that_nobody_reaches_is() -> None:
    start = '[server]\nhostname = "mail.example.org"\n'
    assert parse(start, PLACE).door == ()
    domain = '[[domain]]\nname = "*"\n[domain.smtp]\nhost = "127.0.0.1"\nport = 25\ntls = "none"\nlogin = "xclient"\n'
    assert {entry[1] for entry in mistakes(start + domain)} == {"[[listener]]"}


def test_a_listener_needs_a_mail_server_behind_it() -> None:
    found = mistakes('[server]\nhostname = "mail.example.org"\n[[listener]]\nprotocol = "imap"\nlisten = "*:993"\n')
    assert {entry[1] for entry in found} == {"[[domain]]"}


@pytest.mark.parametrize(
    ("text", "line", "way"),
    [
        ("[server\n", 1, "name = value"),
        ('[server]\nhostname = "x\n', 2, "name = value"),
        ("[server]\nhostname = x\n", 2, "name = value"),
        ('[server]\nhostname = "a"\nhostname = "b"\n', 3, "keep one"),
        ("[server]\n[server]\n", 2, "keep one"),
    ],
)
def test_broken_toml_names_its_line(text: str, line: int, way: str) -> None:
    ((found, setting, _, mend),) = mistakes(text)
    assert (found, setting) == (line, "syntax")
    assert way in mend


def test_text_that_is_not_utf8_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "valetkey.toml"
    path.write_bytes(b'[server]\nhostname = "m\xfcller.example"\n')
    with pytest.raises(BadConfig, match=r":2: encoding: this is not UTF-8 text; save the file as UTF-8"):
        load(path)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="valetkey init"):
        load(tmp_path / "none.toml")
    with pytest.raises(CannotStart, match="cannot be read"):
        load(tmp_path)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 1_000_001)
    with pytest.raises(CannotStart, match="larger than 1 MB"):
        load(large)


def test_the_whole_message_is_one_line_per_mistake() -> None:
    with pytest.raises(BadConfig) as caught:
        parse(changed("10143", '"x"'), PLACE)
    head, line = str(caught.value).splitlines()
    assert head == "/etc/valetkey/valetkey.toml has 1 mistake:"
    assert line.startswith(
        "/etc/valetkey/valetkey.toml:13: [domain.imap] port: should be a whole number; write a number"
    )

"""`valetkey connect SERVER --add`: what is added to the configuration, and that all that stood there stays."""

import os
import stat
from pathlib import Path

import pytest

from valetkey.app.connecting.lines import connecting
from valetkey.app.connecting.servers import RECIPES
from valetkey.config.mistakes import BadConfig
from valetkey.config.reading import load
from valetkey.core.errors import InvalidInput
from valetkey.doors.cli.front import Connecting, ConnectOptions

BEFORE = """\
# Our own words, which nobody may lose.
[server]
hostname = "mail.example.org"   # and here

[store]
path = "valetkey.db"
[keys]
path = "keys.toml"
[portal]
listen = "127.0.0.1:8080"
[[listener]]
protocol = "imap"
listen = "127.0.0.1:9081"
tls = "implicit"
[[domain]]
name = "*"
[domain.imap]
host = "192.0.2.7"
port = 993
login = "stored-password"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "valetkey.toml"
    file.write_text(BEFORE)
    file.chmod(0o640)
    return file


def connect(config: Path, server: str, **options: object) -> Connecting:
    return connecting(
        config, ConnectOptions(server, **{"version": "2.3", **options} if "dovecot" in server else options)
    )  # type: ignore[arg-type]


def test_without_add_it_is_only_said(config: Path) -> None:
    done = connect(config, "dovecot")
    assert '[[peer]]\nname = "dovecot"' in done.missing
    assert done.steps == ()
    assert config.read_text() == BEFORE
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.parametrize("server", sorted(RECIPES))
def test_added_and_then_nothing_is_missing(config: Path, server: str) -> None:
    done = connect(config, server, add=True)
    assert done.missing == ""
    assert done.steps
    assert config.read_text().startswith(BEFORE)
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    load(config)
    again = connect(config, server, add=True)
    assert again.written == ()
    assert again.steps == done.steps


def test_every_server_beside_every_other(config: Path) -> None:
    for server in RECIPES:
        peer = "sendmail" if server == "sendmail" else ""
        assert connect(config, server, add=True, peer=peer).steps, server
    loaded = load(config)
    assert {peer.name for peer in loaded.peer} == set(RECIPES)
    http = [door for door in loaded.door if door.kind.value == "http"]
    assert len({door.listen for door in http}) == len(http) == 3


def test_a_secret_is_drawn_into_a_file_of_its_own(config: Path) -> None:
    connect(config, "dovecot", add=True)
    file = config.parent / "peers" / "dovecot"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(file.read_text().strip()) >= 32
    kept = file.read_text()
    config.write_text(BEFORE)
    connect(config, "dovecot", add=True)
    assert file.read_text() == kept


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_rights_stay_whatever_the_umask(config: Path, mode: int) -> None:
    config.chmod(mode)
    before = os.umask(0o077)
    try:
        connect(config, "nginx", add=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(config.stat().st_mode) == mode
    assert [each.name for each in config.parent.iterdir() if each.name.startswith(".")] == []


@pytest.mark.needs("root")
def test_files_belong_to_whom_the_service_runs_as(config: Path) -> None:
    os.chown(config, 0, 65534)
    os.chown(config.parent, 65534, 65534)
    connect(config, "nginx", add=True)
    assert (config.stat().st_uid, config.stat().st_gid) == (0, 65534)
    for path in (config.parent / "peers", config.parent / "peers" / "nginx"):
        assert path.stat().st_uid == 65534


def test_a_port_that_is_taken_in_the_configuration_is_not_chosen(config: Path) -> None:
    connect(config, "postfix", add=True)
    assert [str(door.listen) for door in load(config).door] == ["127.0.0.1:9082", "127.0.0.1:9083", "127.0.0.1:9084"]


def test_a_server_on_another_machine(config: Path) -> None:
    with pytest.raises(InvalidInput, match="--listen"):
        connect(config, "dovecot", add=True, address="192.0.2.9")
    with pytest.raises(InvalidInput, match="is not an IP address"):
        connect(config, "dovecot", add=True, address="192.0.2.9", listen="here")
    with pytest.raises(InvalidInput):
        connect(config, "dovecot", add=True, address="somewhere", listen="192.0.2.2")
    assert config.read_text() == BEFORE
    done = connect(config, "dovecot", add=True, address="192.0.2.9", listen="192.0.2.2")
    (peer,) = load(config).peer
    assert [str(each) for each in peer.networks] == ["192.0.2.9/32"]
    assert any("url = http://192.0.2.2:9080" in step.text for step in done.steps)


def test_what_would_be_a_mistake_is_not_written(config: Path) -> None:
    """A unix socket for whoever may ask belongs to one peer: a second one makes it ambiguous."""
    text = BEFORE + '\n[[peer]]\nname = "mx"\n[[door]]\nkind = "policy"\nsocket = "/run/policy"\n'
    config.write_text(text)
    with pytest.raises(BadConfig, match="belongs to one peer"):
        connect(config, "dovecot", add=True)
    assert config.read_text() == text
    assert not (config.parent / "peers").exists()


@pytest.mark.parametrize("name", ["../evil", "..", "a/b", 'x"', "line\nbreak", "a" * 200])
def test_a_name_that_is_none_is_refused(config: Path, name: str) -> None:
    with pytest.raises(BadConfig):
        connect(config, "dovecot", add=True, peer=name)
    assert list(config.parent.rglob("*")) == [config]


def test_a_configuration_with_mistakes_is_refused(config: Path) -> None:
    config.write_text(BEFORE + "\nthis is no toml")
    with pytest.raises(BadConfig):
        connect(config, "dovecot", add=True)


def test_what_a_link_leads_to_is_written(config: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    connect(link, "postfix", add=True)
    assert link.is_symlink()
    assert "[[peer]]" in config.read_text()


OWN = '\n[[peer]]\nname = "mx1"\nsecret_file = "secret"\n[[door]]\nkind = "http"\nlisten = "127.0.0.1:9080"\n'


def test_a_peer_of_another_name_is_found_if_it_is_the_only_one(config: Path) -> None:
    config.write_text(BEFORE + OWN)
    (config.parent / "secret").touch(mode=0o600)
    (config.parent / "secret").write_text("a secret of the administrator\n")
    done = connect(config, "dovecot")
    assert any("secret = a secret of the administrator" in step.text for step in done.steps)
    second = OWN.replace("mx1", "mx2").replace("9080", "9079")
    config.write_text(BEFORE + OWN + second)
    with pytest.raises(InvalidInput, match="--peer: mx1, mx2"):
        connect(config, "dovecot")
    assert connect(config, "dovecot", peer="mx2").steps


def test_a_peer_of_another_server_is_not_taken(config: Path) -> None:
    """What Dovecot holds sessions to, nginx does not."""
    connect(config, "dovecot", add=True)
    done = connect(config, "nginx")
    assert 'name = "nginx"' in done.missing
    connect(config, "radius", add=True)
    assert "message_authenticator = false" in connect(config, "pam").missing


def test_a_peer_without_a_secret_is_said(config: Path) -> None:
    config.write_text(BEFORE + '\n[[peer]]\nname = "dovecot"\n')
    with pytest.raises(InvalidInput, match="no secret_file"):
        connect(config, "dovecot", add=True)

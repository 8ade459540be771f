"""What `valetkey check` says of doors and peers."""

import socket
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from valetkey.app.checking_doors import door_findings
from valetkey.config import Config, describe, parse
from valetkey.config.door_sections import DoorSection, PeerSection
from valetkey.config.kinds import Endpoint
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import Finding, Level

ELSEWHERE = (ip_network("192.0.2.7/32"),)
SECRET = "a-secret-of-some-length"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = parse(describe(), tmp_path / "valetkey.toml")
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(SECRET)
    return replace(made, peer=(PeerSection("mx1", secret_file=file),), door=())


def found(config: Config, *doors: DoorSection, is_running: bool = False) -> list[Finding]:
    return list(door_findings(replace(config, door=doors), is_running=is_running))


def bad(config: Config, *doors: DoorSection, is_running: bool = False) -> str:
    findings = [one for one in found(config, *doors, is_running=is_running) if one.level is not Level.GOOD]
    assert all(one.mend for one in findings)
    return "\n".join(one.what for one in findings)


def tcp(kind: DoorKind, host: str = "127.0.0.1", port: int = 9080, **more: object) -> DoorSection:
    return DoorSection(kind, Endpoint(host, port), **more)  # type: ignore[arg-type]


def test_a_secret_that_others_can_read_or_guess_or_that_is_not_there(config: Config) -> None:
    (peer,) = config.peer
    assert bad(config) == ""
    assert peer.secret_file is not None
    peer.secret_file.chmod(0o644)
    assert "others can read" in bad(config)
    peer.secret_file.chmod(0o600)
    peer.secret_file.write_text("short")
    assert "which can be guessed" in bad(config)
    peer.secret_file.unlink()
    assert "cannot be read" in bad(config)


def test_a_port_free_and_taken_and_ours(config: Config) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = tcp(DoorKind.HTTP, port=listening.getsockname()[1])
        assert "somebody else listens" in bad(config, door)
        assert bad(config, door, is_running=True) == ""
    assert bad(config, door) == ""
    assert "nobody answers" in bad(config, door, is_running=True)


def test_a_socket(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "sasl"
    door = DoorSection(DoorKind.SASL, socket=path)
    assert bad(config, door) == ""
    assert "is not there" in bad(config, door, is_running=True)
    assert "there is no folder" in bad(config, replace(door, socket=tmp_path / "nowhere" / "sasl"))
    assert "there is no group" in bad(config, replace(door, socket_group="no-such-group"))
    path.touch()
    assert "is no socket" in bad(config, door)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o660)
        assert "nobody answers at" in bad(config, door)
        listening.listen()
        assert bad(config, door, is_running=True) == ""
        path.chmod(0o666)
        assert "everybody on this machine can ask" in bad(config, door, is_running=True)


@pytest.mark.needs("root")
def test_a_socket_of_another_group(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "sasl"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0o660)
        door = DoorSection(DoorKind.SASL, socket=path, socket_group="mail")
        assert "does not belong to the group mail" in bad(config, door)


def test_a_peer_that_cannot_reach_its_door(config: Config) -> None:
    away = replace(config, peer=(replace(config.peer[0], networks=ELSEWHERE),))
    assert "is reached from this machine alone" in bad(away, tcp(DoorKind.HTTP))
    assert "without TLS" in bad(away, tcp(DoorKind.HTTP, "192.0.2.1"))
    assert "without TLS" not in bad(away, tcp(DoorKind.HTTP, "192.0.2.1", tls=True))


def test_what_policy_demands_and_the_protocol_cannot_say(config: Config) -> None:
    assert "every one is refused" in bad(config, tcp(DoorKind.RADIUS))
    assert bad(config, tcp(DoorKind.LDAP)) == ""  # there the filter says it
    vouched = replace(config, peer=(replace(config.peer[0], tls_only=True),))
    assert bad(vouched, tcp(DoorKind.RADIUS)) == ""


def test_two_peers_at_one_place_without_a_secret(config: Config) -> None:
    two = replace(config, peer=(config.peer[0], PeerSection("mx2")))
    assert "the first is taken for both" in bad(two, tcp(DoorKind.SASL))
    assert bad(two, tcp(DoorKind.HTTP)) == ""
    assert bad(two, tcp(DoorKind.LDAP)) == ""
    three = replace(two, peer=(*two.peer, PeerSection("mx3", tls_only=True)))
    assert "mx2 and mx3 ask from the same place" in bad(three, tcp(DoorKind.LDAP))


def test_two_peers_with_one_secret(config: Config) -> None:
    other = replace(config.peer[0], name="mx2", nginx=True)
    assert "with the same secret" in bad(replace(config, peer=(config.peer[0], other)))
    away = replace(other, networks=ELSEWHERE)
    assert bad(replace(config, peer=(config.peer[0], away))) == ""  # by its place nobody takes it for the first


def test_radius_over_a_network_without_proof(config: Config) -> None:
    peer = replace(config.peer[0], networks=ELSEWHERE, tls_only=True, message_authenticator=False)
    assert "answers can be forged" in bad(replace(config, peer=(peer,)), tcp(DoorKind.RADIUS, "192.0.2.1"))

"""What `valetkey check` says of the way to the portal, and of a mail server that takes little."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from valetkey.app.checking_portal import portal_findings
from valetkey.app.checking_upstreams import upstream_findings
from valetkey.config import Config, describe, parse
from valetkey.config.kinds import Endpoint
from valetkey.config.sections import Domain, Upstream
from valetkey.doors.cli.front import Level
from valetkey.doors.gateway.settings import TlsMode, UpstreamLogin

PUBLIC = "https://mail.example.org"
HERE = Endpoint("127.0.0.1", 8080)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return parse(describe(), tmp_path / "valetkey.toml")


def said(config: Config, listen: Endpoint | None, base_url: str, *trusted: str) -> list[str]:
    networks = tuple(map(ip_network, trusted))
    portal = replace(config.portal, listen=listen, base_url=base_url, trusted_proxies=networks)
    found = list(portal_findings(replace(config, portal=portal)))
    assert all(each.level is Level.WARNING and each.mend for each in found)
    return [each.what for each in found]


@pytest.mark.parametrize(
    ("listen", "base_url", "trusted"),
    [
        (HERE, "", ()),
        (HERE, "http://localhost:8080", ()),
        (HERE, PUBLIC, ("127.0.0.1/32",)),
        (HERE, PUBLIC, ("127.0.0.0/8", "::1/128")),
        (Endpoint("::1", 8080), PUBLIC, ("::1/128",)),
        (Endpoint("", 8080), PUBLIC, ("10.0.0.7/32",)),
        (None, PUBLIC, ()),
    ],
)
def test_nothing_is_said_of_what_may_be_right(
    config: Config, listen: Endpoint | None, base_url: str, trusted: tuple[str, ...]
):
    assert said(config, listen, base_url, *trusted) == []


def test_a_proxy_that_is_not_trusted_makes_all_visitors_one(config: Config):
    (what,) = said(config, HERE, PUBLIC)
    assert "none is trusted" in what
    (what,) = said(config, HERE, PUBLIC, "10.0.0.7/32")
    assert "only 127.0.0.1 can connect to 127.0.0.1:8080" in what
    (what,) = said(config, Endpoint("::1", 8080), PUBLIC, "127.0.0.1/32")
    assert "only ::1 can connect" in what


def test_everybody_is_no_proxy(config: Config):
    assert "any address" in said(config, HERE, "", "0.0.0.0/0")[0]
    assert len(said(config, HERE, PUBLIC, "0.0.0.0/0", "::/0")) == 1


@contextmanager
def smtp_server(hello: bytes) -> Iterator[int]:
    """Answer EHLO of every caller."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)

        def greet() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller, caller.makefile("rwb") as talk:
                    try:
                        talk.write(b"220 hello\r\n")
                        talk.flush()
                        if talk.readline().startswith(b"EHLO"):
                            talk.write(hello)
                            talk.flush()
                            talk.readline()
                    except OSError:
                        continue

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@pytest.mark.parametrize(
    ("hello", "is_noted"),
    [(b"250-x\r\n250 SIZE 10240000\r\n", True), (b"250 SIZE\r\n", False), (b"250-x\r\n250 SIZE 999999999\r\n", False)],
)
def test_a_mail_server_that_takes_less_than_is_configured(config: Config, hello: bytes, *, is_noted: bool):
    with smtp_server(hello) as port:
        entry = Upstream("127.0.0.1", port, TlsMode.NONE, UpstreamLogin.XCLIENT)
        found = list(upstream_findings(replace(config, domain=(Domain("*", smtp=entry),)), None))
    notes = [each.what for each in found if each.subject == "message size"]
    assert bool(notes) is is_noted
    assert all(each.level is Level.GOOD for each in found)
    assert all("10240000" in note for note in notes)

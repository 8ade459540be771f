"""The doors of the configuration, as the page of mail servers is told of them."""

from pathlib import Path

from valetkey.app.door_settings import door_settings, mail_doors_of
from valetkey.config import parse

TEXT = """
[server]
hostname = "mail.example.org"
[[peer]]
name = "mx1"
networks = ["127.0.0.1"]

[[peer]]
name = "mx2"
networks = ["192.0.2.0/24"]

[[door]]
kind = "sasl"
listen = "127.0.0.1:9100"

[[door]]
kind = "saslauthd"
socket = "/run/valetkey/mux"
peers = ["mx2"]
protocol = "imap"
"""


def test_questions_are_counted_under_the_name_that_the_page_looks_for() -> None:
    config = parse(TEXT, Path("/etc/valetkey/valetkey.toml"))
    told = mail_doors_of(config)
    assert [(one.kind, one.place, one.has_tls, one.peers) for one in told] == [
        ("sasl", "127.0.0.1:9100", False, ("mx1", "mx2")),
        ("saslauthd", "/run/valetkey/mux", False, ("mx2",)),
    ]
    served = door_settings(config).doors
    assert [one.name for one in told] == [one.counted_as for one in served]
    assert [one.peers for one in told] == [tuple(peer.name for peer in one.peers) for one in served]

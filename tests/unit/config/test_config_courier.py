"""What the configuration says of Courier's mailboxes, and a peer's word that it takes passwords over TLS alone."""

from pathlib import Path

import pytest

from valetkey.app.door_settings import door_settings
from valetkey.config import BadConfig, parse

PLACE = Path("/etc/valetkey/valetkey.toml")
START = """\
[server]
hostname = "mail.example.org"
[[peer]]
name = "courier"
tls_only = true
[[peer]]
name = "other"
[[door]]
kind = "authdaemon"
socket = "/run/courier/authdaemon/socket"
peers = ["courier"]
"""
OWNER = 'login_user = "vmail"\n'
MAILBOX = 'mailbox = "/var/mail/{domain}/{local_part}"\n'


def mistakes(text: str) -> list[tuple[str, str]]:
    with pytest.raises(BadConfig) as caught:
        parse(text, PLACE)
    return [(one.setting, one.what) for one in caught.value.mistakes]


def test_a_door_for_courier_knows_whose_the_mailboxes_are_and_where() -> None:
    [door] = door_settings(parse(START + OWNER + MAILBOX, PLACE)).doors
    assert (door.login_user, door.mailbox) == ("vmail", "/var/mail/{domain}/{local_part}")


def test_only_who_says_so_takes_passwords_over_tls_alone() -> None:
    peers = door_settings(parse(START + OWNER + MAILBOX, PLACE)).peers
    assert [(each.name, each.tls_only) for each in peers] == [("courier", True), ("other", False)]


@pytest.mark.parametrize("given", ["", OWNER, MAILBOX])
def test_both_are_needed(given: str) -> None:
    assert mistakes(START + given) == [("[door] login_user", "login_user and mailbox are needed here")]


@pytest.mark.parametrize(
    ("mailbox", "what"),
    [
        ("/var/mail/{name}", "it may name {user}, {local_part} and {domain}, and nothing else"),
        ("/var/mail/all", "it must name {user} or {local_part}, or all people share one mailbox"),
        ("Maildir/{user}", "it is no whole path, such as /var/mail/{domain}/{local_part}"),
    ],
)
def test_a_mailbox_that_leads_nowhere_is_a_mistake(mailbox: str, what: str) -> None:
    assert mistakes(f'{START}{OWNER}mailbox = "{mailbox}"\n') == [("[door] mailbox", what)]


def test_it_is_spoken_on_a_unix_socket_alone() -> None:
    tcp = (START + OWNER + MAILBOX).replace('socket = "/run/courier/authdaemon/socket"', 'listen = "127.0.0.1:9999"')
    assert mistakes(tcp) == [("[door] listen", "authdaemon is spoken on unix sockets only")]

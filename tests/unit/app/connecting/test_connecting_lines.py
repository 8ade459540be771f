"""The lines that `valetkey connect` prints: they are those of the pages for administrators, and name what is needed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.app.connecting.connecting_setup import PLACES, SECRET, setup

from valetkey.app.connecting.finding import RECIPE_NAMES
from valetkey.app.connecting.lines import version_for
from valetkey.app.connecting.parts import Place, number_of
from valetkey.app.connecting.servers import RECIPES, recipe_of
from valetkey.core.errors import InvalidInput
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind

DOCS = Path(__file__).parents[4] / "docs" / "servers"
PAGES = {"dovecot-oauth2": "dovecot"}
PEERS = {"dovecot-oauth2": "dovecot", "ldap": "dovecot"}  # as the pages call them
# What a page says in another way, each for a reason.
OTHERWISE = {
    "sasl_saslauthd_path: /var/spool/valetkey/saslauthd",
    "saslauthd_path: /var/spool/valetkey/saslauthd",  # sendmail's page has a socket of its own
    f"127.0.0.1:1812 {SECRET} 4",
    "passdb {", "}", "driver = oauth2", "mechanisms = plain login",  # the page has them in one line
    "args = /etc/dovecot/valetkey-oauth2.conf.ext",
    "ipaddr = 127.0.0.1",
    "ExecStart=", "PIDFile=", "ExecStop=", "[Service]", "ReadWritePaths=/var/spool/valetkey",
}  # fmt: skip


def words(text: str) -> str:
    """Give a text with one space wherever there is any."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", sorted(RECIPES))
@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_every_line_stands_on_the_servers_page(name: str, version: str) -> None:
    recipe = RECIPES[name]
    page = words((DOCS / f"{PAGES.get(name, name)}.md").read_text())
    lines = recipe.lines(setup(version, PEERS.get(name, name)))
    for step in lines.steps:
        if not step.file.startswith(("/", "the ACL")):
            continue  # what a form or a rule asks for is said there in a sentence
        for line in map(str.strip, step.text.splitlines()):
            shown = words(line.replace(SECRET, "…"))
            usual = [shown, shown.replace("…", "THE-SECRET"), shown.replace("…", "THE-SECRET-OF-THE-PEER")]
            is_said = line in OTHERWISE or any(
                each in page for each in [*usual, shown.replace("secret = …", "secret = $(")]
            )
            assert is_said, f"{name} {version}: {line}"


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_secret_is_told_apart_from_the_rest(name: str) -> None:
    """Whoever shows lines where others read along knows what to leave out."""
    for step in RECIPES[name].lines(setup("2.4")).steps:
        assert (SECRET in step.text) == (step.secrets == (SECRET,))
        assert SECRET not in " ".join(step.commands)
        assert SECRET not in repr(step)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_all_say_how_to_take_it_out_again(name: str) -> None:
    lines = RECIPES[name].lines(setup("2.4"))
    assert lines.removal
    assert lines.steps[-1].commands or lines.steps[-1].text


def test_a_name_of_a_server_is_no_name_of_another_ones_peer() -> None:
    assert set(RECIPES) <= RECIPE_NAMES


def test_an_unknown_server_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="dovecot, dovecot-oauth2, postfix"):
        recipe_of("qmail")


def test_dovecots_lines_follow_its_version() -> None:
    (old,) = [step.text for step in RECIPES["dovecot"].lines(setup("2.3.19.1")).steps if step.file.endswith(".conf")]
    (new,) = [step.text for step in RECIPES["dovecot"].lines(setup("2.4.1")).steps if step.file.endswith(".conf")]
    assert "driver = lua" in old
    assert "lua_file = /etc/dovecot/valetkey.lua" in new


def test_nothing_is_held_that_the_peer_does_not_hold() -> None:
    lines = RECIPES["dovecot"].lines(replace(setup("2.3"), holds=frozenset({Held.RECIPIENTS})))
    assert "acl" not in "".join(step.text for step in lines.steps)
    lines = RECIPES["postfix"].lines(replace(setup("3.7"), holds=frozenset()))
    assert "policy" not in " ".join(line for step in lines.steps for line in step.commands)


def test_unix_sockets_in_postfixs_chroot_are_written_from_its_queue() -> None:
    within = {kind: Place(socket=Path(f"/var/spool/postfix/valetkey/{kind.value}")) for kind in PLACES}
    lines = RECIPES["postfix"].lines(replace(setup("3.7"), places=within))
    told = "\n".join(line for step in lines.steps for line in step.commands)
    assert "smtpd_sasl_path=valetkey/sasl'" in told
    assert "socketmap:unix:valetkey/socketmap:login" in told
    assert "check_policy_service { unix:valetkey/policy," in told


def test_exim_wants_a_space_before_the_port_and_a_path_as_it_is() -> None:
    socket = replace(setup(), places={**PLACES, DoorKind.SASL: Place(socket=Path("/run/valetkey-exim/sasl"))})
    assert "server_socket = 127.0.0.1 9081" in RECIPES["exim"].lines(setup()).steps[0].text
    assert "server_socket = /run/valetkey-exim/sasl" in RECIPES["exim"].lines(socket).steps[0].text


def test_exim_asks_a_policy_door_at_a_path_too() -> None:
    socket = replace(setup(), places={**PLACES, DoorKind.POLICY: Place(socket=Path("/run/valetkey-exim/policy"))})
    for step in (1, 2):
        assert "${readsocket{inet:127.0.0.1:9082}{request=" in RECIPES["exim"].lines(setup()).steps[step].text
        assert "${readsocket{/run/valetkey-exim/policy}{request=" in RECIPES["exim"].lines(socket).steps[step].text


def test_places() -> None:
    assert Place("2001:db8::1", 9080).url == "http://[2001:db8::1]:9080"
    assert Place("mail.example.org", 443, tls=True).url == "https://mail.example.org:443"


@pytest.mark.parametrize(
    ("text", "numbers"), [("2.3.19.1", (2, 3, 19, 1)), ("2.4.1-4", (2, 4, 1)), ("", ()), ("unknown", ()), ("3.x", (3,))]
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert number_of(text) == numbers


def test_a_version_without_lines_is_refused() -> None:
    assert version_for(RECIPES["dovecot"], "2.4") == "2.4"
    with pytest.raises(InvalidInput, match=r"2\.3 and 2\.4, not for 2\.2"):
        version_for(RECIPES["dovecot"], "2.2")

"""The ways in by LDAP: a mail server searches for the name to bind as, or makes it by itself."""

import re
from typing import TYPE_CHECKING

from tests.doors import ldap_client as ldap
from tests.doors.ways_in import ALL_PROTOCOLS, PEER, Asker, Login, Way, octets_of

from valetkey.doors.asked.settings import DoorKind

if TYPE_CHECKING:
    from tests.doors.every_door import EveryDoor, Line

_TO_ESCAPE = re.compile(r'[,+"\\<>;=# \x00-\x1f\x7f-\uffff]')


def escaped(value: str) -> str:
    """Write a value into a name (RFC 4514 2.4)."""
    return _TO_ESCAPE.sub(lambda found: "".join(f"\\{octet:02x}" for octet in octets_of(found[0])), value)


async def bound(line: "Line", login: Login) -> tuple[ldap.Client, str]:
    """Let the mail server prove itself; gives what it is told if that fails."""
    client = ldap.Client(line)  # type: ignore[arg-type]  # it says and reads as the tests' other connections do
    said = await _bind(client, f"cn={PEER},{ldap.BASE}", login.peer_secret)
    return client, "" if said == "0 " else said


async def _bind(client: ldap.Client, name: str, secret: str) -> str:
    reply = await client.ask(ldap.bind(octets_of(name), octets_of(secret)))
    return f"{reply.code} {reply.text}"


def _tls(login: Login) -> str:
    return "TLS" if login.tls else "no"


async def searched(client: ldap.Client, login: Login) -> str:
    """Search for the name to bind as; nothing is found of a name that nobody could have."""
    facts = {"rip": login.address, "tls": _tls(login)}
    entries, _ = await client.find(ldap.login(octets_of(login.name), login.protocol.value, **facts))
    return entries[0].name if entries else ""


async def made(client: ldap.Client, login: Login) -> str:
    """Make the name to bind as, as a server does that does not search."""
    del client
    address = escaped(login.address)
    return f"uid={escaped(login.name)},service={login.protocol.value},rip={address},tls={_tls(login)},{ldap.BASE}"


def _way(mechanism: str, named: object) -> Way:
    async def ask(site: "EveryDoor", asker: Asker, login: Login) -> str:
        line = await site.connect(DoorKind.LDAP, asker)
        try:
            client, refused = await bound(line, login)
            if refused:
                return refused
            name = await named(client, login)  # type: ignore[operator]
            return await _bind(client, name, login.secret) if name else "49 "
        except (ConnectionError, EOFError):
            return ""
        finally:
            line.close()

    return Way("ldap", mechanism, "ldap", ALL_PROTOCOLS, ask, keeps_name=True, has_peer_secret=True)


WAYS = (_way("search and bind", searched), _way("bind alone", made))

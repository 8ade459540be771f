"""The RADIUS door over real datagrams: who is answered, with what, and what one peer cannot do to another's logins."""

import asyncio
import random
import socket
import sys
from contextlib import closing

import pytest
from tests.doors.door_site import HELP, QUICK, DoorSite, door, open_doors, peer, person_with
from tests.doors.radius_client import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCOUNTING_REQUEST,
    CHAP_PASSWORD,
    CLASS,
    EAP_MESSAGE,
    PROOF,
    PROXY_STATE,
    REPLY_MESSAGE,
    STATUS_SERVER,
    Ask,
    Client,
    attribute,
    connected,
)
from tests.verbs.site import PASSWORD, House

from valetkey.app.doors import bind_all, serve_doors
from valetkey.core.errors import CannotStart, Unavailable
from valetkey.core.limits import EVERYTHING_HELD
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.asked.settings import DoorKind, Limits, Settings
from valetkey.doors.serve.metrics import Metrics
from valetkey.service import accounts
from valetkey.service.ports import OPERATOR

MX = peer(tls_only=True, holds=EVERYTHING_HELD)
OLD = peer("old", tls_only=True, holds=EVERYTHING_HELD, secret="secret of an old one", message_authenticator=False)


@pytest.fixture
async def site(tmp_path):
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX, OLD)) as opened:
        yield opened


@pytest.fixture
async def client(site: DoorSite):
    async with connected(site.port()) as opened:
        yield opened


@pytest.fixture
async def right(site: DoorSite) -> Ask:
    """A request that is accepted."""
    _, secret = await person_with(site)
    return Ask(password=secret.encode())


def counted(site: DoorSite, result: str) -> float:
    return site.samples().get(f"valetkey_door_requests_total radius {result}", 0)


async def test_a_right_login_is_accepted_and_its_app_password_named(site: DoorSite, client: Client, right: Ask):
    reply = await client.ask(right)
    assert reply.code == ACCESS_ACCEPT
    (app_password,) = reply.values(CLASS)
    assert app_password.startswith(b"ap_")
    assert reply.values(REPLY_MESSAGE) == []
    assert site.samples()["valetkey_door_logins_total radius imap allowed"] == 1


@pytest.mark.parametrize(
    "name", [b"alice@example.org", b"nobody@example.org", b"", b"a" * 253, b"a\0b", b"\xff\xfe", b"a@b@c"]
)
async def test_a_wrong_login_is_rejected_without_a_word(client: Client, right: Ask, name: bytes):
    reply = await client.ask(right.but(name=name, password=b"wrong"))
    assert reply.code == ACCESS_REJECT
    assert [kind for kind, _ in reply.attributes] == [PROOF]


@pytest.mark.parametrize("password", [bytes(range(1, 129)), bytes(range(128, 256)), b"\0" * 16, b"tab\tline\r\n", b""])
async def test_passwords_of_every_octet_are_no_more_than_wrong(client: Client, right: Ask, password: bytes):
    assert (await client.ask(right.but(password=password))).code == ACCESS_REJECT


async def test_the_reason_is_told_once_the_secret_is_proven(site: DoorSite, client: Client):
    _, secret = await person_with(site, network_rule=NetworkRule.ALLOWED, allowed_ips=("203.0.113.0/24",))
    reply = await client.ask(Ask(password=secret.encode()))
    assert reply.code == ACCESS_REJECT
    (message,) = reply.values(REPLY_MESSAGE)
    assert message == f"This app password may not be used from this network, see {HELP}".encode()
    inside = await client.ask(Ask(password=secret.encode(), client=b"203.0.113.9"))
    assert inside.code == ACCESS_ACCEPT
    for unknown in (None, b"", b"00-11-22-33-44-55", b"203.0.113.9%eth0", b"203.0.113.9, 10.0.0.1"):
        assert (await client.ask(Ask(password=secret.encode(), client=unknown))).code == ACCESS_REJECT


@pytest.mark.parametrize(
    ("service", "protocol"), [(b"imap", "imap"), (b"POP3", "pop3"), (b"smtp", "smtp"), (b"sieve", "sieve")]
)
async def test_the_service_is_the_protocol(site: DoorSite, client: Client, right: Ask, service: bytes, protocol: str):
    assert (await client.ask(right.but(service=service))).code == ACCESS_ACCEPT
    assert site.samples()[f"valetkey_door_logins_total radius {protocol} allowed"] == 1


@pytest.mark.parametrize("service", [b"sshd", b"firewall.example.org", b"imap ", b"imap\0", b"\xff", None])
async def test_an_unknown_service_is_rejected(client: Client, right: Ask, service: bytes | None):
    assert (await client.ask(right.but(service=service))).code == ACCESS_REJECT


async def test_an_alias_opens_nothing_because_the_server_would_open_a_mailbox_of_that_name(
    site: DoorSite, client: Client, right: Ask
):
    account = await site.house.ports.store.read(lambda reader: reader.accounts()[0])
    await accounts.add_alias(site.house.ports, OPERATOR, account.id, "sales@example.org")
    assert (await client.ask(right.but(name=b"sales@example.org"))).code == ACCESS_REJECT
    assert (await client.ask(right)).code == ACCESS_ACCEPT


async def test_a_name_is_read_in_utf_8_alone_because_the_server_goes_on_with_its_octets(site: DoorSite, client: Client):
    _, secret = await person_with(site, "jürgen@example.org")
    ask = Ask(name="jürgen@example.org".encode(), password=secret.encode())
    assert (await client.ask(ask)).code == ACCESS_ACCEPT
    assert (await client.ask(ask.but(name="jürgen@example.org".encode("latin-1")))).code == ACCESS_REJECT


async def test_a_client_that_names_no_service_asks_for_the_doors_protocol(tmp_path):
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX, protocol=MailProtocol.IMAP)) as site:
        _, secret = await person_with(site)
        async with connected(site.port()) as client:
            ask = Ask(password=secret.encode(), service=None)
            assert (await client.ask(ask)).code == ACCESS_ACCEPT
            assert (await client.ask(ask.but(service=b"sshd"))).code == ACCESS_REJECT


async def test_without_tls_policy_decides(tmp_path):
    async with open_doors(tmp_path, door(DoorKind.RADIUS, peer(holds=EVERYTHING_HELD))) as site:
        _, secret = await person_with(site)
        async with connected(site.port()) as client:
            reply = await client.ask(Ask(password=secret.encode()))
            assert reply.code == ACCESS_REJECT
            assert b"TLS" in reply.values(REPLY_MESSAGE)[0]


async def test_who_does_not_know_the_secret_hears_nothing(site: DoorSite, client: Client, right: Ask):
    wrong = right.but(secret=b"another")
    unsigned = right.but(is_signed=False)
    unreadable = (right.octets[:-1], b"\0", b"x" * 5000)
    reply = await client.hears_nothing_of(wrong.octets, unsigned.octets, *unreadable, then=right)
    assert reply.code == ACCESS_ACCEPT
    assert counted(site, "unproven") == 2
    assert counted(site, "misunderstood") == 3
    # A peer's wrong secret is nobody's failed login.
    assert [name for name in site.samples() if "logins_total" in name] == [
        "valetkey_door_logins_total radius imap allowed"
    ]


async def test_several_peers_at_one_address_are_known_by_their_secrets(client: Client, right: Ask):
    old = right.but(secret=b"secret of an old one")
    assert (await client.ask(old)).code == ACCESS_ACCEPT
    assert (await client.ask(old.but(is_signed=False))).code == ACCESS_ACCEPT
    assert (await client.ask(right)).code == ACCESS_ACCEPT


async def test_a_peer_without_proofs_may_not_send_what_a_forger_needs(client: Client, right: Ask):
    old = right.but(secret=b"secret of an old one", is_signed=False)
    states = attribute(PROXY_STATE, b"x")
    reply = await client.hears_nothing_of(
        old.but(more=states).octets, old.but(password=None).octets, old.but(code=STATUS_SERVER).octets, then=old
    )
    assert reply.code == ACCESS_ACCEPT
    assert (await client.ask(old.but(more=states, is_signed=True))).values(PROXY_STATE) == [b"x"]


async def test_an_address_that_is_not_listed_hears_nothing(tmp_path):
    stranger = peer(networks=())
    async with open_doors(tmp_path, door(DoorKind.RADIUS, stranger)) as site:
        _, secret = await person_with(site)
        async with connected(site.port()) as client:
            client.send(Ask(password=secret.encode()).octets)
            async with asyncio.timeout(30):
                while not counted(site, "turned-away"):
                    await asyncio.sleep(0.01)
            assert client.arrived.empty()


@pytest.mark.parametrize("ask", [
    Ask(password=None), Ask(password=None, more=attribute(CHAP_PASSWORD, b"x" * 17)),
    Ask(password=None, more=attribute(EAP_MESSAGE, b"\x02\x01\x00\x05\x01")), Ask(password=b"x", more=attribute(EAP_MESSAGE, b"x")),
])  # fmt: skip
async def test_only_pap_is_understood(site: DoorSite, client: Client, ask: Ask):
    reply = await client.ask(ask)
    assert reply.code == ACCESS_REJECT
    assert reply.values(REPLY_MESSAGE) == []
    assert counted(site, "no-pap") == 1


async def test_other_requests_get_no_reply_and_the_status_does(site: DoorSite, client: Client):
    status = Ask(code=STATUS_SERVER, name=None, password=None, service=None, client=None)
    reply = await client.hears_nothing_of(status.but(code=ACCOUNTING_REQUEST).octets, then=status)
    assert reply.code == ACCESS_ACCEPT
    assert reply.values(CLASS) == []
    assert counted(site, "status") == 1


async def test_proxy_state_comes_back(client: Client, right: Ask):
    more = attribute(PROXY_STATE, b"one") + attribute(PROXY_STATE, b"two")
    assert (await client.ask(right.but(more=more))).values(PROXY_STATE) == [b"one", b"two"]
    assert (await client.ask(right.but(more=more, password=b"wrong"))).values(PROXY_STATE) == [b"one", b"two"]


async def test_a_repetition_gets_the_same_reply_and_no_second_decision(site: DoorSite, client: Client, right: Ask):
    for ask in (right, right.but(password=b"wrong")):
        for _ in range(3):
            client.send(ask.octets)
        first = await client.arrived.get()
        client.send(ask.octets)  # behind the reply
        assert await client.arrived.get() == first
    logins = {name: value for name, value in site.samples().items() if "logins_total" in name}
    assert logins == {
        "valetkey_door_logins_total radius imap allowed": 1,
        "valetkey_door_logins_total radius imap wrong-secret": 1,
    }


async def test_the_same_request_from_another_port_is_another(site: DoorSite, client: Client, right: Ask):
    async with connected(site.port()) as other:
        assert (await client.ask(right)).code == (await other.ask(right)).code == ACCESS_ACCEPT
        assert site.samples()["valetkey_door_logins_total radius imap allowed"] == 2


async def test_what_cannot_be_told_gets_no_reply_and_a_repetition_is_decided_anew(tmp_path):
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX)) as site:
        _, secret = await person_with(site)
        async with connected(site.port()) as client:
            ask = Ask(password=secret.encode())
            found = site.house.store._hot.find_login

            def broken(*_):
                raise Unavailable("gone")

            site.house.store._hot.find_login = broken
            client.send(ask.octets)
            async with asyncio.timeout(30):
                while not counted(site, "unanswered"):
                    await asyncio.sleep(0.01)
            assert client.arrived.empty()
            site.house.store._hot.find_login = found
            assert (await client.ask(ask)).code == ACCESS_ACCEPT


async def test_throttled_logins_get_no_reply(tmp_path):
    house = House(tmp_path, throttle=ThrottleLimits(per_network=2))
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX), house=house) as site:
        _, secret = await person_with(site)
        async with connected(site.port()) as client:
            ask = Ask(password=secret.encode())
            for n in range(2):
                assert (await client.ask(ask.but(password=b"wrong %d" % n))).code == ACCESS_REJECT
            reply = await client.hears_nothing_of(ask.but(password=b"wrong 3").octets, then=ask)
            assert reply.code == ACCESS_ACCEPT


async def test_refusals_wait_and_keep_nobody_waiting(tmp_path):
    limits = Limits(failure_delay=2)
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX), limits=limits) as site:
        _, secret = await person_with(site)
        async with connected(site.port()) as client, connected(site.port()) as other:
            ask = Ask(password=secret.encode())
            wrong = [ask.but(password=b"wrong %d" % n, identifier=n) for n in range(50)]
            begun = asyncio.get_running_loop().time()
            for one in wrong:
                client.send(one.octets)
            assert (await other.ask(ask)).code == ACCESS_ACCEPT
            assert client.arrived.empty(), "the refusals are still to come"
            for _ in wrong:
                assert (await client.arrived.get())[0] == ACCESS_REJECT
            assert asyncio.get_running_loop().time() - begun >= 2


async def test_a_peer_that_asks_too_much_has_its_share_and_no_more(tmp_path):
    limits = Limits(failure_delay=0.5, at_once=3, connections=6)
    others = peer("others", secret="secret of the others", tls_only=True, holds=EVERYTHING_HELD)
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX, others), limits=limits) as site:
        _, secret = await person_with(site)
        async with connected(site.port()) as client:
            ask = Ask(password=secret.encode())
            for n in range(10):
                client.send(ask.but(password=b"wrong %d" % n, identifier=n).octets)
            reply = await client.ask(ask.but(secret=b"secret of the others"))
            assert reply.code == ACCESS_ACCEPT
            assert counted(site, "too-many") == 7


async def test_a_flood_of_rubbish_keeps_nobody_waiting(site: DoorSite, client: Client, right: Ask):
    chance = random.Random(1)
    octets = right.but(secret=b"another").octets
    async with connected(site.port()) as flooding:
        for _ in range(50):
            for _ in range(20):
                rubbish = bytearray(octets)
                for _ in range(chance.randrange(4)):
                    rubbish[chance.randrange(len(rubbish))] = chance.randrange(256)
                flooding.send(bytes(rubbish[: chance.randrange(1, len(rubbish) + 1)]))
            await asyncio.sleep(0)
        begun = asyncio.get_running_loop().time()
        assert (await client.ask(right)).code == ACCESS_ACCEPT
        assert asyncio.get_running_loop().time() - begun < 20
        assert flooding.arrived.empty()


HOLD = "import fcntl, sys; fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"


async def test_one_worker_answers_and_another_takes_over(tmp_path):
    """Two workers with one socket: the first is another process, as in an installation."""
    settings = Settings("mail.example.org", (door(DoorKind.RADIUS, MX),), (MX,), limits=QUICK)
    house, bound, metrics = House(tmp_path), bind_all(settings), Metrics()
    number = str(bound.sockets[0].fileno())
    pipe = asyncio.subprocess.PIPE
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, number, pass_fds=[int(number)], stdin=pipe, stdout=pipe
    )
    assert first.stdout
    await first.stdout.readline()
    stop, ready = asyncio.Event(), asyncio.Event()
    second = asyncio.create_task(serve_doors(bound, house.ports, metrics, ready, stop))
    await ready.wait()
    async with connected(bound.sockets[0].getsockname()[1]) as client:
        ask = Ask(password=b"wrong")
        client.send(ask.octets)
        with pytest.raises(TimeoutError):
            await client.reply(ask, within=1.5)  # it waits for the first
        first.kill()
        await first.wait()
        assert (await client.reply(ask)).code == ACCESS_REJECT
    stop.set()
    await second
    house.close()


async def test_main_password_and_code_pass_where_policy_permits_it(tmp_path):
    house = House(tmp_path, policy=Policy(password_with_code=True))
    async with open_doors(tmp_path, door(DoorKind.RADIUS, MX), house=house) as site:
        alice = await house.person()
        async with connected(site.port()) as client:
            ask = Ask(password=(PASSWORD + house.code(alice.seed)).encode())
            assert (await client.ask(ask.but(password=PASSWORD.encode()))).code == ACCESS_REJECT
            reply = await client.ask(ask)
            assert reply.code == ACCESS_ACCEPT
            assert reply.values(CLASS) == []
            house.clock.move(hours=2)
            assert (await client.ask(ask.but())).code == ACCESS_ACCEPT  # remembered
            elsewhere = await client.ask(ask.but(client=b"192.0.2.1"))
            assert elsewhere.code == ACCESS_REJECT
            assert elsewhere.values(REPLY_MESSAGE) == []


async def test_a_port_in_use_is_told(tmp_path):
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(CannotStart, match="in use"):
            async with open_doors(tmp_path, door(DoorKind.RADIUS, port=taken.getsockname()[1])):
                pass

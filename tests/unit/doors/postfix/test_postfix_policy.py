"""Postfix's policy service, asked on real sockets with a real store."""

import asyncio
from dataclasses import replace

import pytest
from tests.doors.door_site import QUICK, DoorSite, door, open_doors, peer, replaced
from tests.doors.gateway_site import Talk
from tests.verbs.site import OPERATOR, House

from valetkey.core.errors import Unavailable
from valetkey.core.limits import Limits
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.tagged_name import tagged
from valetkey.doors.asked.settings import DoorKind
from valetkey.service import accounts, app_passwords

ALICE = "alice@example.org"
DUNNO = "action=DUNNO"


def policy(**changes):
    return door(DoorKind.POLICY, peer(secret="", **changes))


async def ask(talk: Talk, name: str, **facts: str) -> str:
    """Ask as Postfix 3.7 does at RCPT, and give the answer's line."""
    given = {
        "request": "smtpd_access_policy",
        "protocol_state": "RCPT",
        "protocol_name": "ESMTP",
        "client_address": "198.51.100.7",
        "client_name": "unknown",
        "client_port": "50123",
        "helo_name": "[192.0.2.1]",
        "sender": ALICE,
        "recipient": "bob@example.net",
        "recipient_count": "0",
        "queue_id": "",
        "instance": "3c26.6b000890.bcb3b.0",
        "size": "0",
        "sasl_method": "PLAIN",
        "sasl_username": name,
        "sasl_sender": "",
        "encryption_protocol": "TLSv1.3",
        "policy_context": "",
    }
    await talk.say("".join(f"{key}={value}\n" for key, value in (given | facts).items()) + "\n")
    line = await talk.line()
    assert await talk.line() == "\n"
    return line.rstrip("\n")


async def end(talk: Talk, name: str, instance: str, recipients: int = 1, **facts: str) -> str:
    """Ask as Postfix does when the message is there."""
    state = {"protocol_state": "END-OF-MESSAGE", "instance": instance, "recipient_count": str(recipients)}
    return await ask(talk, name, **(state | {"recipient": "" if recipients > 1 else "bob@example.net"} | facts))


async def sender(site: DoorSite, **wanted) -> tuple[object, str, str]:
    """Make alice with an app password; gives her, the name that Postfix knows, and the app password's id."""
    person = await site.house.person(ALICE)
    issued = await site.house.issue(person, **wanted)
    return person, tagged(ALICE, issued.app_password.id), issued.app_password.id


async def test_without_limits_everything_passes_and_nothing_is_counted(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        _, name, credential = await sender(site)
        talk = await site.connect()
        assert await ask(talk, name) == DUNNO
        assert await ask(talk, name, protocol_state="DATA", recipient_count="3") == DUNNO
        assert await end(talk, name, "a.0", 3) == DUNNO
        today = site.house.clock.now().date()
        assert (await site.house.store.read(lambda reader: reader.sent_on(credential, today))).messages == 0


async def test_senders_and_recipients(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        limits = Limits(senders=(ALICE,), recipients=("bob@example.net", "@example.org"))
        _, name, _ = await sender(site, limits=limits)
        talk = await site.connect()
        assert await ask(talk, name) == DUNNO
        assert await ask(talk, name, recipient="Anybody@EXAMPLE.org") == DUNNO
        said = await ask(talk, name, recipient="eve@example.net")
        assert said == "action=REJECT 5.7.1 This app password may not send mail to this address"
        for state in ("MAIL", "RCPT", "DATA", "END-OF-MESSAGE"):
            said = await ask(talk, name, sender="boss@example.org", protocol_state=state, instance=f"{state}.0")
            assert said == "action=REJECT 5.7.1 This app password may not send mail as this address"
        assert "as this address" in await ask(talk, name, sender="")
        assert "to this address" in await ask(talk, name, recipient="Postmaster")


async def test_a_message_is_counted_once_and_the_last_place_is_the_last(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        _, name, _ = await sender(site, limits=Limits(messages_per_day=2))
        talk = await site.connect()
        for instance in ("a.0", "a.1"):
            assert await ask(talk, name, instance=instance) == DUNNO
            assert await ask(talk, name, instance=instance, recipient="carol@example.net") == DUNNO
            assert await end(talk, name, instance, 2) == DUNNO
            assert await end(talk, name, instance, 2) == DUNNO  # a second list of Postfix that asks the same
        refused = "action=REJECT 5.7.1 This app password has sent as many messages today as it may"
        assert await end(talk, name, "a.2") == refused
        assert await ask(talk, name, instance="a.3") == refused
        assert await ask(talk, name, instance="a.3", protocol_state="DATA") == refused
        site.house.clock.move(days=1)
        assert await end(talk, name, "a.4") == DUNNO


async def test_recipients_of_a_message_and_of_a_day(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        limits = Limits(recipients_per_message=3, recipients_per_day=5)
        _, name, _ = await sender(site, limits=limits)
        talk = await site.connect()
        many = await end(talk, name, "a.0", 4)
        assert many == "action=REJECT 5.5.3 This app password may not send one message to so many recipients"
        assert await ask(talk, name, protocol_state="DATA", recipient_count="4") == many
        assert await end(talk, name, "a.1", 3) == DUNNO
        assert await end(talk, name, "a.1", 4) == many, "it comes again, and with one more"
        assert "as many recipients today" in await end(talk, name, "a.2", 3)
        assert await end(talk, name, "a.3", 2) == DUNNO
        assert "as many recipients today" in await ask(talk, name)


async def test_parallel_messages_cannot_both_take_the_last_place(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        _, name, _ = await sender(site, limits=Limits(messages_per_day=5))
        talks = [await site.connect() for _ in range(20)]
        said = await asyncio.gather(*(end(talk, name, f"{n}.0") for n, talk in enumerate(talks)))
        assert said.count(DUNNO) == 5


async def test_each_app_password_has_its_own_count(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        person, name, _ = await sender(site, limits=Limits(messages_per_day=1))
        other = await site.house.issue(person, "Other", limits=Limits(messages_per_day=1))
        talk = await site.connect()
        assert await end(talk, name, "a.0") == DUNNO
        assert await end(talk, name, "a.1") != DUNNO
        assert await end(talk, tagged(ALICE, other.app_password.id), "a.2") == DUNNO


async def test_what_is_revoked_in_a_live_session_sends_no_more(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        person, name, credential = await sender(site)
        talk = await site.connect()
        assert await ask(talk, name) == DUNNO
        await app_passwords.revoke(site.house.ports, person.actor, credential)
        for state in ("MAIL", "RCPT", "DATA", "END-OF-MESSAGE"):
            said = await ask(talk, name, protocol_state=state)
            assert said == "action=REJECT 5.7.1 This app password may no longer be used"
        assert site.samples()["valetkey_door_requests_total policy refused"] == 4


async def test_every_gate_is_looked_at_again(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        person, name, _ = await sender(site, network_rule=NetworkRule.ALLOWED, allowed_ips=("198.51.100.0/24",))
        reading = await site.house.issue(person, scope=replaced([Permission.READ], MailProtocol.IMAP))
        ends = site.house.clock.now().replace(day=2)
        short = await site.house.issue(person, expires_at=ends)
        talk = await site.connect()
        assert await ask(talk, name) == DUNNO
        for address in ("203.0.113.1", "unknown", ""):
            assert "not be used from this network" in await ask(talk, name, client_address=address)
        assert "for sending mail" in await ask(talk, tagged(ALICE, reading.app_password.id))
        assert await ask(talk, tagged(ALICE, short.app_password.id)) == DUNNO
        site.house.clock.move(days=2)
        assert "has expired" in await ask(talk, tagged(ALICE, short.app_password.id))
        await accounts.disable(site.house.ports, OPERATOR, person.account.id)
        assert await ask(talk, name) == "action=REJECT 5.7.1 This app password may no longer be used"


async def test_names_without_an_app_password(tmp_path):
    """Those of our gateway, which counts by itself, of main passwords, and of other people's logins."""
    async with open_doors(tmp_path, policy()) as site:
        person, _, _ = await sender(site)
        talk = await site.connect()
        for name in ("", ALICE, "alice", "somebody@example.net", "unix-user", "\xff", "a" * 1000):
            assert await ask(talk, name) == DUNNO
        await accounts.disable(site.house.ports, OPERATOR, person.account.id)
        for name in (ALICE, "alice", "ALICE@example.ORG"):
            assert await ask(talk, name) == "action=REJECT 5.7.1 This account may not send mail"
        assert await ask(talk, "somebody@example.net") == DUNNO


async def test_a_tag_that_is_not_the_accounts_is_refused(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        _, _, credential = await sender(site)
        await site.house.person("bob@example.org")
        talk = await site.connect()
        for name in (
            tagged("bob@example.org", credential),
            tagged("nobody@example.org", credential),
            tagged(ALICE, "ap_aaaaaaaaaaaaaaaa"),
        ):
            assert await ask(talk, name) == "action=REJECT 5.7.1 This app password may no longer be used"


async def test_tls_is_asked_of_clients_of_postfix_and_not_of_a_proxy(tmp_path):
    async with open_doors(tmp_path, policy(), house=House(tmp_path, policy=Policy(require_tls=True))) as site:
        _, name, _ = await sender(site)
        talk = await site.connect()
        assert "only over TLS" in await ask(talk, name, encryption_protocol="")
        assert await ask(talk, name, encryption_protocol="", sasl_method="XCLIENT") == DUNNO


async def test_cannot_tell_is_try_again_later(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        _, name, _ = await sender(site, limits=Limits(messages_per_day=2))
        talk = await site.connect()
        later = "action=DEFER_IF_PERMIT 4.3.0 Mail cannot be checked right now. Please try again later."

        async def away(_):
            raise Unavailable("The store is away.")

        write, site.house.store.write = site.house.store.write, away
        assert await end(talk, name, "a.0") == later
        site.house.store.write = write
        assert await end(talk, name, "a.0") == DUNNO
        site.house.store.read = away
        assert await ask(talk, name) == later
        assert await ask(talk, ALICE) == later


async def test_an_answer_that_comes_too_late_is_try_again_later(tmp_path):
    async with open_doors(tmp_path, policy(), limits=replace(QUICK, answer=0.2)) as site:
        _, name, _ = await sender(site)
        talk = await site.connect()

        async def never(_):
            await asyncio.sleep(60)

        site.house.store.read = never
        assert (await ask(talk, name)).startswith("action=DEFER_IF_PERMIT 4.3.0")


async def test_other_states_are_none_of_ours(tmp_path):
    async with open_doors(tmp_path, policy()) as site:
        _, name, _ = await sender(site, limits=Limits(senders=("other@example.org",)))
        talk = await site.connect()
        for state in ("CONNECT", "EHLO", "HELO", "VRFY", "ETRN", ""):
            assert await ask(talk, name, protocol_state=state) == DUNNO


@pytest.mark.parametrize(
    "said",
    [
        "\n",
        "request=other\n\n",
        "no attribute\n",
        "a=1\na=2\n",
        "a=" + "x" * 9000 + "\n",
        "".join(f"a{n}=1\n" for n in range(300)),
    ],
    ids=["empty", "other", "junk", "twice", "long", "many"],
)
async def test_a_server_that_does_not_speak_the_protocol_is_left(tmp_path, said):
    async with open_doors(tmp_path, policy()) as site:
        talk = await site.connect()
        await talk.say(said)
        assert await talk.is_closed()


async def test_a_request_that_never_ends_is_too_slow(tmp_path):
    async with open_doors(tmp_path, policy(), limits=replace(QUICK, request=0.2)) as site:
        talk = await site.connect()
        await talk.say("request=smtpd_access_policy\n")
        assert await talk.is_closed()

"""Policy, networks, proposals, charts, tokens, servers and the overview in the console."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient
from tests.unit.doors.web.test_console_matrix import CELLS
from tests.verbs.site import HOME, House, Person

from valetkey.core.errors import Unavailable
from valetkey.core.login import Reason
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.role import Action, Role
from valetkey.core.scope import MailProtocol
from valetkey.doors.web.console.policy_form import FIELDS, TICKS
from valetkey.service import accounts, api_tokens, proposals
from valetkey.service.ports import OPERATOR, LoginEvent
from valetkey.service.server_parts import MailDoor, MailServer
from valetkey.service.store_parts import Adoption, Recovery, RecoveryState
from valetkey.service.tallies import NOBODY_KNOWN, Asked, AskedOutcome


class Servers:
    """Mail servers as a test wants them."""

    def __init__(self, *found: MailServer, broken: bool = False) -> None:
        self.found, self.broken = found, broken

    async def standings(self) -> tuple[MailServer, ...]:
        if self.broken:
            raise Unavailable("no worker")
        return self.found


def fields_of(visitor: PortalClient, **changes: str) -> dict[str, str]:
    """Give the fields of the policy's form as the page shows them, with changes."""
    fields = {name: visitor.hidden(name) for name in FIELDS if name not in TICKS}
    fields |= {name: "1" for name in TICKS if visitor.ticked(name)}
    return {name: value for name, value in (fields | changes).items() if value != "off"}


def carried(visitor: PortalClient, **more: str) -> dict[str, str]:
    return {"was": visitor.hidden("was"), "wanted": visitor.hidden("wanted"), **more}


async def test_a_stricter_policy_shows_whom_it_hits_and_then_holds(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    issued = await house.issue(alice, "<b>Old phone</b>")
    house.clock.move(days=40)
    await visitor.sign_in(house, admin)
    await visitor.get("/console/policy")
    preview = await visitor.post("/console/policy/preview", fields_of(visitor, max_lifetime="30"))
    assert preview.status_code == 200
    assert "&lt;b&gt;Old phone&lt;/b&gt;" in preview.text
    assert "stops working" in preview.text
    assert "30 days" in preview.text
    assert "two administrators" not in preview.text
    assert house.ports.policy == Policy()  # nothing is saved yet
    saved = await visitor.post("/console/policy/save", carried(visitor))
    assert saved.headers["location"] == "/console/policy"
    assert house.ports.policy.max_lifetime == timedelta(days=30)
    page = await visitor.get("/console/policy")
    assert "Saved, and it holds now." in page.text
    assert "set in the console" in page.text
    assert visitor.hidden("max_lifetime") == "30"
    assert issued.app_password.id in (await visitor.get("/console/app-passwords")).text


async def test_a_weaker_policy_waits_for_a_second_administrator(
    portal: FastAPI, visitor: PortalClient, house: House, admin: Person
) -> None:
    second = await house.person("second@example.org", role=Role.ADMIN)
    await visitor.get("/console/policy")
    preview = await visitor.post("/console/policy/preview", fields_of(visitor, min_password_length="8"))
    assert "two administrators" in preview.text
    assert "Permits more" in preview.text
    fields = carried(visitor)
    refused = await visitor.post("/console/policy/save", {**fields, "reason": ""})
    assert refused.status_code == 422
    assert 'id="reason-wrong"' in refused.text
    proposed = await visitor.post("/console/policy/save", {**fields, "reason": "Old machines"})
    where = proposed.headers["location"]
    assert where.startswith("/console/proposals/pr_")
    assert house.ports.policy == Policy()
    own = await visitor.get(where)
    assert "You have proposed this yourself" in own.text
    assert "/countersign" not in own.text
    other = PortalClient(portal)
    await other.sign_in(house, second)
    page = await other.get(where)
    assert "Old machines" in page.text
    assert ">12<" in page.text
    assert ">8<" in page.text
    done = await other.post(f"{where}/countersign", {})
    assert done.headers["location"] == where
    assert house.ports.policy.min_password_length == 8
    assert "Countersigned. It holds now." in (await other.get(where)).text


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("max_app_passwords", "0"), ("max_app_passwords", "many"), ("max_app_passwords", "1.5"), ("max_lifetime", "-1"),
        ("max_lifetime", "9" * 30), ("recovery_wait", "1"), ("recovery_wait", ""), ("min_password_length", "7"),
        ("password_with_code_for", ""), ("password_with_code_for", "0.01"), ("password_with_code_for", "721"),
        ("default_lifetime", "nan"), ("max_idle_for", "1e400"), ("max_idle_for", "<b>"),
    ],
)  # fmt: skip
async def test_a_value_that_cannot_be_is_said_at_its_field(
    visitor: PortalClient, house: House, admin: Person, field: str, typed: str
) -> None:
    await visitor.get("/console/policy")
    refused = await visitor.post("/console/policy/preview", fields_of(visitor, **{field: typed}))
    assert refused.status_code == 422
    assert f'id="{field}-wrong"' in refused.text
    assert house.ports.policy == Policy()


async def test_nothing_changed_and_rules_that_moved_on_are_said(
    visitor: PortalClient, house: House, admin: Person
) -> None:
    await visitor.get("/console/policy")
    same = await visitor.post("/console/policy/preview", fields_of(visitor))
    assert "Nothing is changed" in same.text
    await visitor.get("/console/policy")
    await visitor.post("/console/policy/preview", fields_of(visitor, max_app_passwords="20"))
    fields = carried(visitor)
    stale = {**fields, "was": json.dumps({**json.loads(fields["was"]), "max_app_passwords": 7})}
    refused = await visitor.post("/console/policy/save", stale)
    assert refused.status_code == 422
    assert "changed by somebody else" in refused.text
    for wrong in ("", "[]", "{", '{"x": 1}', '{"max_app_passwords": "20"}'):
        await visitor.get("/console/policy")
        answer = await visitor.post("/console/policy/save", {**fields, "wanted": wrong})
        assert answer.status_code == 400, wrong
    assert house.ports.policy == Policy()


async def test_saving_asks_for_a_proof_in_the_form(visitor: PortalClient, house: House, admin: Person) -> None:
    await visitor.get("/console/policy")
    house.clock.move(minutes=6)
    preview = await visitor.post("/console/policy/preview", fields_of(visitor, max_app_passwords="20"))
    assert "prove_password" in preview.text
    fields = carried(visitor)
    assert (await visitor.post("/console/policy/save", fields)).status_code == 422
    proof = {"prove_password": admin.password, "prove_code": house.code(admin.seed)}
    wrong = await visitor.post("/console/policy/save", {**fields, **proof, "prove_code": "000000"})
    assert wrong.status_code == 422
    house.clock.move(seconds=30)
    proof["prove_code"] = house.code(admin.seed)
    assert (await visitor.post("/console/policy/save", {**fields, **proof})).status_code == 303
    assert house.ports.policy.max_app_passwords == 20


async def test_named_networks_show_whom_a_change_hits(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    await house.person("second@example.org", role=Role.ADMIN)
    await house.issue(alice, "Scanner", network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
    page = await visitor.get("/console/networks")
    assert "office = 203.0.113.0/24" in page.text
    narrower = await visitor.post("/console/networks/preview", {"networks": "office = 203.0.113.0/25\n"})
    assert "works from other networks" in narrower.text
    assert "two administrators" not in narrower.text
    saved = await visitor.post("/console/networks/save", carried(visitor))
    assert saved.headers["location"] == "/console/networks"
    assert [str(one) for one in house.ports.networks.by_name["office"]] == ["203.0.113.0/25"]
    await visitor.get("/console/networks")
    wider = await visitor.post("/console/networks/preview", {"networks": "office = 203.0.113.0/24, 198.51.100.0/24"})
    assert "two administrators" in wider.text
    proposed = await visitor.post("/console/networks/save", carried(visitor, reason="New floor"))
    shown = await visitor.get(proposed.headers["location"])
    assert "198.51.100.0/24" in shown.text
    assert [str(one) for one in house.ports.networks.by_name["office"]] == ["203.0.113.0/25"]


@pytest.mark.parametrize(
    "typed", ["office", "office = ", "office = 203.0.113.1/24", "a = 192.0.2.1\na = 192.0.2.2", "1 = 192.0.2.1", "x = 0.0.0.0/0"]
)  # fmt: skip
async def test_networks_that_cannot_be_are_said(visitor: PortalClient, admin: Person, typed: str) -> None:
    await visitor.get("/console/networks")
    refused = await visitor.post("/console/networks/preview", {"networks": typed})
    assert refused.status_code == 422
    assert 'id="networks-wrong"' in refused.text


async def test_a_proposal_is_declined_or_withdrawn(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    second = await house.person("second@example.org", role=Role.ADMIN)
    other = PortalClient(portal)
    await other.sign_in(house, second)
    proposal = await proposals.propose_reset(
        house.ports, house.acting(admin.account), alice.account.id, "<script>alert(1)</script>"
    )
    where = f"/console/proposals/{proposal.id}"
    page = await other.get("/console/proposals")
    assert "<script>alert" not in page.text
    await other.get(where)
    refused = await other.post(f"{where}/withdraw", {})
    assert refused.status_code == 422
    assert "Only who proposed it" in refused.text
    house.clock.move(minutes=30)  # declining needs no proof
    await other.get(where)
    assert (await other.post(f"{where}/decline", {})).status_code == 303
    assert "Declined" in (await other.get(where)).text
    assert "Nothing waits" in (await other.get("/console/proposals")).text
    assert "Declined" in (await other.get("/console/proposals?show=all")).text
    again = await proposals.propose_reset(house.ports, house.acting(admin.account), alice.account.id, "Again")
    where = f"/console/proposals/{again.id}"
    await visitor.get(where)
    assert (await visitor.post(f"{where}/withdraw", {})).status_code == 303
    assert (await accounts.find(house.ports, OPERATOR, alice.account.id)).has_second_factor


async def test_everything_is_exported_by_two_and_once(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    second = await house.person("second@example.org", role=Role.ADMIN)
    issued = await house.issue(alice)
    await visitor.get("/console/proposals/export")
    where = (await visitor.post("/console/proposals/export", {"reason": "Yearly audit"})).headers["location"]
    await visitor.get(where)
    early = await visitor.post(f"{where}/download", {})
    assert early.status_code == 422
    assert "not countersigned" in early.text
    other = PortalClient(portal)
    await other.sign_in(house, second)
    await other.get(where)
    await other.post(f"{where}/countersign", {})
    await other.get(where)
    assert (await other.post(f"{where}/download", {})).status_code == 422  # not who proposed it
    await visitor.sign_in(house, admin)
    await visitor.get(where)
    sent = await visitor.post(f"{where}/download", {})
    assert sent.status_code == 200
    kinds = {json.loads(line)["record"] for line in sent.text.splitlines()}
    assert {"rules", "account", "proposal", "audit"} <= kinds
    assert issued.secret.text not in sent.text
    await visitor.get(where)
    assert "/download" not in (await visitor.get(where)).text


async def test_who_countersigns_an_invitation_gets_its_link(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    second = await house.person("second@example.org", role=Role.ADMIN)
    proposal = await proposals.propose_reinvite(
        house.ports, house.acting(second.account), alice.account.id, "Forgot the password"
    )
    await visitor.get(f"/console/proposals/{proposal.id}")
    done = await visitor.post(f"/console/proposals/{proposal.id}/countersign", {})
    assert done.status_code == 200
    assert re.search(r"https://portal\.example\.org/welcome/[\w-]+", done.text)


async def count(house: House, ago: timedelta, protocol: MailProtocol, result: str, number: int) -> None:
    at = house.clock.now() - ago
    event = LoginEvent(None, None, protocol, HOME, "", result, at, at, number)
    await house.store.add_login_events((event,))


async def test_logins_are_drawn_by_protocol_and_refusals_by_reason(
    visitor: PortalClient, house: House, admin: Person
) -> None:
    imap, smtp = MailProtocol.IMAP, MailProtocol.SMTP
    await count(house, timedelta(hours=2), imap, "allowed", 40)
    await count(house, timedelta(days=3), smtp, "allowed", 7)
    await count(house, timedelta(hours=1), imap, Reason.WRONG_SECRET.value, 30)
    for reason in list(Reason)[1:8]:
        await count(house, timedelta(hours=5), smtp, reason.value, 1)
    await count(house, timedelta(days=50), imap, "allowed", 1000)

    async def figures(query: str) -> list[str]:
        page = await visitor.get(f"/console/logins?{query}")
        assert page.status_code == 200
        return re.findall(r'<dd class="figure">([^<]+)</dd>', page.text)

    assert await figures("") == ["47", "37"]
    assert await figures("span=hours") == ["40", "37"]
    assert await figures("span=quarter") == ["1,047", "37"]
    assert await figures("protocol=smtp") == ["7", "7"]
    assert await figures("span=x&protocol=y") == ["47", "37"]
    page = await visitor.get("/console/logins")
    assert "wrong password" in page.text
    assert "other reasons" in page.text
    assert page.text.count("<svg viewBox") >= 2
    overview = await visitor.get("/console")
    assert "logins were refused in the last hours" in overview.text


async def test_second_factors_are_counted_drawn_and_missed(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    await house.person("bob@example.org", two_factor=False)
    today = house.clock.now().date()
    days = [Adoption(today - timedelta(days=ago), 10, 10 - ago // 10, 1) for ago in range(90, 0, -1)]

    def fill(writer: Any) -> None:
        for day in days:
            writer.set_adoption(day)

    await house.store.write(fill)
    page = await visitor.get("/console/second-factors")
    assert "Of 3 active people, 2 have a second factor now." in page.text
    without = page.text.split('<h2 id="without">')[1]
    assert "bob@example.org" in without
    assert "alice@example.org" not in without
    assert page.text.count("<tr><th scope=row>") == 61
    year = await visitor.get("/console/second-factors?span=365")
    assert 10 < year.text.count("<tr><th scope=row>") < 16
    domains = await visitor.get("/console/domains")
    assert "example.org" in domains.text
    assert "67 %" in domains.text


async def test_tokens_of_everybody_are_seen_and_revoked(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    made = await api_tokens.make(
        house.ports,
        house.acting(alice.account),
        alice.account.id,
        name='"><img src=x>',
        actions=frozenset({Action.OWN_READ}),
        expires_at=house.clock.now() + timedelta(days=30),
    )
    page = await visitor.get("/console/tokens")
    assert "<img" not in page.text
    assert "own:read" in page.text
    assert made.secret not in page.text
    where = f"/console/tokens/{made.token.id}/revoke"
    assert "It was never used." in (await visitor.get(where)).text
    house.clock.move(minutes=30)
    assert (await visitor.post(where, {})).headers["location"] == "/console/tokens"
    assert "The API token is revoked." in (await visitor.get("/console/tokens")).text
    assert "revoked already" in (await visitor.get(where)).text
    assert (await visitor.get("/console/tokens/at_none/revoke")).status_code == 404


async def test_mail_servers_say_how_they_stand(house: House, admin: Person, visitor: PortalClient) -> None:
    now = house.clock.now()
    good = MailServer(MailProtocol.IMAP, "imap.example.org", 993, "implicit", ("*",), 3, now, None, "")
    bad = MailServer(
        MailProtocol.SMTP, "smtp.example.org", 587, "starttls", ("example.com",), 0, None, now, "<b>refused"
    )
    portal = visitor.http._transport.app.state  # type: ignore[attr-defined]
    for servers, page_has, overview_has in (
        (Servers(good, bad), ("Reached", "Not reached", "&lt;b&gt;refused", "587"), "smtp.example.org is not reached"),
        (Servers(broken=True), ("No gateway process answers",), "No process of the mail side answers"),
        (Servers(), ("No mail servers",), "Overview"),
    ):
        portal.portal = replace(portal.portal, ports=house.with_ports(mail_servers=servers))
        page = await visitor.get("/console/servers")
        assert page.status_code == 200
        for text in page_has:
            assert text in page.text, text
        assert overview_has in (await visitor.get("/console")).text


async def test_who_asks_is_shown_and_who_has_not_yet(house: House, admin: Person, visitor: PortalClient) -> None:
    now = house.clock.now()
    portal = visitor.http._transport.app.state  # type: ignore[attr-defined]
    doors = (
        MailDoor("http", "127.0.0.1:9080", has_tls=True, peers=("mx1", "mx2")),
        MailDoor("policy", "/run/<b>policy", has_tls=False, peers=("mx1",)),
    )
    portal.portal = replace(portal.portal, ports=house.with_ports(mail_doors=doors))
    for _ in range(1234):
        house.recorder.count(Asked(doors[0].name, "mx1", AskedOutcome.YES), now - timedelta(minutes=3))
    for minutes in (9, 7):
        house.recorder.count(Asked(doors[0].name, "mx1", AskedOutcome.CANNOT_TELL), now - timedelta(minutes=minutes))
    house.recorder.count(Asked(doors[0].name, NOBODY_KNOWN, AskedOutcome.TURNED_AWAY), now, "192.0.2.7")
    await house.recorder.flush()
    page = await visitor.get("/console/servers")
    assert "No mail servers" not in page.text  # behind the gateway there need be none
    rows = re.findall(r'<tr>\s*<th scope="row">(.*?)</tr>', page.text, re.DOTALL)
    shown = [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows]
    assert shown == [
        "mx1 HTTP 127.0.0.1:9080 , TLS 1,234 0 Asks 3 minutes ago Could not tell: 2 times, last 7 minutes ago",
        "mx2 HTTP 127.0.0.1:9080 , TLS 0 0 Has not asked yet",
        "none of those listed HTTP 127.0.0.1:9080 , TLS 0 0 Turned away 1 time, last just now , 192.0.2.7",
        "mx1 policy service /run/&lt;b&gt;policy 0 0 Has not asked yet",
    ]


async def test_the_overview_names_what_is_wrong_and_leads_there(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    page = await visitor.get("/console")
    assert "Nothing" in page.text
    await house.person("second@example.org", role=Role.ADMIN)
    await house.person("bob@example.org", two_factor=False)
    await house.issue(alice)
    await proposals.propose_reset(house.ports, house.acting(admin.account), alice.account.id, "Lost")
    house.clock.move(days=95)
    await visitor.sign_in(house, admin)
    page = await visitor.get("/console")
    assert "1 active person has no second factor." in page.text
    assert "1 app password was not used for 90 days and still works." in page.text
    assert 'href="/console/second-factors"' in page.text
    house.live.broken = Unavailable("no worker")
    assert "No process of the mail side answers" in (await visitor.get("/console")).text


async def test_every_page_of_the_console_is_whole_and_light(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    second = await house.person("second@example.org", role=Role.ADMIN)
    for number in range(45):
        await house.issue(alice, f"App password {number}")
        house.clock.move(seconds=1)
    for hours in range(60):
        for protocol in MailProtocol:
            await count(house, timedelta(hours=hours), protocol, "allowed", 100 + hours)
            await count(house, timedelta(hours=hours), protocol, Reason.NETWORK.value, hours + 1)
    made = await api_tokens.make(
        house.ports,
        house.acting(alice.account),
        alice.account.id,
        name="Script",
        actions=frozenset({Action.OWN_READ}),
        expires_at=house.clock.now() + timedelta(days=30),
    )
    proposal = await proposals.propose_reset(house.ports, house.acting(second.account), alice.account.id, "Lost")
    issued = await house.issue(alice)
    at = house.clock.now()
    recovery = Recovery("rc_1", alice.account.id, RecoveryState.WAITING, at, HOME, at, at, at)
    await house.store.write(lambda writer: writer.add_recovery(recovery))
    await visitor.sign_in(house, admin)
    names = {
        "account_id": alice.account.id, "credential_id": issued.app_password.id, "number": "1",
        "proposal_id": proposal.id, "token_id": made.token.id,
    }  # fmt: skip
    for method, path, _ in CELLS:
        if method != "GET" or path.endswith("/live"):
            continue
        page = await visitor.get(path.format(**names))
        assert page.status_code == 200, path
        lead = re.search(r'<p class="lead">(.*?)</p>', page.text, re.DOTALL)
        assert lead is not None, path
        assert len(lead.group(1).strip()) > 20, path
        assert page.text.count("<h1>") == 1
        assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=|\sstyle=|javascript:", page.text), path
        ids = re.findall(r'\sid="([^"]+)"', page.text)
        assert len(ids) == len(set(ids)), (path, [one for one in ids if ids.count(one) > 1])
        if not path.endswith("/change"):
            assert page.text.count('aria-current="page"') in {1, 2}, path
        size = len(page.content)
        for linked in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
            size += len((await visitor.http.get(linked)).content)
        assert size < 60_000, (path, size)

"""Limits in the portal: asked for in the form, said in sentences, kept, shown beside today's count, lifted."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient
from tests.unit.doors.web.test_web_flows import of, secret_on, text_of
from tests.verbs.site import House, Person

from valetkey.core.limits import NO_LIMITS, Limits, Overstep
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.web.forms import Errors, Form
from valetkey.doors.web.limit_wishes import FIELDS, NO_WISHES, posted_limits, present_limits, read_limits
from valetkey.service.sending import note_stopped

ALICE = "alice@example.org"
FULL = Limits(
    folders=("Archive", "Archive/*"),
    senders=(ALICE, "@example.net"),
    recipients=("office@example.org",),
    messages_per_day=20,
    recipients_per_day=50,
    recipients_per_message=5,
)
POSTED = {
    "folders": "Archive\r\nArchive/*",
    "own_sender": ALICE,
    "senders": "@example.net",
    "recipients": "office@example.org",
    "messages_per_day": "20",
    "recipients_per_day": "50",
    "recipients_per_message": "5",
}
PAGE_TEXTS = (
    "It sees no folder but “Archive” and what lies in “Archive”.",
    "It sends only as alice@example.org and any address at example.net.",
    "It sends only to office@example.org.",
    "It sends at most 20 messages a day, to 50 recipients a day and to 5 recipients with one message.",
)


def posted(**fields: str) -> Form:
    return Form({name: (value,) for name, value in fields.items()})


def test_fields_mean_limits_and_limits_fill_the_same_fields() -> None:
    errors = Errors()
    wishes = posted_limits(posted(**POSTED))
    assert read_limits(wishes, errors) == FULL
    assert errors == {}
    again = present_limits(FULL, ALICE)
    assert read_limits(again, errors) == FULL
    assert (again.own_sender, again.senders) == (ALICE, "@example.net")
    assert present_limits(FULL, "scanner@example.org").own_sender == ""


def test_an_empty_form_limits_nothing() -> None:
    assert posted_limits(posted()) == NO_WISHES
    assert not NO_WISHES.are_of_sending
    assert read_limits(NO_WISHES, Errors()) == NO_LIMITS
    assert present_limits(NO_LIMITS, ALICE) == NO_WISHES


def test_lists_are_read_as_people_write_them() -> None:
    wishes = posted_limits(
        posted(folders=" Sent items \r\n\r\n Kunden, alle \n", recipients="a@x.org, b@x.org;c@x.org\n@x.org")
    )
    limits = read_limits(wishes, Errors())
    assert limits.folders == ("Sent items", "Kunden, alle")
    assert limits.recipients == ("a@x.org", "b@x.org", "c@x.org", "@x.org")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("folders", "A*"),
        ("folders", "\n".join(f"F{number}" for number in range(51))),
        ("senders", "nobody"),
        ("recipients", "@"),
        ("messages_per_day", "0"),
        ("messages_per_day", "-1"),
        ("recipients_per_day", "many"),
        ("recipients_per_day", "1e3"),
        ("recipients_per_message", "٣"),
        ("recipients_per_message", "9" * 900),
    ],
)
async def test_what_is_wrong_is_named_beside_its_field_and_nothing_is_lost(
    visitor: PortalClient, house: House, alice: Person, field: str, value: str
) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("phone", **{**POSTED, field: value})
    answer = await visitor.post("/app-passwords/new", fields)
    assert answer.status_code == 422
    for place in (f'id="{field}-wrong"', f'href="#{field}"', f'id="{field}"'):
        assert place in answer.text
    assert visitor.hidden("messages_per_day") == {**POSTED, field: value}["messages_per_day"]
    assert visitor.ticked("own_sender") == [ALICE]
    assert '<details class="fine-tune" open>' in answer.text
    assert await of(house, alice) == ()


async def test_limits_are_made_said_and_shown(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("phone", **POSTED)
    shown = await visitor.post("/app-passwords/new", {**fields, "preview": "1"})
    made = await visitor.post("/app-passwords/new", fields)
    assert secret_on(made)
    (one,) = await of(house, alice)
    assert one.restrictions.limits == FULL
    for page in (shown, made):
        for text in PAGE_TEXTS:
            assert text in text_of(page)
    await count(house, one.id, 3)
    page = text_of(await visitor.get(f"/app-passwords/{one.id}"))
    for text in (
        "Sees only “Archive” and what lies in “Archive”",
        "Sends only as alice@example.org and any address at example.net",
        "Sends only to office@example.org",
        "Sends at most 20 messages a day",
        "Sent today 1 of 20 messages and 3 of 50 recipients",
    ):
        assert text in page
    assert "Limited: folders, senders, recipients and amounts" in text_of(await visitor.get("/"))


async def count(house: House, credential_id: str, recipients: int) -> None:
    day = house.clock.now().date()
    await house.ports.store.write(lambda writer: writer.count_sent(credential_id, day, recipients))


async def test_the_summary_follows_the_fields(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("scanner", messages_per_day="20", folders="Archive")
    said = (await visitor.post("/app-passwords/new/summary", fields)).text
    assert "It sends at most 20 messages a day." in said
    assert "Archive" not in said  # it reads nothing
    await visitor.new_form("scanner")
    wrong = await visitor.post("/app-passwords/new/summary", {**fields, "recipients": "nobody"})
    assert wrong.text.startswith("Write an address such as")


async def test_without_limits_the_pages_are_as_they_were(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    form = await visitor.get("/app-passwords/new?purpose=phone")
    assert "<details" in form.text
    assert '<details class="fine-tune" open>' not in form.text
    await visitor.post("/app-passwords/new", await visitor.new_form("phone"))
    (one,) = await of(house, alice)
    assert one.restrictions.limits == NO_LIMITS
    page = text_of(await visitor.get(f"/app-passwords/{one.id}"))
    for text in ("Sent today", "Sees only", "Sends only", "Sends at most", "Limited"):
        assert text not in page


async def test_a_crm_needs_its_folders(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    assert "purpose=crm" in (await visitor.get("/app-passwords/new")).text
    form = await visitor.get("/app-passwords/new?purpose=crm")
    assert "Name at least one folder that it may read." in text_of(form)
    assert form.text.count('name="folders"') == 1
    refused = await visitor.post("/app-passwords/new", await visitor.new_form("crm"))
    assert refused.status_code == 422
    assert 'id="folders-wrong"' in refused.text
    assert await of(house, alice) == ()
    made = await visitor.post("/app-passwords/new", await visitor.new_form("crm", folders="Customers"))
    assert "It can read mail." in text_of(made)
    assert "It sees no folder but “Customers”." in text_of(made)
    (one,) = await of(house, alice)
    assert one.scope.protocols == {MailProtocol.IMAP}
    assert one.scope.effective(frozenset(Permission)) == {Permission.READ}


async def change_fields(visitor: PortalClient, page: httpx.Response, **changes: Any) -> dict[str, Any]:
    visitor.page = page
    texts = {name: page.text.split(f'name="{name}"')[1].split(">", 1)[1].split("</textarea>")[0]
             for name in ("folders", "senders", "recipients")}  # fmt: skip
    amounts = {name: visitor.hidden(name) for name in FIELDS[3:]}
    ticked = visitor.ticked("own_sender")
    return {
        "description": visitor.hidden("description"), "expires": "keep", "idle": "keep", "rule": "anywhere",
        "permission": visitor.ticked("permission"), "protocol": visitor.ticked("protocol"),
        **texts, **amounts, **({"own_sender": ticked[0]} if ticked else {}), **changes,
    }  # fmt: skip


async def test_the_form_to_change_has_them_and_saving_it_changes_nothing(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice, limits=FULL)).app_password
    await visitor.sign_in(house, alice)
    page = await visitor.get(f"/app-passwords/{one.id}/change")
    assert '<details class="fine-tune" open>' in page.text
    fields = await change_fields(visitor, page)
    assert (await visitor.post(f"/app-passwords/{one.id}/change", fields)).status_code == 303
    (same,) = await of(house, alice)
    assert same.restrictions == one.restrictions


async def test_narrowing_goes_at_once_and_lifting_asks_for_proof(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice, limits=FULL)).app_password
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=10)
    path = f"/app-passwords/{one.id}/change"
    fields = await change_fields(visitor, await visitor.get(path), messages_per_day="3")
    assert (await visitor.post(path, fields)).status_code == 303
    lifting = await change_fields(visitor, await visitor.get(path), messages_per_day="")
    refused = await visitor.post(path, lifting)
    assert refused.status_code == 422
    assert "prove_password" in refused.text
    (same,) = await of(house, alice)
    assert same.restrictions.limits.messages_per_day == 3


async def test_the_live_part_counts_on(visitor: PortalClient, house: House, alice: Person) -> None:
    one = (await house.issue(alice, limits=FULL)).app_password
    await visitor.sign_in(house, alice)
    await count(house, one.id, 7)
    note_stopped(house.ports, one.id, Overstep.MESSAGES_PER_DAY)
    await house.recorder.flush()
    stream = (await visitor.get(f"/app-passwords/{one.id}/live")).text
    assert "1 of 20 messages and 7 of 50 recipients" in stream
    assert "Too many messages in a day" in stream


async def test_what_limits_stopped_is_told_to_the_owner_and_in_the_console(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice, limits=FULL)).app_password
    await visitor.sign_in(house, alice)
    assert "Refused to send" not in text_of(await visitor.get(f"/app-passwords/{one.id}"))
    for why in (Overstep.SENDER, Overstep.SENDER, Overstep.RECIPIENT):
        note_stopped(house.ports, one.id, why)
    await house.recorder.flush()
    told = "Mail as another sender 2 times in 30 days, last"
    page = text_of(await visitor.get(f"/app-passwords/{one.id}"))
    assert told in page
    assert "Mail to somebody it may not write to 1 time in 30 days, last just now" in page
    helper = PortalClient(portal)
    await helper.sign_in(house, await house.person("ada@example.org", role=Role.ADMIN))
    assert told in text_of(await helper.get(f"/console/app-passwords/{one.id}"))


async def test_the_console_shows_them(portal: FastAPI, house: House, alice: Person) -> None:
    one = (await house.issue(alice, limits=FULL)).app_password
    await count(house, one.id, 7)
    visitor = PortalClient(portal)
    await visitor.sign_in(house, await house.person("ada@example.org", role=Role.ADMIN))
    page = text_of(await visitor.get(f"/console/app-passwords/{one.id}"))
    assert "Sends only to office@example.org" in page
    assert "Sent today 1 of 20 messages and 7 of 50 recipients" in page
    assert "Limited: folders, senders" in text_of(await visitor.get("/console/app-passwords"))


async def test_names_of_folders_are_shown_as_text(visitor: PortalClient, house: House, alice: Person) -> None:
    one = (await house.issue(alice, limits=Limits(folders=("<b>x</b>",)))).app_password
    await visitor.sign_in(house, alice)
    page = await visitor.get(f"/app-passwords/{one.id}")
    assert "<b>x</b>" not in page.text
    assert "&lt;b&gt;x&lt;/b&gt;" in page.text

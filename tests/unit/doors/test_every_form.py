"""Every form of portal and console, sent as another site, another program or another session would send it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.browser.portal_client import ORIGIN
from tests.verbs.endpoints import Endpoint, Opens
from tests.verbs.scene import Scene, Shown, by_session, changed, cookie
from tests.verbs.site import House

FORM = "application/x-www-form-urlencoded"
OURS = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Content-Type": FORM}
# How browsers say where a form comes from when it is not ours; the token in it is the right one.
ELSEWHERE = (
    {"Origin": "https://evil.example"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": f"{ORIGIN}.evil.example"},
    {"Origin": ORIGIN.replace("https", "http")},
    {"Origin": f"{ORIGIN}:8443"},
    {"Origin": "null"},  # a sandboxed frame, a file
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "none"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
)
# What other programs and pages can send without a preflight, and what they cannot.
KINDS = ("text/plain", "multipart/form-data; boundary=x", "application/json", "", f"{FORM}-not")
# Browsers of old say nothing of where a form comes from; then the token alone holds.
SILENT = {"Content-Type": FORM}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    house = House(tmp_path)
    made = Scene(house, tmp_path)
    await made.populate()
    yield made
    house.close()


def forms_of(scene: Scene) -> list[Endpoint]:
    """Give every form that is behind a session."""
    behind = {Opens.HALF, Opens.NO_SECOND_FACTOR, Opens.FULL}
    found = [one for one in scene.endpoints if one.operation is None and not one.is_look and one.opens in behind]
    assert len(found) > 50
    assert sum(one.path.startswith("/console") for one in found) > 20
    return [
        one for one in found if one.path not in {"/sign-in/code", "/recover/mail", "/recover/begin", "/recover/finish"}
    ]


async def test_no_form_from_elsewhere_changes_anything(scene: Scene) -> None:
    right = scene.session.session.csrf
    other = (await scene.new_session(scene.ada)).session.csrf
    bobs = (await scene.new_session(scene.bob)).session.csrf
    session = cookie(scene.session.token)
    probes = [(right, {**headers, "Content-Type": FORM}, 403) for headers in ELSEWHERE]
    probes += [(right, {**OURS, "Content-Type": kind}, 415) for kind in KINDS]
    wrong_tokens = ("", "x", right[:-1], right + "a", right.swapcase(), other, bobs, scene.session.token)
    probes += [(token, headers, 403) for token in wrong_tokens for headers in (OURS, SILENT)]
    before, wrong = scene.rows(), []
    for endpoint in forms_of(scene):
        for token, headers, expected in probes:
            body = f"sent=1&csrf={token}".encode()
            answered = await scene.send("POST", endpoint.at(**scene.ids), {**session, **headers}.items(), body)
            if answered.status != expected:
                wrong.append(f"{endpoint}: {answered.status} for {token[:9]} and {headers}")
        without = await scene.send("POST", endpoint.at(**scene.ids), {**session, **OURS}.items(), b"sent=1")
        in_address = f"{endpoint.at(**scene.ids)}?csrf={right}"
        by_address = await scene.send("POST", in_address, {**session, **OURS}.items(), b"sent=1")
        if (without.status, by_address.status) != (403, 403):
            wrong.append(f"{endpoint}: no token in the body")
    assert wrong == []
    assert changed(before, scene.rows()) == []


async def test_the_same_forms_pass_when_they_are_ours(scene: Scene) -> None:
    """Otherwise the test above would prove nothing."""
    ids = await scene.things_of(scene.bob)
    own = {name: scene.ids[name] for name in ("credential_id", "totp_id", "passkey_id", "token_id", "name")}
    wrong = []
    for endpoint in forms_of(scene):
        shown = by_session(await scene.new_session(scene.ada))
        here = ids if endpoint.path.startswith("/console") else {**ids, **own}
        answered = await scene.ask(endpoint, shown, here)
        if answered.status in {401, 403, 405, 415} or answered.location.startswith("/sign-in?"):
            wrong.append(f"{endpoint}: {answered.kind}")
    assert wrong == []


async def test_forms_before_a_sign_in_are_held_too(scene: Scene) -> None:
    before, wrong = scene.rows(), []
    fields = b"&name=ada@example.org&password=otter+lamp+bicycle+seven"
    for endpoint in scene.endpoints:
        if endpoint.opens not in {Opens.SIGNING_IN, Opens.NOTHING} or endpoint.is_look or "iscover" in endpoint.path:
            continue
        for theirs, sent, headers in (
            ("a", "", OURS), ("a", "b", OURS), ("", "", OURS), ("", "a", SILENT),
            *(("a", "a", {**each, "Content-Type": FORM}) for each in ELSEWHERE),
        ):  # fmt: skip
            shown = Shown({**cookie(theirs, "__Host-valetkey-form"), **headers} if theirs else headers)
            body = f"csrf={sent}".encode() + fields
            answered = await scene.send("POST", endpoint.at(**scene.ids), shown.headers.items(), body)
            if answered.status != 403:
                wrong.append(f"{endpoint}: {answered.status} for {theirs}/{sent} and {headers}")
    assert wrong == []
    assert changed(before, scene.rows()) == []

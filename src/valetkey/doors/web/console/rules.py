"""Policy and named networks: see them, try a change and see whom it would hit, then save or propose it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from valetkey.core.errors import Conflict, InvalidInput
from valetkey.core.network import NamedNetworks, network_facts, networks_from
from valetkey.core.policy import Policy, policy_facts, policy_from
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web.console.acting import act
from valetkey.doors.web.console.gate import ConsoleVisit, ToChangePolicy, ToSeePolicy
from valetkey.doors.web.console.naming import POLICY, ConsoleWords
from valetkey.doors.web.console.policy_form import FIELDS, TICKS, posted_policy, read_policy, typed_policy
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.notices import see_other_with
from valetkey.service import policy
from valetkey.service.policy import Preview, Saved

router = APIRouter()
_MAX_FACTS = 40_000  # characters of what a page carries to the next
_MOVED_ON = say("The rules were changed by somebody else in the meantime. Look at them again, then repeat your change.")
EFFECTS: Mapping[str, Sentence] = {
    "stops": say("stops working"),
    "ends-earlier": say("ends earlier"),
    "network": say("works from other networks"),
    "main-password": say("the main password no longer opens mail"),
}


@router.api_route("/console/policy", methods=LOOK)
async def show_policy(visit: ToSeePolicy) -> Response:
    """Show the policy; who may change it gets a form."""
    shown = await policy.show(visit.ports, visit.actor)
    return await _policy_page(visit, typed_policy(shown.policy))


@router.post("/console/policy/preview")
async def preview_policy(visit: ToChangePolicy) -> Response:
    """Say what the change is and whom it would hit. Changes nothing."""
    old, typed = (await policy.show(visit.ports, visit.actor)).policy, posted_policy(visit.form)
    try:
        new = read_policy(typed, old)
        found = await policy.preview(visit.ports, visit.actor, new)
    except InvalidInput as refusal:
        return await _policy_page(visit, typed, Errors({refusal.field: refusal.sentence}))
    if not found.changed:
        return await _policy_page(visit, typed, Errors({"": say("Nothing is changed: this holds already.")}))
    return _policy_preview(visit, old, new, found)


@router.post("/console/policy/save")
async def save_policy(visit: ToChangePolicy) -> Response:
    """Save the policy that was previewed, or propose it if it is weaker."""
    old = (await policy.show(visit.ports, visit.actor)).policy
    was, facts = _carried(visit, "was"), _carried(visit, "wanted")
    try:
        new = policy_from(facts, old)
    except ValueError:
        raise HTTPException(400, "The form could not be read.") from None

    async def do(here: ConsoleVisit) -> Response:
        if was != policy_facts(old):
            raise Conflict(_MOVED_ON)
        return _after(await policy.save(here.ports, here.actor, new, reason=here.form.one("reason")), "/console/policy")

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        found = await policy.preview(here.ports, here.actor, new)
        return _policy_preview(here, old, new, found, errors)

    return await act(visit, do, again)


async def _policy_page(visit: ConsoleVisit, typed: Mapping[str, str], errors: Errors | None = None) -> Response:
    shown = await policy.show(visit.ports, visit.actor)
    return visit.page("policy.html", errors=errors, shown=shown, typed=typed, fields=FIELDS, ticks=TICKS)


def _policy_preview(
    visit: ConsoleVisit, old: Policy, new: Policy, found: Preview, errors: Errors | None = None
) -> Response:
    named, said = ConsoleWords(visit.language), visit.words.said
    changes = [
        (said(POLICY[name][0]), *(named.policy_value(name, getattr(rules, name)) for rules in (old, new)), name)
        for name in found.changed
    ]
    facts = {"was": policy_facts(old), "wanted": policy_facts(new)}
    return _preview_page(visit, "/console/policy", changes, found, facts, errors)


@router.api_route("/console/networks", methods=LOOK)
async def show_networks(visit: ToSeePolicy) -> Response:
    """Show the named networks; who may change them gets a form."""
    shown = await policy.show(visit.ports, visit.actor)
    return await _networks_page(visit, _as_lines(shown.networks))


@router.post("/console/networks/preview")
async def preview_networks(visit: ToChangePolicy) -> Response:
    """Say what the change is and whom it would hit. Changes nothing."""
    old, typed = (await policy.show(visit.ports, visit.actor)).networks, visit.form.one("networks", _MAX_FACTS)
    try:
        new = networks_from(_from_lines(typed))
    except InvalidInput as refusal:
        return await _networks_page(visit, typed, Errors({"networks": refusal.sentence}))
    found = await policy.preview_networks(visit.ports, visit.actor, new)
    if not found.changed:
        return await _networks_page(visit, typed, Errors({"": say("Nothing is changed: this holds already.")}))
    return _networks_preview(visit, old, new, found)


@router.post("/console/networks/save")
async def save_networks(visit: ToChangePolicy) -> Response:
    """Save the networks that were previewed, or propose them if a used one grows."""
    old = (await policy.show(visit.ports, visit.actor)).networks
    was = _carried(visit, "was")
    try:
        new = networks_from(_carried(visit, "wanted"))
    except (ValueError, AttributeError, TypeError):
        raise HTTPException(400, "The form could not be read.") from None

    async def do(here: ConsoleVisit) -> Response:
        if was != network_facts(old):
            raise Conflict(_MOVED_ON)
        saved = await policy.save_networks(here.ports, here.actor, new, reason=here.form.one("reason"))
        return _after(saved, "/console/networks")

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        found = await policy.preview_networks(here.ports, here.actor, new)
        return _networks_preview(here, old, new, found, errors)

    return await act(visit, do, again)


async def _networks_page(visit: ConsoleVisit, typed: str, errors: Errors | None = None) -> Response:
    shown = await policy.show(visit.ports, visit.actor)
    return visit.page("networks.html", errors=errors, shown=shown, typed=typed, facts=network_facts(shown.networks))


def _networks_preview(
    visit: ConsoleVisit, old: NamedNetworks, new: NamedNetworks, found: Preview, errors: Errors | None = None
) -> Response:
    before, after = network_facts(old), network_facts(new)
    none = visit.words.said(say("not there"))
    changes = [
        (name, ", ".join(before.get(name, ())) or none, ", ".join(after.get(name, ())) or none, name)
        for name in found.changed
    ]
    return _preview_page(visit, "/console/networks", changes, found, {"was": before, "wanted": after}, errors)


def _preview_page(  # noqa: PLR0917  (what both previews have in common)
    visit: ConsoleVisit,
    path: str,
    changes: Sequence[tuple[str, ...]],
    found: Preview,
    facts: Mapping[str, Any],
    errors: Errors | None,
) -> Response:
    return visit.page(
        "rules_preview.html",
        errors=errors,
        here=path,
        changes=changes,
        found=found,
        effects=EFFECTS,
        carried={name: json.dumps(value) for name, value in facts.items()},
        reason=visit.form.one("reason"),
    )


def _after(saved: Saved, path: str) -> Response:
    if saved.proposal is not None:
        return see_other_with(f"/console/proposals/{saved.proposal.id}", "proposed")
    return see_other_with(path, "rules-saved", saved.closed)


def _carried(visit: ConsoleVisit, name: str) -> Any:
    try:
        facts = json.loads(visit.form.one(name, _MAX_FACTS))
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise HTTPException(400, "The form could not be read.")
    return facts


def _as_lines(networks: NamedNetworks) -> str:
    return "".join(f"{name} = {', '.join(members)}\n" for name, members in network_facts(networks).items())


def _from_lines(typed: str) -> dict[str, list[str]]:
    """Read lines such as `office = 192.0.2.0/24, 2001:db8::/48`; empty ones are passed over.

    Raises:
        InvalidInput: A line of another form, or a name that stands there twice.
    """
    found: dict[str, list[str]] = {}
    for line in filter(str.strip, typed.splitlines()):
        name, sign, members = (part.strip() for part in line.partition("="))
        if not sign:
            raise InvalidInput("networks", "Write each line as “name = network, network”: {line}", line=line[:60])
        if name in found:
            raise InvalidInput("networks", "“{name}” stands there twice. Put its networks into one line.", name=name)
        found[name] = [one for one in members.replace(",", " ").split() if one]
    return found

"""Policy, named networks, and what waits for a second administrator."""

from valetkey.core.errors import InvalidInput
from valetkey.core.network import networks_from
from valetkey.core.proposal import Proposal, ProposalKind
from valetkey.core.role import Action
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.paging import answer_page, cursor, place_from, place_of, position
from valetkey.doors.api.shapes import rules as shapes
from valetkey.doors.api.shapes.closed import closed_facts
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.service import policy, proposals
from valetkey.service.policy import Origin
from valetkey.service.ports import Ports, Reader

_TAG = "policy"
_SEE = (Action.SEE_POLICY,)
_CHANGE = (Action.CHANGE_POLICY,)
_COUNTERSIGN = "Two means two people: only an administrator in person countersigns or declines, in the console."


async def _get_policy(call: Call[Nothing, Nothing]) -> Answer:
    shown = await policy.show(call.ports, call.actor)
    return Answer(shapes.policy_shape(shown.policy, shown.policy_from), has_etag=True)


async def _preview_policy(call: Call[Nothing, shapes.PolicyShape]) -> Answer:
    found = await policy.preview(call.ports, call.actor, shapes.policy_of(call.body))
    return Answer(shapes.preview_shape(found))


async def _set_policy(call: Call[Nothing, shapes.PolicyWanted]) -> Answer:
    def current(reader: Reader, ports: Ports) -> shapes.PolicyRead:
        origin = Origin.FILE if reader.site_rules().policy is None else Origin.CONSOLE
        return shapes.policy_shape(ports.policy, origin)

    wanted = shapes.policy_of(call.body.policy)
    return _saved(await policy.save(call.guarded(current), call.actor, wanted, reason=call.body.reason))


async def _get_networks(call: Call[Nothing, Nothing]) -> Answer:
    shown = await policy.show(call.ports, call.actor)
    return Answer(shapes.networks_shape(shown.networks, shown.networks_from), has_etag=True)


async def _preview_networks(call: Call[Nothing, shapes.NetworksWanted]) -> Answer:
    found = await policy.preview_networks(call.ports, call.actor, networks_from(call.body.networks))
    return Answer(shapes.preview_shape(found))


async def _set_networks(call: Call[Nothing, shapes.NetworksWanted]) -> Answer:
    def current(reader: Reader, ports: Ports) -> shapes.NetworksRead:
        origin = Origin.FILE if reader.site_rules().networks is None else Origin.CONSOLE
        return shapes.networks_shape(ports.networks, origin)

    wanted = networks_from(call.body.networks)
    return _saved(await policy.save_networks(call.guarded(current), call.actor, wanted, reason=call.body.reason))


def _saved(done: policy.Saved) -> Answer:
    proposal_id = None if done.proposal is None else done.proposal.id
    return Answer(shapes.Saved(proposal_id=proposal_id, **closed_facts(done.closed)))


async def _list_proposals(call: Call[shapes.OpenOnly, Nothing]) -> Answer:
    asked = call.query
    found, onward = await proposals.listed(
        call.ports, call.actor, open_only=asked.open_only, after=place_from(position(call)), limit=asked.limit
    )
    following = None if onward is None else cursor(call, place_of(*onward))
    return answer_page(call, shapes.Proposals, [shapes.proposal_shape(each) for each in found], following)


async def _get_proposal(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(shapes.proposal_shape(await proposals.find(call.ports, call.actor, call.path["proposal_id"])))


async def _propose(call: Call[Nothing, shapes.ProposalWanted]) -> Answer:
    made = await _proposed(call)
    return Answer(shapes.ProposalMade(id=made.id, kind=made.kind, expires_at=made.expires_at), 201)


async def _proposed(call: Call[Nothing, shapes.ProposalWanted]) -> Proposal:
    asked = call.body
    if (asked.account_id is None) != (asked.kind is ProposalKind.EXPORT_EVERYTHING):
        raise InvalidInput("account_id", "Say whom it is about; an export is about nobody.")
    account_id = asked.account_id or ""
    match asked.kind:
        case ProposalKind.RESET_SECOND_FACTORS:
            return await proposals.propose_reset(call.ports, call.actor, account_id, asked.reason)
        case ProposalKind.REINVITE:
            return await proposals.propose_reinvite(call.ports, call.actor, account_id, asked.reason)
        case ProposalKind.EXPORT_EVERYTHING:
            return await proposals.propose_export(call.ports, call.actor, asked.reason)
        case ProposalKind.LOWER_POLICY:
            raise InvalidInput("kind", "Save the policy: if it is weaker, that makes the proposal.")


async def _withdraw(call: Call[Nothing, Nothing]) -> Answer:
    await proposals.withdraw(call.ports, call.actor, call.path["proposal_id"])
    return Answer()


async def _decline(call: Call[Nothing, Nothing]) -> Answer:
    await proposals.decline(call.ports, call.actor, call.path["proposal_id"])
    return Answer()


async def _countersign(call: Call[Nothing, Nothing]) -> Answer:
    await proposals.countersign(call.ports, call.actor, call.path["proposal_id"])
    return Answer()


_ONE = "/proposals/{proposal_id}"
_PROPOSE = (Action.RESET_SECOND_FACTORS, Action.INVITE, Action.EXPORT_AUDIT)

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "get_policy", "GET", "/policy", _TAG, "The policy that holds",
        _get_policy, Nothing, Nothing, shapes.PolicyRead, actions=_SEE, has_etag=True,
    ),
    Operation(
        "set_policy", "PUT", "/policy", _TAG, "Save a policy; a weaker one waits for a second administrator",
        _set_policy, Nothing, shapes.PolicyWanted, shapes.Saved, actions=_CHANGE, needs_if_match=True,
    ),
    Operation(
        "preview_policy", "POST", "/policy/preview", _TAG, "Whom another policy would hit; nothing is changed",
        _preview_policy, Nothing, shapes.PolicyShape, shapes.PreviewShape, actions=_SEE,
    ),
    Operation(
        "get_networks", "GET", "/networks", _TAG, "The named networks",
        _get_networks, Nothing, Nothing, shapes.NetworksRead, actions=_SEE, has_etag=True,
    ),
    Operation(
        "set_networks", "PUT", "/networks", _TAG, "Save all named networks; a wider one waits for a second administrator",
        _set_networks, Nothing, shapes.NetworksWanted, shapes.Saved, actions=_CHANGE, needs_if_match=True,
    ),
    Operation(
        "preview_networks", "POST", "/networks/preview", _TAG, "Whom other networks would hit; nothing is changed",
        _preview_networks, Nothing, shapes.NetworksWanted, shapes.PreviewShape, actions=_SEE,
    ),
    Operation(
        "list_proposals", "GET", "/proposals", _TAG, "What waits for a second administrator",
        _list_proposals, shapes.OpenOnly, Nothing, shapes.Proposals, actions=_SEE,
    ),
    Operation(
        "propose", "POST", "/proposals", _TAG, "Propose what takes two administrators",
        _propose, Nothing, shapes.ProposalWanted, shapes.ProposalMade, 201, _PROPOSE,
    ),
    Operation(
        "get_proposal", "GET", _ONE, _TAG, "One proposal",
        _get_proposal, Nothing, Nothing, shapes.ProposalShape, actions=_SEE,
    ),
    Operation(
        "withdraw_proposal", "POST", f"{_ONE}/withdraw", _TAG, "Withdraw one's own proposal",
        _withdraw, Nothing, Nothing, None, 204, (*_PROPOSE, Action.CHANGE_POLICY),
    ),
    Operation(
        "decline_proposal", "POST", f"{_ONE}/decline", _TAG, "For people only: decline it",
        _decline, Nothing, Nothing, None, 204, (Action.COUNTERSIGN,), _COUNTERSIGN,
    ),
    Operation(
        "countersign_proposal", "POST", f"{_ONE}/countersign", _TAG, "For people only: countersign it",
        _countersign, Nothing, Nothing, None, 204, (Action.COUNTERSIGN,), _COUNTERSIGN,
    ),
)  # fmt: skip

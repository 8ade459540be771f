"""App passwords: one's own, those of shared accounts that one owns, and everybody's."""

from datetime import datetime, timedelta
from functools import partial

from valetkey.core.app_password import AppPassword
from valetkey.core.errors import InvalidInput
from valetkey.core.limits import NO_LIMITS, Limits, check_choice
from valetkey.core.policy import Policy
from valetkey.core.role import Action
from valetkey.core.scope import Scope, ready_made
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.paging import page, page_of_all, position
from valetkey.doors.api.shapes import app_passwords as shapes
from valetkey.doors.api.shapes.accounts import WithReason
from valetkey.doors.api.shapes.app_passwords import AppPasswordShape, app_password_shape
from valetkey.doors.api.shapes.closed import Closed, closed_facts
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.doors.api.shapes.limits import SentShape, sent_shape
from valetkey.service import app_passwords, console, live, rotation
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import Ports, Reader

_TAG = "app passwords"
_SEE = (Action.OWN_READ, Action.SEE_APP_PASSWORDS)
_REVOKE = (Action.OWN_REVOKE, Action.REVOKE_APP_PASSWORDS)


async def _list_of_account(call: Call[shapes.AppPasswordsAsked, Nothing]) -> Answer:
    found = await app_passwords.of_account(call.ports, call.actor, call.account_id, live_only=call.query.live_only)
    shown = partial(app_password_shape, policy=call.ports.policy)
    return page_of_all(call, shapes.AppPasswordPage, found, shown, lambda one: (one.created_at, one.id))


async def _list_all(call: Call[shapes.AllAppPasswordsAsked, Nothing]) -> Answer:
    begin = position(call)
    found = await console.app_passwords(
        call.ports,
        call.actor,
        call.query.filter,
        search=call.query.search,
        after=None if begin is None else (datetime.fromisoformat(begin[0]), begin[1]),
        limit=call.query.limit + 1,
    )
    policy = call.ports.policy
    return page(
        call,
        shapes.AllAppPasswordPage,
        found,
        lambda pair: shapes.AppPasswordOfAccount(
            app_password=app_password_shape(pair[0], policy), address=pair[1].address
        ),
        lambda pair: _where(pair[0]),
    )


async def _make(call: Call[Nothing, shapes.NewAppPassword]) -> Answer:
    asked = call.body
    restrictions = None if asked.restrictions is None else shapes.restrictions_of(asked.restrictions)
    scope = _scope(asked, restrictions.limits if restrictions else NO_LIMITS)
    wanted = Wanted(asked.description, scope, restrictions, asked.format)
    issued = await app_passwords.issue(call.ports, call.actor, call.account_id, wanted)
    made = shapes.AppPasswordMade(
        app_password=app_password_shape(issued.app_password, call.ports.policy), secret=issued.secret.shown
    )
    return Answer(made, 201)


def _scope(asked: shapes.NewAppPassword, limits: Limits) -> Scope:
    if (asked.scope is None) == (asked.ready_made is None):
        raise InvalidInput("scope", "Give either a scope or the key of a ready-made choice.")
    if asked.scope is not None:
        return shapes.scope_of(asked.scope)
    choice = ready_made(asked.ready_made or "")
    if choice is None:
        raise InvalidInput("ready_made", "There is no such ready-made choice.")
    check_choice(choice, limits)
    return choice.scope


async def _get(call: Call[Nothing, Nothing]) -> Answer:
    found = await app_passwords.get(call.ports, call.actor, call.path["app_password_id"])
    return Answer(app_password_shape(found, call.ports.policy), has_etag=True)


async def _change(call: Call[Nothing, shapes.AppPasswordChange]) -> Answer:
    asked, credential_id = call.body, call.path["app_password_id"]

    def current(reader: Reader, ports: Ports) -> AppPasswordShape | None:
        one = reader.app_password(credential_id)
        return None if one is None else app_password_shape(one, ports.policy)

    changed = await app_passwords.change(
        call.guarded(current),
        call.actor,
        credential_id,
        description=asked.description,
        scope=None if asked.scope is None else shapes.scope_of(asked.scope),
        restrictions=None
        if asked.restrictions is None
        else partial(shapes.restrictions_changed, asked=asked.restrictions),
    )
    return Answer(app_password_shape(changed.app_password, call.ports.policy), has_etag=True)


async def _sent(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(sent_shape(await app_passwords.sent_today(call.ports, call.actor, call.path["app_password_id"])))


async def _revoke(call: Call[Nothing, WithReason]) -> Answer:
    done = await app_passwords.revoke(call.ports, call.actor, call.path["app_password_id"], call.body.reason)
    return Answer(_changed(done, call.ports.policy))


async def _revoke_of_account(call: Call[Nothing, WithReason]) -> Answer:
    done = await app_passwords.revoke_all(call.ports, call.actor, call.account_id, call.body.reason)
    policy = call.ports.policy
    items = [_changed(each, policy) for each in done.app_passwords]
    return Answer(shapes.AppPasswordsRevoked(items=items, **closed_facts(done.closed)))


async def _rotate(call: Call[Nothing, shapes.Overlap]) -> Answer:
    overlap = timedelta(seconds=call.body.overlap)
    done = await rotation.rotate(call.ports, call.actor, call.path["app_password_id"], overlap)
    policy = call.ports.policy
    rotated = shapes.AppPasswordRotatedShape(
        app_password=app_password_shape(done.app_password, policy),
        secret=done.secret.shown,
        replaced=app_password_shape(done.replaced, policy),
        **closed_facts(done.closed),
    )
    return Answer(rotated, 201)


async def _close_connections(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Closed(closed=await live.close_all_of(call.ports, call.actor, call.path["app_password_id"])))


async def _preview_many(call: Call[Nothing, shapes.ManyWanted]) -> Answer:
    plan = await console.what_would_be_revoked(call.ports, call.actor, call.body.ids)
    return Answer(
        shapes.ManyPlanned(
            app_passwords=plan.app_passwords, people=plan.people, connections=plan.connections, skipped=plan.skipped
        )
    )


async def _revoke_many(call: Call[Nothing, shapes.ManyWanted]) -> Answer:
    done = await console.revoke_many(call.ports, call.actor, call.body.ids, call.body.reason)
    closed = closed_facts(done.closed)
    return Answer(shapes.ManyRevoked(revoked=done.revoked, people=done.people, skipped=done.skipped, **closed))


def _changed(done: app_passwords.Changed, policy: Policy) -> shapes.AppPasswordChanged:
    shape = app_password_shape(done.app_password, policy)
    return shapes.AppPasswordChanged(app_password=shape, **closed_facts(done.closed))


def _where(one: AppPassword) -> list[str]:
    return [one.created_at.isoformat(), one.id]


_ONE = "/app-passwords/{app_password_id}"
_OF_ACCOUNT = "/accounts/{account_id}/app-passwords"

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "list_account_app_passwords", "GET", _OF_ACCOUNT, _TAG, "The app passwords of an account",
        _list_of_account, shapes.AppPasswordsAsked, Nothing, shapes.AppPasswordPage, actions=_SEE,
    ),
    Operation(
        "make_app_password", "POST", _OF_ACCOUNT, _TAG, "Make an app password; its secret is shown once",
        _make, Nothing, shapes.NewAppPassword, shapes.AppPasswordMade, 201, (Action.OWN_MAKE,),
        description="For one's own account and for shared ones that one owns; never for another person.",
    ),
    Operation(
        "revoke_account_app_passwords", "POST", f"{_OF_ACCOUNT}/revoke", _TAG, "Revoke all app passwords of an account",
        _revoke_of_account, Nothing, WithReason, shapes.AppPasswordsRevoked, actions=_REVOKE,
    ),
    Operation(
        "list_app_passwords", "GET", "/app-passwords", _TAG, "Everybody's app passwords",
        _list_all, shapes.AllAppPasswordsAsked, Nothing, shapes.AllAppPasswordPage, actions=(Action.SEE_APP_PASSWORDS,),
    ),
    Operation(
        "preview_revoking", "POST", "/app-passwords/revoke/preview", _TAG, "What revoking many at once would do",
        _preview_many, Nothing, shapes.ManyWanted, shapes.ManyPlanned, actions=(Action.REVOKE_APP_PASSWORDS,),
    ),
    Operation(
        "revoke_app_passwords", "POST", "/app-passwords/revoke", _TAG, "Revoke many at once",
        _revoke_many, Nothing, shapes.ManyWanted, shapes.ManyRevoked, actions=(Action.REVOKE_APP_PASSWORDS,),
    ),
    Operation(
        "get_app_password", "GET", _ONE, _TAG, "One app password",
        _get, Nothing, Nothing, AppPasswordShape, actions=_SEE, has_etag=True,
    ),
    Operation(
        "get_app_password_sent", "GET", f"{_ONE}/sent", _TAG, "What it has sent today, beside its limits",
        _sent, Nothing, Nothing, SentShape, actions=_SEE,
    ),
    Operation(
        "change_app_password", "PATCH", _ONE, _TAG, "Rename one, or change what it may do",
        _change, Nothing, shapes.AppPasswordChange, AppPasswordShape, actions=(Action.OWN_MAKE,),
        needs_if_match=True, has_etag=True,
    ),
    Operation(
        "revoke_app_password", "POST", f"{_ONE}/revoke", _TAG, "Revoke one and close its connections",
        _revoke, Nothing, WithReason, shapes.AppPasswordChanged, actions=_REVOKE,
    ),
    Operation(
        "rotate_app_password", "POST", f"{_ONE}/rotate", _TAG, "Put a new one in its place",
        _rotate, Nothing, shapes.Overlap, shapes.AppPasswordRotatedShape, 201, (Action.OWN_MAKE,),
    ),
    Operation(
        "close_app_password_connections", "POST", f"{_ONE}/close-connections", _TAG,
        "Close the mail connections that it opened; it stays valid",
        _close_connections, Nothing, Nothing, Closed, actions=(Action.OWN_REVOKE, Action.CLOSE_CONNECTIONS),
    ),
)  # fmt: skip

"""Who one is."""

from valetkey.core.role import Action
from valetkey.core.scope import READY_MADE
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.shapes.accounts import Me, SharedAccounts, SharedAccountShape, account_shape, named
from valetkey.doors.api.shapes.app_passwords import ReadyMadeList, ReadyMadeShape, scope_shape
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.doors.api.shapes.tokens import token_shape
from valetkey.service import history

_TAG = "me"


async def _get_me(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Me(account=account_shape(call.who.account), token=token_shape(call.who.token)))


async def _list_shared_accounts(call: Call[Nothing, Nothing]) -> Answer:
    found = await history.shared_accounts(call.ports, call.actor)
    items = [
        SharedAccountShape(account=account_shape(each.account), owners=[named(owner) for owner in each.owners])
        for each in found
    ]
    return Answer(SharedAccounts(items=items))


async def _list_ready_made(_call: Call[Nothing, Nothing]) -> Answer:
    items = [
        ReadyMadeShape(key=each.key, title=str(each.title), sentence=str(each.sentence), scope=scope_shape(each.scope))
        for each in READY_MADE
    ]
    return Answer(ReadyMadeList(items=items))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "get_me", "GET", "/me", _TAG, "Who this token acts for, and what it may do", _get_me, Nothing, Nothing, Me
    ),
    Operation(
        "list_shared_accounts", "GET", "/me/shared-accounts", _TAG, "The shared accounts that one owns",
        _list_shared_accounts, Nothing, Nothing, SharedAccounts, actions=(Action.OWN_READ,),
    ),
    Operation(
        "list_ready_made", "GET", "/ready-made", _TAG, "The ready-made choices for an app password",
        _list_ready_made, Nothing, Nothing, ReadyMadeList,
    ),
)  # fmt: skip

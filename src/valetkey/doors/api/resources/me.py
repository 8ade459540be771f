"""Who one is, and what is seen of one's own signing in to the portal."""

from valetkey.core.role import Action
from valetkey.core.scope import READY_MADE
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.paging import Paged, answer_page, cursor, page_of_all, position
from valetkey.doors.api.shapes.accounts import Me, SharedAccounts, SharedAccountShape, account_shape, named
from valetkey.doors.api.shapes.app_passwords import ReadyMadeList, ReadyMadeShape, scope_shape
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.doors.api.shapes.records import audit_shape
from valetkey.doors.api.shapes.sign_ins import (
    NoticeAddressShape,
    SessionPage,
    SignInPage,
    notice_address_shape,
    refused_shape,
    session_shape,
)
from valetkey.doors.api.shapes.tokens import token_shape
from valetkey.service import history, notice_addresses, portal_sessions, sign_in_history

_TAG = "me"
_SEE = (Action.OWN_READ,)


async def _get_me(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Me(account=account_shape(call.who.account), token=token_shape(call.who.token)))


async def _list_shared_accounts(call: Call[Nothing, Nothing]) -> Answer:
    found = await history.shared_accounts(call.ports, call.actor)
    items = [
        SharedAccountShape(account=account_shape(each.account), owners=[named(owner) for owner in each.owners])
        for each in found
    ]
    return Answer(SharedAccounts(items=items))


async def _list_sessions(call: Call[Paged, Nothing]) -> Answer:
    found = await portal_sessions.sessions(call.ports, call.actor)
    return page_of_all(
        call, SessionPage, found, session_shape, lambda each: (each.created_at, portal_sessions.public_id(each))
    )


async def _list_sign_ins(call: Call[Paged, Nothing]) -> Answer:
    begin = position(call)
    before = None if begin is None else int(begin[0])
    found = await sign_in_history.history(call.ports, call.actor, before=before, limit=call.query.limit)
    following = None if found.older is None else cursor(call, [found.older])
    refused = [refused_shape(each) for each in found.refused]
    return answer_page(call, SignInPage, [audit_shape(each) for each in found.records], following, refused=refused)


async def _get_notice_address(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(notice_address_shape(await notice_addresses.show(call.ports, call.actor)))


async def _list_ready_made(_call: Call[Nothing, Nothing]) -> Answer:
    items = [
        ReadyMadeShape(
            key=each.key,
            title=str(each.title),
            sentence=str(each.sentence),
            scope=scope_shape(each.scope),
            needs_folders=each.needs_folders,
        )
        for each in READY_MADE
    ]
    return Answer(ReadyMadeList(items=items))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "get_me", "GET", "/me", _TAG, "Who this token acts for, and what it may do", _get_me, Nothing, Nothing, Me
    ),
    Operation(
        "list_shared_accounts", "GET", "/me/shared-accounts", _TAG, "The shared accounts that one owns",
        _list_shared_accounts, Nothing, Nothing, SharedAccounts, actions=_SEE,
    ),
    Operation(
        "list_sessions", "GET", "/me/sessions", _TAG, "The browsers that are signed in to one's account",
        _list_sessions, Paged, Nothing, SessionPage, actions=_SEE,
        description="They are ended in the portal only.",
    ),
    Operation(
        "list_sign_ins", "GET", "/me/sign-ins", _TAG, "Who came into one's account in the portal, and who was turned away",
        _list_sign_ins, Paged, Nothing, SignInPage, actions=_SEE,
    ),
    Operation(
        "get_notice_address", "GET", "/me/notice-address", _TAG,
        "Where notices go beside the mailbox; it changes in person only",
        _get_notice_address, Nothing, Nothing, NoticeAddressShape, actions=_SEE,
    ),
    Operation(
        "list_ready_made", "GET", "/ready-made", _TAG, "The ready-made choices for an app password",
        _list_ready_made, Nothing, Nothing, ReadyMadeList,
    ),
)  # fmt: skip

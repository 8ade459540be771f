"""API tokens: seen and revoked. They are made in the portal, by a person who has just proven identity."""

from valetkey.core.role import Action
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.paging import page, page_of_all, place_from, place_of, position
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.doors.api.shapes.tokens import (
    AllTokenPage,
    TokenOfAccount,
    TokenPage,
    TokensAsked,
    TokenShape,
    token_shape,
)
from valetkey.service import api_tokens

_TAG = "API tokens"


async def _list_of_account(call: Call[TokensAsked, Nothing]) -> Answer:
    found = await api_tokens.of_account(call.ports, call.actor, call.account_id, live_only=call.query.live_only)
    return page_of_all(call, TokenPage, found, token_shape, lambda token: (token.created_at, token.id))


async def _list_all(call: Call[TokensAsked, Nothing]) -> Answer:
    found = await api_tokens.all_of(
        call.ports,
        call.actor,
        live_only=call.query.live_only,
        after=place_from(position(call)),
        limit=call.query.limit + 1,
    )
    return page(
        call,
        AllTokenPage,
        found,
        lambda pair: TokenOfAccount(token=token_shape(pair[0]), address=pair[1].address),
        lambda pair: place_of(pair[0].created_at, pair[0].id),
    )


async def _revoke(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(token_shape(await api_tokens.revoke(call.ports, call.actor, call.path["token_id"])))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "list_account_tokens", "GET", "/accounts/{account_id}/tokens", _TAG, "The API tokens of an account",
        _list_of_account, TokensAsked, Nothing, TokenPage, actions=(Action.OWN_READ, Action.SEE_TOKENS),
    ),
    Operation(
        "list_tokens", "GET", "/tokens", _TAG, "Everybody's API tokens",
        _list_all, TokensAsked, Nothing, AllTokenPage, actions=(Action.SEE_TOKENS,),
    ),
    Operation(
        "revoke_token", "POST", "/tokens/{token_id}/revoke", _TAG, "Revoke an API token",
        _revoke, Nothing, Nothing, TokenShape, actions=(Action.OWN_REVOKE, Action.REVOKE_TOKENS),
    ),
)  # fmt: skip

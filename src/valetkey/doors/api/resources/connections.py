"""Open mail connections, the mail servers behind the gateway, and those that ask."""

from valetkey.core.errors import NotFound
from valetkey.core.role import Action
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.paging import Paged, page_of_all
from valetkey.doors.api.shapes.connections import (
    ConnectionPage,
    Doors,
    Servers,
    connection_shape,
    door_shape,
    server_shape,
)
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.service import live, servers
from valetkey.service.ports import LiveSurvey

_TAG = "connections"


async def _list_of_account(call: Call[Paged, Nothing]) -> Answer:
    return _page(call, await live.survey(call.ports, call.actor, call.account_id))


async def _list_all(call: Call[Paged, Nothing]) -> Answer:
    return _page(call, await live.survey(call.ports, call.actor, None))


def _page(call: Call[Paged, Nothing], found: LiveSurvey) -> Answer:
    return page_of_all(
        call,
        ConnectionPage,
        found.sessions,
        connection_shape,
        lambda one: (one.opened_at, one.id),
        is_complete=found.silent == 0,
    )


async def _close(call: Call[Nothing, Nothing]) -> Answer:
    if not await live.close(call.ports, call.actor, call.path["connection_id"]):
        raise NotFound("There is no such open connection.")
    return Answer()


async def _list_servers(call: Call[Nothing, Nothing]) -> Answer:
    found = await servers.connected(call.ports, call.actor)
    return Answer(Servers(items=[server_shape(each) for each in found]))


async def _list_doors(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Doors(items=[door_shape(each) for each in await servers.asking(call.ports, call.actor)]))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "list_account_connections", "GET", "/accounts/{account_id}/connections", _TAG,
        "The open mail connections of an account",
        _list_of_account, Paged, Nothing, ConnectionPage, actions=(Action.OWN_READ, Action.SEE_CONNECTIONS),
    ),
    Operation(
        "list_connections", "GET", "/connections", _TAG, "Everybody's open mail connections",
        _list_all, Paged, Nothing, ConnectionPage, actions=(Action.SEE_CONNECTIONS,),
    ),
    Operation(
        "close_connection", "DELETE", "/connections/{connection_id}", _TAG, "Close one",
        _close, Nothing, Nothing, None, 204, (Action.OWN_REVOKE, Action.CLOSE_CONNECTIONS),
    ),
    Operation(
        "list_servers", "GET", "/servers", _TAG, "The mail servers and how they stand",
        _list_servers, Nothing, Nothing, Servers, actions=(Action.SEE_SERVERS,),
    ),
    Operation(
        "list_doors", "GET", "/doors", _TAG, "Where mail servers ask, who may, and what came of it",
        _list_doors, Nothing, Nothing, Doors, actions=(Action.SEE_SERVERS,),
    ),
)  # fmt: skip

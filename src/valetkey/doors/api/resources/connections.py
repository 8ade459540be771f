"""Open mail connections, and the mail servers behind the gateway."""

from valetkey.core.errors import NotFound
from valetkey.core.role import Action
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.shapes.connections import Connections, Servers, connections_shape, server_shape
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.service import live, servers

_TAG = "connections"


async def _list_of_account(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(connections_shape(await live.survey(call.ports, call.actor, call.account_id)))


async def _list_all(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(connections_shape(await live.survey(call.ports, call.actor, None)))


async def _close(call: Call[Nothing, Nothing]) -> Answer:
    if not await live.close(call.ports, call.actor, call.path["connection_id"]):
        raise NotFound("There is no such open connection.")
    return Answer()


async def _list_servers(call: Call[Nothing, Nothing]) -> Answer:
    found = await servers.connected(call.ports, call.actor)
    return Answer(Servers(items=[server_shape(each) for each in found]))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "list_account_connections", "GET", "/accounts/{account_id}/connections", _TAG,
        "The open mail connections of an account",
        _list_of_account, Nothing, Nothing, Connections, actions=(Action.OWN_READ, Action.SEE_CONNECTIONS),
    ),
    Operation(
        "list_connections", "GET", "/connections", _TAG, "Everybody's open mail connections",
        _list_all, Nothing, Nothing, Connections, actions=(Action.SEE_CONNECTIONS,),
    ),
    Operation(
        "close_connection", "DELETE", "/connections/{connection_id}", _TAG, "Close one",
        _close, Nothing, Nothing, None, 204, (Action.OWN_REVOKE, Action.CLOSE_CONNECTIONS),
    ),
    Operation(
        "list_servers", "GET", "/servers", _TAG, "The mail servers and how they stand",
        _list_servers, Nothing, Nothing, Servers, actions=(Action.SEE_SERVERS,),
    ),
)  # fmt: skip

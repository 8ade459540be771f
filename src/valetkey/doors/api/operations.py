"""All operations of the API."""

from valetkey.doors.api.operation import AnyOperation
from valetkey.doors.api.resources import accounts, app_passwords, connections, me, records, rules, tokens

PREFIX = "/api/v1"
OPERATIONS: tuple[AnyOperation, ...] = tuple(
    operation
    for area in (me, accounts, app_passwords, connections, records, rules, tokens)
    for operation in area.OPERATIONS
)

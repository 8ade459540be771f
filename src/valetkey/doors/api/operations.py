"""All operations of the API."""

from valetkey.doors.api.operation import AnyOperation
from valetkey.doors.api.resources import app_passwords, me, tokens

PREFIX = "/api/v1"
OPERATIONS: tuple[AnyOperation, ...] = (*me.OPERATIONS, *app_passwords.OPERATIONS, *tokens.OPERATIONS)

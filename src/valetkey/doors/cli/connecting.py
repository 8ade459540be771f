"""One run of a command over the API. Imported when --server is named, for only then is an HTTP client needed."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from valetkey.client import ApiError, Client, ClientError, TooManyRequestsError, UnavailableError
from valetkey.core.errors import CannotStart
from valetkey.doors.cli.administration import Remote
from valetkey.doors.cli.over_api import OverApi
from valetkey.doors.cli.running import EXIT_REFUSED, EXIT_UNAVAILABLE, fail
from valetkey.doors.cli.server import Server, read_token

T = TypeVar("T")


def ask_server(server: Server, work: Callable[[Remote], Awaitable[T]]) -> T:
    """Run work over the API of a server; what the server refuses ends the command with a sentence.

    Raises:
        typer.Exit: It was refused, or the server could not be asked.
        ValetkeyError: The work cannot be done.
    """

    async def ask() -> T:
        with _connected(server) as client:
            return await work(OverApi(client))

    try:
        return asyncio.run(ask())
    except ClientError as error:
        fail(_said(error), _exit_code(error))


def _connected(server: Server) -> Client:
    """Connect, with the token.

    Raises:
        CannotStart: No token, one that others could read, or an address that it must not be sent to.
    """
    token = read_token(server.token_file, os.environ)
    try:
        return Client(server.url, token, ca_file=server.ca_file)
    except ValueError as problem:
        raise CannotStart("{problem}", problem=problem) from None
    except OSError:  # also ssl.SSLError
        raise CannotStart("{file} has no certificates that can be read.", file=server.ca_file) from None


def _exit_code(error: ClientError) -> int:
    later = UnavailableError | TooManyRequestsError
    return EXIT_REFUSED if isinstance(error, ApiError) and not isinstance(error, later) else EXIT_UNAVAILABLE


def _said(error: ClientError) -> str:
    match error:
        case UnavailableError(reference=reference) if reference:
            return f"{error} The reference is {reference}."
        case ApiError(errors=faults) if faults:
            return " ".join(dict.fromkeys([str(error), *(f"{one.field}: {one.detail}" for one in faults)]))
        case _:
            return str(error)

"""A typed client of the API, for programs: one method for each operation, and nothing else of Valetkey is needed.

    with Client("https://mail.example.org", token) as client:
        made = client.make_app_password("me", description="Office scanner", ready_made="send-only")
        for one in client.each_of_account_app_passwords("me"):
            print(one.description)

Answers are dataclasses of `valetkey.client.models`; what goes wrong is a `ClientError`. A request that broke off is sent
again where it cannot act twice: with GET, and with an idempotency key.
"""

from valetkey.client import models
from valetkey.client.calls import Calls
from valetkey.client.connection import Tagged
from valetkey.client.errors import (
    ApiError,
    ClientError,
    ConflictError,
    Fault,
    NotFoundError,
    NotPermittedError,
    RefusedError,
    StaleError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    UnreadableAnswerError,
    UntrustedServerError,
)

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "ConflictError",
    "Fault",
    "NotFoundError",
    "NotPermittedError",
    "RefusedError",
    "StaleError",
    "Tagged",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
    "UnreadableAnswerError",
    "UntrustedServerError",
    "models",
]


class Client(Calls):
    """A server's API, with one token. See `connection.Connection` for its arguments."""

"""Commands that a person runs for themselves: signed in here with main password and code, for one thing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

import typer

from valetkey.core.account import Account, AccountKind
from valetkey.core.errors import PolicyForbids
from valetkey.doors.cli.running import ask_password
from valetkey.service import portal_sessions, sign_in
from valetkey.service.ports import OPERATOR, Actor, Ports
from valetkey.service.sign_in import NextStep

AsPerson = Annotated[str | None, typer.Option("--as", help="Sign in as this person, for an account that is theirs.")]
Code = Annotated[str, typer.Option(help="The code of that person's authenticator; asked for otherwise.")]


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in, and with what."""

    name: str
    password: str = field(repr=False)
    code: str = field(repr=False)


def ask_person(name: str | None, code: str, *, password_stdin: bool) -> Person | None:
    """Ask for what somebody signs in with; None if the command line itself acts."""
    if name is None:
        return None
    password = ask_password(f"Main password of {name}", from_stdin=password_stdin)
    return Person(name, password, code or typer.prompt("Code of the authenticator", err=True))


@asynccontextmanager
async def acting(ports: Ports, person: Person | None, account: Account) -> AsyncIterator[Actor]:
    """Act on an account as a person who signs in here for this one thing, or as the command line.

    Raises:
        PolicyForbids: A person's account, and nobody signs in.
    """
    if person is None:
        if account.kind is AccountKind.PERSON:
            raise PolicyForbids(
                "{address} is a person's account: only that person can make an app password for it, "
                "in the portal or here with --as {address}.",
                address=account.address,
            )
        yield OPERATOR
        return
    actor, token = await _sign_in(ports, person)
    try:
        yield actor
    finally:
        await portal_sessions.sign_out(ports, token)


async def _sign_in(ports: Ports, person: Person) -> tuple[Actor, str]:
    started = await sign_in.start(ports, person.name, person.password, address="", client="valetkey command line")
    if started.next is NextStep.SECOND_FACTOR:
        started = await sign_in.prove_code(ports, started.token, person.code, address="")
    signed_in = await sign_in.current(ports, started.token)
    if signed_in is None:
        raise PolicyForbids("The sign-in did not hold; try again.")
    return sign_in.actor_of(signed_in, ""), started.token

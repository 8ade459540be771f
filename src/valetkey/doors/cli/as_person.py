"""Commands that a person runs for themselves: signed in here with main password and code, for one thing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import typer

from valetkey.core.errors import PolicyForbids
from valetkey.doors.cli.administration import Administration
from valetkey.doors.cli.on_this_machine import OnThisMachine
from valetkey.doors.cli.running import Running, ask_password
from valetkey.service import portal_sessions, sign_in
from valetkey.service.ports import Actor, Ports
from valetkey.service.sign_in import NextStep

T = TypeVar("T")

AsPerson = Annotated[str | None, typer.Option("--as", help="Sign in as this person, for an account that is theirs.")]
Code = Annotated[str, typer.Option(help="The code of that person's authenticator; asked for otherwise.")]


@dataclass(frozen=True, slots=True)
class SigningIn:
    """Who signs in for a command, as its options say; without a name nobody does."""

    name: str | None
    code: str = field(repr=False)
    password_stdin: bool


@dataclass(frozen=True, slots=True)
class _Person:
    """Who signs in, and with what."""

    name: str
    password: str = field(repr=False)
    code: str = field(repr=False)


def acting_on(running: Running, signing_in: SigningIn, work: Callable[[Administration], Awaitable[T]]) -> T:
    """Run work as a person who signs in here for this one thing; without one, as the command line or the token."""
    name = signing_in.name
    if name is None:
        return running.on(work)
    running.must_be_here()
    password = ask_password(f"Main password of {name}", from_stdin=signing_in.password_stdin)
    person = _Person(name, password, signing_in.code or typer.prompt("Code of the authenticator", err=True))

    async def do(ports: Ports) -> T:
        actor, token = await _sign_in(ports, person)
        try:
            return await work(OnThisMachine(ports, running.portal_url, actor))
        finally:
            await portal_sessions.sign_out(ports, token)

    return running.do(do)


async def _sign_in(ports: Ports, person: _Person) -> tuple[Actor, str]:
    started = await sign_in.start(ports, person.name, person.password, address="", client="valetkey command line")
    if started.next is NextStep.SECOND_FACTOR:
        started = await sign_in.prove_code(ports, started.token, person.code, address="")
    signed_in = await sign_in.current(ports, started.token)
    if signed_in is None:
        raise PolicyForbids("The sign-in did not hold; try again.")
    return sign_in.actor_of(signed_in, ""), started.token

"""Commands on the policy: which holds, and the way back to the configuration file."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from datetime import timedelta
from typing import Annotated, Any

import typer

from valetkey.core.network import network_facts
from valetkey.core.policy import policy_facts
from valetkey.doors.cli.closed import closed_facts, closed_words
from valetkey.doors.cli.output import note, show_facts, show_json, tell_done
from valetkey.doors.cli.running import Json, Running
from valetkey.service import policy
from valetkey.service.closing import Closed
from valetkey.service.policy import Origin, ShownRules
from valetkey.service.ports import OPERATOR, Ports


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(
        help="The policy and the named networks: the configuration file's, until the console saves others.",
        no_args_is_help=True,
    )

    @group.command()
    def show(as_json: Json = False) -> None:
        """Show the policy and the named networks that hold now, and where they come from.

        Example: [bold]valetkey policy show[/bold]
        """
        shown = running.on(lambda there: there.rules())
        if as_json:
            show_json(_facts(shown))
            return
        show_facts(_words(shown))
        if Origin.CONSOLE in {shown.policy_from, shown.networks_from}:
            note("To let the configuration file hold again: valetkey policy reset")

    @group.command()
    def reset(
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
        as_json: Json = False,
    ) -> None:
        """Let the configuration file's policy and networks hold again, in place of what the console saved.

        A saved policy that cannot be read is mended by this, too.

        Example: [bold]valetkey policy reset[/bold]
        """
        running.must_be_here()
        if not yes:
            typer.confirm("Forget the policy and the networks that were saved in the console?", abort=True, err=True)

        async def forget(ports: Ports) -> Closed:
            return await policy.reset(ports, OPERATOR)

        closed = running.do(forget)
        sentence = f"The configuration file's policy and networks hold again. {closed_words(closed)}"
        origins = {"policy_from": Origin.FILE, "networks_from": Origin.FILE}
        tell_done(sentence, origins | closed_facts(closed), as_json=as_json)

    return group


def _facts(shown: ShownRules) -> dict[str, Any]:
    return {
        "policy": policy_facts(shown.policy),
        "policy_from": shown.policy_from,
        "networks": network_facts(shown.networks),
        "networks_from": shown.networks_from,
    }


_FROM = {Origin.FILE: "the configuration file", Origin.CONSOLE: "the console"}


def _words(shown: ShownRules) -> dict[str, str]:
    held = {name: _value(getattr(shown.policy, name)) for name in policy_facts(shown.policy)}
    networks = {name: ", ".join(members) for name, members in network_facts(shown.networks).items()}
    return {
        "Policy from": _FROM[shown.policy_from],
        **held,
        "Networks from": _FROM[shown.networks_from],
        **networks,
    }


def _value(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case timedelta():
            unit, word = (timedelta(days=1), "days") if value >= timedelta(days=1) else (timedelta(hours=1), "hours")
            return f"{value / unit:g} {word}" if value >= unit else str(value)
        case _:
            return str(value)

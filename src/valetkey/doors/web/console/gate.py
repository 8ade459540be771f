"""The gate of the console: signed in completely, with a role that permits what the route does.

Each route names one action; there is no other way to a `ConsoleVisit`. The verb asks again, in its own transaction.
"""

from dataclasses import dataclass, fields
from typing import Annotated, Any

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from valetkey.core.errors import NotAllowed
from valetkey.core.role import Action, Role, permits
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web.console.naming import ConsoleWords
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import Stage, Visit, entry

_NOT_YOURS = say("Your role in the console does not permit this. Ask an administrator.")
_enter = entry(Stage.FULL)

HOME = "/console"
_ENTRIES: tuple[tuple[str, Sentence, Action], ...] = (
    (HOME, say("Overview"), Action.SEE_ACCOUNTS),
    ("/console/accounts", say("Accounts"), Action.SEE_ACCOUNTS),
    ("/console/domains", say("Domains"), Action.SEE_ACCOUNTS),
    ("/console/second-factors", say("Second factors"), Action.SEE_ACCOUNTS),
    ("/console/recoveries", say("Recoveries"), Action.SEE_ACCOUNTS),
    ("/console/app-passwords", say("App passwords"), Action.SEE_APP_PASSWORDS),
    ("/console/connections", say("Connections"), Action.SEE_CONNECTIONS),
    ("/console/logins", say("Logins"), Action.SEE_LOGINS),
    ("/console/policy", say("Policy"), Action.SEE_POLICY),
    ("/console/networks", say("Networks"), Action.SEE_POLICY),
    ("/console/proposals", say("Proposals"), Action.SEE_POLICY),
    ("/console/audit", say("Audit log"), Action.SEE_AUDIT),
    ("/console/tokens", say("API tokens"), Action.SEE_TOKENS),
    ("/console/servers", say("Mail servers"), Action.SEE_SERVERS),
)


class ConsoleVisit(Visit):
    """One request to the console, after its gate."""

    __slots__ = ()

    @classmethod
    def of(cls, visit: Visit) -> "ConsoleVisit":
        """Give a visit that has passed the console's gate."""
        return cls(**{each.name: getattr(visit, each.name) for each in fields(visit)})

    @property
    def role(self) -> Role | None:
        """The visitor's role."""
        return self.account.role

    def may(self, action: str) -> bool:
        """Tell whether the visitor's role permits an action, so that pages show only what can be done."""
        return permits(self.role, Action(action))

    def page(self, template: str, status: int = 200, *, errors: Errors | None = None, **facts: Any) -> Response:
        """Render a page of the console for this visitor."""
        return super().page(
            f"console/{template}",
            status,
            errors=errors,
            console_nav=self._navigation(),
            named=ConsoleWords(self.language),
            **facts,
        )

    def _navigation(self) -> list[tuple[str, Sentence, bool]]:
        here = self.request.url.path
        return [
            (path, label, here == path or (path != HOME and here.startswith(f"{path}/")))
            for path, label, action in _ENTRIES
            if self.may(action)
        ]


@dataclass(frozen=True, slots=True)
class ConsoleGate:
    """The gate of one route. Its `action` is what the role must permit; tests read it from the routes."""

    action: Action

    async def __call__(self, request: Request) -> ConsoleVisit:
        """Let pass who has the role.

        Raises:
            SendTo: Not signed in completely.
            HTTPException: 404, no role: for everybody else there is no console.
            NotAllowed: A role that does not permit this.
        """
        visit = await _enter(request)
        if visit.account.role is None:
            raise HTTPException(404)
        if not permits(visit.account.role, self.action):
            raise NotAllowed(_NOT_YOURS)
        return ConsoleVisit.of(visit)


ToSeeAccounts = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_ACCOUNTS))]
ToCreateAccounts = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.CREATE_ACCOUNTS))]
ToInvite = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.INVITE))]
ToDisableAccounts = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.DISABLE_ACCOUNTS))]
ToChangeAccounts = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.CHANGE_ACCOUNTS))]
ToSetRoles = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SET_ROLES))]
ToResetSecondFactors = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.RESET_SECOND_FACTORS))]
ToSeeAppPasswords = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_APP_PASSWORDS))]
ToRevokeAppPasswords = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.REVOKE_APP_PASSWORDS))]
ToSeeConnections = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_CONNECTIONS))]
ToCloseConnections = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.CLOSE_CONNECTIONS))]
ToSeeLogins = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_LOGINS))]
ToSeePolicy = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_POLICY))]
ToChangePolicy = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.CHANGE_POLICY))]
ToCountersign = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.COUNTERSIGN))]
ToSeeAudit = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_AUDIT))]
ToExportAudit = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.EXPORT_AUDIT))]
ToSeeTokens = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_TOKENS))]
ToRevokeTokens = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.REVOKE_TOKENS))]
ToSeeServers = Annotated[ConsoleVisit, Depends(ConsoleGate(Action.SEE_SERVERS))]

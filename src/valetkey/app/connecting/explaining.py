"""From what a client saw and what Valetkey saw to what is wrong, and how to mend it. Looks at nothing itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from valetkey.app.connecting.client import End, Outcome, Port
from valetkey.app.connecting.watching import Counts, Recorded
from valetkey.app.findings import good, problem, warning
from valetkey.core.login import Reason
from valetkey.doors.cli.front import Finding

_RELOAD = "Are the lines in place, and was the server restarted since? valetkey connect {server} prints them."
_SAY_WHY: Mapping[str, tuple[str, str]] = {
    Reason.WRONG_SECRET: (
        "Valetkey does not know this app password for this account",
        "Was it typed right, for this account, and not revoked? If it was, the server changes names or passwords on their way.",
    ),
    Reason.ACCOUNT_DISABLED: ("the account is disabled", "valetkey account enable"),
    Reason.KIND_NOT_ALLOWED: ("this is a main password, and only app passwords open mail", "Use an app password."),
    Reason.REVOKED: ("the app password was revoked", "Make another one."),
    Reason.EXPIRED: ("the app password has expired", "Make another one."),
    Reason.IDLE: ("the app password was not used for too long", "Make another one."),
    Reason.NETWORK: (
        "the app password may not be used from {network}",
        "Is that the client's address? If it is the server's own, the server does not say where its clients are.",
    ),
    Reason.PROTOCOL: ("the app password is not for {protocol}", "Use one that is, or try another port with --port."),
    Reason.PERMISSION: ("the app password permits nothing that {protocol} does", "Use another one."),
    Reason.TLS_NEEDED: (
        "the server says that the client had no TLS, and policy demands it",
        "Log in over TLS. Where the protocol cannot say so: tls_only = true in the [[peer]].",
    ),
    Reason.NOT_HELD: (
        "the app password has limits, and the [[peer]] does not say that this server holds sessions to them",
        "Set the server up to hold them and name them in holds, or use an app password without limits.",
    ),
    Reason.THROTTLED: ("too many wrong passwords came from there", "Wait some minutes."),
    Reason.WRONG_CODE: ("the one-time code behind the main password was wrong or used", "Use an app password."),
}
# What is told too little of a login to hold its session to anything, whatever `holds` says.
_HOLD_NOTHING = frozenset({"cyrus", "sendmail", "courier", "radius", "pam", "ldap", "dovecot-oauth2"})
_NOT_HELD_THERE = (
    "the app password has limits, and this server cannot be told to hold sessions to them",
    "Use an app password without limits there, or Valetkey's own gateway for those with.",
)
_NOT_HELD_BY_NGINX = (
    "the app password has limits, and nginx holds nobody to them",
    "Send such sessions to Valetkey's own gateway (gateway in the [[peer]]); limits of sending a Postfix behind xclient holds.",
)


@dataclass(frozen=True, slots=True)
class Tried:
    """One port, tried with a wrong and with a right password."""

    server: str
    port: Port
    doors: frozenset[str]  # the kinds where the server asks
    wrong: Outcome
    right: Outcome
    asked_wrong: Counts | None  # what the doors counted meanwhile; None: Valetkey does not run
    asked_right: Counts | None
    recorded: Recorded | None = None

    def questions(self, counts: Counts | None) -> int:
        """Count the logins of this protocol that arrived at the server's doors."""
        if counts is None:
            return 0
        ours = (self.port.protocol.value, "unknown")
        return sum(n for (door, protocol, _), n in counts.items() if door in self.doors and protocol in ours)

    def refused_requests(self) -> int:
        """Count the requests that a door refused before they were a question: a wrong secret of the server, mostly."""
        both = (self.asked_wrong or Counts()) + (self.asked_right or Counts())
        return sum(
            n
            for (door, protocol, result), n in both.items()
            if door in self.doors and not protocol and result == "refused"
        )


def explain(tried: Tried) -> Iterator[Finding]:
    """Say what came of it; the first thing to mend first."""
    name = str(tried.port)
    if tried.right.end is End.UNREACHABLE:
        yield problem(
            name,
            f"nobody answers: {tried.right.text}",
            "Is the server running, and is the port right? Name it with --port.",
        )
        return
    if tried.right.end is End.NO_TLS:
        mend = "Name who signed it with --trust, and the name in it with --host."
        yield problem(name, tried.right.text, mend)
        return
    if tried.wrong.end is End.IN:
        mend = "Take this server off the network: some passdb of it takes whatever comes, or does not look."
        yield problem(name, "A WRONG PASSWORD WAS LET IN", mend)
    if tried.asked_right is None:
        yield problem(name, "Valetkey does not run", "systemctl start valetkey")
    if tried.refused_requests():
        what = "the server asks, and its requests are refused before they are read"
        mend = "It sends another secret than that of its [[peer]], or asks from an address that is not in networks."
        yield problem(name, what, mend)
    match tried.right.end:
        case End.IN:
            yield from _let_in(tried, name)
        case End.REFUSED:
            yield from _refused(tried, name)
        case _:
            yield from _later(tried, name)


def _let_in(tried: Tried, name: str) -> Iterator[Finding]:
    if tried.asked_right is not None and not tried.questions(tried.asked_right):
        what = "the app password was let in, and Valetkey was not asked"
        mend = "The server remembers logins (Dovecot: auth_cache_size = 0), or asks another Valetkey."
        yield problem(name, what, mend)
        return
    if tried.wrong.end is End.REFUSED:
        seen = f", from {tried.recorded.network}" if tried.recorded else ""
        yield good(name, f"the app password opens it{seen}, and a wrong one is refused: {tried.wrong.text}")
    elif tried.wrong.end is End.LATER:
        what = f"a wrong password is answered as if something were broken: {tried.wrong.text}"
        yield warning(name, what, "Mail programs will try again and again. See the server's log.")


def _refused(tried: Tried, name: str) -> Iterator[Finding]:
    heard = f"the server answers: {tried.right.text}"
    if not tried.questions(tried.asked_right):
        if tried.asked_right is not None and not tried.refused_requests():
            what = f"the app password is refused, and no question came to Valetkey; {heard}"
            yield problem(name, what, _RELOAD.format(server=tried.server))
        elif tried.asked_right is None:
            yield problem(name, heard)
        return
    if tried.recorded is not None and tried.recorded.result in _SAY_WHY:
        yield _refused_by_us(tried, tried.recorded, name, heard)
    elif tried.recorded is not None and tried.recorded.result == "allowed":
        what = f"Valetkey lets it in, and the server does not; {heard}"
        yield problem(name, what, "See the server's log: does the mailbox exist there, under the same name?")
    else:
        yield problem(name, f"Valetkey refuses it; {heard}", "Its log has a line “login” with the result.")


def _later(tried: Tried, name: str) -> Iterator[Finding]:
    heard = f"the server answers: {tried.right.text}"
    if tried.asked_right is None or tried.refused_requests():
        yield problem(name, f"nobody can log in; {heard}", "Mend what stands above first.")
    elif not tried.questions(tried.asked_right):
        what = f"nobody can log in, and no question came to Valetkey; {heard}"
        mend = "The server does not reach the door: see what stands below, its log, and turned_away in Valetkey's."
        yield problem(name, what, mend)
    elif tried.recorded is not None and tried.recorded.result == "allowed":
        what = f"Valetkey lets it in, and the server fails after that; {heard}"
        yield problem(name, what, "See its log: a userdb, a mailbox or a right is missing there.")
    elif tried.recorded is not None and tried.recorded.result in _SAY_WHY:
        yield _refused_by_us(tried, tried.recorded, name, heard)
    else:
        what = f"the question came, and Valetkey could not tell; {heard}"
        yield problem(name, what, "Its log has login_undecided and why. valetkey check")


def _refused_by_us(tried: Tried, recorded: Recorded, name: str, heard: str) -> Finding:
    what, mend = _SAY_WHY[recorded.result]
    if recorded.result == Reason.NOT_HELD and tried.server in _HOLD_NOTHING:
        what, mend = _NOT_HELD_THERE
    elif recorded.result == Reason.NOT_HELD and tried.server == "nginx":
        what, mend = _NOT_HELD_BY_NGINX
    facts = {"network": recorded.network, "protocol": tried.port.protocol.value}
    return problem(name, f"Valetkey refuses it: {what.format(**facts)}; {heard}", mend)

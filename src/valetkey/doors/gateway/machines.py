"""Which machine speaks which protocol, on either side of the gateway."""

from collections.abc import Callable
from functools import partial
from typing import assert_never

from valetkey.core.limits import Overstep, permits_folder
from valetkey.core.login import Grant
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.announcing import Announced
from valetkey.doors.gateway.rules import imap_rule, pop3_rule, smtp_rule
from valetkey.wire.imap_capability import limited_capabilities
from valetkey.wire.imap_client import ImapClient
from valetkey.wire.imap_filter import ImapFilter
from valetkey.wire.imap_folders import FolderGate
from valetkey.wire.imap_login import ImapLogin
from valetkey.wire.machine import ClientFacts, ClientMachine, Credentials, LoginMachine, Security, SessionFilter
from valetkey.wire.pop3_client import Pop3Client
from valetkey.wire.pop3_filter import Pop3Filter
from valetkey.wire.pop3_login import Pop3Login
from valetkey.wire.sieve_client import SieveClient
from valetkey.wire.sieve_filter import SieveFilter
from valetkey.wire.sieve_login import SieveLogin
from valetkey.wire.smtp_client import SmtpClient
from valetkey.wire.smtp_filter import SmtpCounting, SmtpFilter
from valetkey.wire.smtp_login import SmtpLogin

# The names by which ALPN knows the protocols (IANA); submission has none.
ALPN = {
    MailProtocol.IMAP: "imap",
    MailProtocol.POP3: "pop3",
    MailProtocol.SMTP: "",
    MailProtocol.SIEVE: "managesieve",
}
_SERVER_ID = {"name": "Valetkey"}
# With these a client could leave its login and make another one, of its own choosing, at an upstream that trusts us.
_LEAVES_LOGIN = frozenset({b"UNAUTHENTICATE"})


def login_machine(
    protocol: MailProtocol, security: Security, hostname: str, announced_before: Announced
) -> LoginMachine:
    """Make what speaks with a client up to its login."""
    match protocol:
        case MailProtocol.IMAP:
            return ImapLogin(security, server_id=_SERVER_ID)
        case MailProtocol.POP3:
            return Pop3Login(security, capabilities=announced_before.pop3)
        case MailProtocol.SMTP:
            return SmtpLogin(security, hostname=hostname, extensions=announced_before.smtp)
        case MailProtocol.SIEVE:
            return SieveLogin(security, sieve_extensions=announced_before.sieve, more=announced_before.sieve_more)
        case _:
            assert_never(protocol)


def client_machine(
    protocol: MailProtocol, credentials: Credentials, facts: ClientFacts | None, *, starttls: bool, hostname: str
) -> ClientMachine:
    """Make what logs in upstream."""
    match protocol:
        case MailProtocol.IMAP:
            return ImapClient(credentials, starttls=starttls, facts=facts)
        case MailProtocol.POP3:
            return Pop3Client(credentials, starttls=starttls, facts=facts)
        case MailProtocol.SMTP:
            return SmtpClient(credentials, starttls=starttls, facts=facts, hostname=hostname)
        case MailProtocol.SIEVE:
            return SieveClient(credentials, starttls=starttls, facts=facts)
        case _:
            assert_never(protocol)


def looking_machine(protocol: MailProtocol, *, starttls: bool, hostname: str) -> ClientMachine | None:
    """Make what hears the upstream's announcements and leaves; None where nothing depends on them."""
    match protocol:
        case MailProtocol.IMAP:
            return None
        case MailProtocol.POP3:
            return Pop3Client(None, starttls=starttls)
        case MailProtocol.SMTP:
            return SmtpClient(None, starttls=starttls, hostname=hostname)
        case MailProtocol.SIEVE:
            return SieveClient(None, starttls=starttls)
        case _:
            assert_never(protocol)


def session_filter(
    grant: Grant,
    capabilities: tuple[bytes, ...],
    hostname: str,
    counting: SmtpCounting | None = None,
    *,
    stopped: Callable[[Overstep], None] = lambda _: None,
) -> SessionFilter | None:
    """Make what stands between client and upstream, or None where octets may pass as they are.

    `counting` counts the messages of a submission session that has limits of a day or of a message; `stopped` is told
    of what a limit stops before that.
    """
    if not must_be_parsed(grant, capabilities):
        return None
    match grant.protocol:
        case MailProtocol.IMAP:
            folders = FolderGate(partial(permits_folder, grant.limits)) if grant.limits.folders else None
            return ImapFilter(imap_rule(grant.permissions, capabilities, folders), capabilities, folders)
        case MailProtocol.POP3:
            return Pop3Filter(pop3_rule(grant.permissions, capabilities), capabilities)
        case MailProtocol.SMTP:
            rule = smtp_rule(grant.permissions, grant.limits, stopped)
            return SmtpFilter(rule, capabilities, hostname=hostname, counting=counting)
        case MailProtocol.SIEVE:
            return SieveFilter()
        case _:
            assert_never(grant.protocol)


def announced(grant: Grant, capabilities: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Say what a client is told after the login: what it can use through us."""
    if grant.protocol is MailProtocol.IMAP and must_be_parsed(grant, capabilities):
        return limited_capabilities(capabilities)
    return capabilities


def must_be_parsed(grant: Grant, capabilities: tuple[bytes, ...]) -> bool:
    """Tell whether a session has to be parsed command by command.

    Submission and ManageSieve always are: the upstream trusts us, and a client that reached it in the raw could say
    XCLIENT or log in anew.
    """
    match grant.protocol:
        case MailProtocol.IMAP:
            return grant.is_limited or bool(_LEAVES_LOGIN & {name.upper() for name in capabilities})
        case MailProtocol.POP3:
            return grant.is_limited
        case MailProtocol.SMTP | MailProtocol.SIEVE:
            return True
        case _:
            assert_never(grant.protocol)

"""What a client is told: every verdict in the wire's words (the reply table of the security reference, 5.9).

Nothing is told before the secret is proven: wrong, unknown, disabled and revoked are answered alike.
"""

from collections.abc import Mapping
from typing import assert_never

from valetkey.core.limits import Overstep
from valetkey.core.login import CannotTell, Reason, Refused
from valetkey.core.scope import MailProtocol
from valetkey.wire.machine import Refusal, RefusalKind

_PROTOCOLS = {
    MailProtocol.IMAP: "IMAP",
    MailProtocol.POP3: "POP3",
    MailProtocol.SMTP: "sending mail",
    MailProtocol.SIEVE: "mail filters",
}

LAST_WORDS = {
    MailProtocol.IMAP: b"* BYE [UNAVAILABLE] The server is going down, try again later\r\n",
    MailProtocol.POP3: b"-ERR [SYS/TEMP] The server is going down, try again later\r\n",
    MailProtocol.SMTP: b"421 4.3.2 The server is going down, try again later\r\n",
    MailProtocol.SIEVE: b'BYE (TRYLATER) "The server is going down, try again later"\r\n',
}
TOO_SLOW = {
    MailProtocol.IMAP: b"* BYE Too slow to log in\r\n",
    MailProtocol.POP3: b"-ERR Too slow to log in\r\n",
    MailProtocol.SMTP: b"421 4.4.2 Too slow to log in\r\n",
    MailProtocol.SIEVE: b'BYE "Too slow to log in"\r\n',
}
TRY_LATER = Refusal(RefusalKind.TRY_LATER, "The mail server cannot be reached right now. Please try again later.")
TOO_MANY = Refusal(RefusalKind.TRY_LATER, "Too many connections of this account are open. Please try again later.")

# As if the check had come a moment later.
REVOKED_MEANWHILE = Refusal(RefusalKind.WRONG, "Authentication failed. This service needs an app password")

# To who is logged in: what the app password may not send.
OVERSTEPS: Mapping[Overstep, str] = {
    Overstep.SENDER: "This app password may not send mail as this address",
    Overstep.RECIPIENT: "This app password may not send mail to this address",
    Overstep.RECIPIENTS_PER_MESSAGE: "This app password may not send one message to so many recipients",
    Overstep.MESSAGES_PER_DAY: "This app password has sent as many messages today as it may",
    Overstep.RECIPIENTS_PER_DAY: "This app password has sent to as many recipients today as it may",
}


def refusal_for(verdict: Refused | CannotTell, protocol: MailProtocol, help_url: str) -> Refusal:
    """Give the answer to a login that does not pass."""
    match verdict:
        case CannotTell():
            return Refusal(RefusalKind.TRY_LATER, "Logins cannot be checked right now. Please try again later.")
        case Refused(reason=reason, proven=proven):
            told = reason if proven or reason in _TOLD_TO_ALL else Reason.WRONG_SECRET
            return _refusal(told, protocol, f", see {help_url}" if help_url else "")
        case _:
            assert_never(verdict)


# These say nothing about the secret.
_TOLD_TO_ALL = frozenset({Reason.THROTTLED})


def _refusal(reason: Reason, protocol: MailProtocol, see: str) -> Refusal:
    match reason:
        case (
            Reason.WRONG_SECRET | Reason.WRONG_CODE | Reason.ACCOUNT_DISABLED | Reason.KIND_NOT_ALLOWED | Reason.REVOKED
        ):
            return _say(RefusalKind.WRONG, f"Authentication failed. This service needs an app password{see}")
        case Reason.EXPIRED:
            return _say(RefusalKind.EXPIRED, f"This app password has expired. Please make a new one{see}")
        case Reason.IDLE:
            return _say(RefusalKind.EXPIRED, f"This app password was not used for too long. Please make a new one{see}")
        case Reason.NETWORK:
            return _say(RefusalKind.FORBIDDEN, f"This app password may not be used from this network{see}")
        case Reason.PROTOCOL | Reason.PERMISSION:
            return _say(RefusalKind.FORBIDDEN, f"This app password may not be used for {_PROTOCOLS[protocol]}{see}")
        case Reason.NOT_HELD:
            text = f"This mail server cannot hold this app password to its limits. Please use another server or make a new one{see}"
            return _say(RefusalKind.FORBIDDEN, text)
        case Reason.TLS_NEEDED:
            return _say(RefusalKind.TLS_NEEDED, "Logins are accepted only over TLS. Please turn on SSL/TLS or STARTTLS")
        case Reason.THROTTLED:
            return _say(RefusalKind.TRY_LATER, "Too many failed logins. Please wait a few minutes and try again")
        case _:
            assert_never(reason)


def _say(kind: RefusalKind, text: str) -> Refusal:
    return Refusal(kind, text)

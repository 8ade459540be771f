"""What things are called in people's words: protocols, permissions, reasons, browsers."""

from valetkey.core.login import Reason
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.sentence import Sentence, say

PROTOCOLS = {
    MailProtocol.IMAP: "IMAP",
    MailProtocol.POP3: "POP3",
    MailProtocol.SMTP: "SMTP",
    MailProtocol.SIEVE: "ManageSieve",
}

PROTOCOL_USES = {
    MailProtocol.IMAP: say("Reading mail"),
    MailProtocol.POP3: say("Fetching mail"),
    MailProtocol.SMTP: say("Sending mail"),
    MailProtocol.SIEVE: say("Editing filters"),
}

ENCRYPTIONS = {"tls": say("SSL/TLS"), "starttls": say("STARTTLS"), "none": say("None (this machine only)")}

PERMISSIONS = {
    Permission.READ: (say("Read"), say("Open folders and messages")),
    Permission.FLAG: (say("Mark"), say("Set read, answered, important")),
    Permission.WRITE: (say("Save and move"), say("Keep drafts, copy and move messages")),
    Permission.DELETE: (say("Delete"), say("Remove messages for good")),
    Permission.FOLDERS: (say("Folders"), say("Make, rename and remove folders")),
    Permission.SEND: (say("Send"), say("Send mail as you")),
    Permission.FILTERS: (say("Filters"), say("Change filters and forwarding")),
}

READY_MADE_SHORT = {  # the ready-made choices, for a table's cell
    "mail-app": say("Reads, sorts and sends mail"),
    "mail-app-read-only": say("Reads mail, changes nothing"),
    "send-only": say("Sends mail, reads nothing"),
    "named-folders": say("Reads mail, changes nothing"),
    "filters": say("Edits filters and forwarding"),
    "everything": say("All that the account may do"),
}

_REASONS = {
    Reason.WRONG_SECRET: say("wrong password"),
    Reason.WRONG_CODE: say("the main password was right, the code behind it was wrong or used"),
    Reason.ACCOUNT_DISABLED: say("the account is disabled"),
    Reason.KIND_NOT_ALLOWED: say("the main password does not open mail; it needs an app password"),
    Reason.REVOKED: say("it was revoked"),
    Reason.EXPIRED: say("it had expired"),
    Reason.IDLE: say("it had not been used for too long"),
    Reason.NETWORK: say("wrong network"),
    Reason.PROTOCOL: say("this protocol is off for it"),
    Reason.PERMISSION: say("nothing that this protocol does is permitted to it"),
    Reason.NOT_HELD: say("it has limits that the mail server cannot hold it to"),
    Reason.TLS_NEEDED: say("the connection was not encrypted"),
    Reason.THROTTLED: say("too many wrong tries from there"),
}

_MENDS = {
    Reason.WRONG_SECRET: say("If that was not you, nobody got in. If it was, put the app password in again."),
    Reason.WRONG_CODE: say(
        "If that was not you, somebody knows your main password: change it. If it was, type it with a new code."
    ),
    Reason.ACCOUNT_DISABLED: say("Ask your administrator."),
    Reason.KIND_NOT_ALLOWED: say("Make an app password for that program."),
    Reason.REVOKED: say("A program still uses it: give it a new one, or remove the account from it."),
    Reason.THROTTLED: say("Stop the program that tries a wrong password, wait a few minutes, then try again."),
    Reason.EXPIRED: say("Make a new one and put it in its place."),
    Reason.IDLE: say("Make a new one and put it in its place."),
    Reason.NETWORK: say("If that was you, make a new one that may be used from there."),
    Reason.PROTOCOL: say("Set the program to another protocol, or make a new app password for it."),
    Reason.PERMISSION: say("If the program needs more, make a new app password for it."),
    Reason.NOT_HELD: say("Make an app password without these limits, or ask your administrator which server to use."),
    Reason.TLS_NEEDED: say("Switch on TLS (SSL) in the program’s account settings."),
}


def reason(stored: str) -> Sentence | str:
    """Say why a login was refused; a reason of another version as it was stored."""
    try:
        return _REASONS[Reason(stored)]
    except (ValueError, KeyError):
        return stored


def mend(stored: str) -> Sentence | str:
    """Say what the owner can do about a refusal, or nothing."""
    try:
        return _MENDS.get(Reason(stored), "")
    except ValueError:
        return ""


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser(user_agent: str) -> Sentence | str:
    """Say which browser this is, roughly."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if name and system:
        return say("{browser} on {system}", browser=name, system=system)
    return name or system or say("Unknown browser")

"""How each kind of client is set up with a new app password: exact, and only for what the password may do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from valetkey.core.scope import MailProtocol, Permission, Scope, may_open
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web import client_lines
from valetkey.doors.web.client_lines import Login
from valetkey.doors.web.names import ENCRYPTIONS
from valetkey.doors.web.settings import ClientEndpoint

IMAP, POP3, SMTP, SIEVE = MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP, MailProtocol.SIEVE
Endpoints = Mapping[MailProtocol, ClientEndpoint]  # the best of each protocol that the password may use
_Write = Callable[[ClientEndpoint], str]
_MAKES_NO_OTHER = say("If it asks which kind of password: “Normal password” (PLAIN or LOGIN).")


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines to paste, and where they go."""

    where: Sentence
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Guide:
    """One kind of client."""

    key: str
    title: Sentence | str
    steps: tuple[Sentence, ...]
    fields: tuple[tuple[Sentence, Sentence | str], ...] = field(default=(), repr=False)  # as a device's menu has them
    lines: tuple[Lines, ...] = field(default=(), repr=False)
    has_profile: bool = False


def endpoints_of(
    scope: Scope, rights: frozenset[Permission], offered: tuple[ClientEndpoint, ...]
) -> dict[MailProtocol, ClientEndpoint]:
    """Give the first endpoint of each protocol that a scope opens anything through; the best stands first."""
    granted = scope.effective(rights)
    opened = {protocol for protocol in scope.protocols if may_open(protocol, granted)}
    return {one.protocol: one for one in reversed(offered) if one.protocol in opened}


def guides_for(keys: tuple[str, ...], endpoints: Endpoints, login: Login) -> tuple[Guide, ...]:
    """Give the guides of these kinds of client that the endpoints suffice for, in this order."""
    found = (_MAKERS[key](endpoints, login) for key in keys)
    return tuple(guide for guide in found if guide is not None)


def _apple(at: Endpoints, _login: Login) -> Guide | None:
    if SMTP not in at or not {IMAP, POP3} & at.keys():
        return None
    return Guide(
        "apple",
        say("iPhone, iPad, Mac (Mail)"),
        (
            say("Open this page on the device itself, load the profile and allow the download."),
            say(
                "iPhone and iPad: Settings, “Profile downloaded”, Install. Mac: System Settings, search for “Profiles”."
            ),
            say("The profile holds the password. Delete the file once it is installed."),
        ),
        has_profile=True,
    )


def _android(at: Endpoints, _login: Login) -> Guide | None:
    if SMTP not in at or not {IMAP, POP3} & at.keys():
        return None
    return Guide(
        "android",
        say("Android: K-9 Mail, Thunderbird, FairEmail"),
        (
            say("Add an account, and enter your mail address and this app password."),
            say(
                "The app finds the servers itself. If it does not, choose the manual set-up and copy the settings below."
            ),
            _MAKES_NO_OTHER,
        ),
    )


def _thunderbird(at: Endpoints, _login: Login) -> Guide | None:
    if SMTP not in at or not {IMAP, POP3} & at.keys():
        return None
    return Guide(
        "thunderbird",
        "Thunderbird",
        (
            say("New account, existing mail address: enter your name, your mail address and this app password."),
            say(
                "Thunderbird finds the servers itself. If it does not, choose “Configure manually” and copy the settings below."
            ),
            say(
                "It keeps the password for sending apart: when it asks at the first message, enter the same one again."
            ),
        ),
    )


def _outlook(at: Endpoints, _login: Login) -> Guide | None:
    if SMTP not in at or not {IMAP, POP3} & at.keys():
        return None
    return Guide(
        "outlook",
        "Outlook",
        (
            say(
                "Add an account, enter your mail address, then this app password. If it asks for the kind of account: IMAP."
            ),
            say(
                "If it finds no servers: “Advanced set-up”, and copy the settings below. Leave “secure password authentication” off."
            ),
            say("The new Outlook keeps your mail in Microsoft’s cloud and logs in from there, not from your computer."),
        ),
    )


def _scanner(at: Endpoints, login: Login) -> Guide | None:
    if SMTP not in at:
        return None
    smtp = at[SMTP]
    return Guide(
        "scanner",
        say("In the device’s menu or on its web page"),
        (say("Look for “Scan to e-mail”, “SMTP” or “Mail server”. The names differ a little from maker to maker."),),
        fields=(
            (say("SMTP server"), smtp.host),
            (say("Port"), str(smtp.port)),
            (say("Secure connection"), ENCRYPTIONS[smtp.encryption.value]),
            (say("SMTP authentication"), say("On (LOGIN or PLAIN)")),
            (say("Login name"), login.address),
            (say("Password"), login.secret),
            (say("Sender’s address"), login.address),
            (say("POP before SMTP"), say("Off")),
        ),
    )


def _wordpress(at: Endpoints, login: Login) -> Guide | None:
    where = say("Put this into a new file wp-content/mu-plugins/smtp.php; it needs no plugin.")
    return _pasted("wordpress", "WordPress", where, at.get(SMTP), lambda smtp: client_lines.wordpress(smtp, login))


def _php(at: Endpoints, login: Login) -> Guide | None:
    where = say("Where your program makes its PHPMailer. Keep the file out of the folder that the web server shows.")
    return _pasted("php", "PHP (PHPMailer)", where, at.get(SMTP), lambda smtp: client_lines.phpmailer(smtp, login))


def _msmtp(at: Endpoints, login: Login) -> Guide | None:
    title = say("A server’s own mail (msmtp)")
    where = say("Put this into ~/.msmtprc, and let only its owner read it: chmod 600 ~/.msmtprc")
    return _pasted("msmtp", title, where, at.get(SMTP), lambda smtp: client_lines.msmtp(smtp, login))


def _mbsync(at: Endpoints, login: Login) -> Guide | None:
    title = say("Into folders on a computer (mbsync)")
    where = say("Put this into ~/.mbsyncrc, let only its owner read it, and run: mbsync backup")
    return _pasted("mbsync", title, where, at.get(IMAP), lambda imap: client_lines.mbsync(imap, login))


def _imapsync(at: Endpoints, login: Login) -> Guide | None:
    title = say("To another mail server (imapsync)")
    where = say("Fill in the other server in the last line.")
    return _pasted("imapsync", title, where, at.get(IMAP), lambda imap: client_lines.imapsync(imap, login))


def _sieve(at: Endpoints, login: Login) -> Guide | None:
    where = say("On the command line; it asks for the password.")
    return _pasted(
        "sieve", "sieve-connect", where, at.get(SIEVE), lambda sieve: client_lines.sieve_connect(sieve, login)
    )


def _pasted(
    key: str, title: Sentence | str, where: Sentence, endpoint: ClientEndpoint | None, write: _Write
) -> Guide | None:
    return None if endpoint is None else Guide(key, title, (), lines=(Lines(where, write(endpoint)),))


_MAKERS: Mapping[str, Callable[[Endpoints, Login], Guide | None]] = {
    "apple": _apple,
    "android": _android,
    "thunderbird": _thunderbird,
    "outlook": _outlook,
    "scanner": _scanner,
    "wordpress": _wordpress,
    "php": _php,
    "msmtp": _msmtp,
    "mbsync": _mbsync,
    "imapsync": _imapsync,
    "sieve": _sieve,
}
ALL_GUIDES = tuple(_MAKERS)

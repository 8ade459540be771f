"""What an app password is for: the first question, which answers most of the others."""

from dataclasses import dataclass
from datetime import timedelta

from valetkey.core.app_password import SecretFormat
from valetkey.core.scope import MailProtocol, Permission, ReadyMade, Scope, describe, ready_made
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web.guides import ALL_GUIDES
from valetkey.doors.web.settings import ClientEndpoint

OTHER = "other"  # the key of "something else", which shows the rest
_YEAR = timedelta(days=365)
_QUARTER = timedelta(days=90)
_MAIL_PROGRAM = (MailProtocol.IMAP, MailProtocol.SMTP)
_LIMITS = say("folders, senders, recipients, amounts")
_LIMITS_OF_SENDING = say("only as your own address, only to certain recipients, only so many a day")


@dataclass(frozen=True, slots=True)
class Purpose:
    """One choice of the first question."""

    key: str
    title: Sentence
    sentence: Sentence
    ready_made: str  # the key of the scope it brings
    suggestion: Sentence  # a name for the field, to be made one's own
    format: SecretFormat = SecretFormat.DEFAULT
    shows: tuple[MailProtocol, ...] = _MAIL_PROGRAM  # whose settings are shown with the secret
    guides: tuple[str, ...] = ALL_GUIDES  # the kinds of client that are explained with the secret
    lifetime: timedelta | None = None  # until it ends, where the policy has no shorter default; None: the policy's
    is_other: bool = False  # behind "something else"
    limits: Sentence = _LIMITS  # those that fit it, for the heading under which they are folded away

    @property
    def choice(self) -> ReadyMade:
        """The ready-made choice that it is."""
        choice = ready_made(self.ready_made)
        if choice is None:  # a mistake in this file; the tests go through all of it
            raise LookupError(self.ready_made)
        return choice

    @property
    def scope(self) -> Scope:
        """The scope it brings, before fine-tuning."""
        return self.choice.scope


PURPOSES = (
    Purpose(
        "phone",
        say("Phone or tablet"),
        say("Reads, sorts and sends mail."),
        "mail-app",
        say("My phone"),
        guides=("apple", "android", "outlook"),
    ),
    Purpose(
        "computer",
        say("Program on a computer"),
        say("Thunderbird, Outlook, Apple Mail: reads, sorts and sends mail."),
        "mail-app",
        say("Thunderbird, laptop"),
        guides=("thunderbird", "apple", "outlook"),
    ),
    Purpose(
        "scanner",
        say("Scanner or printer"),
        say("Sends what it scanned. Reads nothing."),
        "send-only",
        say("Office scanner"),
        SecretFormat.DEVICE,
        (MailProtocol.SMTP,),
        ("scanner",),
        _YEAR,
        limits=_LIMITS_OF_SENDING,
    ),
    Purpose(
        "website",
        say("Website or server"),
        say("A contact form, a shop, an alarm: sends mail. Reads nothing."),
        "send-only",
        say("Contact form"),
        shows=(MailProtocol.SMTP,),
        guides=("wordpress", "php", "msmtp"),
        lifetime=_YEAR,
        limits=_LIMITS_OF_SENDING,
    ),
    Purpose(
        "archive",
        say("Backup or archive"),
        say("Reads every folder and changes nothing."),
        "mail-app-read-only",
        say("Nightly backup"),
        shows=(MailProtocol.IMAP, MailProtocol.POP3),
        guides=("mbsync", "imapsync"),
        lifetime=_YEAR,
        limits=say("only some folders"),
    ),
    Purpose(
        "crm",
        say("CRM or ticket system"),
        say("Reads the folders that you name and changes nothing."),
        "named-folders",
        say("CRM, customers’ mail"),
        shows=(MailProtocol.IMAP,),
        guides=("mbsync", "imapsync"),
        lifetime=_YEAR,
        limits=say("senders, recipients, amounts"),
    ),
    Purpose(
        "filters",
        say("Filter editor"),
        say("Edits filters and forwarding. Reads and sends nothing."),
        "filters",
        say("Filter editor"),
        shows=(MailProtocol.SIEVE,),
        guides=("sieve",),
        lifetime=_QUARTER,
        is_other=True,
    ),
    Purpose(
        "everything",
        say("Everything"),
        say("All that your account may do, filters too. Choose it last."),
        "everything",
        say("My own program"),
        shows=(MailProtocol.IMAP, MailProtocol.SMTP, MailProtocol.POP3, MailProtocol.SIEVE),
        lifetime=_QUARTER,
        is_other=True,
    ),
)


def purposes_for(rights: frozenset[Permission], endpoints: tuple[ClientEndpoint, ...]) -> tuple[Purpose, ...]:
    """Give the purposes that an account's rights and this site's servers leave something to do for."""
    served = frozenset(endpoint.protocol for endpoint in endpoints) or frozenset(MailProtocol)
    return tuple(
        purpose for purpose in PURPOSES if describe(purpose.scope, rights)[0] and purpose.scope.protocols & served
    )


def purpose_of(key: str, among: tuple[Purpose, ...]) -> Purpose | None:
    """Find a purpose by its key."""
    return next((purpose for purpose in among if purpose.key == key), None)


def guides_like(scope: Scope, form: SecretFormat) -> tuple[str, ...]:
    """Give the kinds of client of an app password whose purpose is not known: of all purposes that it could have had."""
    alike = [purpose for purpose in PURPOSES if purpose.scope == scope]
    closest = [purpose for purpose in alike if purpose.format is form] or alike
    return tuple(dict.fromkeys(key for purpose in closest for key in purpose.guides)) or ALL_GUIDES

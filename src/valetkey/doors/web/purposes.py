"""What an app password is for: the first question, which answers most of the others."""

from dataclasses import dataclass

from valetkey.core.app_password import SecretFormat
from valetkey.core.scope import MailProtocol, Permission, Scope, describe, ready_made
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web.settings import ClientEndpoint


@dataclass(frozen=True, slots=True)
class Purpose:
    """One choice of the first question."""

    key: str
    title: Sentence
    sentence: Sentence
    ready_made: str  # the key of the scope it brings
    suggestion: Sentence  # a name for the field, to be made one's own
    format: SecretFormat = SecretFormat.DEFAULT
    shows: tuple[MailProtocol, ...] = (MailProtocol.IMAP, MailProtocol.SMTP)  # whose settings are shown with the secret

    @property
    def scope(self) -> Scope:
        """The scope it brings, before fine-tuning."""
        choice = ready_made(self.ready_made)
        if choice is None:  # a mistake in this file; the tests go through all of it
            raise LookupError(self.ready_made)
        return choice.scope


PURPOSES = (
    Purpose("phone", say("Phone or tablet"), say("Reads, sorts and sends mail."), "mail-app", say("My phone")),
    Purpose(
        "computer",
        say("Mail program"),
        say("Thunderbird, Outlook, Apple Mail on a computer."),
        "mail-app",
        say("Thunderbird, laptop"),
    ),
    Purpose(
        "scanner",
        say("Scanner or printer"),
        say("Sends what it scanned. Reads nothing."),
        "send-only",
        say("Office scanner"),
        SecretFormat.DEVICE,
        (MailProtocol.SMTP,),
    ),
    Purpose(
        "website",
        say("Website or alarm"),
        say("A program that sends mail. Reads nothing."),
        "send-only",
        say("Contact form"),
        shows=(MailProtocol.SMTP,),
    ),
    Purpose(
        "archive",
        say("Archive or backup"),
        say("Reads every folder and changes nothing."),
        "mail-app-read-only",
        say("Nightly backup"),
        shows=(MailProtocol.IMAP, MailProtocol.POP3),
    ),
    Purpose(
        "filters",
        say("Filter editor"),
        say("Edits filters and forwarding. Reads and sends nothing."),
        "filters",
        say("Filter editor"),
        shows=(MailProtocol.SIEVE,),
    ),
    Purpose(
        "everything",
        say("Everything"),
        say("All that your account may do, filters too. Choose it last."),
        "everything",
        say("My own program"),
        shows=(MailProtocol.IMAP, MailProtocol.SMTP, MailProtocol.POP3, MailProtocol.SIEVE),
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


def settings_for(
    shows: tuple[MailProtocol, ...], scope: Scope, endpoints: tuple[ClientEndpoint, ...]
) -> tuple[ClientEndpoint, ...]:
    """Give what a client has to be told: the first endpoint of each protocol that it uses and may use."""
    usable = [protocol for protocol in shows if protocol in scope.protocols] or sorted(scope.protocols)
    found = (next((e for e in endpoints if e.protocol is protocol), None) for protocol in usable)
    return tuple(endpoint for endpoint in found if endpoint is not None)

"""The configuration profile that sets up Mail on iPhone, iPad and Mac (Apple's com.apple.mail.managed payload)."""

import plistlib
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from valetkey.core.scope import MailProtocol
from valetkey.doors.web.settings import ClientEndpoint, Encryption

MEDIA_TYPE = "application/x-apple-aspen-config"
_INCOMING = {MailProtocol.IMAP: "EmailTypeIMAP", MailProtocol.POP3: "EmailTypePOP"}
_AUTHENTICATION = "EmailAuthPassword"


@dataclass(frozen=True, slots=True)
class MailProfile:
    """What a profile sets up. Without a password the device asks for it."""

    key: str  # what stays the same when the profile is made again: the app password's id, or the address
    address: str
    site_name: str
    site: str  # the portal's address
    title: str
    words: str  # shown before it is installed
    incoming: ClientEndpoint
    outgoing: ClientEndpoint
    password: str = field(default="", repr=False)


def incoming_of(endpoints: tuple[ClientEndpoint, ...]) -> ClientEndpoint | None:
    """Give the endpoint that a device reads through: IMAP rather than POP3."""
    for protocol in _INCOMING:
        found = next((one for one in endpoints if one.protocol is protocol), None)
        if found is not None:
            return found
    return None


def outgoing_of(endpoints: tuple[ClientEndpoint, ...]) -> ClientEndpoint | None:
    """Give the endpoint that a device sends through."""
    return next((one for one in endpoints if one.protocol is MailProtocol.SMTP), None)


def profile(wanted: MailProfile) -> bytes:
    """Build the profile as a property list. The same key gives the same identifiers, so that a new one replaces the old."""
    own = _identifier(wanted.site)
    return plistlib.dumps(
        {
            **_payload("Configuration", f"{own}.{wanted.key}", _uuid(wanted, "profile")),
            "PayloadDisplayName": wanted.title,
            "PayloadDescription": wanted.words,
            "PayloadOrganization": wanted.site_name,
            "PayloadRemovalDisallowed": False,
            "PayloadContent": [
                {
                    **_payload("com.apple.mail.managed", f"{own}.{wanted.key}.mail", _uuid(wanted, "mail")),
                    "PayloadDisplayName": wanted.title,
                    **_account(wanted),
                }
            ],
        }
    )


def _payload(kind: str, identifier: str, uuid: UUID) -> dict[str, Any]:
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid).upper(),
    }


def _account(wanted: MailProfile) -> dict[str, Any]:
    incoming, outgoing = wanted.incoming, wanted.outgoing
    account: dict[str, Any] = {
        "EmailAccountDescription": wanted.title,
        "EmailAccountType": _INCOMING[incoming.protocol],
        "EmailAddress": wanted.address,
        "IncomingMailServerAuthentication": _AUTHENTICATION,
        "IncomingMailServerHostName": incoming.host,
        "IncomingMailServerPortNumber": incoming.port,
        "IncomingMailServerUseSSL": incoming.encryption is not Encryption.NONE,
        "IncomingMailServerUsername": wanted.address,
        "OutgoingMailServerAuthentication": _AUTHENTICATION,
        "OutgoingMailServerHostName": outgoing.host,
        "OutgoingMailServerPortNumber": outgoing.port,
        "OutgoingMailServerUseSSL": outgoing.encryption is not Encryption.NONE,
        "OutgoingMailServerUsername": wanted.address,
        "OutgoingPasswordSameAsIncomingPassword": True,
        "PreventMove": False,
    }
    if wanted.password:
        account["IncomingPassword"] = account["OutgoingPassword"] = wanted.password
    return account


def _identifier(site: str) -> str:
    host = site.partition("://")[2].partition("/")[0].partition(":")[0]
    return ".".join(reversed(host.split("."))) + ".valetkey"


def _uuid(wanted: MailProfile, part: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"{wanted.site}/{wanted.key}/{part}")

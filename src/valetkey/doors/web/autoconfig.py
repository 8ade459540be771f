"""What mail programs ask for to set themselves up: Mozilla's autoconfig, and Outlook's autodiscover in two forms.

The answers hold what the configuration says and nothing of any account, so they are the same for every address of a
domain that is served, whether there is such an account or not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.parsers import expat

from valetkey.core.errors import InvalidInput
from valetkey.core.scope import MailProtocol
from valetkey.doors.web.settings import ClientEndpoint, Encryption

MAX_REQUEST = 8 * 1024  # octets of what Outlook posts
_MAX_DEPTH = 8
_SOCKETS = {Encryption.TLS: "SSL", Encryption.STARTTLS: "STARTTLS"}
_TYPES = {MailProtocol.IMAP: "imap", MailProtocol.POP3: "pop3", MailProtocol.SMTP: "smtp"}
_OUTLOOK_TYPES = {MailProtocol.IMAP: "IMAP", MailProtocol.POP3: "POP3", MailProtocol.SMTP: "SMTP"}
_OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/"
_OUTLOOK_ANSWER = f"{_OUTLOOK}responseschema/2006"
_OUTLOOK_SETTINGS = f"{_OUTLOOK}outlook/responseschema/2006a"


@dataclass(frozen=True, slots=True)
class Site:
    """What the answers say of this installation."""

    name: str
    url: str  # the portal, where people make app passwords
    endpoints: tuple[ClientEndpoint, ...]

    @property
    def offered(self) -> tuple[ClientEndpoint, ...]:
        """The endpoints that a program may be sent to: none without TLS."""
        return tuple(one for one in self.endpoints if one.encryption in _SOCKETS and one.protocol in _TYPES)


def mozilla(site: Site, domains: Iterable[str]) -> bytes:
    """Give the clientConfig 1.1 document that Thunderbird, K-9 Mail and FairEmail read."""
    root = Element("clientConfig", version="1.1")
    names = tuple(domains)
    provider = SubElement(root, "emailProvider", id=names[0])
    for name in names:
        _add(provider, "domain", name)
    _add(provider, "displayName", site.name)
    _add(provider, "displayShortName", site.name)
    for endpoint in site.offered:
        sends = endpoint.protocol is MailProtocol.SMTP
        server = SubElement(provider, "outgoingServer" if sends else "incomingServer", type=_TYPES[endpoint.protocol])
        _add(server, "hostname", endpoint.host)
        _add(server, "port", str(endpoint.port))
        _add(server, "socketType", _SOCKETS[endpoint.encryption])
        _add(server, "authentication", "password-cleartext")
        _add(server, "username", "%EMAILADDRESS%")
    documentation = SubElement(provider, "documentation", url=site.url)
    _add(documentation, "descr", "Make an app password for each program", lang="en")
    _add(documentation, "descr", "Für jedes Programm ein App-Passwort erstellen", lang="de")
    return _written(root)


def outlook(site: Site, address: str) -> bytes:
    """Give the answer that Outlook reads ([MS-OXDSCLI], settings of an account that is not Exchange's)."""
    root = Element("Autodiscover", xmlns=_OUTLOOK_ANSWER)
    response = SubElement(root, "Response", xmlns=_OUTLOOK_SETTINGS)
    if address:
        user = SubElement(response, "User")
        _add(user, "DisplayName", address)
    account = SubElement(response, "Account")
    _add(account, "AccountType", "email")
    _add(account, "Action", "settings")
    seen: set[MailProtocol] = set()
    for endpoint in site.offered:
        if endpoint.protocol not in seen:  # one of each; the best stands first
            seen.add(endpoint.protocol)
            _add_outlook_protocol(account, endpoint, address)
    return _written(root)


def _add_outlook_protocol(account: Element, endpoint: ClientEndpoint, address: str) -> None:
    protocol = SubElement(account, "Protocol")
    _add(protocol, "Type", _OUTLOOK_TYPES[endpoint.protocol])
    _add(protocol, "Server", endpoint.host)
    _add(protocol, "Port", str(endpoint.port))
    _add(protocol, "DomainRequired", "off")
    if address:
        _add(protocol, "LoginName", address)
    _add(protocol, "SPA", "off")
    _add(protocol, "SSL", "on")
    _add(protocol, "Encryption", "SSL" if endpoint.encryption is Encryption.TLS else "TLS")
    _add(protocol, "AuthRequired", "on")
    if endpoint.protocol is MailProtocol.SMTP:
        _add(protocol, "UsePOPAuth", "on")  # the same name and password as for reading
        _add(protocol, "SMTPLast", "off")


def outlook_error(stamp: str, code: int, words: str) -> bytes:
    """Give Outlook's form of an error; 600 is a request that cannot be read, 500 a domain that is not served."""
    root = Element("Autodiscover", xmlns=_OUTLOOK_ANSWER)
    error = SubElement(SubElement(root, "Response"), "Error", Time=stamp, Id="0")
    _add(error, "ErrorCode", str(code))
    _add(error, "Message", words)
    _add(error, "DebugData", "")
    return _written(root)


def read_outlook_request(document: bytes) -> str:
    """Read the mail address from what Outlook posts.

    No document type, so no entity that grows or reads a file; bounded in depth, and by the caller in octets.

    Raises:
        InvalidInput: It is not such a request.
    """
    reading = _Reading()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = reading.refuse
    parser.EntityDeclHandler = reading.refuse
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.take
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError):  # LookupError: an encoding that nobody knows
        raise InvalidInput("address", "This is not a request of Outlook.") from None
    return reading.address.strip()


class _Reading:
    def __init__(self) -> None:
        self.address = ""
        self._path: list[str] = []

    def refuse(self, *_: object) -> None:
        raise ValueError("a document type")

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        if len(self._path) > _MAX_DEPTH:
            raise ValueError("too deep")

    def end(self, _name: str) -> None:
        self._path.pop()

    def take(self, text: str) -> None:
        if self._path == ["Autodiscover", "Request", "EMailAddress"]:
            self.address += text


def _add(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = text


def _written(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))

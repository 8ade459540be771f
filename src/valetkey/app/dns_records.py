"""The DNS records by which mail programs find this installation."""

from urllib.parse import urlsplit

from valetkey.app.settings import client_endpoints, web_settings
from valetkey.config.sections import Config
from valetkey.core.account import canonical_domain
from valetkey.core.errors import InvalidInput
from valetkey.core.scope import MailProtocol
from valetkey.doors.cli.front import DnsRecord
from valetkey.doors.web.settings import ClientEndpoint, Encryption

_HTTPS = 443
# Service, protocol, how it is encrypted, and where it is said. TLS from the first byte is preferred (RFC 8314 section 3.3),
# so its records have the better (lower) priority.
_SERVICES = (
    ("imaps", MailProtocol.IMAP, Encryption.TLS, 0, "RFC 6186"),
    ("imap", MailProtocol.IMAP, Encryption.STARTTLS, 10, "RFC 6186"),
    ("pop3s", MailProtocol.POP3, Encryption.TLS, 20, "RFC 6186"),
    ("pop3", MailProtocol.POP3, Encryption.STARTTLS, 30, "RFC 6186"),
    ("submissions", MailProtocol.SMTP, Encryption.TLS, 0, "RFC 8314"),
    ("submission", MailProtocol.SMTP, Encryption.STARTTLS, 10, "RFC 6186"),
)
_SIEVE_PORTS = (Encryption.STARTTLS, Encryption.TLS)  # the service has one name for both (RFC 5804 section 1.8)


def dns_records(config: Config, domain: str) -> tuple[DnsRecord, ...]:
    """Give the records of one mail domain.

    Raises:
        InvalidInput: Not a domain name, or none that is served here.
    """
    try:
        name = canonical_domain(domain)
    except InvalidInput:
        raise InvalidInput("domain", "{domain} is not a domain name.", domain=domain) from None
    if not web_settings(config).serves(name):
        raise InvalidInput("domain", "{domain} is not served here: no [[domain]] names it.", domain=name)
    return (*_services(client_endpoints(config), name), *_set_up(config, name))


def _services(endpoints: tuple[ClientEndpoint, ...], domain: str) -> list[DnsRecord]:
    found = []
    for service, protocol, encryption, priority, said in _SERVICES:
        at = next((one for one in endpoints if (one.protocol, one.encryption) == (protocol, encryption)), None)
        found.append(DnsRecord(f"_{service}._tcp.{domain}.", "SRV", _srv(at, priority), said))
    sieve = [one for one in endpoints if one.protocol is MailProtocol.SIEVE and one.encryption in _SIEVE_PORTS]
    found.append(DnsRecord(f"_sieve._tcp.{domain}.", "SRV", _srv(next(iter(sieve), None), 0), "RFC 5804"))
    return found


def _srv(endpoint: ClientEndpoint | None, priority: int) -> str:
    if endpoint is None:
        return "0 0 0 ."  # it is not offered (RFC 2782, RFC 6186 section 3.4)
    return f"{priority} 1 {endpoint.port} {endpoint.host}."


def _set_up(config: Config, domain: str) -> list[DnsRecord]:
    """Give what leads to the portal, for the programs that look there; they insist on HTTPS and its own port."""
    portal = urlsplit(web_settings(config).https_url)
    if portal.scheme != "https" or (portal.port or _HTTPS) != _HTTPS or portal.hostname is None:
        return []
    return [
        DnsRecord(f"autoconfig.{domain}.", "CNAME", f"{portal.hostname}.", "Thunderbird, K-9 Mail, FairEmail"),
        DnsRecord(f"autodiscover.{domain}.", "CNAME", f"{portal.hostname}.", "Outlook"),
        DnsRecord(f"_autodiscover._tcp.{domain}.", "SRV", f"0 1 {_HTTPS} {portal.hostname}.", "Outlook"),
    ]

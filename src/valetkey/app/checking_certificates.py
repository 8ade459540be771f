"""Checks of the certificates: readable, the key's own, in time, and good for the name that clients use."""

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from valetkey.app.findings import good, problem, warning
from valetkey.config.sections import Config
from valetkey.doors.cli.front import Finding

_SOON = timedelta(days=14)
_OTHERS_READ = 0o004


def certificate_findings(config: Config, now: datetime) -> Iterator[Finding]:
    """Look at every certificate."""
    if not config.certificate and not _shows_any(config):
        return
    if not config.certificate:
        what = f"none named: the local authority in {config.server.tls_directory} is used"
        if config.server.hostname == "localhost":
            yield good("certificates", what)
        else:
            mend = "Name one that mail programs accept under [[certificate]], or have every device trust ca.pem there."
            yield warning("certificates", what, mend)
        return
    names: set[str] = set()
    for entry in config.certificate:
        found = list(_one(entry.chain, entry.key, now, names))
        yield from found
    hostname = config.server.hostname
    if names and not any(_matches(name, hostname) for name in names):
        what = f"no certificate is good for {hostname} (they name {', '.join(sorted(names))})"
        yield problem("certificates", what, "Get one for this name, or change hostname under [server].")


def _shows_any(config: Config) -> bool:
    """Say whether anybody is shown a certificate: where mail servers ask on this machine nobody is."""
    return bool(config.listener or config.portal.tls_listen or any(door.tls for door in config.door))


def _one(chain: Path, key: Path, now: datetime, names: set[str]) -> Iterator[Finding]:
    try:
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    except ssl.SSLError:
        yield problem("certificates", f"{key} is not the key of {chain}", "Name the pair that was issued together.")
        return
    except OSError as error:
        name = error.filename or chain
        yield problem("certificates", f"{name} cannot be read: {error.strerror}", "Check the path and who may read it.")
        return
    except ValueError:
        yield problem("certificates", f"{chain} is not a PEM certificate", "Name the file with the full chain.")
        return
    names |= _names_of(certificate)
    if key.stat().st_mode & _OTHERS_READ:
        yield problem("certificates", f"everybody can read the private key {key}", f"chmod o-r {key}")
    ends = certificate.not_valid_after_utc
    if now >= ends:
        yield problem("certificates", f"{chain} ended on {ends:%Y-%m-%d}", "Renew it; the new one is taken by itself.")
    elif now < certificate.not_valid_before_utc:
        yield problem("certificates", f"{chain} is not valid yet", "Check this machine's clock.")
    elif now >= ends - _SOON:
        yield warning("certificates", f"{chain} ends on {ends:%Y-%m-%d}", "Renew it; the new one is taken by itself.")
    else:
        yield good("certificates", f"{chain} is good until {ends:%Y-%m-%d}")


def _names_of(certificate: x509.Certificate) -> set[str]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in alternative.get_values_for_type(x509.DNSName)}


def _matches(name: str, hostname: str) -> bool:
    # RFC 6125 section 6.4.3: a wildcard is the whole leftmost label.
    return name == hostname or (name.startswith("*.") and hostname.partition(".")[2] == name[2:])

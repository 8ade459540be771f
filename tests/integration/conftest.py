"""Real servers for the integration tests. What each fixture needs is listed in tests/conftest.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.places import own_directory
from tests.servers.site import MailSite, running_site
from tests.servers.valetkey import Valetkey, running_valetkey
from tests.servers.valetkey_settings import ValetkeyOptions


@pytest.fixture(scope="session")
def authority() -> Iterator[CertificateAuthority]:
    """Give a certificate authority for the whole run."""
    with own_directory("ca") as directory:
        yield CertificateAuthority(directory)


@pytest.fixture(scope="session")
def mail_site(authority: CertificateAuthority) -> Iterator[MailSite]:
    """Give Dovecot and Postfix for the whole run; tests must not stop them or change their settings."""
    with running_site(authority) as site:
        yield site


@pytest.fixture
def own_dovecot(authority: CertificateAuthority) -> Iterator[Dovecot]:
    """Give a Dovecot of the test's own, to stop, start and change."""
    with running_dovecot(authority) as dovecot:
        yield dovecot


@pytest.fixture
def fresh_site(authority: CertificateAuthority) -> Iterator[MailSite]:
    """Give Dovecot and Postfix of the test's own, to stop, start and change."""
    with running_site(authority) as site:
        yield site


@pytest.fixture
def client_home() -> Iterator[Path]:
    """Give a directory where clients keep their configuration and what they fetch."""
    with own_directory("client") as directory:
        yield directory


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    """Give the file of a CA that signed none of the servers' certificates."""
    return CertificateAuthority(tmp_path, "Other CA").file


@pytest.fixture(scope="session")
def valetkey(mail_site: MailSite) -> Iterator[Valetkey]:
    """Give a Valetkey of two workers in front of `mail_site`; tests must not stop it or change its settings.

    It is started as `python -m valetkey`: most tests of the gateway meet what everybody starts.
    """
    with running_valetkey(mail_site, ValetkeyOptions(is_cold=True)) as running:
        yield running

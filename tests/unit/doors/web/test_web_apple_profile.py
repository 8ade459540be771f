"""The profile for Apple's devices: what is in it, its signature, and who may have one."""

import plistlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient, portal_of
from tests.verbs.site import House, Person, attempt

from valetkey.app.local_ca import LocalCertificate, ensure_local_certificate
from valetkey.app.profile_signing import ProfileSigner
from valetkey.core.login import Allowed
from valetkey.core.scope import MailProtocol
from valetkey.doors.web.apple_profile import MailProfile, incoming_of, outgoing_of, profile
from valetkey.doors.web.settings import ClientEndpoint, Encryption
from valetkey.doors.web.signer import NoSigner, Trust
from valetkey.service import login

ADDRESS = "alice@example.org"
IMAP = ClientEndpoint(MailProtocol.IMAP, "mail.example.org", 993)
SMTP = ClientEndpoint(MailProtocol.SMTP, "mail.example.org", 587, Encryption.STARTTLS)
POP3 = ClientEndpoint(MailProtocol.POP3, "mail.example.org", 995)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> LocalCertificate:
    return ensure_local_certificate(tmp_path_factory.mktemp("tls"), "mail.example.org", datetime.now(UTC))


def made(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "key": "ap_1",
        "address": ADDRESS,
        "site_name": "Example Mail",
        "site": "https://portal.example.org:8443/x",
        "title": ADDRESS,
        "words": "Sets up Mail.",
        "incoming": IMAP,
        "outgoing": SMTP,
    }
    found: dict[str, Any] = plistlib.loads(profile(MailProfile(**{**facts, **changes})))
    return found


def test_what_a_profile_says() -> None:
    found = made(password="vkey-abcd")
    assert found["PayloadType"] == "Configuration"
    assert found["PayloadIdentifier"] == "org.example.portal.valetkey.ap_1"
    (mail,) = found["PayloadContent"]
    assert mail["PayloadType"] == "com.apple.mail.managed"
    assert mail["EmailAccountType"] == "EmailTypeIMAP"
    assert mail["EmailAddress"] == mail["IncomingMailServerUsername"] == mail["OutgoingMailServerUsername"] == ADDRESS
    assert (mail["IncomingMailServerHostName"], mail["IncomingMailServerPortNumber"]) == ("mail.example.org", 993)
    assert (mail["OutgoingMailServerHostName"], mail["OutgoingMailServerPortNumber"]) == ("mail.example.org", 587)
    assert mail["IncomingMailServerUseSSL"] is mail["OutgoingMailServerUseSSL"] is True
    assert mail["IncomingPassword"] == mail["OutgoingPassword"] == "vkey-abcd"
    assert len({found["PayloadUUID"], mail["PayloadUUID"]}) == 2


def test_the_same_one_again_replaces_the_old_and_another_does_not() -> None:
    assert made()["PayloadUUID"] == made(password="other")["PayloadUUID"]
    assert made()["PayloadUUID"] != made(key="ap_2")["PayloadUUID"]
    assert made()["PayloadUUID"] != made(site="https://elsewhere.example")["PayloadUUID"]


def test_without_a_password_the_device_asks() -> None:
    (mail,) = made()["PayloadContent"]
    assert not {"IncomingPassword", "OutgoingPassword"} & mail.keys()


def test_the_password_is_in_no_repr() -> None:
    wanted = MailProfile("k", ADDRESS, "s", "https://s", "t", "w", IMAP, SMTP, password="vkey-abcd")
    assert "vkey" not in repr(wanted)


def test_imap_rather_than_pop3() -> None:
    assert incoming_of((POP3, SMTP, IMAP)) == IMAP
    assert incoming_of((POP3, SMTP)) == POP3
    assert incoming_of((SMTP,)) is None
    assert outgoing_of((POP3, SMTP)) == SMTP
    assert made(incoming=POP3)["PayloadContent"][0]["EmailAccountType"] == "EmailTypePOP"


def opened(signed: bytes, authority: Path, folder: Path) -> bytes:
    """Verify as a device does: the signature, and that it comes from an authority that is known."""
    (folder / "signed").write_bytes(signed)
    run = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-in", folder / "signed", "-CAfile", authority,
         "-purpose", "any", "-binary"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_signature_is_good_and_holds_the_profile(certificate: LocalCertificate, tmp_path: Path) -> None:
    signer = ProfileSigner(certificate.chain, certificate.key, is_local=True)
    document = b"line one\nline two\n"
    signed = signer.sign(document)
    assert signer.trust is Trust.LOCAL
    assert opened(signed, certificate.ca, tmp_path) == document
    damaged = signed.replace(b"line one", b"line ONE")
    (tmp_path / "damaged").write_bytes(damaged)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", tmp_path / "damaged", "-CAfile", certificate.ca]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_a_certificate_of_a_known_authority_is_trusted(certificate: LocalCertificate) -> None:
    assert ProfileSigner(certificate.chain, certificate.key, is_local=False).trust is Trust.PUBLIC


def test_new_files_are_taken_and_bad_ones_leave_the_profile_unsigned(
    certificate: LocalCertificate, tmp_path: Path
) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    signer = ProfileSigner(chain, key, is_local=False)
    assert (signer.trust, signer.sign(b"x")) == (Trust.NONE, b"x")  # no files
    chain.write_bytes(certificate.chain.read_bytes())
    key.write_bytes(certificate.key.read_bytes())
    assert signer.trust is Trust.PUBLIC
    assert signer.sign(b"x") != b"x"
    other = ensure_local_certificate(tmp_path / "other", "mail.example.org", datetime.now(UTC) + timedelta(days=1))
    key.write_bytes(other.key.read_bytes() + b"\n")
    assert signer.trust is Trust.NONE  # another certificate's key
    cannot = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.write_bytes(cannot)
    assert (signer.trust, signer.sign(b"x")) == (Trust.NONE, b"x")
    key.write_bytes(b"nonsense")
    assert signer.trust is Trust.NONE
    assert NoSigner().sign(b"x") == b"x"


async def make(visitor: PortalClient, purpose: str = "phone") -> tuple[str, str]:
    """Make an app password; give its id and the sealed secret of its page."""
    page = await visitor.post("/app-passwords/new", await visitor.new_form(purpose))
    assert page.status_code == 200
    found = page.text.partition('data-live="/app-passwords/')[2].partition("/")[0]
    return found, visitor.hidden("sealed")


@pytest.fixture
async def signing(house: House, certificate: LocalCertificate) -> FastAPI:
    signer = ProfileSigner(certificate.chain, certificate.key, is_local=True)
    return portal_of(house, signer=signer)


async def test_the_profile_of_the_result_page_opens_mail(
    signing: FastAPI, house: House, alice: Person, certificate: LocalCertificate, tmp_path: Path
) -> None:
    visitor = PortalClient(signing)
    await visitor.sign_in(house, alice)
    credential, sealed = await make(visitor)
    answer = await visitor.post(f"/app-passwords/{credential}/profile", {"sealed": sealed})
    assert answer.headers["content-type"] == "application/x-apple-aspen-config"
    assert answer.headers["content-disposition"] == 'attachment; filename="mail.mobileconfig"'
    assert answer.headers["cache-control"] == "no-store"
    (mail,) = plistlib.loads(opened(answer.content, certificate.ca, tmp_path))["PayloadContent"]
    verdict = await login.check(house.ports, attempt(ADDRESS, mail["IncomingPassword"]))
    assert isinstance(verdict, Allowed)
    assert verdict.grant is not None


async def test_the_sealed_secret_is_good_here_now_and_for_this_one_only(
    signing: FastAPI, house: House, alice: Person
) -> None:
    visitor = PortalClient(signing)
    await visitor.sign_in(house, alice)
    credential, sealed = await make(visitor)
    another, others = await make(visitor)
    path = f"/app-passwords/{credential}/profile"
    csrf = visitor.hidden("csrf")
    for bad in (others, sealed[:-4] + "AAAA", "", "x" * 600, "é", sealed + "A"):
        assert (await visitor.post(path, {"sealed": bad, "csrf": csrf})).status_code == 409, bad
    assert (await visitor.post(path, {"sealed": sealed, "csrf": csrf})).status_code == 200
    assert (
        await visitor.post(f"/app-passwords/{another}/profile", {"sealed": sealed, "csrf": csrf})
    ).status_code == 409
    elsewhere = PortalClient(signing)
    await elsewhere.sign_in(house, alice)
    await elsewhere.get("/account")
    assert (await elsewhere.post(path, {"sealed": sealed})).status_code == 409  # another session of the same person
    house.clock.move(minutes=16)
    assert (await visitor.post(path, {"sealed": sealed, "csrf": csrf})).status_code == 409


async def test_a_revoked_one_has_no_profile(signing: FastAPI, house: House, alice: Person) -> None:
    visitor = PortalClient(signing)
    await visitor.sign_in(house, alice)
    credential, sealed = await make(visitor)
    csrf = visitor.hidden("csrf")
    await visitor.get(f"/app-passwords/{credential}/revoke")
    await visitor.post(f"/app-passwords/{credential}/revoke", {"reason": ""})
    answer = await visitor.post(f"/app-passwords/{credential}/profile", {"sealed": sealed, "csrf": csrf})
    assert answer.status_code == 409


async def test_a_scanner_gets_no_profile(signing: FastAPI, house: House, alice: Person) -> None:
    visitor = PortalClient(signing)
    await visitor.sign_in(house, alice)
    await visitor.post("/app-passwords/new", await visitor.new_form("scanner"))
    assert visitor.page is not None
    assert "/profile" not in visitor.page.text


async def test_anybody_gets_the_profile_without_a_password(portal: FastAPI, alice: Person) -> None:
    nobody = PortalClient(portal)
    for address in (ADDRESS, "nobody.at.all@example.org"):
        answer = await nobody.get(f"/mail/apple.mobileconfig?address={address}")
        assert answer.status_code == 200
        (mail,) = plistlib.loads(answer.content)["PayloadContent"]
        assert mail["EmailAddress"] == address
        assert "IncomingPassword" not in mail
    for bad in ("", "alice", "a@b@c", "x" * 500):
        assert (await nobody.get(f"/mail/apple.mobileconfig?address={bad}")).status_code == 422

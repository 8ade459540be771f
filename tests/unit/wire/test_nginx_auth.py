"""nginx's headers: every octet of a name and a password, certificates that were verified, and the answer's codes."""

import contextlib
from base64 import b64encode
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.wire.machine import Refusal, RefusalKind
from valetkey.wire.nginx_auth import NotNginx, passes, read_request, refuses

ASKED = [(b"auth-method", b"plain"), (b"auth-protocol", b"imap"), (b"auth-user", b"alice"), (b"auth-pass", b"secret")]
WRONG = Refusal(RefusalKind.WRONG, "No")


def asked(**more: bytes):
    return [*ASKED, *((name.replace("_", "-").encode(), value) for name, value in more.items())]


def pem(der: bytes) -> bytes:
    body = b64encode(der)
    lines = b"\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"\n-----END CERTIFICATE-----\n"


def shown(der: bytes, verify: bytes = b"SUCCESS") -> dict[str, bytes]:
    return {"auth_ssl_verify": verify, "auth_ssl_cert": quote_from_bytes(pem(der)).encode()}


def test_a_request_as_nginx_sends_it():
    found = read_request(
        asked(client_ip=b"192.0.2.7", client_host=b"[UNAVAILABLE]", auth_login_attempt=b"3", auth_ssl=b"on")
    )
    assert (found.method, found.protocol, found.name, found.secret) == ("plain", "imap", b"alice", b"secret")
    assert (found.address, found.host, found.attempt, found.is_tls) == ("192.0.2.7", "[UNAVAILABLE]", 3, True)
    assert found.certificate is None
    assert "secret" not in repr(found)


def test_what_is_not_said_is_not_assumed():
    found = read_request(ASKED[:2])
    assert (found.name, found.secret, found.address, found.attempt, found.is_tls) == (b"", b"", "", 1, False)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_every_octet_comes_through(name, secret):
    headers = [
        *ASKED[:2],
        (b"auth-user", quote_from_bytes(name).encode()),
        (b"auth-pass", quote_from_bytes(secret).encode()),
    ]
    found = read_request(headers)
    assert (found.name, found.secret) == (name, secret)


def test_a_plus_is_a_plus_and_a_lone_percent_is_itself():
    found = read_request([*ASKED[:2], (b"auth-user", b"a+b%40c"), (b"auth-pass", b"50% off%2")])
    assert (found.name, found.secret) == (b"a+b@c", b"50% off%2")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ASKED[1:],
        ASKED[:1],
        [*ASKED, (b"auth-user", b"bob")],
        [*ASKED, (b"client-ip", b"192.0.2.7"), (b"client-ip", b"192.0.2.8")],
        asked(auth_login_attempt=b"x"),
        asked(auth_login_attempt=b""),
        asked(auth_login_attempt=b"99999999999999999999"),
        asked(auth_login_attempt=b"0" * 8 + b"9" * 5_000),
        asked(auth_ssl_verify=b"SUCCESS", auth_ssl_cert=b"nonsense"),
        asked(auth_ssl_verify=b"SUCCESS", auth_ssl_cert=b""),
        asked(auth_ssl_verify=b"SUCCESS", auth_ssl_cert=b"-----BEGIN CERTIFICATE-----a"),
        asked(auth_ssl_verify=b"SUCCESS", auth_ssl_cert=b"-----BEGIN CERTIFICATE-----%FF-----END CERTIFICATE-----"),
    ],
)
def test_what_nginx_does_not_send(headers):
    with pytest.raises(NotNginx):
        read_request(headers)


@given(
    st.lists(st.tuples(st.sampled_from([name for name, _ in ASKED] + [b"auth-ssl-cert", b"x"]), st.binary(max_size=50)))
)
def test_any_headers_are_read_or_refused(headers):
    with contextlib.suppress(NotNginx):
        read_request(headers)


def test_a_certificate_counts_only_if_nginx_has_verified_it():
    der = bytes(range(256)) * 3
    assert read_request(asked(**shown(der))).certificate == der
    for verdict in (b"NONE", b"FAILED:self signed certificate", b"success", b""):
        assert read_request(asked(**shown(der, verdict))).certificate is None
    assert read_request(asked(auth_ssl_verify=b"SUCCESS")).certificate is None


def test_where_to_go_on():
    assert passes("192.0.2.1", 143) == ((b"auth-status", b"OK"), (b"auth-server", b"192.0.2.1"), (b"auth-port", b"143"))
    assert passes("::1", 143, b"alice*m", b"pw")[3:] == ((b"auth-user", b"alice*m"), (b"auth-pass", b"pw"))
    for bad in (b"a\r\nAuth-Status: OK", b"a\nb", b"\x00", b" a", b"a ", b"\x7f"):
        with pytest.raises(ValueError):
            passes("192.0.2.1", 143, b"alice", bad)


@pytest.mark.parametrize(
    ("kind", "imap", "pop3", "smtp"),
    [
        (RefusalKind.WRONG, b"[AUTHENTICATIONFAILED] No", b"[AUTH] No", b"535 5.7.8"),
        (RefusalKind.EXPIRED, b"[EXPIRED] No", b"[AUTH] No", b"535 5.7.8"),
        (RefusalKind.FORBIDDEN, b"[NOPERM] No", b"[AUTH] No", b"535 5.7.8"),
        (RefusalKind.TRY_LATER, b"[UNAVAILABLE] No", b"[SYS/TEMP] No", b"454 4.7.0"),
        (RefusalKind.TLS_NEEDED, b"[PRIVACYREQUIRED] No", b"No", b"538 5.7.11"),
    ],
)
def test_the_words_of_a_refusal(kind, imap, pop3, smtp):
    refusal = Refusal(kind, "No")
    assert refuses("imap", refusal, 2) == ((b"auth-status", imap), (b"auth-wait", b"2"))
    assert refuses("pop3", refusal, None) == ((b"auth-status", pop3),)
    assert refuses("smtp", refusal, 2) == ((b"auth-status", b"No"), (b"auth-error-code", smtp), (b"auth-wait", b"2"))


def test_a_protocol_that_nginx_does_not_have_is_answered_as_imap():
    assert refuses("nntp", WRONG, None) == ((b"auth-status", b"[AUTHENTICATIONFAILED] No"),)

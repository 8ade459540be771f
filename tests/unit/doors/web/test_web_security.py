import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from valetkey.doors.web.security import check_origin, check_token, local_path
from valetkey.doors.web.settings import WebSettings, wants_strict_transport

OURS = frozenset({"https://portal.example.org"})


def request_with(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://portal.example.org"},
        {"origin": "HTTPS://Portal.example.org"},
        {"origin": "null", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin"},
        {"origin": "https://portal.example.org", "sec_fetch_site": "same-origin"},
        {},
    ],
)
def test_forms_from_here_pass(headers: dict[str, str]) -> None:
    check_origin(request_with(**headers), OURS)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://portal.example.org"},
        {"origin": "https://portal.example.org.evil.example"},
        {"origin": "https://portal.example.org:444"},
        {"origin": "null"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "cross-site", "origin": "https://portal.example.org"},
        {"sec_fetch_site": "same-origin", "origin": "https://evil.example"},
        {"sec_fetch_site": "nonsense"},
    ],
)
def test_forms_from_elsewhere_do_not(headers: dict[str, str]) -> None:
    with pytest.raises(HTTPException) as caught:
        check_origin(request_with(**headers), OURS)
    assert caught.value.status_code == 403


@pytest.mark.parametrize(("sent", "expected"), [("", ""), ("", None), ("a", None), ("a", "b"), ("", "b"), ("ä", "a")])
def test_a_token_must_be_there_and_right(sent: str, expected: str | None) -> None:
    with pytest.raises(HTTPException):
        check_token(sent, expected)


@pytest.mark.parametrize("path", ["/", "/account", "/app-passwords/new?purpose=phone&account=ac_1"])
def test_paths_of_the_portal_are_returned_to(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "account", "//evil.example", "/\\evil.example", "https://evil.example", "/a//evil.example", "/%2fevil.example",
        "/a\r\nSet-Cookie: x=y", "/a\tb", "javascript:alert(1)", "/" + "a" * 200, "/@evil", "/.evil", "/a#b", "/ä",
    ],
)  # fmt: skip
def test_everything_else_is_not(path: str) -> None:
    assert local_path(path) == "/"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://mail.example.org", True),
        ("http://mail.example.org", False),
        ("https://localhost:8443", False),
        ("https://127.0.0.1:8443", False),
        ("https://[::1]:8443/", False),
    ],
)
def test_only_real_https_names_are_nailed_to_https(url: str, wanted: bool) -> None:
    assert wants_strict_transport(url) is wanted


def test_origins_are_without_path_and_case() -> None:
    settings = WebSettings("https://Mail.Example.org/portal/", also_at=("http://localhost:8080",))
    assert settings.origins == {"https://mail.example.org", "http://localhost:8080"}

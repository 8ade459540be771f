import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from valetkey.doors.web.forms import MAX_BODY, Form, read_form


def request_of(*chunks: bytes, kind: str = "application/x-www-form-urlencoded", length: str | None = None) -> Request:
    waiting = list(chunks)

    async def receive() -> dict[str, object]:
        body = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    headers = [(b"content-type", kind.encode())] + ([(b"content-length", length.encode())] if length else [])
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def test_a_form_is_read_with_repeated_and_empty_fields() -> None:
    form = await read_form(
        request_of(b"a=1&a=2&b=&c=%C3%A4+b", kind="application/x-www-form-urlencoded; charset=utf-8")
    )
    assert form.many("a") == ("1", "2")
    assert (form.one("a"), form.one("b"), form.one("c"), form.one("d")) == ("1", "", "ä b", "")
    assert form.has("b")
    assert not form.has("d")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (request_of(b"a" * (MAX_BODY + 1)), 413),
        (request_of(*[b"a" * 1024] * 65), 413),
        (request_of(b"a=1", length=str(MAX_BODY + 1)), 413),
        (request_of(b"a=1", length="9" * 200), 413),
        (request_of(b"a=%ff"), 400),
        (request_of("a=ä".encode()), 400),
        (request_of(b"&".join(b"a=1" for _ in range(101))), 400),
        (request_of(b"{}", kind="application/json"), 415),
        (request_of(b"{}", kind="text/plain"), 415),
        (request_of(b"--x", kind="multipart/form-data; boundary=x"), 415),
        (request_of(b"a=1", kind=""), 415),
    ],
)
async def test_what_is_no_form_is_refused(request_: Request, status: int) -> None:
    with pytest.raises(HTTPException) as caught:
        await read_form(request_)
    assert caught.value.status_code == status


async def test_a_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valetkey.doors.web.forms._BODY_SECONDS", 0.01)

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    request = request_of()
    request._receive = receive
    with pytest.raises(HTTPException) as caught:
        await read_form(request)
    assert caught.value.status_code == 408


def test_a_field_is_bounded_and_a_form_is_not_printed() -> None:
    form = Form({"password": ("hunter2",)})
    assert "hunter2" not in repr(form)
    with pytest.raises(HTTPException):
        form.one("password", 6)

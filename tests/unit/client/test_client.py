"""The client over real HTTP: values, pages, entity tags, repetitions, problems, and servers that are not what they should be."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.verbs.api_site import ApiSite
from tests.verbs.site import Person

from valetkey.client import (
    ApiError,
    Client,
    ConflictError,
    NotFoundError,
    NotPermittedError,
    RefusedError,
    StaleError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    UnreadableAnswerError,
    UntrustedServerError,
    models,
)
from valetkey.core.errors import Unavailable
from valetkey.core.role import Action

TOKEN = "vkt_" + "a" * 40


def test_who_one_is(mine: Client, alice: Person) -> None:
    me = mine.get_me()
    assert me.account.address == alice.account.address
    assert me.token.expires_at.tzinfo is not None
    assert "own:read" in me.token.actions


def test_an_app_password_from_making_to_its_end(mine: Client) -> None:
    made = mine.make_app_password(
        "me",
        description="Scanner",
        ready_made="send-only",
        restrictions=models.RestrictionsWanted(network_rule="allowed", allowed_ips=("192.0.2.0/24",)),
    )
    assert made.secret is not None
    assert made.secret not in repr(made)
    found = mine.get_app_password(made.app_password.id)
    assert found.value == made.app_password
    assert found.value.restrictions.allowed_ips == ("192.0.2.0/24",)
    changed = mine.change_app_password(found.value.id, if_match=found.etag, description="Big scanner")
    assert changed.value.description == "Big scanner"
    with pytest.raises(StaleError):
        mine.change_app_password(found.value.id, if_match=found.etag, description="Other")
    rotated = mine.rotate_app_password(found.value.id, overlap=3600)
    assert rotated.replaced.id == found.value.id
    ended = mine.revoke_app_password(rotated.app_password.id, reason="sold")
    assert (ended.app_password.is_live, ended.closed) == (False, 0)
    assert [one.id for one in mine.each_of_account_app_passwords("me")] == [found.value.id]


def test_all_pages_are_gone_through(mine: Client, site: ApiSite) -> None:
    names = {f"Device {number}" for number in range(5)}
    for name in names:
        mine.make_app_password("me", description=name, ready_made="send-only")
    site.seen.clear()
    assert {one.description for one in mine.each_of_account_app_passwords("me", limit=2)} == names
    assert len(site.seen) == 3


def test_nothing_is_answered_by_nothing(admins: Client, alice: Person) -> None:
    assert admins.add_alias(alice.account.id, address="al@example.org") is None  # type: ignore[func-returns-value]
    found = admins.get_account(alice.account.id)
    assert found.value.aliases == ("al@example.org",)
    assert admins.set_account_rights(alice.account.id, if_match=found.etag, rights=["send"]).closed == 0
    admins.remove_alias(alice.account.id, "al@example.org")


def test_records_come_typed_and_as_lines(admins: Client, alice: Person) -> None:
    newest = next(admins.each_of_audit_records(account_id=alice.account.id))
    assert isinstance(newest.at, datetime)
    lines = list(admins.export_audit(account_id=alice.account.id))
    assert newest.number in {json.loads(line)["number"] for line in lines}
    (head, *rows) = admins.export_audit(format_="csv", kinds=["AccountCreated"], until=datetime.now(UTC))
    assert "number" in head
    assert rows
    assert admins.verify_audit().is_whole
    assert admins.list_audit_records(kinds=["AccountCreated", "TotpAdded"]).items


def test_nobody_gets_away_with_a_name_as_a_path(mine: Client, site: ApiSite) -> None:
    with pytest.raises(ApiError):
        mine.get_app_password("../me")
    assert site.seen[-1]["raw_path"] == b"/api/v1/app-passwords/..%2Fme"


def test_problems_are_exceptions_with_their_fields(mine: Client, alice: Person) -> None:
    with pytest.raises(NotFoundError) as missing:
        mine.get_app_password("ap_none")
    assert missing.value.status == 404
    assert missing.value.type.startswith("urn:valetkey:problem:")
    assert str(missing.value) == missing.value.detail
    with pytest.raises(NotPermittedError):
        mine.list_accounts()
    with pytest.raises(NotFoundError):
        mine.list_account_tokens("ac_somebodyelse")
    with pytest.raises(RefusedError) as wrong:
        mine.make_app_password("me", description=" ", ready_made="send-only")
    assert [fault.field for fault in wrong.value.errors] == ["description"]
    with pytest.raises(RefusedError) as unread:
        mine.make_app_password("me", description="x" * 101, ready_made="send-only")
    assert unread.value.errors[0].field == "description"


@pytest.mark.parametrize("token", [TOKEN, "vkey-abcd-efgh-ijkl-mnop-qrst-uvwx", "x"])
def test_what_is_no_token_of_the_server_is_refused(site: ApiSite, token: str) -> None:
    with Client(site.url, token) as client, pytest.raises(UnauthorizedError) as refused:
        client.get_me()
    assert token not in str(refused.value)
    assert token not in repr(refused.value)


def test_an_expired_token_and_one_of_another_network(site: ApiSite, alice: Person) -> None:
    ends = site.house.clock.now() + timedelta(minutes=1)
    brief = site.token(alice, expires_at=ends)
    bound = site.token(alice, allowed_ips=("192.0.2.0/24",))
    site.house.clock.move(minutes=2)
    with Client(site.url, brief) as client, pytest.raises(UnauthorizedError, match="expired"):
        client.get_me()
    with Client(site.url, bound) as client, pytest.raises(UnauthorizedError, match="network"):
        client.get_me()


def test_too_many_requests_say_when(tmp_path: Path) -> None:
    site = ApiSite(tmp_path, per_minute=2)
    try:
        with Client(site.url, site.token(site.person(), [Action.OWN_READ])) as client:
            client.get_me()
            client.get_me()
            with pytest.raises(TooManyRequestsError) as refused:
                client.get_me()
        assert refused.value.retry_after
        assert 0 < refused.value.retry_after <= 60
    finally:
        site.close()


def test_a_store_that_is_away_is_not_a_wrong_token(
    mine: Client, site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(site.house.store, "read", away)
    with pytest.raises(UnavailableError) as refused:
        mine.get_me()
    assert refused.value.status == 503
    assert refused.value.retry_after == 30


def test_a_token_shows_in_no_repr(site: ApiSite) -> None:
    with Client(site.url, TOKEN) as client:
        assert TOKEN not in repr(client)
        assert TOKEN not in repr(vars(client))


@pytest.mark.parametrize(
    "server",
    ["http://mail.example.org", "ftp://localhost", "mail.example.org", "https://user@mail.example.org", "https://",
     "https://mail.example.org/portal", "https://mail.example.org?x=1"],
)  # fmt: skip
def test_a_token_is_sent_to_servers_with_tls_alone(server: str) -> None:
    with pytest.raises(ValueError, match="server"):
        Client(server, TOKEN)


@pytest.mark.parametrize("token", ["", "vkt_\nHost: x", "vkt_ä", "two words"])
def test_what_cannot_be_a_token_is_not_sent(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Client("https://mail.example.org", token)


def test_tls_is_always_verified(tmp_path: Path) -> None:
    site = ApiSite(tmp_path, tls=True)
    try:
        token = site.token(site.person())
        with Client(site.url, token, ca_file=site.ca) as client:
            assert client.get_me().account.address == "alice@example.org"
        site.seen.clear()
        with Client(site.url, token) as client, pytest.raises(UntrustedServerError):
            client.get_me()
        assert site.seen == []
    finally:
        site.close()


@contextmanager
def answering(*answers: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection after another: with what is given, or by hanging up."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(65536))
                if answer is not None:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join(30)
    finally:
        listener.close()


def said(body: bytes, status: str = "200 OK", media_type: str = "application/json", **fields: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", "Connection: close"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


READY = said(b'{"items":[]}')
MADE = b"""{"app_passwords":1,"people":1,"connections":null,"skipped":0}"""


def keys(heard: list[bytes]) -> set[str]:
    lines = (line for one in heard for line in one.decode().splitlines())
    return {line.partition(":")[2].strip() for line in lines if line.lower().startswith("idempotency-key")}


def test_what_broke_off_is_asked_again(pauses: list[float]) -> None:
    with answering(None, None, READY) as (url, heard), Client(url, TOKEN, pause=pauses.append) as client:
        assert client.list_ready_made().items == ()
    assert len(heard) == 3
    assert pauses == [0.5, 1.0]


@pytest.fixture
def pauses() -> list[float]:
    return []


def test_a_post_is_repeated_under_its_key(pauses: list[float]) -> None:
    busy = said(b'{"detail":"still runs"}', "409 Conflict", "application/problem+json", Retry_After="5")
    with answering(None, busy, said(MADE)) as (url, heard), Client(url, TOKEN, pause=pauses.append) as client:
        assert client.preview_revoking(ids=["ap_one"]).people == 1
    assert len(keys(heard)) == 1
    assert pauses == [0.5, 5]


def test_a_key_of_ones_own_is_taken() -> None:
    with answering(said(MADE)) as (url, heard), Client(url, TOKEN) as client:
        client.preview_revoking(ids=["ap_one"], idempotency_key="night-run-7")
    assert keys(heard) == {"night-run-7"}


def test_a_conflict_at_once_is_told() -> None:
    busy = said(b'{"detail":"It was revoked before."}', "409 Conflict", "application/problem+json", Retry_After="5")
    with (
        answering(busy) as (url, _),
        Client(url, TOKEN) as client,
        pytest.raises(ConflictError, match="revoked before"),
    ):
        client.revoke_token("at_one")


@pytest.mark.parametrize(
    "change",
    [lambda client: client.close_connection("s1"), lambda client: client.set_networks(if_match='"x"', networks={})],
)
def test_a_change_without_a_key_is_sent_once(change: Callable[[Client], object]) -> None:
    with answering(None) as (url, heard), Client(url, TOKEN) as client, pytest.raises(UnreachableError, match="later"):
        change(client)
    assert len(heard) == 1


def test_a_server_that_is_down(pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with Client(url, TOKEN, pause=pauses.append) as client, pytest.raises(UnreachableError, match="Try again later"):
        client.get_me()
    assert len(pauses) == 2


@pytest.mark.parametrize(
    "answer",
    [
        said(b"<html>hello</html>", media_type="text/html"),
        said(b"not json"),
        said(b"[]"),
        said(b'{"items": 7}'),
        said(b'{"items": [{"key": "x"}]}'),
        said(b"[" * 100_000),
        said(b"", "302 Found", Location="https://elsewhere.example/"),
        said(b"<html>no</html>", "404 Not Found", "text/html"),
    ],
)
def test_what_is_not_this_api_is_told_apart(answer: bytes) -> None:
    with answering(answer) as (url, heard), Client(url, TOKEN) as client, pytest.raises(UnreadableAnswerError):
        client.list_ready_made()
    assert len(heard) == 1


def test_a_proxy_that_says_the_server_is_away() -> None:
    away = said(b"<html>Bad Gateway</html>", "502 Bad Gateway", "text/html")
    with answering(away) as (url, _), Client(url, TOKEN) as client, pytest.raises(UnavailableError):
        client.list_ready_made()


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valetkey.client.connection._MAX_ANSWER", 1000)
    long = said(b'{"items":[' + b" " * 2000 + b"]}")
    with answering(long) as (url, _), Client(url, TOKEN) as client, pytest.raises(UnreadableAnswerError, match="long"):
        client.list_ready_made()


def test_fields_of_a_newer_server_are_passed_over() -> None:
    newer = b'{"items":[{"key":"k","title":"T","sentence":"S","needs_folders":false,"hue":3,"scope":{"mode":"new","permissions":[],"protocols":["x"]}}]}'
    with answering(said(newer)) as (url, _), Client(url, TOKEN) as client:
        (one,) = client.list_ready_made().items
    assert one.scope.mode == "new"


def test_a_time_without_a_zone_is_not_sent() -> None:
    naive = models.RestrictionsWanted(expires_at=datetime(2027, 1, 1))  # noqa: DTZ001  (what this is about)
    with Client("https://mail.example.org", TOKEN) as client, pytest.raises(ValueError, match="zone"):
        client.make_app_password("me", description="x", ready_made="send-only", restrictions=naive)


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    with pytest.raises(ssl.SSLError):
        Client("https://mail.example.org", TOKEN, ca_file=file)

"""valetkey --server: the same commands over the API, over real HTTP, with the same output."""

import json
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.api_site import ApiSite
from tests.verbs.site import Person
from typer.testing import CliRunner

from valetkey.app.front import FrontHall
from valetkey.core.role import Action, Role
from valetkey.core.scope import MailProtocol
from valetkey.doors.cli import build, config_first
from valetkey.service.ports import LiveSession, Ports

ALICE, SCANNER = "alice@example.org", "scanner@example.org"


def no_demo(_: object) -> Any:
    raise AssertionError("no demo here")


class Front(FrontHall):
    """The front hall of the machine on which the site runs."""

    def __init__(self, site: ApiSite) -> None:
        super().__init__(no_demo, no_demo)
        self.site = site

    @asynccontextmanager
    async def open(self, config: Path) -> AsyncIterator[Ports]:
        yield self.site.house.ports


class Line:
    """Runs commands, on the machine itself or over the API."""

    def __init__(self, site: ApiSite) -> None:
        self.app = build(Front(site))
        self.site = site
        self.environment: dict[str, str | None] = {"VALETKEY_TOKEN": None, "VALETKEY_CONFIG": None}
        self.out = self.err = ""

    def run(self, *arguments: str, code: int = 0, given: str = "") -> str:
        result = CliRunner().invoke(
            self.app, config_first(arguments), input=given, env=self.environment, catch_exceptions=False
        )
        self.out, self.err = result.stdout, result.stderr
        assert result.exit_code == code, self.err or self.out
        return self.out

    def here(self, *arguments: str, **expected: Any) -> str:
        return self.run("--config", "valetkey.toml", *arguments, **expected)

    def there(self, *arguments: str, **expected: Any) -> str:
        return self.run("--server", self.site.url, *arguments, **expected)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.there(*arguments, "--json"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ApiSite]:
    running = ApiSite(tmp_path)
    yield running
    running.close()


@pytest.fixture
def alice(site: ApiSite) -> Person:
    return site.person(ALICE)


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):  # each command would read this machine's authorities anew
        monkeypatch.setenv(name, str(tmp_path / "no-authorities"))


def administered(site: ApiSite) -> Line:
    made = Line(site)
    made.environment["VALETKEY_TOKEN"] = site.token(site.person("ada@example.org", role=Role.ADMIN))
    return made


@pytest.fixture
def line(site: ApiSite) -> Line:
    """The command line of an administrator, with a token in the environment."""
    return administered(site)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The same, of a site that nobody asks anything."""
    running = ApiSite(tmp_path_factory.mktemp("idle"))
    yield administered(running)
    assert running.seen == []
    running.close()


@pytest.fixture
def hers(site: ApiSite, line: Line, alice: Person) -> Line:
    """The same, with a token of alice, who owns the scanner."""
    site.do(lambda: site.house.shared(SCANNER, owner=alice))
    line.environment["VALETKEY_TOKEN"] = site.token(alice)
    return line


def test_looking_shows_the_same_here_and_there(line: Line, site: ApiSite, alice: Person) -> None:
    site.do(lambda: site.house.shared(SCANNER, owner=alice))
    issued = site.do(lambda: site.house.issue(alice, "Phone", expires_at=site.house.clock.now() + timedelta(days=9)))
    line.here("account", "alias", "add", ALICE, "al@example.org")
    one = issued.app_password.id
    for name in ("Backup", "Monitoring"):
        site.house.clock.move(seconds=20)
        site.token(alice, [Action.OWN_READ], name=name)
    opened = site.house.clock.now()
    site.house.live.sessions = [
        LiveSession(f"s{n}", alice.account.id, one, MailProtocol.IMAP, "192.0.2.1", "Mail", opened, "") for n in (1, 2)
    ]
    for command in (
        ("account", "list"),
        ("account", "list", "--search", "scan"),
        ("account", "list", "--after", ALICE, "--limit", "1"),
        ("account", "show", ALICE),
        ("account", "show", "AL@example.org"),
        ("account", "show", alice.account.id),
        ("account", "show", SCANNER),
        ("app-password", "list", ALICE),
        ("app-password", "list", SCANNER, "--all"),
        ("app-password", "show", one),
        ("audit", "list", ALICE),
        ("audit", "list", "--limit", "4"),
        ("audit", "list", "--limit", "2", "--before", "4"),
        ("audit", "verify"),
        ("policy", "show"),
        ("recovery", "list"),
        ("sessions", "list"),
        ("sessions", "list", SCANNER),
        ("token", "list", ALICE),
        ("token", "list", SCANNER),
        ("token", "list", ALICE, "--all"),
    ):
        for form in ((), ("--json",)):
            here, here_said = line.here(*command, *form), line.err
            assert line.there(*command, *form) == here, command
            assert line.err == here_said
            assert here or not form


def test_tokens_are_listed_and_revoked(line: Line, site: ApiSite, alice: Person) -> None:
    secret = site.token(alice, [Action.OWN_READ], name="Monitoring", allowed_ips=("192.0.2.7",))
    (shown,) = line.json("token", "list", ALICE)
    assert (shown["name"], shown["actions"]) == ("Monitoring", ["own:read"])
    assert secret not in line.out
    assert {one["address"] for one in line.json("token", "list")} == {ALICE, "ada@example.org"}
    assert line.there("token", "revoke", shown["id"]) == "“Monitoring” revoked.\n"
    assert line.json("token", "list", ALICE) == []
    assert len(line.json("token", "list", ALICE, "--all")) == 1
    line.there("token", "revoke", shown["id"], code=1)


def test_whoami(hers: Line) -> None:
    assert f"Account  {ALICE}" in hers.there("whoami")
    assert hers.json("whoami")["actions"] == ["own:make", "own:read", "own:revoke"]
    hers.here("whoami", code=2)
    assert "--server" in hers.err


def test_accounts_are_administered(line: Line) -> None:
    assert line.there("account", "create", "bob@example.org") == "bob@example.org created (person).\n"
    assert "invite" in line.err
    line.there("account", "create", SCANNER, "--shared")
    line.there("account", "owner", "add", SCANNER, "bob@example.org")
    line.there("account", "alias", "add", "bob@example.org", "rob@example.org")
    assert line.json("account", "show", "rob@example.org")["owned"] == [SCANNER]
    assert line.json("account", "show", SCANNER)["owners"] == ["bob@example.org"]
    line.there("account", "owner", "remove", SCANNER, "bob@example.org")
    line.there("account", "alias", "remove", "bob@example.org", "rob@example.org")
    line.there("account", "rights", "bob@example.org", "read,flag")
    assert line.json("account", "show", "bob@example.org")["rights"] == ["flag", "read"]
    line.there("account", "disable", "bob@example.org")
    assert line.json("account", "show", "bob@example.org")["state"] == "disabled"
    line.there("account", "enable", "bob@example.org")
    link = line.there("account", "invite", "bob@example.org").strip()
    assert link.startswith(f"{line.site.url}/welcome/")
    line.there("account", "create", "bob@example.org", code=1)
    line.there("account", "show", "nobody@example.org", code=1)
    assert line.err == "error: There is no such account.\n"


def test_app_passwords_are_made_rotated_and_revoked(hers: Line) -> None:
    made = json.loads(
        hers.there("app-password", "create", SCANNER, "Office scanner", "--for", "send-only", "--device", "--json")
    )
    assert len(made["secret"]) == 20
    assert (made["permissions"], made["protocols"]) == (["send"], ["smtp"])
    limited = json.loads(
        hers.there("app-password", "create", ALICE, "Laptop", "--days", "400", "--network", "192.0.2.0/24", "--json")
    )
    assert limited["allowed_ips"] == ["192.0.2.0/24"]
    assert limited["expires_at"] is not None
    secret = hers.there("app-password", "rotate", made["id"], "--overlap", "1d").strip()
    assert secret not in {"", made["secret"]}
    assert "works until" in hers.err
    done = hers.there("app-password", "revoke", limited["id"], "--reason", "sold")
    assert done == "“Laptop” revoked, 0 open connections closed.\n"
    assert len(hers.json("app-password", "list", SCANNER)) == 2
    assert len(json.loads(hers.there("app-password", "revoke", "--all-of", SCANNER, "--json"))) == 2
    assert hers.json("app-password", "list", SCANNER) == []


def test_limits_are_set_shown_and_lifted_over_the_api(hers: Line, site: ApiSite) -> None:
    made = json.loads(
        hers.there(
            "app-password",
            "create",
            ALICE,
            "CRM",
            "--for",
            "named-folders",
            "--folder",
            "Customers",
            "--messages-per-day",
            "20",
            "--json",
        )
    )
    assert made["limits"] == {"folders": ["Customers"], "messages_per_day": 20}
    day = site.house.clock.now().date()
    site.do(lambda: site.house.ports.store.write(lambda writer: writer.count_sent(made["id"], day, 3)))
    shown = hers.there("app-password", "show", made["id"])
    assert shown == hers.here("app-password", "show", made["id"])
    assert "1 of 20 messages" in shown
    done = hers.there(
        "app-password", "edit", made["id"], "--lift", "messages-per-day", "--folder", "Orders/*", "--json"
    )
    assert json.loads(done)["limits"] == {"folders": ["Orders/*"]}
    assert hers.there("app-password", "edit", made["id"], "--name", "Orders") == "“Orders” changed.\n"
    assert hers.json("app-password", "show", made["id"])["limits"] == {"folders": ["Orders/*"]}
    hers.there("app-password", "edit", made["id"], "--sender", "nobody", code=1)
    assert "anna@example.org" in hers.err
    hers.here("app-password", "edit", made["id"], "--name", "Mine now", code=1)
    assert "only that person" in hers.err


def test_connections_are_seen_and_closed(line: Line, site: ApiSite, alice: Person) -> None:
    issued = site.do(lambda: site.house.issue(alice))
    opened, one = site.house.clock.now(), issued.app_password.id
    site.house.live.sessions = [
        LiveSession(f"s{n}", alice.account.id, one, MailProtocol.IMAP, "192.0.2.1", "Mail", opened, "1") for n in (1, 2)
    ]
    shown = line.json("sessions", "list", ALICE)
    assert [(entry["id"], entry["address"], entry["app_password"]) for entry in shown] == [
        ("s1", ALICE, one), ("s2", ALICE, one)
    ]  # fmt: skip
    assert line.there("sessions", "close", "s1") == "Closed.\n"
    line.there("sessions", "close", "s1", code=1)
    assert line.err == "error: There is no such open connection.\n"
    assert line.there("sessions", "close", "--all-of", one) == "1 open connection closed.\n"


def test_a_token_of_little_reach_finds_its_own_accounts(hers: Line, site: ApiSite, alice: Person) -> None:
    hers.environment["VALETKEY_TOKEN"] = site.token(alice, [Action.OWN_READ])
    assert hers.json("app-password", "list", ALICE) == []
    assert hers.json("app-password", "list", SCANNER) == []
    hers.there("app-password", "list", "ada@example.org", code=1)
    assert "no such account" in hers.err
    hers.there("app-password", "create", ALICE, "Phone", code=1)
    assert "own:make" in hers.err
    hers.there("account", "list", code=1)
    assert "accounts:read" in hers.err


def test_the_token_comes_from_a_file_that_is_ones_own(line: Line, tmp_path: Path) -> None:
    secret = line.environment.pop("VALETKEY_TOKEN") or ""
    line.environment["VALETKEY_TOKEN"] = None
    line.there("whoami", code=3)
    assert "There is no API token" in line.err
    usual = tmp_path / ".config" / "valetkey" / "token"
    usual.parent.mkdir(parents=True)
    usual.write_text(f"{secret}\n")
    usual.chmod(0o644)
    line.there("whoami", code=3)
    assert "chmod 600" in line.err
    usual.chmod(0o600)
    line.there("whoami")
    other = tmp_path / "other"
    other.write_text(secret)
    other.chmod(0o600)
    line.environment["VALETKEY_TOKEN"] = "vkt_" + "a" * 40
    line.there("whoami", code=1)
    line.there("whoami", "--token-file", str(other))
    line.there("whoami", "--token-file", str(tmp_path / "none"), code=3)
    for wrong in ("", "two words", "x" * 2000, "ä"):
        other.write_text(wrong)
        line.there("whoami", "--token-file", str(other), code=3)
        assert "token" in line.err


def test_a_token_is_no_argument(idle: Line) -> None:
    idle.there("whoami", "--token", "vkt_x", code=2)


def test_expired_revoked_and_from_elsewhere(line: Line, site: ApiSite, alice: Person) -> None:
    ends = site.house.clock.now() + timedelta(minutes=1)
    brief, bound = site.token(alice, expires_at=ends), site.token(alice, allowed_ips=("192.0.2.0/24",))
    site.house.clock.move(minutes=5)
    line.environment["VALETKEY_TOKEN"] = brief
    line.there("account", "list", code=1)
    assert line.err == "error: This API token has expired.\n"
    line.environment["VALETKEY_TOKEN"] = bound
    line.there("account", "list", code=1)
    assert line.err == "error: This API token cannot be used from this network.\n"
    line.environment["VALETKEY_TOKEN"] = "vkey-abcd-efgh-ijkl-mnop-qrst-uvwx"
    line.there("account", "list", code=1)
    assert "App passwords" in line.err


def test_a_server_that_is_down_asks_to_try_later(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valetkey.client.connection._PAUSE", 0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    line.run("--server", f"http://127.0.0.1:{port}", "account", "list", code=3)
    assert "Try again later" in line.err


@pytest.mark.parametrize("server", ["http://mail.example.org", "mail.example.org", "https://mail.example.org/x"])
def test_a_token_goes_to_servers_with_tls_alone(idle: Line, server: str) -> None:
    idle.run("--server", server, "account", "list", code=3)
    assert "https" in idle.err


def test_certificates_are_verified(tmp_path: Path, line: Line) -> None:
    (tmp_path / "tls").mkdir()
    site = ApiSite(tmp_path / "tls", tls=True)
    try:
        line.environment["VALETKEY_TOKEN"] = site.token(site.person())
        line.run("--server", site.url, "whoami", "--ca-file", str(site.ca))
        line.run("--server", site.url, "whoami", code=3)
        assert "certificate" in line.err
        line.run("--server", site.url, "whoami", "--ca-file", str(tmp_path / "none.pem"), code=3)
        assert "none.pem" in line.err
    finally:
        site.close()


@pytest.mark.parametrize(
    "command",
    [
        ("init",), ("serve",), ("demo",), ("check",), ("backup", "x"), ("config", "path"), ("config", "describe"),
        ("keys", "status"), ("dns", "example.org"), ("account", "password", ALICE), ("account", "reset-2fa", ALICE),
        ("account", "upstream-password", ALICE), ("account", "role", ALICE, "admin"), ("policy", "reset"),
        ("app-password", "create", ALICE, "x", "--as", ALICE),
    ],
)  # fmt: skip
def test_what_works_on_the_server_alone_says_so(idle: Line, command: tuple[str, ...]) -> None:
    idle.there(*command, code=2)
    assert idle.err == "error: This works only on the server itself: run it there, without --server.\n"
    assert idle.site.seen == []


def test_a_recovery_that_is_not_under_way_is_not_called_off(line: Line, alice: Person) -> None:
    line.here("recovery", "cancel", ALICE, code=1)
    here = line.err
    line.there("recovery", "cancel", ALICE, code=1)
    assert line.err == here
    assert ("POST", f"/api/v1/accounts/{alice.account.id}/call-off-recovery") in line.site.paths()


def test_an_administrator_is_not_made_over_the_api(line: Line) -> None:
    line.there("account", "create", "eve@example.org", "--admin", code=1)
    assert "in the console" in line.err
    line.there("account", "show", "eve@example.org", code=1)


def _whole_answer(server: socket.socket) -> bytes:
    """Read one answer, head and body, however many pieces it comes in."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += server.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: ([0-9]+)", head)
    while length and len(body) < int(length[1]):
        body += server.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def hanging_up_on_posts(port: int) -> Iterator[str]:
    """Pass connections on to a port, and hang up when the first POST is answered."""
    listener = socket.create_server(("127.0.0.1", 0))
    hung_up: list[bytes] = []

    def pass_on(connection: socket.socket) -> None:
        with connection, socket.create_connection(("127.0.0.1", port)) as server:
            while request := connection.recv(65536):
                while b"\r\n\r\n" not in request or (request.startswith(b"POST") and not request.endswith(b"}")):
                    request += connection.recv(65536)
                server.sendall(request)
                answer = _whole_answer(server)
                if request.startswith(b"POST") and not hung_up:
                    hung_up.append(answer)
                    return
                connection.sendall(answer)

    def serve() -> None:
        with suppress(OSError):
            while True:
                pass_on(listener.accept()[0])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert b"201 Created" in hung_up[0]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def test_a_secret_whose_answer_was_lost(line: Line, monkeypatch: pytest.MonkeyPatch, alice: Person) -> None:
    line.environment["VALETKEY_TOKEN"] = line.site.token(alice)
    monkeypatch.setattr("valetkey.client.connection._PAUSE", 0)
    with hanging_up_on_posts(line.site.port) as url:
        line.run("--server", url, "app-password", "create", alice.account.id, "Phone", code=1)
    told = line.err
    (made,) = line.json("app-password", "list", ALICE)  # once, although it was asked for twice
    assert f"Revoke {made['id']} and make another." in told

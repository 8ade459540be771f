"""The demo, end to end, as a person meets it: one command, a mail program, a letter, a second start."""

import base64
import email
import imaplib
import json
import os
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pyotp import TOTP
from tests.servers.launching import PROGRAM, run_valetkey, start_valetkey
from tests.servers.places import free_run

START_WITHIN = 60
ENDS_WITHIN = 30
PORTS = 14


def free_base() -> int:
    return free_run(PORTS)


@contextmanager
def demo(state: Path, base: int, *options: str, is_cold: bool = False) -> Iterator[dict[str, Any]]:
    """Run a demo; `is_cold`: as `python -m valetkey`, and not by a launcher that has imported everything."""
    arguments = ("demo", "--base-port", str(base), "--state", str(state), *options)
    said = state.with_name(f"{state.name}-said")
    with said.open("wb") as output:
        process = (
            subprocess.Popen([*PROGRAM, *arguments], stdout=output, stderr=output)
            if is_cold
            else start_valetkey(*arguments, output=output)
        )
    try:
        deadline = time.monotonic() + START_WITHIN
        while not (state / "demo.json").exists():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, "the demo did not start in time"
            time.sleep(0.02)
        facts = json.loads((state / "demo.json").read_text())
        yield facts | {"process": process}
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(ENDS_WITHIN)
        finally:
            process.kill()
    assert process.returncode == 0, said.read_text()
    assert f"to begin anew: rm -r {state}" in said.read_text()
    assert not (state / "demo.json").exists()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with demo(tmp_path_factory.mktemp("demo") / "state", free_base(), "--workers", "2", is_cold=True) as facts:
        yield facts


def secret_of(facts: dict[str, Any], kind: str) -> str:
    return next(entry["secret"] for entry in facts["app_passwords"] if entry["kind"] == kind)


def context(facts: dict[str, Any]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=facts["ca_file"])


def imap(facts: dict[str, Any], name: str, secret: str) -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("localhost", facts["ports"]["imaps"], ssl_context=context(facts), timeout=20)
    try:
        client.login(name, secret)
    except imaplib.IMAP4.error:
        client.shutdown()
        raise
    return client


def subjects(client: imaplib.IMAP4) -> list[str]:
    client.select("INBOX", readonly=True)
    _, (found,) = client.search(None, "ALL")
    messages = [client.fetch(number, "(BODY.PEEK[HEADER])")[1][0][1] for number in found.split()]
    return [email.message_from_bytes(message)["Subject"] for message in messages]


def eventually(is_so: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def send(facts: dict[str, Any], name: str, secret: str, to: str, subject: str) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = name, to, subject
    letter.set_content("It works.\n")
    port = facts["ports"]["smtps"]
    with smtplib.SMTP_SSL("localhost", port, context=context(facts), timeout=20) as client:
        client.login(name, secret)
        client.send_message(letter)


def test_everything_that_a_script_needs_is_in_the_file(running: dict[str, Any]) -> None:
    state = Path(running["state"])
    assert running["pid"] == running["process"].pid
    assert set(running["accounts"]) == {
        f"{name}@example.test" for name in ("alice", "bob", "admin", "chief", "helpdesk", "auditor", "scanner")
    }
    alice = running["accounts"]["alice@example.test"]
    assert TOTP(alice["totp_secret"]).now().isdigit()
    assert len(alice["recovery_codes"]) == 10
    assert running["accounts"]["bob@example.test"]["totp_secret"] is None
    assert running["accounts"]["admin@example.test"]["role"] == "admin"
    assert running["accounts"]["scanner@example.test"]["owner"] == "alice@example.test"
    for name in ("demo.json", "people.json", "keys.toml", "valetkey.db", "demo.log"):
        assert (state / name).stat().st_mode & 0o077 == 0, name


def test_mail_sent_by_alice_arrives_at_bobs(running: dict[str, Any]) -> None:
    bob = running["accounts"]["bob@example.test"]
    send(running, "alice@example.test", secret_of(running, "mail-app"), "bob@example.test", "To Bob")
    reader = imap(running, "bob@example.test", bob["main_password"])  # bob has no second factor yet
    eventually(lambda: "To Bob" in subjects(reader))
    reader.logout()
    port = running["ports"]["pop3s"]
    client = poplib.POP3_SSL("localhost", port, context=context(running), timeout=20)
    client.user("bob@example.test")
    client.pass_(bob["main_password"])
    texts = [b"\n".join(client.retr(number)[1]) for number in range(1, client.stat()[0] + 1)]
    client.quit()
    assert any(b"Subject: To Bob" in text for text in texts)


def test_alices_main_password_opens_no_mail(running: dict[str, Any]) -> None:
    main_password = running["accounts"]["alice@example.test"]["main_password"]
    with pytest.raises(imaplib.IMAP4.error, match="app password"):
        imap(running, "alice@example.test", main_password)


def test_alice_reads_the_sample_mail(running: dict[str, Any]) -> None:
    client = imap(running, "alice@example.test", secret_of(running, "mail-app").upper())
    assert {"What to try first", "Saturday's walk"} <= set(subjects(client))
    assert {b"Archive", b"Sent", b"Trash"} <= {line.split()[-1].strip(b'"') for line in client.list()[1]}
    client.logout()


def test_the_read_only_one_changes_nothing(running: dict[str, Any]) -> None:
    client = imap(running, "alice@example.test", secret_of(running, "mail-app-read-only"))
    client.select("INBOX", readonly=True)
    before = client.fetch("1:*", "(FLAGS)")[1]
    client.fetch("1:*", "(BODY[])")
    assert client.fetch("1:*", "(FLAGS)")[1] == before
    assert client.store("1", "+FLAGS", r"(\Deleted)")[0] == "NO"
    client.logout()


def test_the_scanner_sends_and_cannot_read(running: dict[str, Any]) -> None:
    secret = secret_of(running, "send-only")
    send(running, "scanner@example.test", secret, "alice@example.test", "Scan 0043")
    with pytest.raises(imaplib.IMAP4.error):
        imap(running, "scanner@example.test", secret)


def test_a_filter_editor_gets_in_by_managesieve(running: dict[str, Any]) -> None:
    with socket.create_connection(("localhost", running["ports"]["sieve"]), 20) as plain:
        file = plain.makefile("rwb")
        until_ok(file)
        file.write(b"STARTTLS\r\n")
        file.flush()
        until_ok(file)
        with context(running).wrap_socket(plain, server_hostname="localhost") as secure:
            file = secure.makefile("rwb")
            until_ok(file)
            message = base64.b64encode(f"\0alice@example.test\0{secret_of(running, 'everything')}".encode())
            file.write(b'AUTHENTICATE "PLAIN" "' + message + b'"\r\n')
            file.flush()
            until_ok(file)
            script = b'require "fileinto";\r\nif header :contains "subject" "scan" { fileinto "Archive"; }\r\n'
            file.write(b'PUTSCRIPT "active" {%d+}\r\n' % len(script) + script + b"\r\nLISTSCRIPTS\r\n")
            file.flush()
            until_ok(file)
            assert any(line.startswith(b'"active"') for line in until_ok(file))


def until_ok(file: Any) -> list[bytes]:
    lines: list[bytes] = []
    while line := file.readline():
        assert not line.startswith((b"NO", b"BYE")), line
        if line.startswith(b"OK"):
            return lines
        lines.append(line)
    raise AssertionError("the connection ended")


def test_portal_answers_on_both_addresses(running: dict[str, Any]) -> None:
    for url in running["portal"].values():
        tls = context(running) if url.startswith("https") else None
        with urllib.request.urlopen(f"{url}/sign-in", context=tls, timeout=20) as answer:
            assert answer.status == 200
            assert "text/html" in answer.headers["Content-Type"]
            assert "server" not in {name.lower() for name in answer.headers}


def test_health_and_metrics(running: dict[str, Any]) -> None:
    def ask(page: str) -> str:
        with urllib.request.urlopen(f"{running['ops']}{page}", timeout=20) as answer:
            text: str = answer.read().decode()
            return text

    assert ask("/healthz") == "ok\n"
    assert ask("/readyz") == "ready\n"
    imap(running, "alice@example.test", secret_of(running, "mail-app")).logout()
    metrics = ask("/metrics")
    assert "valetkey_workers_answering 2.0" in metrics
    assert "valetkey_store_up 1.0" in metrics
    assert 'valetkey_logins_total{protocol="imap",result="allowed"}' in metrics


def run(running: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_valetkey("--config", running["config"], *arguments)


def test_revoking_from_the_command_line_closes_what_is_open(running: dict[str, Any]) -> None:
    made = run(running, "app-password", "create", "scanner@example.test", "Reader", "--for", "everything", "--json")
    assert made.returncode == 0, made.stderr
    entry = json.loads(made.stdout)
    clients = [imap(running, "scanner@example.test", entry["secret"]) for _ in range(4)]
    sessions = json.loads(run(running, "sessions", "list", "scanner@example.test", "--json").stdout)
    assert len(sessions) == 4
    done = run(running, "app-password", "revoke", entry["id"], "--reason", "test")
    assert "4 open connections closed" in done.stdout
    for client in clients:
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            client.noop()
        client.shutdown()
    with pytest.raises(imaplib.IMAP4.error):
        imap(running, "scanner@example.test", entry["secret"])


def test_check_finds_nothing_wrong(running: dict[str, Any]) -> None:
    done = run(running, "check", "--account", "alice@example.test", "--json")
    findings = json.loads(done.stdout)
    assert [f for f in findings if f["level"] == "problem"] == []
    assert done.returncode == 0
    logins = {f["subject"] for f in findings if f["subject"].endswith("login")}
    assert logins == {"imap login", "pop3 login", "smtp login", "sieve login"}


def test_audit_log_is_whole(running: dict[str, Any]) -> None:
    assert json.loads(run(running, "audit", "verify", "--json").stdout)["is_intact"]


def test_nothing_secret_is_in_the_log(running: dict[str, Any]) -> None:
    log = Path(running["log"]).read_text()
    assert "Traceback" not in log
    hidden = [entry["secret"] for entry in running["app_passwords"]]
    for account in running["accounts"].values():
        hidden += [account["main_password"], account["totp_secret"], *account["recovery_codes"]]
    assert [secret for secret in hidden if secret and secret in log] == []


def test_a_second_start_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    state, base = tmp_path / "state", free_base()
    with demo(state, base) as first:
        send(first, "alice@example.test", secret_of(first, "mail-app"), "bob@example.test", "Before the restart")
    began = time.monotonic()
    with demo(state, base) as second:
        took = time.monotonic() - began
        for key in ("accounts", "app_passwords", "ports", "ca_file"):
            assert second[key] == first[key]
        client = imap(second, "bob@example.test", second["accounts"]["bob@example.test"]["main_password"])
        assert "Before the restart" in subjects(client)
        client.logout()
    assert took < START_WITHIN
    with demo(state, free_base()) as moved:
        assert moved["accounts"] == first["accounts"]
        assert moved["ports"] != first["ports"]


def refused(*arguments: str) -> str:
    done = run_valetkey("demo", *arguments)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("offset", [0, 1, 2, 8, 9, 10, 13])
def test_a_port_in_use_is_named(tmp_path: Path, offset: int) -> None:
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + offset))
        taken.listen()
        said = refused("--base-port", str(base), "--state", str(tmp_path / "state"))
    assert str(base + offset) in said
    assert "in use" in said


def test_one_folder_is_one_demos(running: dict[str, Any], tmp_path: Path) -> None:
    assert "running in" in refused("--base-port", str(free_base()), "--state", running["state"])
    (tmp_path / "precious.txt").touch()
    assert "not empty" in refused("--base-port", str(free_base()), "--state", str(tmp_path))


def test_two_demos_run_side_by_side(running: dict[str, Any], tmp_path: Path) -> None:
    with demo(tmp_path / "other", free_base()) as other:
        secret = secret_of(running, "mail-app")
        with pytest.raises(imaplib.IMAP4.error):
            imap(other, "alice@example.test", secret)
        imap(running, "alice@example.test", secret).logout()


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_worker_comes_back_and_the_others_go_on(running: dict[str, Any]) -> None:
    secret = secret_of(running, "mail-app")
    workers = [pid for pid in children_of(running["pid"]) if "worker" in named_process(running, pid)]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    imap(running, "alice@example.test", secret).logout()

    def is_whole() -> bool:
        with urllib.request.urlopen(f"{running['ops']}/metrics", timeout=20) as answer:
            return "valetkey_workers_answering 2.0" in answer.read().decode()

    eventually(is_whole)
    assert workers[1] in children_of(running["pid"])


def named_process(running: dict[str, Any], pid: int) -> str:
    return next((line for line in Path(running["log"]).read_text().splitlines() if f"pid={pid}" in line), "")

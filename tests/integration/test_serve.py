"""`valetkey serve` as an operator meets it: it starts, answers, says what is wrong, and ends cleanly."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.servers.launching import PROGRAM, Launched, run_valetkey, start_valetkey
from tests.servers.places import free_port

from valetkey.app.installing import install
from valetkey.app.local_ca import ensure_local_certificate
from valetkey.config import Config, annotated, load
from valetkey.config.kinds import Endpoint
from valetkey.config.sections import ApiSection, Certificate, Ops, Portal
from valetkey.doors.cli.front import InitAnswers


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A fresh installation on free ports, with an HTTPS portal."""
    answers = InitAnswers(
        tmp_path / "valetkey.toml", tmp_path, "localhost", "admin@example.org", "meadow-lantern-otter",
        "127.0.0.1:8080", "http://localhost:8080", "127.0.0.1", "valetkey",
    )  # fmt: skip
    install(answers)
    made = load(answers.config)
    return written(
        replace(
            made,
            server=replace(made.server, workers=2),
            portal=Portal(Endpoint("127.0.0.1", free_port()), "", Endpoint("localhost", free_port())),
            ops=Ops(Endpoint("127.0.0.1", free_port())),
            listener=tuple(replace(entry, listen=Endpoint("127.0.0.1", free_port())) for entry in made.listener),
        ),
        answers.config,
    )


def written(config: Config, path: Path) -> Config:
    path.write_text(annotated(config))
    return load(path)


def arguments(config: Config) -> tuple[str, ...]:
    return ("serve", "--config", str(config.store.path.parent / "valetkey.toml"))


@dataclass
class Serving:
    """A running `valetkey serve`, and where it writes its log."""

    process: subprocess.Popen[bytes] | Launched
    said: Path


@contextmanager
def serving(config: Config, *, is_cold: bool = False) -> Iterator[Serving]:
    """Run it; `is_cold`: as `python -m valetkey`, and not by a launcher that has imported everything."""
    said = config.store.path.with_name("said")
    with said.open("wb") as errors:
        process = (
            subprocess.Popen([*PROGRAM, *arguments(config)], stderr=errors)
            if is_cold
            else start_valetkey(*arguments(config), errors=errors)
        )
    try:
        deadline = time.monotonic() + 60
        while page(config, "/readyz") != (200, "ready\n"):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, "it was not ready in time"
            time.sleep(0.02)
        yield Serving(process, said)
    finally:
        process.kill()
        process.wait(30)


def page(config: Config, path: str) -> tuple[int, str]:
    assert config.ops.listen is not None
    try:
        with urllib.request.urlopen(f"http://{config.ops.listen}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def cannot_start(config: Config, *, is_cold: bool = False) -> str:
    if is_cold:
        command = [*PROGRAM, *arguments(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    else:
        done = run_valetkey(*arguments(config))
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_when_asked(config: Config, number: signal.Signals) -> None:
    with serving(config, is_cold=True) as running:
        for entry in config.listener:
            socket.create_connection(("127.0.0.1", entry.listen.port), 10).close()
        began = time.monotonic()
        running.process.send_signal(number)
        assert running.process.wait(12) == 0
        assert time.monotonic() - began < 10
    events = [json.loads(line)["event"] for line in running.said.read_text().splitlines()]
    assert {"ready", "stopped"} <= set(events)
    for entry in config.listener:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", entry.listen.port), 10)
    assert not list(config.server.run_directory.glob("*.sock"))


def test_connections_that_are_open_are_told_goodbye(config: Config) -> None:
    imap = next(entry for entry in config.listener if entry.protocol == "imap" and entry.tls == "starttls")
    with serving(config) as running, socket.create_connection(("127.0.0.1", imap.listen.port), 10) as client:
        assert client.recv(1000).startswith(b"* OK")
        running.process.terminate()
        client.settimeout(10)
        assert b"BYE" in client.recv(1000) + client.recv(1000)
        running.process.wait(12)


def test_the_portal_speaks_https_with_the_local_certificate(config: Config) -> None:
    assert config.portal.tls_listen is not None
    with serving(config):
        tls = ssl.create_default_context(cafile=config.server.tls_directory / "ca.pem")
        url = f"https://localhost:{config.portal.tls_listen.port}/sign-in"
        with urllib.request.urlopen(url, context=tls, timeout=20) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_api_stands_beside_the_portal(config: Config, tmp_path: Path, is_enabled: bool) -> None:
    limits = ApiSection(enabled=is_enabled, per_minute=5, failures_per_minute=2)
    config = written(replace(config, api=limits), tmp_path / "valetkey.toml")
    with serving(config), httpx.Client(base_url=f"http://{config.portal.listen}", timeout=20) as client:
        answers = [client.get("/api/v1/me") for _ in range(3)]
        if is_enabled:
            assert [each.status_code for each in answers] == [401, 401, 429]
            assert answers[0].headers["content-type"] == "application/problem+json"
            assert client.get("/api/v1/openapi.json").json()["openapi"] == "3.1.0"
        else:
            assert [each.status_code for each in answers] == [404] * 3
        assert client.get("/sign-in").status_code == 200


def test_a_renewed_certificate_is_taken_without_a_restart(config: Config, tmp_path: Path) -> None:
    assert config.portal.tls_listen is not None
    own = ensure_local_certificate(tmp_path / "own", "localhost", datetime.now(UTC))
    config = written(replace(config, certificate=(Certificate(own.chain, own.key),)), tmp_path / "valetkey.toml")
    implicit = next(entry for entry in config.listener if entry.tls == "implicit").listen.port
    places = (config.portal.tls_listen.port, implicit)

    def serials() -> set[str]:
        return {ssl.get_server_certificate(("127.0.0.1", port), timeout=20) for port in places}

    with serving(config):
        before = serials()
        own.chain.unlink()
        ensure_local_certificate(tmp_path / "own", "localhost", datetime.now(UTC))
        deadline = time.monotonic() + 15
        while serials() & before:
            assert time.monotonic() < deadline, "the new certificate was not taken"
            time.sleep(0.2)
        assert len(before) == len(serials()) == 1


def test_a_port_in_use_is_named(config: Config) -> None:
    port = config.listener[2].listen.port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert str(port) in cannot_start(config, is_cold=True)


def test_a_missing_certificate_is_named(config: Config, tmp_path: Path) -> None:
    config = written(
        replace(config, certificate=(Certificate(tmp_path / "no.pem", tmp_path / "no-key.pem"),)),
        tmp_path / "valetkey.toml",
    )
    assert "no.pem" in cannot_start(config)


def test_wrong_keys_and_open_secrets_refuse_to_start(config: Config, tmp_path: Path) -> None:
    secret = tmp_path / "upstream-secret"
    secret.chmod(0o644)
    assert "chmod 600" in cannot_start(config)
    secret.chmod(0o600)
    config.keys.path.unlink()
    assert "keys.toml" in cannot_start(config)


def test_a_killed_worker_is_replaced_and_the_other_goes_on(config: Config) -> None:
    with serving(config) as running:
        process = running.process
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        names = {pid: Path(f"/proc/{pid}/stat").read_text() for pid in children}
        assert len(names) == 3
        os.kill(children[0], signal.SIGKILL)
        deadline = time.monotonic() + 20
        while True:
            now = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
            if len(now) == 3 and children[0] not in now and page(config, "/readyz")[0] == 200:
                break
            assert time.monotonic() < deadline, "the worker did not come back"
            time.sleep(0.05)
        assert set(children[1:]) <= set(now)
        port = config.listener[1].listen.port
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            assert client.recv(1000).startswith(b"* OK")

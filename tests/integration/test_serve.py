"""`valetkey serve` as an operator meets it: it starts, answers, says what is wrong, and ends cleanly."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
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


def command(config: Config) -> list[str]:
    path = config.store.path.parent / "valetkey.toml"
    return [sys.executable, "-m", "valetkey", "serve", "--config", str(path)]


@contextmanager
def serving(config: Config) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command(config), stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while page(config, "/readyz") != (200, "ready\n"):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "it was not ready in time"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


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


def cannot_start(config: Config) -> str:
    done = subprocess.run(command(config), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_when_asked(config: Config, number: signal.Signals) -> None:
    with serving(config) as process:
        for entry in config.listener:
            socket.create_connection(("127.0.0.1", entry.listen.port), 10).close()
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=12)
        assert time.monotonic() - began < 10
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert {"ready", "stopped"} <= set(events)
    for entry in config.listener:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", entry.listen.port), 10)
    assert not list(config.server.run_directory.glob("*.sock"))


def test_connections_that_are_open_are_told_goodbye(config: Config) -> None:
    imap = next(entry for entry in config.listener if entry.protocol == "imap" and entry.tls == "starttls")
    with serving(config) as process, socket.create_connection(("127.0.0.1", imap.listen.port), 10) as client:
        assert client.recv(1000).startswith(b"* OK")
        process.terminate()
        client.settimeout(10)
        assert b"BYE" in client.recv(1000) + client.recv(1000)
        process.communicate(timeout=12)


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
        assert str(port) in cannot_start(config)


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
    with serving(config) as process:
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

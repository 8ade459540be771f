"""What `valetkey check` says of the server that notices are handed to, and what the configuration makes of it."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.servers.submission import PASSWORD, USER, Submission, running_submission

from valetkey.adapters.mailer import MailEncryption
from valetkey.app.checking_mailer import mailer_findings
from valetkey.app.mailing import letterhead_of, mailer_of
from valetkey.config import Config, describe, parse
from valetkey.core.sentence import say
from valetkey.doors.cli.front import Finding, Level


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return parse(describe(), tmp_path / "valetkey.toml")


@pytest.fixture
def server() -> Iterator[Submission]:
    """A submission server in a thread of its own, for the check runs a loop of its own."""
    loop = asyncio.new_event_loop()
    running = running_submission()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(10)
    asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


def found(config: Config, **changes: Any) -> Finding:
    (finding,) = mailer_findings(replace(config, mailer=replace(config.mailer, **changes)))
    return finding


def at(server: Submission, **more: Any) -> dict[str, Any]:
    given = {"host": "127.0.0.1", "port": server.port, "encryption": MailEncryption.NONE, "sender": USER}
    return {**given, **more}


def test_no_mail_server_is_a_warning(config: Config) -> None:
    finding = found(config)
    assert (finding.level, finding.subject) == (Level.WARNING, "mailer")
    assert "[mailer]" in finding.mend
    assert mailer_of(config) is None


def test_one_that_lets_us_in_is_good_and_gets_no_mail(config: Config, server: Submission, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD + "\n")
    server.needs_login = True
    assert found(config, **at(server, user=USER, password_file=password)).level is Level.GOOD
    assert server.messages == []
    password.write_text("wrong\n")
    assert found(config, **at(server, user=USER, password_file=password)).level is Level.PROBLEM
    password.chmod(0o644)
    assert "others can read" in found(config, **at(server, user=USER, password_file=password)).what


def test_one_that_cannot_be_reached_is_a_problem(config: Config, server: Submission) -> None:
    server.answers = {b"EHLO": b"421 4.3.2 not now", b"HELO": b"421 4.3.2 not now"}
    assert found(config, **at(server)).level is Level.PROBLEM
    assert found(config, **at(server, port=1)).level is Level.PROBLEM


def test_mails_are_in_the_language_of_the_site(config: Config, server: Submission) -> None:
    german = letterhead_of(replace(config, portal=replace(config.portal, language="de")))
    assert german.speak(say("Revoke it")) != "Revoke it"
    strange = replace(config, portal=replace(config.portal, language="tlh"))
    assert letterhead_of(strange).speak(say("Revoke it")) == "Revoke it"
    told = list(mailer_findings(replace(strange, mailer=replace(config.mailer, **at(server)))))
    assert "tlh" in told[0].what

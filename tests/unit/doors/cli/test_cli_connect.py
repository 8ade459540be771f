"""`valetkey connect` on the command line."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.unit.doors.cli.conftest import CommandLine


def test_without_a_name_it_lists_the_servers(cli: CommandLine) -> None:
    assert "postfix\tPostfix, with no Dovecot between" in cli("connect")
    assert {each["server"] for each in cli.json("connect")} >= {"dovecot", "postfix", "nginx", "cyrus"}


def test_an_unknown_server_is_a_sentence(cli: CommandLine) -> None:
    cli("connect", "qmail", code=1)
    assert "There are no lines for “qmail”" in cli.err


def test_it_says_what_is_missing_then_adds_it_then_prints_the_lines(cli: CommandLine) -> None:
    assert "[[door]]" in cli("connect", "dovecot", "--version", "2.3")
    assert "--add" in cli.err
    assert "driver = lua" in cli("connect", "dovecot", "--version", "2.3", "--add")
    assert "Restart Valetkey" in cli.err
    out = cli("connect", "dovecot", "--version", "2.4")
    assert "lua_file = /etc/dovecot/valetkey.lua" in out
    assert "To take it out again:" in out
    assert "(root:dovecot, mode 640)" in out
    assert cli("check", code=1)  # there is no mail server behind it


def test_a_secret_is_shown_where_it_is_asked_for_and_nowhere_else(cli: CommandLine) -> None:
    cli("connect", "nginx", "--add")
    secret = (cli.config.parent / "peers" / "nginx").read_text().strip()
    assert secret not in cli("connect", "nginx") + cli.err
    assert secret not in cli("connect", "nginx", "--json")
    assert secret in cli("connect", "nginx", "--show-secrets")
    (step,) = [each for each in cli.json("connect", "nginx", "--show-secrets")["steps"] if each["mode"] == "600"]
    assert step["text"] == f'auth_http_header Authorization "Bearer {secret}";\n'


def test_a_terminal_is_shown_secrets(cli: CommandLine) -> None:
    cli("connect", "nginx", "--add")
    secret = (cli.config.parent / "peers" / "nginx").read_text().strip()
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "valetkey", "--config", str(cli.config), "connect", "nginx"]
    with subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "200"}
    ) as run:
        os.close(theirs)
        shown = b""
        while True:
            try:
                octets = os.read(ours, 65536)
            except OSError:
                break
            if not octets:
                break
            shown += octets
        assert run.wait(30) == 0
    os.close(ours)
    assert secret in shown.decode()


def test_the_script_is_written(cli: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "valetkey.lua"
    cli("connect", "dovecot", "--write", str(target))
    assert "function auth_password_verify" in target.read_text()
    target.write_text("an older one")
    cli("connect", "dovecot", "--write", str(target))
    assert "function auth_password_verify" in target.read_text()
    cli("connect", "dovecot", "--write", str(tmp_path / "nowhere" / "x"), code=3)
    assert "cannot be written" in cli.err


def test_what_a_trial_needs_is_said(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "app-password"
    file.write_text("vkey-abcd\n")
    given = ["--test", "--password-file", str(file)]
    cli("connect", "dovecot", *given, code=2)
    assert "Say who logs in" in cli.err
    given += ["--account", "admin@example.org"]
    cli("connect", "dovecot", *given, code=3)
    assert "valetkey connect dovecot --add" in cli.err
    cli("connect", "dovecot", "--add")
    cli("connect", "dovecot", *given, "--port", "imaps=no", code=2)
    assert "write such as imaps=993" in cli.err
    cli("connect", "dovecot", *given, "--trust", str(tmp_path / "none"), code=3)
    cli("connect", "dovecot", "--test", "--account", "nobody@example.org", "--password-file", str(file), code=1)
    cli("connect", "dovecot", "--test", "--account", "x", "--password-file", str(tmp_path / "none"), code=2)


def test_a_trial_of_what_is_not_there(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "app-password"
    file.write_text("vkey-abcd\n")
    cli("connect", "cyrus", "--add")
    line = [
        "connect",
        "cyrus",
        "--test",
        "--account",
        "admin@example.org",
        "--password-file",
        str(file),
        "--port",
        "imaps=1",
    ]
    assert "nobody answers" in cli(*line, code=1)
    found = json.loads(cli(*line, "--json", code=1))
    assert [each["level"] for each in found if "nobody answers" in each["what"]] == ["problem"]


def test_it_is_for_the_server_itself(cli: CommandLine) -> None:
    cli("--server", "https://mail.example.org", "connect", "dovecot", code=2)
    assert "only on the server itself" in cli.err

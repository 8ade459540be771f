"""init, check, config, keys, backup: an installation from nothing, and what is said when something is wrong."""

import os
import pty
import pwd
import select
import socket
import sqlite3
import stat
import sys
import termios
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.servers.places import free_port
from typer.testing import CliRunner

from valetkey.app.front import FrontHall
from valetkey.config import load
from valetkey.doors.cli import build, config_first

PASSWORD = "meadow-lantern-otter"


def problems(cli: Any, *arguments: str) -> list[tuple[str, str, str]]:
    found = cli.json("check", *arguments, code=1)
    return [(f["subject"], f["what"], f["mend"]) for f in found if f["level"] == "problem"]


def with_free_ports(config: Path) -> None:
    """Put free ports and a mail server that is there into a written configuration."""
    text = config.read_text()
    for port in ("993", "143", "995", "110", "465", "587", "4190"):
        text = text.replace(f'"*:{port}"', f'"127.0.0.1:{free_port()}"')
    config.write_text(
        text.replace("127.0.0.1:8080", f"127.0.0.1:{free_port()}").replace(
            '#listen = "127.0.0.1:9095"', f'listen = "127.0.0.1:{free_port()}"'
        )
    )


def test_version(bare: Any) -> None:
    assert bare("--version").startswith("valetkey 0.")


def test_init_writes_what_serve_needs(cli: Any, tmp_path: Path) -> None:
    config = load(tmp_path / "valetkey.toml")
    assert config.server.hostname == "mail.example.org"
    assert config.store.path == tmp_path / "valetkey.db"
    for name in ("valetkey.db", "keys.toml", "upstream-secret"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name
    assert "# The name that mail clients connect to" in (tmp_path / "valetkey.toml").read_text()
    assert [account["role"] for account in cli.json("account", "list")] == ["admin"]


def test_init_says_what_to_do_next_and_shows_a_drawn_password_once(bare: Any, tmp_path: Path) -> None:
    said = bare("init", "--non-interactive", "--state", str(tmp_path), "--hostname", "mail.example.org")
    assert "check" in said
    assert "serve" in said
    password = said.rpartition("shown this once:")[2].strip()
    assert len(password) >= 20
    assert password not in (tmp_path / "valetkey.toml").read_text()


def test_init_keeps_a_secret_that_is_there_and_says_so(bare: Any, tmp_path: Path) -> None:
    secret = tmp_path / "upstream-secret"
    options = ("init", "--non-interactive", "--hostname", "mail.example.org", "--state", str(tmp_path))
    secret.write_text("chosen before\n")
    secret.chmod(0o600)
    said = bare(*options)
    assert secret.read_text() == "chosen before\n"
    assert f"kept {secret}, which was there already" in bare.err
    assert f"wrote {secret}" not in bare.err
    assert f"See that the master user's password is in {secret}," in said


def test_init_asks_for_the_secret_of_a_new_installation(bare: Any, tmp_path: Path) -> None:
    said = bare("init", "--non-interactive", "--hostname", "mail.example.org", "--state", str(tmp_path))
    assert f"Put the master user's password into {tmp_path / 'upstream-secret'}," in said
    assert "kept" not in bare.err
    assert bare.err.count("wrote ") == 4


def test_init_without_the_gateway_opens_no_mail_port(bare: Any, tmp_path: Path) -> None:
    said = bare("init", "--non-interactive", "--no-gateway", "--hostname", "mail.example.org", "--state", str(tmp_path))
    assert "connect" in said
    assert "master user" not in said
    made = load(tmp_path / "valetkey.toml")
    assert (made.listener, made.domain) == ((), ())
    assert not (tmp_path / "upstream-secret").exists()
    assert "no mail server asks" in bare("check", code=0)


def test_init_overwrites_nothing(cli: Any) -> None:
    before = cli.config.read_bytes()
    cli("init", "--non-interactive", code=1)
    assert "is there already" in cli.err
    assert cli.config.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--hostname", "not a name", "hostname: "),
        ("--portal", "8080", "portal: "),
        ("--base-url", "mail.example.org", "base_url: "),
        ("--admin", "nobody", "whole mail address"),
    ],
)
def test_init_refuses_answers_that_cannot_be_used(
    bare: Any, tmp_path: Path, option: str, value: str, said: str
) -> None:
    bare("init", "--non-interactive", "--state", str(tmp_path / "state"), option, value, code=1)
    assert said in bare.err
    assert not bare.config.exists()


def test_config_may_stand_anywhere() -> None:
    assert config_first(["account", "list", "--config", "x", "--json"]) == [
        "--config",
        "x",
        "account",
        "list",
        "--json",
    ]
    assert config_first(["a", "--config=x"]) == ["--config=x", "a"]
    assert config_first(["a", "--", "--config", "x"]) == ["a", "--", "--config", "x"]
    assert config_first(["a", "-c"]) == ["-c", "a"]


def test_no_configuration_is_a_sentence(bare: Any) -> None:
    bare("account", "list", code=3)
    assert bare.err.startswith("error: There is no configuration file")
    assert "valetkey init" in bare.err


def test_a_current_folder_that_is_not_ours_to_look_into_is_no_crash(tmp_path: Path, monkeypatch: Any) -> None:
    """As under `runuser -u valetkey`, begun in root's home."""
    closed = tmp_path / "closed"
    closed.mkdir()
    monkeypatch.chdir(closed)
    was = os.geteuid()
    closed.chmod(0)
    try:
        if was == 0:
            os.seteuid(65534)
        result = CliRunner().invoke(build(FrontHall(lambda _: None, lambda _: "")), ["account", "list"])
    finally:
        os.seteuid(was)
        closed.chmod(0o700)
    assert result.exit_code == 3, result.output
    assert "/etc/valetkey/valetkey.toml" in " ".join(result.stderr.split())


def test_mistakes_of_the_configuration_are_all_named(cli: Any) -> None:
    cli.config.write_text(cli.config.read_text().replace("[store]", "[stor]").replace("hostname", "hostnam"))
    cli("account", "list", code=3)
    assert "did you mean [store]?" in cli.err
    assert "did you mean hostname?" in cli.err
    assert [line.startswith(f"{cli.config}:") for line in cli.err.splitlines()] == [False, True, True, True]
    found = problems(cli)
    assert len(found) == 3
    assert all(subject.startswith(f"{cli.config}:") for subject, _, _ in found)


def test_check_names_what_is_not_there_yet(cli: Any) -> None:
    with_free_ports(cli.config)
    found = problems(cli)
    assert {subject for subject, _, _ in found} == {"imap of *", "pop3 of *", "smtp of *", "sieve of *"}
    assert sum("cannot be reached" in what and "Is it running" in mend for _, what, mend in found) == 4
    assert sum("still holds the placeholder" in what for _, what, _ in found) == 3


def test_check_finds_a_taken_port(cli: Any) -> None:
    with_free_ports(cli.config)
    portal = load(cli.config).portal.listen
    assert portal is not None
    with socket.socket() as taken:
        taken.bind((portal.host, portal.port))
        taken.listen()
        assert [mend for _, what, mend in problems(cli) if f"Port {portal.port} is in use" in what] == [
            "Find what uses it with: ss -ltnp"
        ]


def test_check_finds_open_files(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "keys.toml").chmod(0o644)
    assert any(subject == "keys" and "chmod" in what for subject, what, _ in problems(cli))
    (tmp_path / "keys.toml").chmod(0o600)
    (tmp_path / "upstream-secret").chmod(0o640)
    assert any(subject == "secrets" and "chmod 600" in what for subject, what, _ in problems(cli))


def test_wrong_keys_are_found_by_every_command(cli: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    cli("init", "--non-interactive", "--state", str(other), "--config", str(other / "v.toml"), "--admin", "a@b.example")
    (other / "keys.toml").replace(tmp_path / "keys.toml")
    cli("account", "list", code=3)
    assert "does not belong to this database" in cli.err
    assert any(subject == "store" and "does not belong" in what for subject, what, _ in problems(cli))


def test_a_missing_key_file_is_no_new_one(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "keys.toml").unlink()
    cli("account", "list", code=3)
    assert "keys.toml" in cli.err
    assert not (tmp_path / "keys.toml").exists()


@pytest.mark.parametrize("left", [None, b""], ids=["missing", "empty"])
def test_a_missing_database_is_no_new_one(cli: Any, tmp_path: Path, left: bytes | None) -> None:
    """With an empty one in its place every password would be wrong."""
    for path in tmp_path.glob("valetkey.db*"):
        path.unlink()
    if left is not None:
        (tmp_path / "valetkey.db").write_bytes(left)
    for command in (("account", "list"), ("keys", "rotate"), ("backup", str(tmp_path / "copy.db"))):
        cli(*command, code=3)
        assert "valetkey.db" in cli.err
    assert any(subject == "store" and "is missing" in what for subject, what, _ in problems(cli))
    assert [path.stat().st_size for path in tmp_path.glob("valetkey.db*")] == ([] if left is None else [0])
    assert not (tmp_path / "copy.db").exists()


def test_a_damaged_database_is_told_how_to_mend_it(cli: Any, tmp_path: Path) -> None:
    with (tmp_path / "valetkey.db").open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 10 * 4096)
    said = [what for subject, what, _ in problems(cli) if subject == "store"]
    assert said
    assert all("Restore a backup" in what and "valetkey check" not in what for what in said)


def test_a_database_that_is_none_is_a_sentence(cli: Any, tmp_path: Path) -> None:
    for path in tmp_path.glob("valetkey.db*"):
        path.unlink()
    (tmp_path / "valetkey.db").write_bytes(b"this is no database" * 1000)
    cli("account", "list", code=3)
    assert cli.err.startswith("error: ")
    assert any(subject == "store" for subject, _, _ in problems(cli))


def test_a_locked_database_is_try_again_and_no_wrong_answer(cli: Any, tmp_path: Path) -> None:
    cli.config.write_text(cli.config.read_text().replace('#busy_timeout = "5 seconds"', 'busy_timeout = "1 second"'))
    database = sqlite3.connect(tmp_path / "valetkey.db", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    cli("account", "create", "bob@example.org", "--no-password", code=3)
    assert "locked" in cli.err
    database.execute("ROLLBACK")
    database.close()
    cli("account", "create", "bob@example.org", "--no-password")


def test_a_database_of_a_newer_version_is_left_alone(cli: Any, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "valetkey.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    cli("account", "list", code=3)
    assert "newer Valetkey" in cli.err
    assert any(subject == "store" and "newer" in what for subject, what, _ in problems(cli))


def test_init_for_a_service_user_gives_it_the_files(bare: Any, tmp_path: Path) -> None:
    state = tmp_path / "state"
    options = ("--non-interactive", "--state", str(state), "--hostname", "mail.example.org")
    bare("init", *options, "--user", "no-such-user", code=1)
    assert "adduser --system" in bare.err
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    bare("init", *options, "--user", user.pw_name)
    assert {path.stat().st_uid for path in (state, *state.iterdir())} == {user.pw_uid}
    assert load(bare.config).server.user == user.pw_name


def test_check_finds_a_clock_that_was_set_back(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_free_ports(cli.config)
    newest = cli.json("audit", "list")[-1]["at"]
    assert newest
    with closing(sqlite3.connect(tmp_path / "valetkey.db")) as database:
        ((value,),) = database.execute("SELECT max(at) FROM audit").fetchall()
    assert value > 0
    monkeypatch.setattr("valetkey.adapters.clock.datetime", _Earlier)
    assert any(subject == "clock" and "before the newest" in what for subject, what, _ in problems(cli))


class _Earlier:
    """A clock that is a day behind."""

    @staticmethod
    def now(zone: Any) -> Any:
        return datetime.now(zone) - timedelta(days=1)


def test_certificates_are_looked_at(cli: Any, tmp_path: Path) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    with cli.config.open("a") as file:
        file.write(f'\n[[certificate]]\nchain = "{chain}"\nkey = "{key}"\n')
    assert any(what.endswith("No such file or directory") for _, what, _ in problems(cli))
    chain.write_text("no certificate")
    key.write_text("no key")
    assert any("not a PEM certificate" in what for _, what, _ in problems(cli))


def test_keys_rotate_and_old_secrets_go_on(people: Any) -> None:
    people("app-password", "create", "scanner@example.org", "Scanner", "--for", "send-only")
    assert "Key 2" in people("keys", "rotate")
    assert people.json("keys", "status") == [
        {"number": 1, "is_current": False, "app_passwords": 1},
        {"number": 2, "is_current": True, "app_passwords": 0},
    ]
    people("account", "list")
    assert people.json("audit", "list")[-1]["kind"] == "KeysRotated"


def test_backup_is_a_whole_copy_without_keys(people: Any, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    done = people.json("backup", str(target))
    assert done["octets"] == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM account").fetchone() == (3,)
    people("backup", str(target), code=1)
    assert "overwrites nothing" in people.err
    people("backup", str(tmp_path / "no" / "folder.db"), code=3)


def test_describe_prints_the_reference(bare: Any) -> None:
    assert "[[listener]]" in bare("config", "describe")


def test_usage_errors_end_with_two(bare: Any) -> None:
    bare("account", "frobnicate", code=2)
    bare("backup", code=2)


@pytest.mark.parametrize(
    "command",
    [
        (), ("init",), ("serve",), ("demo",), ("check",), ("backup",), ("config", "describe"), ("keys", "rotate"),
        ("account",), ("account", "create"), ("account", "rights"), ("account", "alias", "add"),
        ("app-password", "create"), ("app-password", "revoke"), ("sessions", "close"), ("audit", "verify"),
    ],
)  # fmt: skip
def test_every_command_has_help_that_teaches(bare: Any, command: tuple[str, ...]) -> None:
    said = bare(*command, "--help")
    assert "Usage" in said
    if (len(command) == 2 and command[0] != "account") or command in {("init",), ("serve",), ("demo",), ("check",)}:
        assert "Example" in said


def test_a_person_is_asked_again_when_an_answer_cannot_be_used(tmp_path: Path) -> None:
    """On a terminal: one wrong answer costs that answer, and not the others."""
    config = tmp_path / "valetkey.toml"
    command = [sys.executable, "-m", "valetkey", "--config", str(config), "init", "--state", str(tmp_path / "state")]
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)
    try:
        first = (
            "mail.example.org",
            "",
            "",
            "no mail server",
            "",
            "",
            "",
            PASSWORD,
            PASSWORD,
        )
        said = [_answered(terminal, answer) for answer in first]
        again = ("", "", "", "", "192.0.2.5", "", "", "", PASSWORD, PASSWORD)
        said += [_answered(terminal, answer) for answer in again]
        assert "upstream: should be a host name" in said[9]
        assert "mail.example.org" in said[9]
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    finally:
        os.close(terminal)
    written = load(config)
    assert (written.server.hostname, written.domain[0].imap and written.domain[0].imap.host) == (
        "mail.example.org",
        "192.0.2.5",
    )


def _answered(terminal: int, answer: str) -> str:
    """Wait for a question, answer it, and give what was said up to it."""
    said = ""
    while not said.rstrip("\x1b[0m ").endswith(":"):
        ready, _, _ = select.select([terminal], [], [], 20)
        assert ready, said
        said += os.read(terminal, 4096).decode()
    while answer == PASSWORD and termios.tcgetattr(terminal)[3] & termios.ECHO:
        select.select([], [], [], 0.01)  # what comes before the echo is off is thrown away
    os.write(terminal, answer.encode() + b"\n")
    return said

"""`valetkey demo`: prepares the state, then serves it with the embedded mailbox and the screen beside."""

import asyncio
import os
import shlex
import shutil
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from valetkey.adapters.keys import KeyFile
from valetkey.app.join import opened
from valetkey.app.logs import set_up_logging
from valetkey.app.serving import serve
from valetkey.app.supervisor import Work
from valetkey.config.sections import Config
from valetkey.config.writing import annotated
from valetkey.core.errors import CannotStart
from valetkey.demo.layout import HOST, Files, PortNumbers, configuration, held, require_free
from valetkey.demo.mailbox_process import mailbox, require_mailbox
from valetkey.demo.maildir import write_users
from valetkey.demo.people import People, draw_people, load_people, save_people, write_json
from valetkey.demo.sample_mail import fill_mailboxes
from valetkey.demo.screen import code_now, lines_to_paste, live_screen, plain
from valetkey.demo.seeding import seed
from valetkey.demo.staff import make_history, make_staff
from valetkey.doors.cli.front import DemoOptions


def run_demo(options: DemoOptions) -> None:
    """Run the demo until SIGTERM or Ctrl-C.

    Raises:
        CannotStart: A port is taken, the folder cannot be used, or the embedded mailbox is not installed.
    """
    require_mailbox()
    ports = PortNumbers(options.base_port)
    with held(options.state) as files:
        files.facts.unlink(missing_ok=True)
        log = _open_log(files)
        set_up_logging("text", "info", log)
        require_free(ports)
        config = configuration(files, ports, options.workers)
        people = _prepare(files, config)
        is_terminal = sys.stdout.isatty()
        extra = [Work("mailbox", mailbox(files, ports, people))]
        if is_terminal:
            extra.append(Work("screen", live_screen(files, ports, people)))

        def tell() -> None:
            write_json(files.facts, facts(files, ports, people))
            if not is_terminal:
                print(plain(files, ports, people), flush=True)  # noqa: T201  (this is the command's output)

        try:
            serve(config, extra=extra, on_ready=tell, ends_on_hang_up=True)
        finally:
            files.facts.unlink(missing_ok=True)
        with suppress(OSError):  # the terminal itself may be gone
            farewell = (
                f"Stopped. The next start goes on from here; to begin anew: rm -r {shlex.quote(str(files.state))}"
            )
            print(farewell, flush=True)  # noqa: T201  (the same)


def demo_code(state: Path, name: str) -> str:
    """Give the code that the authenticator of a sample person shows now.

    Raises:
        CannotStart: There is no demo in this folder, or nobody of this name with an authenticator in it.
    """
    people = load_people(Files(state).people)
    if people is None:
        raise CannotStart(f"There is no demo in {state}. Start one with: valetkey demo --state {state}")
    person = next((one for one in people.persons if one.address.partition("@")[0] == name), None)
    if person is None or not person.totp_secret:
        raise CannotStart(f"The demo knows no authenticator of {name}. Try alice, admin, chief, helpdesk or auditor.")
    return code_now(person)


def _open_log(files: Files) -> Any:
    # Opened for appending, so that the lines of several processes do not overwrite each other.
    descriptor = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)


def _prepare(files: Files, config: Config) -> People:
    """Go on where an earlier start ended, or begin: people, mail, keys, database."""
    people = load_people(files.people)
    if people is None:
        _clear(files)
        KeyFile.create(config.keys.path)
        people = asyncio.run(_seed(config, draw_people()))
        save_people(files.people, people)
    write_users(files.mail, people.upstream_passwords)
    fill_mailboxes(files.mail, people, datetime.now(UTC))
    files.config.write_text(annotated(config), encoding="utf-8")
    return people


def _clear(files: Files) -> None:
    """Remove what a first start that was interrupted left behind."""
    for name in ("valetkey.db", "valetkey.db-wal", "valetkey.db-shm", "keys.toml"):
        (files.state / name).unlink(missing_ok=True)
    shutil.rmtree(files.mail, ignore_errors=True)


async def _seed(config: Config, people: People) -> People:
    async with opened(config, is_new=True) as ports:
        staff = await make_staff(ports)
        seeded = await seed(ports, people)
        await make_history(ports, seeded, staff)
        await ports.store.write(lambda writer: writer.remove_notices())  # of what nobody has done
        return seeded


def facts(files: Files, ports: PortNumbers, people: People) -> dict[str, Any]:
    """Give everything that a script wants to know."""
    return {
        "pid": os.getpid(),
        "state": str(files.state),
        "config": str(files.config),
        "log": str(files.log),
        "ca_file": str(files.ca),
        "host": HOST,
        "portal": {"http": f"http://{HOST}:{ports.portal}", "https": f"https://{HOST}:{ports.portal_tls}"},
        "ops": f"http://127.0.0.1:{ports.ops}",
        "ports": {"portal": ports.portal, "portal_tls": ports.portal_tls, "ops": ports.ops, **ports.listeners},
        "mailbox_ports": {protocol.value: port for protocol, port in ports.mailbox.items()},
        "accounts": {
            person.address: {
                "name": person.name,
                "main_password": person.main_password,
                "totp_secret": person.totp_secret,
                "recovery_codes": person.recovery_codes,
                "role": person.role.value if person.role else None,
                "is_shared": person.owner is not None,
                "owner": person.owner,
            }
            for person in people.persons
        },
        "app_passwords": [
            {"id": a.id, "account": a.account, "description": a.description, "kind": a.kind, "secret": a.secret}
            for a in people.app_passwords
        ],
        "paste": {what: " ".join(parts) for what, parts in lines_to_paste(files, ports, people).items()},
    }

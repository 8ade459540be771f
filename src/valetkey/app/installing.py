"""`valetkey init`: writes the configuration, makes keys, database and the first account."""

import asyncio
import os
import pwd
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from valetkey.adapters.keys import KeyFile
from valetkey.app.join import opened
from valetkey.app.private_files import write_new
from valetkey.app.settings import PLACEHOLDER
from valetkey.config import kinds
from valetkey.config.kinds import Unreadable
from valetkey.config.reading import parse
from valetkey.config.sections import Config, Domain, Keys, Portal, Server, Store, Upstream, standard_listeners
from valetkey.config.writing import annotated
from valetkey.core.errors import CannotStart, InvalidInput
from valetkey.core.role import Role
from valetkey.doors.cli.front import InitAnswers, InitDone
from valetkey.doors.gateway.settings import TlsMode, UpstreamLogin
from valetkey.service import accounts
from valetkey.service.ports import OPERATOR

_OWN_FILES = {"valetkey.db", "valetkey.db-wal", "valetkey.db-shm", "keys.toml", "upstream-secret", "run", "tls"}


def install(answers: InitAnswers) -> InitDone:
    """Make a new installation; keys, database and the master user's password are kept where they are there already.

    Raises:
        InvalidInput: An answer cannot be used.
        CannotStart: A file cannot be written, or is there already.
    """
    _require_user(answers.user)
    config = _config_of(answers)
    text = annotated(config)
    parse(text, answers.config)
    secret = _secret_path(answers)
    files = (answers.config, config.store.path, config.keys.path, *([secret] if secret else []))
    kept = tuple(path for path in files if path.exists())
    try:
        answers.config.parent.mkdir(parents=True, exist_ok=True)
        answers.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if config.keys.path not in kept:
            KeyFile.create(config.keys.path)
        if secret and secret not in kept:
            write_new(secret, PLACEHOLDER + "\n")
        asyncio.run(_first_account(config, answers))
        write_new(answers.config, text, mode=0o640)
        _give_to(answers.user, answers.state)
    except OSError as error:
        raise CannotStart(f"{error.filename or answers.state} cannot be written: {error.strerror}.") from None
    return InitDone(tuple(path for path in files if path not in kept), kept, secret)


def _give_to(user: str, state: Path) -> None:
    """Make the state the service user's own."""
    if not user:
        return
    for path in (state, *(path for path in state.iterdir() if path.name in _OWN_FILES)):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def _require_user(user: str) -> None:
    if not user:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        mend = f"Make it first: adduser --system --group --home /var/lib/{user} {user}"
        raise InvalidInput("user", f"There is no system user {user}. {mend}") from None
    if os.geteuid() not in {0, entry.pw_uid}:
        raise InvalidInput("user", f"Only root can set it up for {user}.")


def _secret_path(answers: InitAnswers) -> Path | None:
    return answers.state.absolute() / "upstream-secret" if answers.gateway else None


async def _first_account(config: Config, answers: InitAnswers) -> None:
    async with opened(config, is_new=True) as ports:
        await accounts.create(ports, OPERATOR, answers.admin, password=answers.password, role=Role.ADMIN)


def _config_of(answers: InitAnswers) -> Config:
    state = answers.state.absolute()
    hostname = _read(kinds.DOMAIN, answers.hostname, "hostname")
    listen = _read(kinds.ENDPOINT, answers.portal, "portal")
    return Config(
        server=Server(hostname, user=answers.user, run_directory=state / "run", tls_directory=state / "tls"),
        store=Store(state / "valetkey.db"),
        keys=Keys(state / "keys.toml"),
        portal=Portal(listen, _read(kinds.URL, answers.base_url, "base_url")),
        listener=standard_listeners() if answers.gateway else (),
        domain=(_domain(answers),) if answers.gateway else (),
    )


def _domain(answers: InitAnswers) -> Domain:
    host = _read(kinds.HOST, answers.upstream, "upstream")
    is_here = host in {"127.0.0.1", "localhost", "::1"}
    imap = Upstream(
        host,
        10143 if is_here else 993,
        TlsMode.NONE if is_here else TlsMode.IMPLICIT,
        master_user=answers.master_user,
        master_secret_file=_secret_path(answers),
    )
    pop3 = replace(imap, port=10110 if is_here else 995)
    smtp = Upstream(
        host,
        10587 if is_here else 587,
        TlsMode.NONE if is_here else TlsMode.STARTTLS,
        UpstreamLogin.XCLIENT,
        forward_client=True,
    )
    sieve = replace(imap, port=14190 if is_here else 4190, tls=TlsMode.NONE if is_here else TlsMode.STARTTLS)
    return Domain("*", imap, pop3, smtp, sieve)


def _read(kind: kinds.Kind, text: str, field: str) -> Any:
    try:
        return kind.read(text, Path())
    except Unreadable as error:
        raise InvalidInput(field, f"{field}: {error.what}; {error.mend}.") from None

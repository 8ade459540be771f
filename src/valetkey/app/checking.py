"""`valetkey check`: looks at everything that could be wrong, and says how to mend it. Changes nothing."""

import asyncio
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from valetkey.adapters.keys import KeyFile
from valetkey.adapters.live_sessions import ControlSockets
from valetkey.adapters.store import check_file
from valetkey.app.checking_certificates import certificate_findings
from valetkey.app.checking_clock import clock_finding
from valetkey.app.checking_closing import closing_findings
from valetkey.app.checking_doors import door_findings
from valetkey.app.checking_mailer import mailer_findings
from valetkey.app.checking_portal import portal_findings
from valetkey.app.checking_upstreams import upstream_findings
from valetkey.app.findings import good, problem, warning
from valetkey.app.join import opened, require_store
from valetkey.app.settings import policy_of
from valetkey.app.sockets import bind
from valetkey.config.kinds import Endpoint
from valetkey.config.mistakes import BadConfig
from valetkey.config.reading import load
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart, Unavailable, ValetkeyError
from valetkey.core.policy import Policy
from valetkey.doors.cli.front import Finding, Level
from valetkey.service import policy
from valetkey.service.policy import Origin, ShownRules
from valetkey.service.ports import OPERATOR

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def findings(path: Path, account: str | None) -> Iterator[Finding]:
    """Look at everything, in the order in which it must be mended."""
    try:
        config = load(path)
    except BadConfig as error:
        yield from (problem(f"{path}:{m.line}", f"{m.setting}: {m.what}", m.mend) for m in error.mistakes)
        return
    except CannotStart as error:
        yield problem("configuration", str(error))
        return
    yield good("configuration", f"{path} has no mistake")
    yield from portal_findings(config)
    yield from _files(config)
    keys_and_store = list(_keys_and_store(config))
    yield from keys_and_store
    is_running = asyncio.run(_running_workers(config)) > 0
    yield from _ports(config, is_ours=is_running)
    if not config.listener and not config.door:
        yield warning("doors", "nobody can log in yet: no mail server asks", "See: valetkey connect")
    yield from door_findings(config, is_running=is_running)
    yield from certificate_findings(config, datetime.now(UTC))
    yield from mailer_findings(config)
    is_usable = all(finding.level is Level.GOOD for finding in keys_and_store)
    yield from _rules(config) if is_usable else _advice(policy_of(config))
    yield from upstream_findings(config, account if is_usable else None)
    yield from closing_findings(config, has_store=is_usable)
    if account and not is_usable:
        yield warning("mail servers", f"no login tried for {account}", "Mend the keys and the store first.")


def _rules(config: Config) -> Iterator[Finding]:
    """Say which policy holds, and what is to be said of that."""
    try:
        shown = asyncio.run(_shown_rules(config))
    except (CannotStart, Unavailable) as error:
        yield problem("policy", str(error), "Run: valetkey policy reset")
        return
    origins = (("[policy]", shown.policy_from), ("[networks]", shown.networks_from))
    saved = [part for part, origin in origins if origin is Origin.CONSOLE]
    if saved:
        what = f"saved in the console, and not {' and '.join(saved)} of the file, until: valetkey policy reset"
        yield good("policy", what)
    else:
        yield good("policy", "that of the configuration file holds, until the console saves another")
    yield from _advice(shown.policy)


async def _shown_rules(config: Config) -> ShownRules:
    async with opened(config) as ports:
        return await policy.show(ports, OPERATOR)


def _advice(held: Policy) -> Iterator[Finding]:
    if held.main_password_opens_mail:
        mend = "Set it to false under [policy] when everybody has an app password."
        yield warning("policy", "main passwords open mail for accounts without a second factor", mend)
    if not held.require_tls:
        mend = "Set require_tls = true under [policy], unless every listener is on a private link."
        yield warning("policy", "mail logins without TLS are permitted", mend)


def _files(config: Config) -> Iterator[Finding]:
    directory = config.server.run_directory
    if directory.exists():
        if directory.stat().st_mode & _OTHERS:
            yield problem("run directory", f"others can enter {directory}", f"chmod 700 {directory}")
        else:
            yield good("run directory", str(directory))
    else:
        yield good("run directory", f"{directory} is made at the first start")
    for path in (config.store.path, config.keys.path):
        folder = path.parent
        if not folder.is_dir():
            yield problem("folders", f"there is no folder {folder}", f"mkdir -m 700 {folder}")
        elif path == config.store.path and not os.access(folder, os.W_OK):
            yield problem(
                "folders", f"{folder} cannot be written, and SQLite needs that", f"chown it to {_user(config)}"
            )


def _user(config: Config) -> str:
    return config.server.user or "the user that runs Valetkey"


def _keys_and_store(config: Config) -> Iterator[Finding]:
    try:
        keys = KeyFile.load(config.keys.path)
    except CannotStart as error:
        yield problem("keys", str(error))
        return
    yield good("keys", f"{len(keys.numbers)} in {config.keys.path}, the current one is {keys.current}")
    try:
        require_store(config.store.path)
    except CannotStart as error:
        yield problem("store", str(error))
        return
    problems = check_file(config.store.path)
    yield from (problem("store", sentence) for sentence in problems)
    if problems:
        return
    try:
        yield asyncio.run(_store(config))
    except (CannotStart, Unavailable) as error:
        yield problem("store", str(error))


async def _store(config: Config) -> Finding:
    async with opened(config) as ports:
        if (behind := await clock_finding(ports)) is not None:
            return behind
        newest = await ports.store.read(lambda reader: reader.audit(limit=1))
        count = newest[0].number if newest else 0
        return good(
            "store", f"{config.store.path} is whole, with audit records up to {count}, and the keys belong to it"
        )


def _ports(config: Config, *, is_ours: bool) -> Iterator[Finding]:
    named: list[tuple[str, Endpoint | None]] = [
        *((f"{entry.protocol.value} listener", entry.listen) for entry in config.listener),
        ("portal", config.portal.listen),
        ("portal (HTTPS)", config.portal.tls_listen),
        ("health listener", config.ops.listen),
    ]
    for what, endpoint in named:
        if endpoint is not None:
            yield _port(what, endpoint, is_ours=is_ours)


def _port(what: str, endpoint: Endpoint, *, is_ours: bool) -> Finding:
    try:
        bound = bind(endpoint, what)
    except CannotStart as error:
        if is_ours and "in use" in str(error):
            return good("port", f"{what} on {endpoint}: in use, and Valetkey is running")
        return problem("port", str(error), "Find what uses it with: ss -ltnp" if "in use" in str(error) else "")
    for sock in bound:
        sock.close()
    return good("port", f"{what} on {endpoint}: free")


async def _running_workers(config: Config) -> int:
    try:
        return len(await ControlSockets(config.server.run_directory).ping())
    except (OSError, ValetkeyError):
        return 0

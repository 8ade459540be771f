"""`valetkey connect SERVER --test`: logs in as a mail program would, and puts together what that shows."""

import secrets
import ssl
import string
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from valetkey.app.checking_doors import one_door
from valetkey.app.connecting.client import USUAL_PORTS, End, Port, listens, log_in
from valetkey.app.connecting.explaining import Tried, explain
from valetkey.app.connecting.finding import Wish, fit, is_here, require_whole
from valetkey.app.connecting.lines import setup_of, version_for
from valetkey.app.connecting.local import local_findings
from valetkey.app.connecting.servers import recipe_of
from valetkey.app.connecting.watching import Counts, Watch, clock, counts, watch
from valetkey.app.findings import problem, warning
from valetkey.config.reading import load
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart
from valetkey.core.login import Reason
from valetkey.core.scope import MailProtocol
from valetkey.doors.cli.front import Finding, Level, TrialOptions

_ONLY_SMTP = {"postfix", "exim", "sendmail"}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class _Trial:
    options: TrialOptions
    config: Config
    doors: frozenset[str]
    watch: Watch
    context: ssl.SSLContext


def findings(path: Path, options: TrialOptions) -> Iterator[Finding]:
    """Look at the server's configuration if it is here, then log in on each of its ports.

    Raises:
        InvalidInput: There is no such server, peer or account.
        CannotStart: The configuration does not have what the server needs, or a file cannot be read.
        Unavailable: The store failed.
    """
    recipe = recipe_of(options.server)
    config = load(path)
    wish = Wish(recipe, options.peer)
    found = fit(config, wish)
    peer = require_whole(found, wish)
    setup = setup_of(config, recipe, found, version_for(recipe, ""))
    seen = watch(config, options.account)
    kinds = frozenset(kind.value for kind in found.doors)
    trial = _Trial(options, config, kinds, seen, _context(options))
    is_running = counts(config) is not None
    if (behind := clock(config)) is not None:
        yield behind
    for door in found.doors.values():
        looked_at = one_door(config, door, is_running=is_running)
        yield from (each for each in looked_at if each.level is not Level.GOOD)
    # Without a word where its settings are, those of this machine may be another server's, which does not ask.
    is_sure = options.its_config is not None
    looked: list[Finding] = []
    if is_here(peer):
        looked += local_findings(recipe.name, setup, peer, options.its_config, only_asking=not is_sure)
    yield from looked
    found_out: list[Finding] = []
    for finding in _ports_tried(trial):
        found_out.append(finding)
        yield finding
    if is_here(peer) and not looked and any(each.level is Level.PROBLEM for each in found_out):
        yield from local_findings(recipe.name, setup, peer)


def _ports_tried(trial: _Trial) -> Iterator[Finding]:
    options = trial.options
    ports = _ports(options)
    if not ports:
        what = f"nobody answers on {options.host} at a port of mail"
        yield problem("ports", what, "Is the server running? Name its port: --port imaps=993")
    for port in ports:
        yield from _taken_by_us(trial.config, port)
        yield from _try(trial, port)


def _context(options: TrialOptions) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.trust)
    except OSError as error:  # also ssl.SSLError
        raise CannotStart(f"{options.trust} has no certificates that can be read: {error.strerror or error}.") from None


def _ports(options: TrialOptions) -> list[Port]:
    """Give the ports that were named; otherwise, of each protocol, the first of the usual ones where somebody answers."""
    if options.ports:
        return [Port(name, options.host, number, USUAL_PORTS[name][1]) for name, number in options.ports]
    found: dict[MailProtocol, Port] = {}
    for name, (number, protocol) in USUAL_PORTS.items():
        port = Port(name, options.host, number, protocol)
        is_meant = protocol is MailProtocol.SMTP or options.server not in _ONLY_SMTP
        if is_meant and protocol not in found and listens(port):
            found[protocol] = port
    return list(found.values())


def _taken_by_us(config: Config, port: Port) -> Iterator[Finding]:
    if port.host in _LOOPBACK and any(entry.listen.port == port.number for entry in config.listener):
        what = "this is a port of Valetkey's own gateway, and not of the server"
        yield warning(str(port), what, f"Name a port of the server: --port {port.name}=NUMBER")


def _try(trial: _Trial, port: Port) -> Iterator[Finding]:
    account, context = trial.options.account, trial.context
    before = counts(trial.config)
    wrong = log_in(port, account, _wrong_secret(), context)
    between = counts(trial.config)
    right = (
        wrong if wrong.end in {End.NO_TLS, End.UNREACHABLE} else log_in(port, account, trial.options.secret, context)
    )
    after = counts(trial.config)
    tried = Tried(
        trial.options.server, port, trial.doors, wrong, right, _grown(before, between), _grown(between, after)
    )
    if right.end not in {End.NO_TLS, End.UNREACHABLE} and tried.questions(tried.asked_right):
        expected = "allowed" if right.end is End.IN else None
        recorded = trial.watch.seen(port.protocol, wanted=lambda one: _is_wanted(one.result, expected))
        tried = replace(tried, recorded=recorded)
    yield from explain(tried)


def _is_wanted(result: str, expected: str | None) -> bool:
    return result == expected if expected else result != Reason.WRONG_SECRET


def _grown(before: Counts | None, after: Counts | None) -> Counts | None:
    return None if before is None or after is None else after - before


def _wrong_secret() -> str:
    """Draw what looks like an app password and is none."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(24))
    return "-".join(["vkey", *(letters[start : start + 4] for start in range(0, len(letters), 4))])

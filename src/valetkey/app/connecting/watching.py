"""What Valetkey itself saw of a login: which doors were asked and what they answered, and what was recorded of the account."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from valetkey.adapters.live_sessions import ControlSockets
from valetkey.app.checking_clock import clock_finding
from valetkey.app.join import opened
from valetkey.config.sections import Config
from valetkey.core.errors import ValetkeyError
from valetkey.core.scope import MailProtocol
from valetkey.doors.cli.front import Finding
from valetkey.service import accounts, activity
from valetkey.service.ports import OPERATOR, LoginEvent

_LOGINS = "valetkey_door_logins_total"
_REQUESTS = "valetkey_door_requests_total"
_LOOKS = 8
_LOOK_EVERY = 0.4  # seconds; logins are recorded within one

Counts = Counter[tuple[str, str, str]]  # the door, its protocol or "", the result


@dataclass(frozen=True, slots=True)
class Recorded:
    """A login as it was recorded for the account's owner."""

    result: str
    network: str


def counts(config: Config) -> Counts | None:
    """Give what the doors of all workers have counted; None if Valetkey does not run."""
    return asyncio.run(_counts(config))


async def _counts(config: Config) -> Counts | None:
    try:
        by_worker = await ControlSockets(config.server.run_directory).samples()
    except (OSError, ValetkeyError):
        return None
    found: Counts = Counter()
    for samples in by_worker.values():
        for sample in samples:
            if sample.name in {_LOGINS, _REQUESTS}:
                protocol = sample.labels.get("protocol", "") if sample.name == _LOGINS else ""
                found[sample.labels.get("door", ""), protocol, sample.labels.get("result", "")] += int(sample.value)
    return found if by_worker else None


@dataclass(frozen=True, slots=True)
class Watch:
    """What was recorded of an account before something happens."""

    config: Config
    account_id: str
    before: Counter[LoginEvent]

    def seen(self, protocol: MailProtocol, *, wanted: Callable[[Recorded], bool]) -> Recorded | None:
        """Wait a little for what is recorded of a protocol and is new, the wanted first; None if there is nothing."""
        return asyncio.run(self._seen(protocol, wanted))

    async def _seen(self, protocol: MailProtocol, wanted: Callable[[Recorded], bool]) -> Recorded | None:
        new: list[Recorded] = []
        for _ in range(_LOOKS):
            now = await _logins(self.config, self.account_id)
            fresh = [each for each in now if each.protocol is protocol and each not in self.before]
            new = [Recorded(each.result, each.network) for each in sorted(fresh, key=lambda one: one.last_at)]
            if any(map(wanted, new)):
                break
            await asyncio.sleep(_LOOK_EVERY)
        return next((each for each in reversed(new) if wanted(each)), new[-1] if new else None)


def watch(config: Config, account: str) -> Watch:
    """Remember what is recorded of an account by now.

    Raises:
        NotFound: No such account.
        Unavailable: The store failed.
        CannotStart: There is no store, or the keys are not its.
    """
    return asyncio.run(_watch(config, account))


def clock(config: Config) -> Finding | None:
    """Say that this machine's clock is behind; None if it is not.

    Raises:
        Unavailable: The store failed.
        CannotStart: There is no store, or the keys are not its.
    """
    return asyncio.run(_clock(config))


async def _clock(config: Config) -> Finding | None:
    async with opened(config) as ports:
        return await clock_finding(ports)


async def _watch(config: Config, name: str) -> Watch:
    async with opened(config) as ports:
        found = await accounts.find(ports, OPERATOR, name)
    return Watch(config, found.id, Counter(await _logins(config, found.id)))


async def _logins(config: Config, account_id: str) -> tuple[LoginEvent, ...]:
    async with opened(config) as ports:
        return (await activity.of_account(ports, OPERATOR, account_id)).logins

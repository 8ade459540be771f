"""What the command line is handed: fulfils `doors.cli.front.Front`.

Each job is imported when it is asked for: a command that lists accounts does not wait for a web framework.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from valetkey import __version__
from valetkey.config.reading import load
from valetkey.config.sections import Config
from valetkey.config.writing import describe
from valetkey.doors.cli.front import (
    AskingServer,
    BackupDone,
    Connecting,
    ConnectOptions,
    DemoOptions,
    DnsRecord,
    Finding,
    InitAnswers,
    InitDone,
    TrialOptions,
)
from valetkey.late import late
from valetkey.service.ports import Ports

_asking_servers: Callable[[], tuple[AskingServer, ...]] = late("valetkey.app.connecting.lines:servers")
_backup: Callable[[Path, Path], None] = late("valetkey.adapters.store.backup:backup")
_connecting: Callable[[Path, ConnectOptions], Connecting] = late("valetkey.app.connecting.lines:connecting")
_dns_records: Callable[[Config, str], tuple[DnsRecord, ...]] = late("valetkey.app.dns_records:dns_records")
_findings: Callable[[Path, str | None], Iterator[Finding]] = late("valetkey.app.checking:findings")
_install: Callable[[InitAnswers], InitDone] = late("valetkey.app.installing:install")
_opened: Callable[[Config], AbstractAsyncContextManager[Ports]] = late("valetkey.app.join:opened")
_portal_urls: Callable[[Config], tuple[str, ...]] = late("valetkey.app.settings:portal_urls")
_rotate: Callable[[Config], Coroutine[Any, Any, int]] = late("valetkey.app.rotating_keys:rotate")
_serve: Callable[[Config], None] = late("valetkey.app.serving:serve")
_set_up_logging: Callable[[str, str], None] = late("valetkey.app.logs:set_up_logging")
_try_login: Callable[[Path, TrialOptions], Iterator[Finding]] = late("valetkey.app.connecting.trial:findings")
_with_workers: Callable[[Config, int | None], Config] = late("valetkey.app.serving:with_workers")
_write_script: Callable[[Path], None] = late("valetkey.app.connecting.lines:write_script")


class FrontHall:
    """Everything that the command line needs beside the verbs.

    Args:
        demo: Runs the demo.
        demo_code: Gives the code of somebody in the demo.
    """

    def __init__(self, demo: Callable[[DemoOptions], None], demo_code: Callable[[Path, str], str]) -> None:
        self._demo = demo
        self._demo_code = demo_code

    def version(self) -> str:
        """Give the version."""
        return __version__

    @asynccontextmanager
    async def open(self, config: Path) -> AsyncIterator[Ports]:
        """Open the installation of a configuration file."""
        _set_up_logging("text", "warning")
        async with _opened(load(config)) as ports:
            yield ports

    def serve(self, config: Path, workers: int | None) -> None:
        """Run everything until asked to end."""
        loaded = _with_workers(load(config), workers)
        _set_up_logging(loaded.server.log_format.value, loaded.server.log_level.value)
        _serve(loaded)

    def check(self, config: Path, account: str | None) -> Iterator[Finding]:
        """Look at everything that could be wrong."""
        _set_up_logging("text", "error")
        return _findings(config, account)

    def asking_servers(self) -> tuple[AskingServer, ...]:
        """List the mail servers that can ask."""
        return _asking_servers()

    def connect(self, config: Path, options: ConnectOptions) -> Connecting:
        """Say how a mail server is set up to ask."""
        return _connecting(config, options)

    def write_script(self, target: Path) -> None:
        """Write the script for Dovecot."""
        _write_script(target)

    def try_login(self, config: Path, options: TrialOptions) -> Iterator[Finding]:
        """Log in through a mail server as a client would, and explain what comes of it."""
        _set_up_logging("text", "error")
        return _try_login(config, options)

    def portal_url(self, config: Path) -> str:
        """Give the address that people open for the portal."""
        return _portal_urls(load(config))[0]

    def dns_records(self, config: Path, domain: str) -> tuple[DnsRecord, ...]:
        """Give the records by which mail programs of a domain find this installation."""
        return _dns_records(load(config), domain)

    def describe_config(self) -> str:
        """Give the annotated reference of the configuration."""
        return describe()

    def init(self, answers: InitAnswers) -> InitDone:
        """Make a new installation."""
        _set_up_logging("text", "warning")
        return _install(answers)

    def rotate_keys(self, config: Path) -> int:
        """Add a new key to the key file and make it the current one, and record it."""
        _set_up_logging("text", "warning")
        return asyncio.run(_rotate(load(config)))

    def backup(self, config: Path, target: Path) -> BackupDone:
        """Copy the database, and verify the copy."""
        _set_up_logging("text", "warning")
        _backup(load(config).store.path, target)
        return BackupDone(target, target.stat().st_size)

    def demo(self, options: DemoOptions) -> None:
        """Run the demo until asked to end."""
        self._demo(options)

    def demo_code(self, state: Path, name: str) -> str:
        """Say the code that somebody in the demo would read from the authenticator now."""
        return self._demo_code(state, name)

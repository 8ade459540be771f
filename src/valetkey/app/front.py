"""What the command line is handed: fulfils `doors.cli.front.Front`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from valetkey import __version__
from valetkey.adapters.keys import KeyFile
from valetkey.adapters.store import backup, check_keys, open_store
from valetkey.app.checking import findings
from valetkey.app.dns_records import dns_records
from valetkey.app.installing import install
from valetkey.app.join import opened
from valetkey.app.logs import set_up_logging
from valetkey.app.serving import serve, with_workers
from valetkey.app.settings import portal_urls
from valetkey.config.reading import load
from valetkey.config.sections import Config
from valetkey.config.writing import describe
from valetkey.doors.cli.front import BackupDone, DemoOptions, DnsRecord, Finding, InitAnswers, InitDone
from valetkey.service import keys
from valetkey.service.ports import OPERATOR, Ports


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
        set_up_logging("text", "warning")
        async with opened(load(config)) as ports:
            yield ports

    def serve(self, config: Path, workers: int | None) -> None:
        """Run everything until asked to end."""
        loaded = with_workers(load(config), workers)
        set_up_logging(loaded.server.log_format.value, loaded.server.log_level.value)
        serve(loaded)

    def check(self, config: Path, account: str | None) -> Iterator[Finding]:
        """Look at everything that could be wrong."""
        set_up_logging("text", "error")
        return findings(config, account)

    def portal_url(self, config: Path) -> str:
        """Give the address that people open for the portal."""
        return portal_urls(load(config))[0]

    def dns_records(self, config: Path, domain: str) -> tuple[DnsRecord, ...]:
        """Give the records by which mail programs of a domain find this installation."""
        return dns_records(load(config), domain)

    def describe_config(self) -> str:
        """Give the annotated reference of the configuration."""
        return describe()

    def init(self, answers: InitAnswers) -> InitDone:
        """Make a new installation."""
        set_up_logging("text", "warning")
        return install(answers)

    def rotate_keys(self, config: Path) -> int:
        """Add a new key to the key file and make it the current one, and record it."""
        set_up_logging("text", "warning")
        return asyncio.run(_rotate(load(config)))

    def backup(self, config: Path, target: Path) -> BackupDone:
        """Copy the database, and verify the copy."""
        set_up_logging("text", "warning")
        backup(load(config).store.path, target)
        return BackupDone(target, target.stat().st_size)

    def demo(self, options: DemoOptions) -> None:
        """Run the demo until asked to end."""
        self._demo(options)

    def demo_code(self, state: Path, name: str) -> str:
        """Say the code that somebody in the demo would read from the authenticator now."""
        return self._demo_code(state, name)


async def _rotate(config: Config) -> int:
    # The store is opened first, so that a key file that does not belong to it is not touched.
    async with opened(config) as ports:
        number = KeyFile.rotate(config.keys.path)
        await keys.rotated(ports, OPERATOR, number)
    store = open_store(config.store.path)
    try:
        await check_keys(store, KeyFile.load(config.keys.path))
    finally:
        store.close()
    return number

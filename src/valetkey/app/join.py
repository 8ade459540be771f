"""Joins adapters to ports: what the verbs of one process work with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from valetkey.adapters.clock import SystemClock
from valetkey.adapters.entropy import SystemEntropy
from valetkey.adapters.hashing import Argon2Hasher
from valetkey.adapters.keys import KeyFile
from valetkey.adapters.late_passkeys import LatePasskeys
from valetkey.adapters.live_sessions import ControlSockets
from valetkey.adapters.password_gauge import ZxcvbnGauge
from valetkey.adapters.rules import StoredRules
from valetkey.adapters.store import check_keys, open_store
from valetkey.app.closing import server_sessions_of
from valetkey.app.door_settings import mail_doors_of
from valetkey.app.mailing import mailer_of
from valetkey.app.settings import networks_of, policy_of, throttle_of
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart
from valetkey.late import late
from valetkey.service.activity import BatchingRecorder
from valetkey.service.key_moves import finish_moves
from valetkey.service.ports import Ports


def require_store(path: Path) -> None:
    """Refuse to go on without the database: with an empty one in its place every password would be wrong.

    Raises:
        CannotStart: It is missing or empty.
    """
    try:
        is_there = path.stat().st_size > 0
    except FileNotFoundError:
        is_there = False
    except OSError as error:
        raise CannotStart(f"The database {path} cannot be opened: {error.strerror}.") from None
    if not is_there:
        raise CannotStart(
            f"The database {path} is missing. Put it back, or restore a backup of it; "
            "only for a new installation is a new one made, by `valetkey init`."
        )


@asynccontextmanager
async def opened(config: Config, *, is_new: bool = False) -> AsyncIterator[Ports]:
    """Open the store and the keys of an installation for this process; of a new one the store is made.

    Login events are written every second while this is open, and once more at its end.

    Raises:
        CannotStart: The store or the key file cannot be used, or they do not belong together.
        Unavailable: The store cannot be asked.
    """
    keys = KeyFile.load(config.keys.path)
    if not is_new:
        require_store(config.store.path)
    store = open_store(config.store.path, busy_timeout=config.store.busy_timeout.total_seconds())
    hasher = Argon2Hasher()
    workers = ControlSockets(config.server.run_directory)
    gauge = ZxcvbnGauge()
    recorder = BatchingRecorder(store)
    try:
        await check_keys(store, keys)
        writing = asyncio.create_task(recorder.run())
        try:
            yield Ports(
                store=store,
                clock=SystemClock(),
                entropy=SystemEntropy(),
                hasher=hasher,
                keys=keys,
                live_sessions=workers,
                mail_servers=workers,
                server_sessions=server_sessions_of(config),
                recorder=recorder,
                rules=StoredRules(store, policy_of(config), networks_of(config)),
                throttle=throttle_of(config),
                passkeys=LatePasskeys(late("valetkey.adapters.passkeys:WebAuthn")),
                gauge=gauge,
                mail_doors=mail_doors_of(config),
                mailer=mailer_of(config),
                default_domain=config.server.default_domain or None,
                issuer=config.portal.site_name,
            )
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
    finally:
        await finish_moves()
        hasher.close()
        gauge.close()
        store.close()

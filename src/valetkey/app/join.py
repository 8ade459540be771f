"""Joins adapters to ports: what the verbs of one process work with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from valetkey.adapters.clock import SystemClock
from valetkey.adapters.entropy import SystemEntropy
from valetkey.adapters.hashing import Argon2Hasher
from valetkey.adapters.keys import KeyFile
from valetkey.adapters.live_sessions import ControlSockets
from valetkey.adapters.store import check_keys, open_store
from valetkey.app.settings import networks_of, policy_of, throttle_of
from valetkey.config.sections import Config
from valetkey.service.activity import BatchingRecorder
from valetkey.service.key_moves import finish_moves
from valetkey.service.ports import Ports


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Ports]:
    """Open the store and the keys of an installation for this process.

    Login events are written every second while this is open, and once more at its end.

    Raises:
        CannotStart: The store or the key file cannot be used, or they do not belong together.
        Unavailable: The store cannot be asked.
    """
    keys = KeyFile.load(config.keys.path)
    store = open_store(config.store.path, busy_timeout=config.store.busy_timeout.total_seconds())
    hasher = Argon2Hasher()
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
                live_sessions=ControlSockets(config.server.run_directory),
                recorder=recorder,
                policy=policy_of(config),
                networks=networks_of(config),
                throttle=throttle_of(config),
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
        store.close()

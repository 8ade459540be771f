"""`valetkey keys rotate`: a new key in the key file, recorded in the store."""

from valetkey.adapters.keys import KeyFile
from valetkey.adapters.store.key_check import check_keys
from valetkey.adapters.store.store import open_store
from valetkey.app.join import opened
from valetkey.config.sections import Config
from valetkey.service import keys
from valetkey.service.ports import OPERATOR


async def rotate(config: Config) -> int:
    """Add a new key, make it the current one, and give its number.

    Raises:
        CannotStart: The store or the key file cannot be used, or they do not belong together.
        Unavailable: The store cannot be asked.
    """
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

"""What API requests with an idempotency key were answered, so that the same one again does nothing twice."""

from valetkey.service.ports import Ports, Writer
from valetkey.service.store_parts import ApiAnswer


async def begin(ports: Ports, token_id: str, key: str, request_hash: bytes) -> ApiAnswer | None:
    """Keep that a request of a token with this key runs; give what there was before under the key, if anything.

    Raises:
        Unavailable: The store failed; the request must not run.
    """
    now = ports.clock.now()

    def work(writer: Writer) -> ApiAnswer | None:
        if writer.begin_api_answer(token_id, key, request_hash, now):
            return None
        return writer.api_answer(token_id, key)

    return await ports.store.write(work)


async def keep(ports: Ports, token_id: str, key: str, status: int, body: str) -> None:
    """Keep what it was answered. The body must hold no secret.

    Raises:
        Unavailable: The store failed.
    """
    await ports.store.write(lambda writer: writer.set_api_answer(token_id, key, status, body))


async def drop(ports: Ports, token_id: str, key: str) -> None:
    """Forget a request that did nothing, so that it can be tried again.

    Raises:
        Unavailable: The store failed.
    """
    await ports.store.write(lambda writer: writer.drop_api_answer(token_id, key))

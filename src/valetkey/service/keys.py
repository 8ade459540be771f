"""The numbered keys: what the store knows of their rotation."""

from valetkey.core.event import KeysRotated
from valetkey.service.authority import require_operator
from valetkey.service.ports import Actor, Ports, Writer


async def rotated(ports: Ports, actor: Actor, key_number: int) -> None:
    """Record that a new key was made.

    Raises:
        NotAllowed: Not the command line.
        Unavailable: The store failed.
    """
    require_operator(actor)
    now = ports.clock.now()

    def record(writer: Writer) -> None:
        writer.record(KeysRotated(key_number), actor=actor, at=now, account_id=None)

    await ports.store.write(record)


async def usage(ports: Ports) -> dict[int, int]:
    """Tell how many live app passwords are under each key, so that one sees how far a rotation has come.

    Seeds of authenticators, recovery codes and upstream passwords stay under the key that they were made with.

    Raises:
        Unavailable: The store failed.
    """
    return await ports.store.read(lambda reader: reader.key_usage())

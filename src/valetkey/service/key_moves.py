"""Moving a secret to the current key when its owner logs in, so that a rotation needs nobody's help."""

import asyncio

import structlog

from valetkey.core.app_password import Proof, Secret, index_of, tag_of
from valetkey.core.errors import Unavailable
from valetkey.service.faults import place_of
from valetkey.service.ports import FoundLogin, KeyPurpose, Ports, Writer

_log = structlog.get_logger("valetkey.keys")

_moving: set[asyncio.Task[None]] = set()  # asyncio itself holds tasks weakly


def move_to_current_key(ports: Ports, found: FoundLogin, secret: Secret, *, current: int, is_strict: bool) -> None:
    """Begin to move a proven secret to the current key, if it is under an older one or lacks its strict hash.

    The login does not wait for it, and a failure changes nothing: the next login tries again.
    """
    is_current = found.proof.key_number == current
    if is_current and (found.proof.slow_hash is not None or not is_strict):
        return
    task = asyncio.get_running_loop().create_task(_move(ports, found, secret))
    _moving.add(task)
    task.add_done_callback(_has_moved)


async def finish_moves() -> None:
    """Wait for the moves that are under way; called before the store is closed."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(task for task in _moving if task.get_loop() is loop), return_exceptions=True)


async def proof_of(ports: Ports, account_id: str, credential_id: str, secret: Secret) -> tuple[bytes, Proof]:
    """Make the index and the proof of a secret under the current key, with the slow hash in strict mode."""
    number = ports.keys.current
    index = index_of(ports.keys.derive(KeyPurpose.INDEX, number), secret)
    tag = tag_of(ports.keys.derive(KeyPurpose.TAG, number), account_id, credential_id, secret)
    slow_hash = await ports.hasher.hash(secret.text) if ports.policy.strict_hash else None
    return index, Proof(number, tag, slow_hash)


def _has_moved(task: asyncio.Task[None]) -> None:
    _moving.discard(task)
    bug = None if task.cancelled() else task.exception()
    if bug is not None:
        _log.error("key_move_failed", bug=place_of(bug))


async def _move(ports: Ports, found: FoundLogin, secret: Secret) -> None:
    credential_id = found.app_password.id

    def replace(writer: Writer) -> None:
        current = writer.app_password(credential_id)
        if current is not None and current.revoked_at is None:  # a revoked one has no proof and must get none
            writer.set_proof(credential_id, index, proof)

    try:
        index, proof = await proof_of(ports, found.account.id, credential_id, secret)
        await ports.store.write(replace)
    except Unavailable:
        _log.warning("key_move_failed", credential=credential_id)

"""The passwords that the gateway logs in to mail servers with, sealed in the store."""

from valetkey.core.errors import InvalidInput
from valetkey.core.event import UpstreamPasswordRemoved, UpstreamPasswordSet
from valetkey.core.main_password import MAX_LENGTH
from valetkey.service.authority import require_recent_proof, the_account
from valetkey.service.ports import Actor, Ports, Writer


async def set_upstream_password(ports: Ports, actor: Actor, account_id: str, password: str | None) -> None:
    """Store the password that the gateway logs in upstream with, sealed, or remove it.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such account, or not the actor's.
        InvalidInput: Empty, too long, or with characters that no mail protocol can carry.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    sealed = None if password is None else ports.keys.seal(_carried(password), _upstream_context(account_id))

    def apply(writer: Writer) -> None:
        account = the_account(writer, actor, account_id)
        writer.set_upstream_password(account.id, sealed)
        event = UpstreamPasswordRemoved() if sealed is None else UpstreamPasswordSet()
        writer.record(event, actor=actor, at=now, account_id=account.id)

    await ports.store.write(apply)


async def upstream_password(ports: Ports, account_id: str) -> str | None:
    """Give the stored upstream password, for the gateway alone.

    Raises:
        Unavailable: The store failed, or the password cannot be unsealed.
    """
    sealed = await ports.store.read(lambda reader: reader.upstream_password(account_id))
    return None if sealed is None else ports.keys.unseal(sealed, _upstream_context(account_id)).decode()


def _upstream_context(account_id: str) -> str:
    return f"upstream password\0{account_id}"


def _carried(password: str) -> bytes:
    if not password or len(password) > MAX_LENGTH or any(c in password for c in "\0\r\n"):
        raise InvalidInput("password", "This cannot be a mail server's password.")
    try:
        return password.encode()
    except UnicodeEncodeError:
        raise InvalidInput("password", "The password holds something that is not a character.") from None

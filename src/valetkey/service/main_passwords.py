"""Main passwords: trying one, the same way for portal and mail, at equal cost for everybody; and choosing a new one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from valetkey.core.account import Account
from valetkey.core.errors import InvalidInput
from valetkey.core.main_password import canonical_password, check_new_password
from valetkey.core.password_strength import Strength, require_enough
from valetkey.service.ports import Ports, Reader, Writer
from valetkey.service.throttling import Tally, is_over


class Outcome(Enum):
    """How a try ended."""

    RIGHT = "right"
    WRONG = "wrong"  # also: unknown, or an account whose main password is not for this use
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Tried:
    """A try, and the account that the name belongs to, if there is one."""

    outcome: Outcome
    account: Account | None
    hashed: str | None = field(default=None, repr=False)  # what was compared with; of a right password only

    def still_holds(self, reader: Reader) -> bool:
        """Whether the password is still the one that was right; it may have been set anew since it was compared."""
        return self.account is not None and reader.main_password(self.account.id) == self.hashed is not None


async def try_main_password(
    ports: Ports,
    *,
    name: str,
    password: str,
    where: Tally,
    is_for: Callable[[Account], bool],
    on_wrong: Callable[[Writer, Account | None], None] | None = None,
) -> Tried:
    """Compare a main password with that of the account with this name.

    Always one reading, one slow hash and one transaction, unless throttled; a name that nobody has and an account
    that `is_for` turns down cost the same as a wrong password.

    Args:
        ports: The ports.
        name: The canonical name, or "" if what was typed is none.
        password: As typed.
        where: Under what a failure is counted.
        is_for: Whether an account's main password may be used here at all.
        on_wrong: What more is written of a wrong password, in the same transaction, for unknown names as well.

    Raises:
        Unavailable: The store or the hasher failed; then nothing was told.
    """

    def look(reader: Reader) -> tuple[bool, Account | None, str | None]:
        account = reader.account_by_address(name)
        hashed = reader.main_password(account.id if account else "")
        return is_over(ports, reader, where), account, hashed

    over, account, hashed = await ports.store.read(look)
    if over:
        return Tried(Outcome.THROTTLED, account)
    usable = hashed if account is not None and is_for(account) else None
    is_right = await _verify(ports, usable, password)

    def settle(writer: Writer) -> bool:
        # Looked at again in the order of the transactions, so that tries in parallel do not outrun the counters.
        over = is_over(ports, writer, where)
        if not is_right and not over:
            writer.count_failure(where.window, where.network, where.secret_key)
            if on_wrong is not None:
                on_wrong(writer, account)
        return over

    if await ports.store.write(settle):
        return Tried(Outcome.THROTTLED, account)
    return Tried(Outcome.RIGHT, account, hashed) if is_right else Tried(Outcome.WRONG, account)


async def _verify(ports: Ports, hashed: str | None, password: str) -> bool:
    try:
        canonical = canonical_password(password)
    except InvalidInput:
        hashed, canonical = None, ""
    return await ports.hasher.verify(hashed, canonical) and hashed is not None


async def fit(ports: Ports, password: str, *, address: str) -> tuple[str, Strength]:
    """Hold a new main password against the rules; give it in canonical form, with how strong it is.

    Args:
        ports: The ports.
        password: As typed.
        address: Whose it shall be; what is like it is easily guessed.

    Raises:
        InvalidInput: Too short, too long, an app password, or guessed too soon; said with what would help.
        Unavailable: The estimate took too long.
    """
    canonical = check_new_password(password, address=address, min_length=ports.policy.min_password_length)
    local, _, domain = address.partition("@")
    strength = await ports.gauge.measure(canonical, (address, local, domain, domain.partition(".")[0], ports.issuer))
    require_enough(strength)
    return canonical, strength

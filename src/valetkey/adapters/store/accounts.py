"""Accounts in the store: names, states, rights, owners, and the two passwords that belong to a person."""

from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from valetkey.adapters.store.rows import ACCOUNT_COLUMNS, account_from, account_values, words
from valetkey.adapters.store.schema import account, address, main_password, owner, upstream_password
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.account import Account, AccountState
from valetkey.core.errors import Conflict
from valetkey.core.role import Role
from valetkey.core.scope import Permission

_TAKEN = "This address is taken."


class AccountReader(Transaction):
    """What can be read of accounts."""

    def account(self, account_id: str) -> Account | None:
        """Find an account by id."""
        return self._one_account(select(*ACCOUNT_COLUMNS).where(account.c.id == account_id))

    def account_by_address(self, name: str) -> Account | None:
        """Find an account by its primary address or an alias, canonical."""
        named = select(address.c.account_id).where(address.c.address == name).scalar_subquery()
        return self._one_account(select(*ACCOUNT_COLUMNS).where(account.c.id == named))

    def accounts(self, *, search: str = "", after: str = "", limit: int = 100) -> tuple[Account, ...]:
        """List accounts by address: those behind the address `after`, whose address or an alias holds `search`."""
        statement = select(*ACCOUNT_COLUMNS).where(account.c.address > after)
        if search:
            held = select(address.c.account_id).where(address.c.address.contains(search.lower(), autoescape=True))
            statement = statement.where(account.c.id.in_(held))
        return self._accounts(statement.order_by(account.c.address).limit(limit))

    def account_count(self) -> int:
        """Count all accounts."""
        return int(self._value(select(func.count()).select_from(account)))

    def aliases(self, account_id: str) -> tuple[str, ...]:
        """List the addresses of an account beside its primary one, in order."""
        primary = select(account.c.address).where(account.c.id == account_id).scalar_subquery()
        statement = select(address.c.address).where(address.c.account_id == account_id, address.c.address != primary)
        return tuple(row[0] for row in self._rows(statement.order_by(address.c.address)))

    def owners(self, shared_id: str) -> tuple[Account, ...]:
        """List the people who own a shared account, by address."""
        ids = select(owner.c.person_id).where(owner.c.shared_id == shared_id)
        return self._accounts(select(*ACCOUNT_COLUMNS).where(account.c.id.in_(ids)).order_by(account.c.address))

    def owned(self, person_id: str) -> tuple[Account, ...]:
        """List the shared accounts that a person owns, by address."""
        ids = select(owner.c.shared_id).where(owner.c.person_id == person_id)
        return self._accounts(select(*ACCOUNT_COLUMNS).where(account.c.id.in_(ids)).order_by(account.c.address))

    def main_password(self, account_id: str) -> str | None:
        """Give the Argon2id hash of an account's main password."""
        statement = select(main_password.c.hashed).where(main_password.c.account_id == account_id)
        hashed: str | None = self._value(statement)
        return hashed

    def upstream_password(self, account_id: str) -> bytes | None:
        """Give the sealed password that the gateway logs in upstream with."""
        statement = select(upstream_password.c.sealed).where(upstream_password.c.account_id == account_id)
        sealed: bytes | None = self._value(statement)
        return sealed

    def _one_account(self, statement: Select[Any]) -> Account | None:
        row = self._row(statement)
        return None if row is None else account_from(row)

    def _accounts(self, statement: Select[Any]) -> tuple[Account, ...]:
        return tuple(account_from(row) for row in self._rows(statement))


class AccountWriter(AccountReader):
    """What can be changed of accounts."""

    def add_account(self, value: Account) -> None:
        """Store a new account with its primary address.

        Raises:
            Conflict: The address is taken.
        """
        self._take_address(value.id, value.address)
        self._affected(insert(account).values(account_values(value)))

    def set_account_state(self, account_id: str, state: AccountState) -> None:
        """Enable or disable an account.

        Raises:
            NotFound: There is no such account.
        """
        self._change_one(update(account).where(account.c.id == account_id).values(state=state.value), "account")

    def set_rights(self, account_id: str, rights: frozenset[Permission]) -> None:
        """Set what an account's credentials may be given at most.

        Raises:
            NotFound: There is no such account.
        """
        self._change_one(update(account).where(account.c.id == account_id).values(rights=words(rights)), "account")

    def set_role(self, account_id: str, role: Role | None) -> None:
        """Set an account's role in the console, or take it away.

        Raises:
            NotFound: There is no such account.
        """
        value = None if role is None else role.value
        self._change_one(update(account).where(account.c.id == account_id).values(role=value), "account")

    def add_alias(self, account_id: str, name: str) -> None:
        """Let an account log in with one more address.

        Raises:
            Conflict: The address is taken.
        """
        self._take_address(account_id, name)

    def remove_alias(self, account_id: str, name: str) -> bool:
        """Take an alias away; False if the account has no such alias. The primary address is none."""
        statement = delete(address).where(
            address.c.account_id == account_id,
            address.c.address == name,
            address.c.address.not_in(select(account.c.address).where(account.c.id == account_id)),
        )
        return self._affected(statement) == 1

    def add_owner(self, shared_id: str, person_id: str) -> None:
        """Let a person manage a shared account; it is no matter if that is so already."""
        self._affected(upsert(owner).values(shared_id=shared_id, person_id=person_id).on_conflict_do_nothing())

    def remove_owner(self, shared_id: str, person_id: str) -> bool:
        """Take a shared account away from a person; False if it was not theirs."""
        statement = delete(owner).where(owner.c.shared_id == shared_id, owner.c.person_id == person_id)
        return self._affected(statement) == 1

    def set_main_password(self, account_id: str, hashed: str) -> None:
        """Store the Argon2id hash of the main password."""
        statement = upsert(main_password).values(account_id=account_id, hashed=hashed)
        self._affected(statement.on_conflict_do_update(index_elements=["account_id"], set_={"hashed": hashed}))

    def set_upstream_password(self, account_id: str, sealed: bytes | None) -> None:
        """Store the sealed upstream password, or remove it."""
        if sealed is None:
            self._affected(delete(upstream_password).where(upstream_password.c.account_id == account_id))
            return
        statement = upsert(upstream_password).values(account_id=account_id, sealed=sealed)
        self._affected(statement.on_conflict_do_update(index_elements=["account_id"], set_={"sealed": sealed}))

    def _take_address(self, account_id: str, name: str) -> None:
        statement = upsert(address).values(address=name, account_id=account_id).on_conflict_do_nothing()
        if self._affected(statement) != 1:
            raise Conflict(_TAKEN)

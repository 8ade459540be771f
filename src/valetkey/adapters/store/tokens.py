"""API tokens in the store: found by a keyed index, erased when they are revoked."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, or_, select, tuple_, update

from valetkey.adapters.store.rows import micros, moment, moment_or_none, words
from valetkey.adapters.store.schema import account, api_token
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.api_token import ApiToken
from valetkey.core.role import Action

_KNOWN = frozenset(Action)
_NEWEST_FIRST = (api_token.c.created_at.desc(), api_token.c.id.desc())


class TokenReader(Transaction):
    """What can be read of API tokens."""

    def api_token(self, token_id: str) -> ApiToken | None:
        """Find a token by its public id."""
        row = self._row(select(api_token).where(api_token.c.id == token_id))
        return None if row is None else _token_from(row)

    def api_token_by_index(self, indexes: Sequence[bytes]) -> ApiToken | None:
        """Find a token by the index of its secret under each key; a revoked one is not found."""
        row = self._row(select(api_token).where(api_token.c.secret_index.in_(indexes)))
        return None if row is None else _token_from(row)

    def api_tokens(self, account_id: str, *, live_only: bool = True) -> tuple[ApiToken, ...]:
        """List the tokens of an account, newest first; those that are not revoked unless told otherwise."""
        statement = select(api_token).where(api_token.c.account_id == account_id)
        if live_only:
            statement = statement.where(api_token.c.revoked_at.is_(None))
        return tuple(_token_from(row) for row in self._rows(statement.order_by(*_NEWEST_FIRST)))

    def api_tokens_in_reach(self, account_id: str) -> tuple[ApiToken, ...]:
        """List the tokens that are not revoked and are an account's, or were made by its person, newest first."""
        theirs = or_(api_token.c.account_id == account_id, api_token.c.created_by == account_id)
        statement = select(api_token).where(theirs, api_token.c.revoked_at.is_(None))
        return tuple(_token_from(row) for row in self._rows(statement.order_by(*_NEWEST_FIRST)))

    def api_tokens_where(
        self, *, search: str = "", live_only: bool = True, after: tuple[datetime, str] | None = None, limit: int = 50
    ) -> tuple[ApiToken, ...]:
        """List everybody's tokens, newest first, behind (created_at, id).

        `search` is part of a name or of an address.
        """
        statement = select(api_token).join(account, account.c.id == api_token.c.account_id)
        if live_only:
            statement = statement.where(api_token.c.revoked_at.is_(None))
        if search:
            named = api_token.c.name.icontains(search, autoescape=True)
            statement = statement.where(or_(named, account.c.address.contains(search.lower(), autoescape=True)))
        if after is not None:
            place = tuple_(api_token.c.created_at, api_token.c.id)
            statement = statement.where(place < tuple_(micros(after[0]), after[1]))
        rows = self._rows(statement.order_by(*_NEWEST_FIRST).limit(limit))
        return tuple(map(_token_from, rows))

    def token_keys(self) -> frozenset[int]:
        """Give the numbers of the keys that tokens not revoked are kept under."""
        return frozenset(
            row[0]
            for row in self._rows(select(api_token.c.key_number).where(api_token.c.revoked_at.is_(None)).distinct())
        )


class TokenWriter(TokenReader):
    """What can be changed of API tokens."""

    def add_api_token(self, token: ApiToken, key_number: int, index: bytes) -> None:
        """Store a new token.

        Raises:
            Conflict: Its id or its secret exists already.
        """
        values = {
            "id": token.id,
            "account_id": token.account_id,
            "name": token.name,
            "actions": words(token.actions),
            "allowed_ips": json.dumps(token.allowed_ips),
            "created_at": micros(token.created_at),
            "created_by": token.created_by,
            "created_from": token.created_from,
            "expires_at": micros(token.expires_at),
            "last_used_address": token.last_used_address,
            "key_number": key_number,
            "secret_index": index,
        }
        self._affected(insert(api_token).values(values))

    def use_api_token(self, token_id: str, *, at: datetime, address: str) -> None:
        """Keep when and from where a token was used last."""
        statement = update(api_token).where(api_token.c.id == token_id)
        self._affected(statement.values(last_used_at=micros(at), last_used_address=address))

    def set_api_token_index(self, token_id: str, key_number: int, index: bytes) -> None:
        """Keep a token under another key. Does nothing to a revoked one, whose index stays erased."""
        statement = update(api_token).where(and_(api_token.c.id == token_id, api_token.c.revoked_at.is_(None)))
        self._affected(statement.values(key_number=key_number, secret_index=index))

    def set_api_token_revoked(self, token_id: str, *, at: datetime, by: str) -> bool:
        """Revoke, and erase what is kept of the secret; False if it was revoked before."""
        statement = update(api_token).where(and_(api_token.c.id == token_id, api_token.c.revoked_at.is_(None)))
        return self._affected(statement.values(revoked_at=micros(at), revoked_by=by, secret_index=None)) == 1


def _token_from(row: Any) -> ApiToken:
    return ApiToken(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        # An action that this version does not know permits nothing.
        actions=frozenset(Action(word) for word in row.actions.split() if word in _KNOWN),
        allowed_ips=tuple(json.loads(row.allowed_ips)),
        created_at=moment(row.created_at),
        created_by=row.created_by,
        created_from=row.created_from,
        expires_at=moment(row.expires_at),
        last_used_at=moment_or_none(row.last_used_at),
        last_used_address=row.last_used_address,
        revoked_at=moment_or_none(row.revoked_at),
        revoked_by=row.revoked_by,
    )

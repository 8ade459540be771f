"""What API requests with an idempotency key were answered, in the store."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from valetkey.adapters.store.rows import micros
from valetkey.adapters.store.schema import api_answer
from valetkey.adapters.store.transaction import Transaction
from valetkey.service.store_parts import ApiAnswer


class AnswerReader(Transaction):
    """What can be read of answers."""

    def api_answer(self, token_id: str, key: str) -> ApiAnswer | None:
        """Find what a token's request with this key was answered."""
        statement = select(api_answer.c.request_hash, api_answer.c.status, api_answer.c.body)
        row = self._row(statement.where(api_answer.c.token_id == token_id, api_answer.c.key == key))
        return None if row is None else ApiAnswer(row.request_hash, row.status, row.body)


class AnswerWriter(AnswerReader):
    """What can be changed of answers."""

    def begin_api_answer(self, token_id: str, key: str, request_hash: bytes, at: datetime) -> bool:
        """Keep that a request with this key runs; False if there was one before."""
        values = {"token_id": token_id, "key": key, "request_hash": request_hash, "made_at": micros(at)}
        return self._affected(upsert(api_answer).values(values).on_conflict_do_nothing()) == 1

    def set_api_answer(self, token_id: str, key: str, status: int, body: str) -> None:
        """Keep what it was answered."""
        statement = update(api_answer).where(api_answer.c.token_id == token_id, api_answer.c.key == key)
        self._affected(statement.values(status=status, body=body))

    def drop_api_answer(self, token_id: str, key: str) -> None:
        """Forget one, so that it can be tried again."""
        self._affected(delete(api_answer).where(api_answer.c.token_id == token_id, api_answer.c.key == key))

    def forget_api_answers(self, before: datetime) -> int:
        """Forget those of requests that came before a time; give how many."""
        return self._affected(delete(api_answer).where(api_answer.c.made_at < micros(before)))

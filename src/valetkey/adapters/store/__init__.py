"""The store: SQLite through SQLAlchemy Core, migrations by Alembic."""

from valetkey.adapters.store.key_check import check_keys
from valetkey.adapters.store.store import SqliteStore, open_store

__all__ = ["SqliteStore", "check_keys", "open_store"]

"""The store: SQLite through SQLAlchemy Core, migrations by Alembic."""

from valetkey.adapters.store.backup import backup
from valetkey.adapters.store.inspect import check_file
from valetkey.adapters.store.key_check import check_keys
from valetkey.adapters.store.store import SqliteStore, open_store

__all__ = ["SqliteStore", "backup", "check_file", "check_keys", "open_store"]

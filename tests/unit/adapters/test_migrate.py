"""Migrations: the tables that are made are those that the code reads, and an older database comes along."""

import shutil
import sqlite3

import pytest
from alembic.script import ScriptDirectory
from tests.contract.values import an_account

from valetkey.adapters.store import migrate, open_store
from valetkey.adapters.store.schema import metadata
from valetkey.core.errors import CannotStart

NEWEST = max(script.name for script in (migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))[:4]
NEXT = '''"""One more."""
from alembic import op

revision = "9999"
down_revision = "%s"


def upgrade():
    op.execute("CREATE TABLE more (x INTEGER) STRICT")
    op.execute("%s")
'''


@pytest.fixture
def path(tmp_path):
    return tmp_path / "valetkey.db"


def test_the_files_are_named_after_their_revisions():
    """The names tell what Alembic would read in the files, so that it need not be imported at every start."""
    scripts = ScriptDirectory(str(migrate.MIGRATIONS))
    told = tuple(script.revision for script in scripts.walk_revisions())  # the newest first
    assert migrate.revisions(migrate.MIGRATIONS) == tuple(reversed(told))
    assert scripts.get_heads() == [NEWEST]


def with_one_more(tmp_path, statement):
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, scripts)
    (scripts / "versions" / "9999_more.py").write_text(NEXT % (NEWEST, statement))
    return scripts


def query(path, statement):
    with sqlite3.connect(path) as connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def test_the_tables_are_those_that_the_code_reads(path):
    open_store(path).close()
    made = {row[0] for row in query(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert made == {*metadata.tables, "alembic_version"}
    for name, table in metadata.tables.items():
        columns = [row[1] for row in query(path, f"PRAGMA table_info({name})")]
        assert sorted(columns) == sorted(table.columns.keys()), name  # a later column stands at the end of its table


def test_every_table_is_strict_about_its_types(path):
    open_store(path).close()
    loose = {row[1] for row in query(path, "PRAGMA table_list") if not row[5]}
    assert loose == {"alembic_version", "sqlite_schema", "sqlite_temp_schema"}


def test_types_and_absence_agree(path):
    open_store(path).close()
    kinds = {"INTEGER": "INTEGER", "VARCHAR": "TEXT", "BLOB": "BLOB"}
    for name, table in metadata.tables.items():
        made = {row[1]: (row[2], bool(row[3]) or bool(row[5])) for row in query(path, f"PRAGMA table_info({name})")}
        read = {c.name: (kinds[str(c.type)], not c.nullable) for c in table.columns}
        assert made == read, name


async def test_an_older_database_is_migrated_and_kept(path, tmp_path):
    store = open_store(path)
    await store.write(lambda writer: writer.add_account(an_account()))
    store.close()
    migrate.bring_up_to_date(path, migrations=with_one_more(tmp_path, "INSERT INTO more VALUES (1)"))
    assert query(path, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert query(path, "SELECT id FROM account") == [("ac_alice",)]
    kept = path.with_name(f"valetkey.db.before-{NEWEST}")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert query(kept, "SELECT id FROM account") == [("ac_alice",)]
    with pytest.raises(CannotStart, match="newer Valetkey"):
        open_store(path)


async def test_a_migration_that_fails_changes_nothing(path, tmp_path):
    store = open_store(path)
    await store.write(lambda writer: writer.add_account(an_account()))
    store.close()
    scripts = with_one_more(tmp_path, "INSERT INTO no_such_table VALUES (1)")
    with pytest.raises(CannotStart):
        migrate.bring_up_to_date(path, migrations=scripts)
    assert query(path, "SELECT version_num FROM alembic_version") == [(NEWEST,)]
    assert query(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'more'") == [(0,)]
    again = open_store(path)
    assert (await again.read(lambda reader: reader.account_count())) == 1
    again.close()


def test_a_new_database_leaves_no_copy(path):
    open_store(path).close()
    assert [part.name for part in path.parent.iterdir()] == ["valetkey.db"]

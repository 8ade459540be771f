"""Running the migrations, by Alembic. Imported when one is due, which is once for each new version."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from valetkey.adapters.store.connect import APPLICATION_ID, engine


def upgrade(path: Path, migrations: Path, *, busy_timeout: float) -> None:
    """Migrate a database to the newest revision, in one transaction.

    Args:
        path: The database.
        migrations: The folder of Alembic's environment.
        busy_timeout: How long to wait while another process migrates, in seconds.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: A migration failed; the database is as it was.
    """
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    migrating = engine(path, connections=1, busy_timeout=busy_timeout, begin="BEGIN IMMEDIATE")
    try:
        with migrating.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    finally:
        migrating.dispose()

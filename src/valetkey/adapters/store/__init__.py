"""The store: SQLite through SQLAlchemy Core, migrations by Alembic."""

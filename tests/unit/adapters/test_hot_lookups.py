"""The look-ups of the event loop: one statement each, found or not, and never a walk through a table."""

import pytest
from tests.contract.values import add_person, add_secret, index_of

from valetkey.adapters.store import hot, open_store


@pytest.fixture
async def store(tmp_path):
    opened = open_store(tmp_path / "valetkey.db")
    await opened.write(add_person)
    await opened.write(add_secret)
    yield opened
    opened.close()


@pytest.fixture
def statements(store):
    seen = []
    store._hot._connection.set_trace_callback(seen.append)
    return seen


@pytest.mark.parametrize(
    ("name", "secret", "is_found"),
    [
        ("alice@example.org", "phone", True),
        ("nobody@example.org", "phone", True),
        ("alice@example.org", "wrong", False),
        ("nobody@example.org", "wrong", False),
    ],
)
def test_a_login_is_one_statement_whatever_it_finds(store, statements, name, secret, is_found):
    found = store.find_login(name, [index_of(secret), index_of("under an older key")])
    assert (found is not None) is is_found
    assert len(statements) == 1
    # The name is looked up in every case, and the shape of the statement is one and the same.
    assert "FROM address WHERE address = " in statements[0]


@pytest.mark.parametrize("keys", [1, 2, 3])
def test_a_login_walks_through_no_table(store, keys):
    statement = store._hot._find_login_by(keys)
    plan = plan_of(store, statement, ("alice@example.org", *[index_of("phone")] * keys))
    assert [step for step in plan if step.startswith("SCAN") and step not in {"SCAN n", "SCAN CONSTANT ROW"}] == []
    assert any("SEARCH p USING INDEX" in step and "secret_index=?" in step for step in plan)


@pytest.mark.parametrize(
    ("statement", "values"),
    [(hot._FIND_ACCOUNT, ("a",)), (hot._FIND_PROVEN, ("a", "b")), (hot._CHANGES, (1, 10))],
)
def test_the_others_walk_through_no_table(store, statement, values):
    assert [step for step in plan_of(store, statement, values) if step.startswith("SCAN")] == []


def plan_of(store, statement, values):
    return [row[3] for row in store._hot._connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def test_the_connection_of_the_event_loop_cannot_write(store):
    assert store._hot._connection.execute("PRAGMA query_only").fetchone() == (1,)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1), ("trusted_schema", 0)],
)
async def test_every_connection_has_the_settings_that_durability_needs(store, pragma, value):
    def asked(reader):
        return reader._connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

    assert await store.write(asked) == value
    assert await store.read(asked) == value

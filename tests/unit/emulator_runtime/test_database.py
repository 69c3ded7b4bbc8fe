"""Threads that share a SQLite file: their blocks nest, roll back whole, and writers wait for each other.

Proves the behaviour of ``Database`` on real files. Says nothing about speed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from hybrid.emulator.runtime.storage.database import CONNECTIONS, Database

pytestmark = pytest.mark.unit

INSERT = sqlalchemy.text("INSERT INTO numbers VALUES (:number)")
COUNT = sqlalchemy.text("SELECT count(*) FROM numbers")
INCREASE = sqlalchemy.text("UPDATE counter SET value = :value")
READ = sqlalchemy.text("SELECT value FROM counter")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "file.db")
    with made.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE numbers (number INTEGER)"))
        connection.execute(sqlalchemy.text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(sqlalchemy.text("INSERT INTO counter VALUES (0)"))
    yield made
    made.dispose()


def count(database: Database) -> int:
    with database.connect() as connection:
        return int(connection.execute(COUNT).scalar_one())


def test_an_inner_block_is_part_of_the_outer_one(database: Database) -> None:
    def fail_after_an_inner_block() -> None:
        with database.connect() as outer:
            with database.connect() as inner:
                assert inner is outer, "one connection a thread, or a thread would wait for itself"
                inner.execute(INSERT, {"number": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_an_inner_block()
    assert count(database) == 0, "the outermost block decides, also on what an inner one has finished"


def test_a_writer_that_failed_lets_the_next_one_in(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction():
        raise RuntimeError
    with database.transaction() as connection:
        connection.execute(INSERT, {"number": 1})
    assert count(database) == 1


def test_a_transaction_can_begin_within_a_block_that_has_only_read(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(COUNT).scalar_one()
        with database.transaction() as writer:
            writer.execute(INSERT, {"number": 1})
    assert count(database) == 1


def test_what_a_transaction_has_read_does_not_change_before_it_writes(database: Database) -> None:
    def increase() -> None:
        for _ in range(25):
            with database.transaction() as connection:
                value = int(connection.execute(READ).scalar_one())
                connection.execute(INCREASE, {"value": value + 1})

    run_in_threads(increase, 8)
    with database.connect() as connection:
        assert connection.execute(READ).scalar_one() == 200, "updates were lost"


def test_more_threads_than_connections_wait_for_their_turn(database: Database) -> None:
    def write_and_read() -> None:
        for number in range(10):
            with database.connect() as connection:
                connection.execute(INSERT, {"number": number})
            count(database)

    run_in_threads(write_and_read, CONNECTIONS * 3)
    assert count(database) == CONNECTIONS * 30


def test_a_table_that_is_made_later_is_found(database: Database) -> None:
    assert not database.has_table("later")
    with database.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE later (number INTEGER)"))
    assert database.has_table("later"), "only presence may be remembered"


def run_in_threads(work: object, number: int) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures

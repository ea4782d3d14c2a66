"""Table: a look-up on disk, for what a data set keeps in two places and memory must not hold."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import final


@final
class Table:
    """Values by key; a key may have several, and they come back in the order they were put."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE rows (key BLOB, value BLOB)")
        connection.execute("CREATE INDEX keys ON rows (key)")

    def put(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Add rows of key and value."""
        self._connection.executemany("INSERT INTO rows VALUES (?, ?)", rows)

    def get(self, key: bytes) -> list[bytes]:
        """Return the values of `key`, none for an unknown one."""
        found = self._connection.execute("SELECT value FROM rows WHERE key = ? ORDER BY rowid", (key,))
        return [value for (value,) in found]


@contextmanager
def temporary_table() -> Iterator[Table]:
    """Yield an empty table in a file that is gone with the process, however that ends."""
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as connection:
        # Nothing of it outlives the process, so nothing has to be safe from a crash.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        yield Table(connection)

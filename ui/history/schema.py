"""The history's database file: who may read it, how SQLite treats it, and its format, brought up to date step by step."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from engine.files.sizes import BYTES_PER_MB
from ui.history.errors import HistoryNewerError

#: A database up to this size is looked through when it is opened; of a larger one damage shows when it is met.
CHECKED_BYTES = 64 * BYTES_PER_MB

#: The steps from an empty file to the present format, each a list of statements; a step that was published is never changed.
#: ``words`` is the name and the text as they are searched, ``content`` all that is needed to show the transcript again.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE transcripts (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            made_s REAL NOT NULL,
            duration_s REAL NOT NULL,
            words TEXT NOT NULL,
            content BLOB NOT NULL,
            sound INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX transcripts_of_owner ON transcripts (owner, number)",
        "CREATE INDEX transcripts_by_age ON transcripts (made_s)",
        "CREATE TABLE choices (owner TEXT PRIMARY KEY, keep TEXT NOT NULL, chosen_s REAL NOT NULL)",
    ),
    (
        # Pieces of three letters: Chinese has no spaces between words that an index of words could use.
        "CREATE VIRTUAL TABLE word_index USING fts5(words, content='transcripts', content_rowid='number', tokenize='trigram')",
        "INSERT INTO word_index(word_index) VALUES ('rebuild')",
        """CREATE TRIGGER transcript_added AFTER INSERT ON transcripts BEGIN
            INSERT INTO word_index(rowid, words) VALUES (new.number, new.words);
        END""",
        """CREATE TRIGGER transcript_deleted AFTER DELETE ON transcripts BEGIN
            INSERT INTO word_index(word_index, rowid, words) VALUES ('delete', old.number, old.words);
        END""",
        """CREATE TRIGGER transcript_changed AFTER UPDATE OF words ON transcripts BEGIN
            INSERT INTO word_index(word_index, rowid, words) VALUES ('delete', old.number, old.words);
            INSERT INTO word_index(rowid, words) VALUES (new.number, new.words);
        END""",
    ),
)
VERSION = len(MIGRATIONS)


def open_database(file: Path, *, most_mb: int, busy_s: float) -> sqlite3.Connection:
    """The database, made if need be, readable by this user alone, in the present format, at most ``most_mb`` large.

    A call that finds it held by another program waits ``busy_s``.

    Raises OSError, sqlite3.Error (SQLITE_CORRUPT or SQLITE_NOTADB for a damaged file) and HistoryNewerError.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made here, for SQLite would let others read it; its companions (-wal, -shm) get the same rights.
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    file.chmod(0o600)
    connection = sqlite3.connect(file, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _set_up(connection, most_mb=most_mb)
        if file.stat().st_size <= CHECKED_BYTES:
            _check(connection)
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, *, most_mb: int) -> None:
    connection.execute("PRAGMA journal_mode = WAL")  # on a file system without shared memory SQLite stays with its older journal
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # what a person deletes is overwritten, not only unlinked
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA max_page_count = {most_mb * BYTES_PER_MB // page_bytes}")


def _check(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _migrate(connection: sqlite3.Connection) -> None:
    found = _version(connection)
    if found > VERSION:
        raise HistoryNewerError(version=found, known=VERSION)
    if found == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")  # one process brings it up to date, others find it done
    try:
        for step in MIGRATIONS[_version(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])

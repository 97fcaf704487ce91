"""Transcripts in SQLite, each of one owner: added, found by their words, shown again, changed, deleted, forgotten.

One connection, one thread at a time. A damaged file is set aside under another name, and the next call begins a new one.
"""

from __future__ import annotations

import errno
import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ui.history.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryLockedError,
    HistoryUnavailableError,
)
from ui.history.kept_transcript import SELECTED, Keep, KeptTranscript, kept_row, row_words
from ui.history.schema import open_database
from ui.history.search import conditions

_log = logging.getLogger(__name__)

FILE = "history.sqlite"
#: A call that finds the database held by another program waits so long for it, and a call that follows within this time does not wait
#: again; our own calls wait for each other.
BUSY_S, OWN_S = 2.0, 30.0
_ASIDE = f"{FILE}.damaged-"
#: Transcripts that one answer lists.
PAGE_ROWS = 50
#: What a browser remembers of a person longest; then a choice that nobody renewed is forgotten too.
CHOICE_KEPT_S = 400 * 86_400.0
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
#: The part of an error's code that names its family.
_PRIMARY = 0xFF
#: With less room than this a failed write is a full disk, whatever SQLite calls it.
_LEAST_FREE_BYTES = 1_000_000


class HistoryStore:
    """The database ``history.sqlite`` in ``folder``, at most ``most_mb`` large."""

    def __init__(self, folder: Path, *, most_mb: int, busy_s: float = BUSY_S, clock_s: Callable[[], float] = time.time) -> None:
        self._folder, self._most_mb, self._busy_s, self._clock_s = folder, most_mb, busy_s, clock_s
        self._held_until_s = 0.0
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @property
    def file(self) -> Path:
        """Where the database lies."""
        return self._folder / FILE

    def set_aside(self) -> list[Path]:
        """Damaged databases that lie beside this one, oldest first."""
        return sorted(path for path in self._folder.glob(f"{_ASIDE}*") if not path.name.endswith(("-wal", "-shm")))

    def choice(self, owner: str) -> Keep:
        """What the owner has kept: the text, unless they chose otherwise."""
        with self._using() as database:
            row = database.execute("SELECT keep FROM choices WHERE owner = ?", [owner]).fetchone()
        return Keep.TEXT if row is None else Keep(row[0])

    def choose(self, owner: str, keep: Keep) -> None:
        """Remember what the owner wants kept from now on."""
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO choices VALUES (?, ?, ?)", [owner, keep.value, self._clock_s()])

    def add(self, owner: str, kept: KeptTranscript) -> None:
        """Take a transcript in; one that is there already stays as it is."""
        values = [
            kept.id,
            owner,
            kept.kind,
            kept.name,
            kept.made_s,
            kept.duration_s,
            row_words(kept.name, kept.text),
            kept.content,
            kept.sound,
        ]
        with self._writing() as database:
            database.execute(
                "INSERT OR IGNORE INTO transcripts (id, owner, kind, name, made_s, duration_s, words, content, sound) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

    def update(self, owner: str, transcript_id: str, *, text: str, content: bytes) -> bool:
        """Replace the words of a transcript, as after an edit; False where it is not there (any more)."""
        with self._writing() as database:
            row = database.execute("SELECT name FROM transcripts WHERE id = ? AND owner = ?", [transcript_id, owner]).fetchone()
            if row is None:
                return False
            database.execute(
                "UPDATE transcripts SET words = ?, content = ? WHERE id = ?", [row_words(row[0], text), content, transcript_id]
            )
        return True

    def find(self, owner: str, transcript_id: str) -> KeptTranscript | None:
        """One transcript with its content; None where the owner has none of this id."""
        with self._using() as database:
            row = database.execute(f"{SELECTED}, content FROM transcripts WHERE id = ? AND owner = ?", [transcript_id, owner]).fetchone()
        return row and kept_row(row)

    def page(self, owner: str, *, query: str = "", before: int | None = None) -> list[KeptTranscript]:
        """The owner's latest transcripts that hold every word of ``query``, without their content; those older than number ``before``."""
        where, values = conditions(query)
        older = "" if before is None else " AND number < ?"
        sql = f"{SELECTED} FROM transcripts WHERE owner = ?{where}{older} ORDER BY number DESC LIMIT {PAGE_ROWS}"
        with self._using() as database:
            rows = database.execute(sql, [owner, *values, *([] if before is None else [before])]).fetchall()
        return [kept_row(row) for row in rows]

    def count(self, owner: str) -> int:
        """How many transcripts the owner has."""
        with self._using() as database:
            return int(database.execute("SELECT count(*) FROM transcripts WHERE owner = ?", [owner]).fetchone()[0])

    def ids(self, owner: str | None = None, *, older_than_s: float | None = None) -> list[str]:
        """Ids of the owner's transcripts, or of everybody's; with ``older_than_s`` of those made before that moment."""
        sql, values = "SELECT id FROM transcripts WHERE 1", list[object]()
        if owner is not None:
            sql, values = f"{sql} AND owner = ?", [owner]
        if older_than_s is not None:
            sql, values = f"{sql} AND made_s < ?", [*values, older_than_s]
        with self._using() as database:
            return [row[0] for row in database.execute(sql, values)]

    def delete(self, ids: list[str]) -> int:
        """Delete these transcripts: -> how many there were."""
        with self._writing() as database:
            deleted = sum(database.execute("DELETE FROM transcripts WHERE id = ?", [one]).rowcount for one in ids)
            database.execute("DELETE FROM choices WHERE chosen_s < ?", [self._clock_s() - CHOICE_KEPT_S])
        return deleted

    def clear_traces(self) -> None:
        """Take deleted words out of the index's older parts and out of the journal, where they stand until SQLite writes over them."""
        with self._using() as database:
            database.execute("INSERT INTO word_index(word_index) VALUES ('optimize')")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def forget_set_aside(self, *, older_than_s: float) -> None:
        """Delete damaged databases that were last written before that moment."""
        for path in self._folder.glob(f"{_ASIDE}*"):
            if path.stat().st_mtime < older_than_s:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of what the block writes."""
        with self._using() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # SQLite itself rolls back where a disk is full
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The open database, for this thread alone; what goes wrong with it leaves as a HistoryError."""
        if not self._lock.acquire(timeout=OWN_S):
            raise HistoryLockedError
        try:
            if time.monotonic() < self._held_until_s:
                raise HistoryLockedError
            if self._connection is None:
                self._connection = open_database(self.file, most_mb=self._most_mb, busy_s=self._busy_s)
            yield self._connection
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise HistoryFullError from error
            _log.warning("the history in %s cannot be used: %s", self._folder, error)
            raise HistoryUnavailableError(path=self._folder, reason=error.strerror or type(error).__name__) from error
        finally:
            self._lock.release()

    def _translated(self, error: sqlite3.Error) -> HistoryError:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code in _DAMAGED:
            return self._put_aside()
        if code in _HELD:
            self._held_until_s = time.monotonic() + self._busy_s
            return HistoryLockedError()
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES):
            return HistoryFullError()
        _log.warning("the history in %s cannot be used: %s", self._folder, error)
        self._close()  # a file that was replaced or a disk that is gone is looked for anew
        return HistoryUnavailableError(path=self._folder, reason=str(error))

    def _put_aside(self) -> HistoryError:
        """Rename the damaged file with its companions; an error of its own where that cannot be done."""
        self._close()
        name = f"{_ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        try:
            for suffix in ("", "-wal", "-shm"):
                path = self._folder / f"{FILE}{suffix}"
                if path.exists():
                    path.rename(self._folder / f"{name}{suffix}")
        except OSError as failed:
            return HistoryUnavailableError(path=self._folder, reason=f"damaged, and {failed.strerror or type(failed).__name__}")
        error = HistoryDamagedError(aside=name)
        _log.error("%s", error)
        return error

"""The history of a server: what runs bring is written behind their back, so that nothing of it delays or spoils a transcript.

One thread writes. What could not be written is kept in memory and tried again until it can be, or the server stops.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.files.file_names import printable
from ui.history.errors import HistoryDamagedError, HistoryError, HistoryGoneError
from ui.history.kept_result import kept_content, kept_text, read_content
from ui.history.kept_transcript import Keep, KeptTranscript
from ui.history.options import HistoryOptions
from ui.history.sounds import SoundFolder
from ui.history.store import HistoryStore
from ui.scheduling.recording_queue import Result
from ui.text.failures import Failure, failure_of

_log = logging.getLogger(__name__)

DAY_S = 86_400.0
#: After a failure the next attempt comes so much later.
RETRY_S = 15.0
#: Transcripts that wait for a database that takes none; beyond that the oldest are given up.
MOST_WAITING = 200
#: Transcripts that wait are written for at most so long when the server stops.
CLOSE_WITHIN_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A transcript on its way into the database."""

    owner: str
    id: str
    kind: str
    name: str
    made_s: float
    result: Result
    #: Whether it was never written before: what was deleted since is not brought back by an edit.
    is_new: bool
    #: The recording was made for the history alone, and is deleted where it is not kept.
    owns_sound: bool = False


class History:
    """Keeps transcripts for their owners, finds them again and forgets them; thread-safe."""

    def __init__(self, options: HistoryOptions, *, clock_s: Callable[[], float] = time.time) -> None:
        self.days = options.days
        self.store = HistoryStore(options.folder, most_mb=options.text_mb, clock_s=clock_s)
        self.sounds = SoundFolder(options.folder, most_mb=options.sound_mb, clock_s=clock_s)
        self._clock_s = clock_s
        self._changed = threading.Condition()
        self._waiting: dict[str, Waiting] = {}
        self._failures: dict[str, Failure] = {}
        #: What is being written, and whether it was deleted meanwhile.
        self._writing: Waiting | None = None
        self._is_unwanted = False
        self._retry_at_s = 0.0
        self._closing = False
        self._thread: threading.Thread | None = None

    def keep(self, owner: str, transcript_id: str, *, kind: str, name: str, result: Result, is_new: bool, owns_sound: bool = False) -> None:
        """Have a result written soon, as far as its owner wants it kept; a later one of the same id takes its place."""
        coming = Waiting(
            owner=owner,
            id=transcript_id,
            kind=kind,
            name=printable(name),
            made_s=self._clock_s(),
            result=result,
            is_new=is_new,
            owns_sound=owns_sound,
        )
        with self._changed:
            before = self._waiting.pop(transcript_id, None)
            self._waiting[transcript_id] = replace(coming, is_new=is_new or (before is not None and before.is_new))
            while len(self._waiting) > MOST_WAITING:
                given_up = next(iter(self._waiting))
                del self._waiting[given_up]
                _log.error("the history has taken nothing for too long: a transcript is given up")
            self._start_writing()
            self._changed.notify_all()

    def is_waiting(self, ids: Iterable[str]) -> bool:
        """Whether the first attempt to write any of these is still to come."""
        with self._changed:
            return any(self._is_open(one) for one in ids)

    def failure(self, ids: Iterable[str]) -> Failure | None:
        """Why one of these is not in the history yet; None where nothing is wrong."""
        with self._changed:
            return next((self._failures[one] for one in ids if one in self._failures), None)

    def settle(self, ids: Iterable[str], *, within_s: float) -> Failure | None:
        """Wait until these are written or have failed once: -> why they failed."""
        chosen = list(ids)
        with self._changed:
            self._changed.wait_for(lambda: not any(self._is_open(one) for one in chosen), timeout=within_s)
        return self.failure(chosen)

    def open(self, owner: str, transcript_id: str) -> tuple[KeptTranscript, Result, Path | None]:
        """A transcript to be shown again, and where its recording lies if it was kept. Raises HistoryError."""
        kept = self.store.find(owner, transcript_id)
        if kept is None:
            raise HistoryGoneError
        sound = self.sounds.path(transcript_id)
        return kept, read_content(kept.content, name=kept.name), sound if kept.sound and sound.is_file() else None

    def delete(self, owner: str, transcript_id: str | None = None) -> int:
        """Delete one transcript of the owner, or all, with their recordings: -> how many. Raises HistoryError."""
        with self._changed:  # what is on its way goes too
            for one in [one for one in self._waiting.values() if one.owner == owner and transcript_id in (None, one.id)]:
                del self._waiting[one.id]
                self._failures.pop(one.id, None)
            if self._writing is not None and self._writing.owner == owner and transcript_id in (None, self._writing.id):
                self._is_unwanted = True
                self._failures.pop(self._writing.id, None)
        return self._delete([one for one in self.store.ids(owner) if transcript_id in (None, one)])

    def forget(self) -> None:
        """Delete what is older than ``days``, everybody's; what goes wrong is logged, and the next time tries again."""
        oldest_s = self._clock_s() - self.days * DAY_S
        try:
            forgotten = self._delete(self.store.ids(older_than_s=oldest_s))
            if forgotten:
                _log.info("forgot %d transcripts after %d days", forgotten, self.days)
            self.store.clear_traces()
            self.store.forget_set_aside(older_than_s=oldest_s)
            if not self.store.set_aside():  # the recordings of a damaged history may still be wanted
                self.sounds.delete_abandoned(set(self.store.ids()))
        except (HistoryError, OSError) as error:
            _log.warning("old transcripts could not be forgotten now: %s", error)

    def wants_text(self, owner: str) -> bool:
        """Whether the owner has transcripts kept; True where that cannot be told now: whoever writes them asks again."""
        try:
            return self.store.choice(owner) is not Keep.NOTHING
        except HistoryError as error:
            _log.warning("what is to be kept cannot be told now: %s", error)
            return True

    def wants_sound(self, owner: str) -> bool:
        """Whether the owner has recordings kept; False where that cannot be told now."""
        try:
            return self.store.choice(owner) is Keep.SOUND
        except HistoryError as error:
            _log.warning("what is to be kept cannot be told now: %s", error)
            return False

    def close(self) -> None:
        """Write what waits, for a moment, and close the database."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN_S)
        self.store.close()

    def _delete(self, ids: list[str]) -> int:
        self.sounds.delete(ids)  # first: a transcript without its recording is shown, a recording without its transcript is not
        return self.store.delete(ids) if ids else 0

    def _is_open(self, transcript_id: str) -> bool:
        """Whether it is neither written nor has failed once."""
        writing = self._writing is not None and self._writing.id == transcript_id
        return (writing or transcript_id in self._waiting) and transcript_id not in self._failures

    def _start_writing(self) -> None:
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._write_on, name="lightvoice-history", daemon=True)
            self._thread.start()

    def _write_on(self) -> None:
        while (waiting := self._next()) is not None:
            failure = self._written(waiting)
            with self._changed:
                self._writing, is_unwanted, self._is_unwanted = None, self._is_unwanted, False
                if is_unwanted or failure is None:
                    self._failures.pop(waiting.id, None)
                else:
                    self._failures[waiting.id] = failure
                    later = self._waiting.get(waiting.id, waiting)
                    self._waiting[waiting.id] = replace(later, is_new=later.is_new or waiting.is_new)
                    self._retry_at_s = time.monotonic() + RETRY_S
                self._changed.notify_all()
            if is_unwanted:
                self._remove(waiting.id)

    def _next(self) -> Waiting | None:
        """The next transcript to write, its place in the line given up; None when the server stops and nothing can be written any more."""
        with self._changed:
            while True:
                fresh = next((one for one in self._waiting if one not in self._failures), None)
                pause_s = self._retry_at_s - time.monotonic()
                chosen = fresh or (next(iter(self._waiting), None) if pause_s <= 0 else None)
                if chosen is not None:
                    self._writing = self._waiting.pop(chosen)
                    return self._writing
                if self._closing:
                    return None
                self._changed.wait(timeout=max(pause_s, 0.01) if self._waiting else None)

    def _remove(self, transcript_id: str) -> None:
        """Delete what was deleted while it was being written."""
        try:
            self._delete([transcript_id])
        except (HistoryError, OSError) as error:
            _log.warning("a transcript that was deleted while it was written is still there: %s", error)

    def _written(self, waiting: Waiting) -> Failure | None:
        try:
            try:
                self._write(waiting)
            except HistoryDamagedError:  # it lies aside now; this one begins the new file
                self._write(waiting)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said beside the transcript (failure_of logs it) and tried again
            return failure_of(error)
        return None

    def _write(self, waiting: Waiting) -> None:
        text, content = kept_text(waiting.result), kept_content(waiting.result)
        if not waiting.is_new:
            self.store.update(waiting.owner, waiting.id, text=text, content=content)
            return
        keep, sound = self.store.choice(waiting.owner), waiting.result.playback
        if keep is not Keep.NOTHING:
            kept = KeptTranscript(
                id=waiting.id,
                kind=waiting.kind,
                name=waiting.name,
                made_s=waiting.made_s,
                duration_s=waiting.result.transcript.duration_s,
                text=text,
                content=content,
                sound=keep is Keep.SOUND and sound is not None and self.sounds.keep(waiting.id, sound),
            )
            self.store.add(waiting.owner, kept)
        if waiting.owns_sound and sound is not None:
            sound.unlink(missing_ok=True)

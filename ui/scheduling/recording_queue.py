"""One page's recordings in the order they came, from "ready" to the transcript; every entry keeps its own result.

Entries are frozen: a change replaces the old one, so that what was read does not change while it is used.
Thread-safe. Running them is the business of ``queue_runner.py``.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.containers import Probe
from engine.audio.tracks import Track
from engine.editing.edited_transcript import edited_transcript
from engine.editing.edits import Edits, checked_edits
from engine.editing.recognized_words import RecognizedWords
from engine.options import TranscribeOptions
from engine.transcript import Segment, Transcript
from ui.scheduling.kept_file import keep_file
from ui.text.failures import Failure


class EntryState(StrEnum):
    """Where a recording stands."""

    READY = "ready"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = frozenset({EntryState.WAITING, EntryState.RUNNING})


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run gave: the transcript as recognized, what the person wrote over it, and what the page draws and plays."""

    transcript: Transcript
    #: Loudest sample of each column of the timeline, (C,) float32.
    peaks: np.ndarray
    #: A copy that every browser plays and whose times are the transcript's; None where it could not be written.
    playback: Path | None = None
    #: What the person made of the segments; None where nothing is changed.
    edits: Edits | None = None
    #: Rises with each change, so that a page which has not seen the last one cannot write over it.
    edit_count: int = 0
    #: The transcript's words, worked out once; made from the transcript unless given.
    words: RecognizedWords = field(default_factory=lambda: RecognizedWords(()), compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.words) != len(self.transcript.segments):
            object.__setattr__(self, "words", RecognizedWords(self.transcript.segments))

    def edited(self) -> Transcript:
        """The transcript with the person's changes."""
        return edited_transcript(self.transcript, self.edits, self.words)


class OldEditError(ValueError):
    """An edit of a transcript that another run or another page has changed meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One recording; ``revision`` rises with every change but progress, what is recognized meanwhile, and edits."""

    id: str
    name: str
    path: Path
    duration_s: float | None
    #: Whether it came from the microphone, and has no name of its own.
    spoken: bool = False
    #: Its audio tracks as far as its header was understood, and the number of the one to read; None is the default track.
    tracks: tuple[Track, ...] = ()
    track: int | None = None
    state: EntryState = EntryState.READY
    revision: int = 0
    progress: float = 0.0
    stage: str = ""
    options: TranscribeOptions = field(default_factory=TranscribeOptions)
    #: What a run has recognized so far; after it, ``result`` holds it.
    recognized: tuple[Segment, ...] = ()
    result: Result | None = None
    failure: Failure | None = None

    @property
    def version(self) -> str:
        """Which run's transcript with how many changes this is: an edit must name the one that it was made on."""
        return f"{self.revision}-{self.result.edit_count if self.result else 0}"


class RecordingQueue:
    """The recordings of one page; its files lie in ``folder``, which it makes and which goes with it.

    ``probe`` looks into a file's header, as :meth:`engine.audio.sandbox.decoder.Decoder.probe` does.
    """

    def __init__(self, queue_id: str, folder: Path, *, probe: Callable[[Path], Probe | None]) -> None:
        self.id, self._folder, self._probe = queue_id, folder, probe
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._selected: str | None = None

    def entries(self) -> tuple[Entry, ...]:
        """All entries, oldest first."""
        with self._lock:
            return tuple(self._entries.values())

    def find(self, entry_id: str) -> Entry | None:
        """One entry; None for one that is gone."""
        with self._lock:
            return self._entries.get(entry_id)

    @property
    def selected(self) -> Entry | None:
        """The entry whose transcript is shown."""
        with self._lock:
            return self._entries.get(self._selected or "")

    @property
    def active(self) -> bool:
        """Whether anything waits or runs."""
        return any(entry.state in ACTIVE for entry in self.entries())

    def add(self, source: Path, name: str, *, spoken: bool = False, track: int | None = None) -> Entry:
        """Take a file in as a new entry; the same file twice gives two.

        The file is linked, not moved: Gradio deletes uploads after an hour, and a long queue may need them later.
        """
        entry_id = uuid.uuid4().hex
        path = self._folder / entry_id / "source" / source.name
        try:
            keep_file(source, path)
            found = self._probe(path)
        except BaseException:  # what is not taken leaves nothing behind
            shutil.rmtree(self._folder / entry_id, ignore_errors=True)
            raise
        entry = Entry(
            id=entry_id,
            name=name,
            path=path,
            duration_s=None if found is None else found.duration_s,
            spoken=spoken,
            tracks=() if found is None else found.tracks,
            track=track,
        )
        with self._lock:
            self._entries[entry_id] = entry
            if self._selected is None:
                self._selected = entry_id
        return entry

    def restore(self, entry_id: str, name: str, result: Result, *, sound: Path | None = None) -> Entry:
        """Take a finished recording in under its own id, and show it; one that is here already is shown as it is.

        ``sound``, where there is one, is linked into the queue's folder: what happens to it elsewhere no longer matters here.
        """
        with self._lock:
            if entry_id not in self._entries:
                playback = self._folder / entry_id / "playback.flac"
                if sound is not None:
                    keep_file(sound, playback)
                self._entries[entry_id] = Entry(
                    id=entry_id,
                    name=name,
                    path=playback,
                    duration_s=result.transcript.duration_s,
                    state=EntryState.DONE,
                    progress=1.0,
                    result=replace(result, playback=None if sound is None else playback),
                )
            self._selected = entry_id
            return self._entries[entry_id]

    def select(self, entry_id: str) -> None:
        """Show this entry's transcript; nothing for one that is gone."""
        with self._lock:
            if entry_id in self._entries:
                self._selected = entry_id

    def choose_track(self, entry_id: str, number: int) -> Entry | None:
        """Read another audio track of a recording that does not run; None if there is no such recording or track.

        A finished recording keeps its transcript: the choice makes a new entry, which is shown.
        """
        with self._lock:
            entry = self._entries.get(entry_id)
            if entry is None or entry.state in ACTIVE or number not in {track.number for track in entry.tracks}:
                return None
            if entry.result is None:
                return self._put(entry_id, track=number)
            added = self._again(entry, track=number)
            self._selected = added.id
            return added

    def submit(
        self, options: TranscribeOptions, *, only: str | None = None, made_so: Callable[[Transcript], bool] = lambda _: True
    ) -> tuple[Entry, ...]:
        """Let everything ready wait for its run; with nothing ready, the selected recording once more. Returns what now waits.

        A finished recording is run again as a new entry, so that its first transcript stays; not where the options are those that
        it was made with and ``made_so`` says that of its transcript as well: it would come out the same. ``only`` is one entry's id.
        """
        with self._lock:
            chosen = [entry for entry in self._entries.values() if entry.state is EntryState.READY and only in (None, entry.id)]
            selected = self.selected
            if not chosen and only is None and selected is not None and selected.state not in ACTIVE:
                chosen = self._once_more(selected, options, made_so)
            waiting = tuple(self._wait(entry.id, options) for entry in chosen)
            if waiting:
                self._selected = waiting[0].id
            return waiting

    def _once_more(self, entry: Entry, options: TranscribeOptions, made_so: Callable[[Transcript], bool]) -> list[Entry]:
        if entry.result is None:
            return [entry]
        if entry.options == options and made_so(entry.result.transcript):
            return []
        return [self._again(entry, track=entry.track)]

    def retry(self, entry_id: str) -> Entry | None:
        """Let a failed or cancelled entry wait again, with the options it had; None if it is neither."""
        with self._lock:
            entry = self._entries.get(entry_id)
            if entry is None or entry.state not in (EntryState.FAILED, EntryState.CANCELLED):
                return None
            return self._wait(entry_id, entry.options)

    def _again(self, entry: Entry, *, track: int | None) -> Entry:
        """The same recording as a new entry."""
        return self.add(entry.path, entry.name, spoken=entry.spoken, track=track)

    def _wait(self, entry_id: str, options: TranscribeOptions) -> Entry:
        return self._put(entry_id, state=EntryState.WAITING, options=options, progress=0.0, stage="", failure=None, recognized=())

    def cancel(self, entry_id: str) -> None:
        """Cancel a waiting or running entry; a run in progress notices at its next step, and its result is not taken."""
        with self._lock:
            entry = self._entries.get(entry_id)
            if entry is not None and entry.state in ACTIVE:
                self._put(entry_id, state=EntryState.CANCELLED)

    def cancel_all(self) -> None:
        """Cancel everything that waits or runs; what is done stays."""
        for entry in self.entries():
            self.cancel(entry.id)

    def remove(self, entry_id: str) -> None:
        """Take an entry out, its files with it; one that runs is cancelled by that."""
        with self._lock:
            if self._entries.pop(entry_id, None) is None:
                return
            if self._selected == entry_id:
                self._selected = next(reversed(self._entries), None)
        shutil.rmtree(self._folder / entry_id, ignore_errors=True)

    def begin(self) -> Entry | None:
        """The first waiting entry, now running; None if nothing waits."""
        with self._lock:
            waiting = next((entry for entry in self._entries.values() if entry.state is EntryState.WAITING), None)
            return waiting and self._put(waiting.id, state=EntryState.RUNNING)

    def is_running(self, entry_id: str) -> bool:
        """Whether the entry still runs: False once it was cancelled or removed."""
        entry = self.find(entry_id)
        return entry is not None and entry.state is EntryState.RUNNING

    def report(self, entry_id: str, fraction: float, stage: str) -> None:
        """Note how far a run has come."""
        with self._lock:
            if self.is_running(entry_id):
                self._entries[entry_id] = replace(self._entries[entry_id], progress=min(max(fraction, 0.0), 1.0), stage=stage)

    def add_segment(self, entry_id: str, segment: Segment) -> None:
        """Note a segment that a run has just recognized."""
        with self._lock:
            if self.is_running(entry_id):
                entry = self._entries[entry_id]
                self._entries[entry_id] = replace(entry, recognized=(*entry.recognized, segment))

    def finish(self, entry_id: str, result: Result) -> None:
        """Take a run's result, unless it was cancelled meanwhile."""
        with self._lock:
            if self.is_running(entry_id):
                duration_s = result.transcript.duration_s
                self._put(entry_id, state=EntryState.DONE, result=result, progress=1.0, duration_s=duration_s, recognized=())
                shown = self.selected
                if shown is None or shown.state in (EntryState.FAILED, EntryState.CANCELLED):
                    self._selected = entry_id

    def fail(self, entry_id: str, failure: Failure) -> None:
        """Take a run's failure, unless it was cancelled meanwhile."""
        with self._lock:
            if self.is_running(entry_id):
                self._put(entry_id, state=EntryState.FAILED, failure=failure)

    def edit(self, entry_id: str, edits: Edits, *, seen: str) -> Entry | None:
        """Put a person's changes in place of the ones before. None if there is no such transcript.

        ``seen`` is the entry's :attr:`Entry.version` that they were made on: OldEditError for any other. ValueError for edits that do not
        fit the transcript.
        """
        seen_entry = self._seen(entry_id, seen)
        if seen_entry is None:
            return None
        transcript, words = seen_entry[1].transcript, seen_entry[1].words
        checked = checked_edits(edits, transcript, words)  # not under the lock: hours have thousands of segments
        with self._lock:
            now = self._seen(entry_id, seen)
            if now is None:
                return None
            entry, result = now
            kept = None if checked.is_empty(transcript) else checked
            self._entries[entry_id] = replace(entry, result=replace(result, edits=kept, edit_count=result.edit_count + 1))
            return self._entries[entry_id]

    def _seen(self, entry_id: str, version: str) -> tuple[Entry, Result] | None:
        """An entry with its transcript; None if there is none, OldEditError if it is at another version."""
        entry = self.find(entry_id)
        if entry is None or entry.result is None:
            return None
        if entry.version != version:
            raise OldEditError(f"the transcript is at {entry.version}, and the edit was made on {version}")
        return entry, entry.result

    def delete_files(self) -> None:
        """Delete everything that the queue holds on disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _put(self, entry_id: str, **changes: Any) -> Entry:
        entry = self._entries[entry_id]
        self._entries[entry_id] = replace(entry, revision=entry.revision + 1, **changes)
        return self._entries[entry_id]

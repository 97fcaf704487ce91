"""Runs the recordings of every page's queue on the engine, a few queue slots a page, so that nobody waits behind a hundred files.

A page has as many runs at a time as keep the cores busy, and asks for a slot for each like any other caller. A reload finds its queue
again by its id, which only that page knows. Runs of a page that was closed, or that has not asked for its queue for a while (connection
lost), go on where their transcripts go into a history: one at a time a page, and all such pages together are one caller among the
others. Where there is no history, or its owner keeps nothing, they are cancelled: nobody would see their transcripts.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.audio.sandbox.decoder import Decoder
from engine.options import CURRENT, TranscribeOptions
from engine.transcript import Transcript
from ui.history.history import History
from ui.limits import Limits
from ui.scheduling.recording_queue import ACTIVE, Entry, EntryState, RecordingQueue, Result
from ui.scheduling.run_slots import LineFullError, RunSlots, Ticket
from ui.status.run_log import RunLog
from ui.text.failures import failure_of
from ui.transcribe.playback_copy import PlaybackCopy
from ui.transcribe.viewer_data import recognized_gzip
from ui.widgets.timeline import column_peaks

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

_log = logging.getLogger(__name__)

#: Browsers let hidden pages ask once a minute; who has not asked for five is gone, and the engine is free for others.
STOPPED_UNSEEN_S = 300.0
#: A page that says that it leaves may be reloading; it is given this long to come back.
LEFT_S = 10.0
#: Results of a page that does not come back are kept this long.
KEPT_UNSEEN_S = 4 * 3600.0
#: As which caller all pages that are gone wait together.
GONE_PAGES = "pages that are gone"
QUEUE_ID = re.compile(r"[0-9a-f]{32}")


class _StoppedError(Exception):
    """The run is no longer wanted."""


@dataclass
class _Page:
    queue: RecordingQueue
    seen_at_s: float
    #: The slots that the page waits for or holds.
    tickets: set[Ticket] = field(default_factory=set)
    #: Whose history its transcripts go to, and what of each was handed to it last; an edit makes another result.
    owner: str | None = None
    kept: dict[str, Result] = field(default_factory=dict)
    #: Whether its runs go on although it is gone; None while it is there.
    goes_on: bool | None = None
    #: As which caller its waiting tickets were asked for.
    caller: str = ""


class QueueRunner:
    """All queues of the server and the threads that work on them; a thread exists only while it holds a slot."""

    def __init__(
        self,
        engine: SpeechEngine,
        decoder: Decoder,
        *,
        slots: RunSlots,
        folder: Path,
        limits: Limits,
        runs: RunLog | None = None,
        history: History | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._decoder, self._slots, self._folder, self._limits = engine, decoder, slots, folder, limits
        self._runs = runs or RunLog()
        self.history, self._clock_s = history, clock_s
        self._lock = threading.Lock()
        self._pages: dict[str, _Page] = {}

    def open(self, queue_id: str) -> RecordingQueue:
        """The queue with this id, made if need be; ValueError for an id that no page of ours makes."""
        if not QUEUE_ID.fullmatch(queue_id):
            raise ValueError(f"{queue_id!r} is not 32 hexadecimal digits")
        with self._lock:
            queue = RecordingQueue(queue_id, self._folder / queue_id, probe=self._decoder.probe)
            page = self._pages.setdefault(queue_id, _Page(queue, 0.0))
        self._see(page)
        return page.queue

    def find(self, queue_id: str) -> RecordingQueue | None:
        """The queue with this id, which is thereby seen; None if there is none."""
        self.forget_unseen()
        with self._lock:
            page = self._pages.get(queue_id)
        if page is None:
            return None
        self._see(page)
        return page.queue

    def _see(self, page: _Page) -> None:
        """Note that the page is there; one that was gone gets its own turns again."""
        page.seen_at_s, was_gone, page.goes_on = self._clock_s(), page.goes_on is not None, None
        if was_gone:
            self.wake()

    def belongs_to(self, queue_id: str, owner: str) -> None:
        """Note whose page this is, and hand its transcripts to their history: new ones, and those that were changed since."""
        with self._lock:
            page = self._pages.get(queue_id)
            if page is not None:
                page.owner = owner
        if page is not None:
            self._keep(page)

    def restore(self, queue_id: str, owner: str, entry_id: str, *, name: str, result: Result, sound: Path | None) -> Entry:
        """Put a transcript of the history back into a page's queue; ValueError as :meth:`open`."""
        queue = self.open(queue_id)
        entry = queue.restore(entry_id, name, result, sound=sound)
        with self._lock:
            page = self._pages[queue_id]
            page.owner = owner
            if entry.result is not None:
                page.kept.setdefault(entry_id, entry.result)
        return entry

    def _keep(self, page: _Page) -> None:
        """Hand every result that the history has not seen yet to it; at once, for it writes in a thread of its own."""
        if self.history is None:
            return
        with self._lock:
            owner, before = page.owner, page.kept
            if owner is None:  # the page's script says whose it is, with its first question
                return
            done = {entry.id: (entry, entry.result) for entry in page.queue.entries() if entry.result is not None}
            page.kept = {entry_id: result for entry_id, (_, result) in done.items()}
            for entry_id, (entry, result) in done.items():
                if before.get(entry_id) is not result:
                    kind = "microphone" if entry.spoken else "file"
                    self.history.keep(owner, entry_id, kind=kind, name=entry.name, result=result, is_new=entry_id not in before)

    def leave(self, queue_id: str) -> None:
        """The page is going: unless it comes back at once, as a reload does, it is gone, and what it wanted goes on without it or stops."""
        with self._lock:
            page = self._pages.get(queue_id)
            if page is not None:
                page.seen_at_s = min(page.seen_at_s, self._clock_s() - STOPPED_UNSEEN_S + LEFT_S)
        if page is not None:
            self._keep(page)
        timer = threading.Timer(LEFT_S + 1, self.stop_unseen)
        timer.daemon = True
        timer.start()

    def submit(self, queue: RecordingQueue, options: TranscribeOptions, *, only: str | None = None) -> tuple[Entry, ...]:
        """Start on everything ready in a queue, or on one entry (see :meth:`RecordingQueue.submit`).

        Raises UnknownPrecisionError for what cannot be run at all, LineFullError for more than may wait.
        """
        options.check(self._engine.precisions)
        if not queue.active:
            self._slots.admit(queue.id)
        wanted = max(1, sum(entry.state is EntryState.READY for entry in queue.entries()))
        waiting_now = self.length()
        if waiting_now + wanted > self._limits.waiting_recordings:
            raise LineFullError(waiting=waiting_now, wait_s=self._slots.expected_wait_s())
        waiting = queue.submit(options, only=only, made_so=self._made_so(options))
        self.wake()
        return waiting

    def _made_so(self, options: TranscribeOptions) -> Callable[[Transcript], bool]:
        """Whether a transcript was made by the model that these options would use now."""
        precision = self._engine.precision if options.precision == CURRENT else options.precision
        model = (self._engine.bundle.name, precision)
        return lambda transcript: (transcript.bundle, transcript.precision) == model

    def wake(self) -> None:
        """Ask for a slot for every page with waiting recordings, and give up those that are no longer needed."""
        unwanted = []
        with self._lock:
            for queue_id, page in self._pages.items():
                wanted = sum(entry.state is EntryState.WAITING for entry in page.queue.entries())
                asked = [ticket for ticket in page.tickets if not ticket.done()]
                caller, most = (GONE_PAGES, 1) if page.goes_on else (queue_id, self._limits.runs_a_page)
                kept = wanted if caller == page.caller else 0  # who is gone, or back, waits in another place
                unwanted += asked[kept:]
                page.tickets.difference_update(asked[kept:])
                page.caller = caller
                for _ in range(min(wanted - len(asked[:kept]), most - len(page.tickets))):
                    # Admitted when it was submitted: the next of its recordings is not refused.
                    ticket = self._slots.ask(caller, bounded=False)
                    page.tickets.add(ticket)
                    ticket.add_done_callback(partial(self._begin, page))
        for ticket in unwanted:
            self._slots.leave(ticket)

    def length(self) -> int:
        """Recordings that wait or run, over all pages."""
        with self._lock:
            pages = list(self._pages.values())
        return sum(entry.state in ("waiting", "running") for page in pages for entry in page.queue.entries())

    def _begin(self, page: _Page, ticket: Ticket) -> None:
        """The slot is granted, or refused because the server stops."""
        try:
            threading.Thread(target=self._work, args=(page, ticket), name="lightvoice-queue", daemon=True).start()
        except RuntimeError as error:  # the system has no thread to give: all that waits fails, and the slot is free for others
            page.tickets.discard(ticket)  # without the lock, which the caller that asked for the slot may hold
            while (entry := page.queue.begin()) is not None:
                page.queue.fail(entry.id, failure_of(error))
            self._slots.leave(ticket)

    def _work(self, page: _Page, ticket: Ticket) -> None:
        try:
            refused = ticket.exception()
            if isinstance(refused, LineFullError) and page.goes_on:
                return  # gone pages make room for who is there, and wait again
            if refused is not None or self._is_over(page):
                page.queue.cancel_all()
            entry = page.queue.begin()
            if entry is not None:
                self._run(page, entry)
        finally:
            with self._lock:
                page.tickets.discard(ticket)
            self._slots.leave(ticket)
            self.wake()

    def _run(self, page: _Page, entry: Entry) -> None:
        queue = page.queue

        def report(fraction: float, stage: str) -> None:
            if self._is_over(page):
                queue.cancel_all()
            if not queue.is_running(entry.id):
                raise _StoppedError
            queue.report(entry.id, fraction, stage)

        try:
            report(0.0, "decode")
            copy = PlaybackCopy(entry.path.parent.parent / "playback.flac")
            options = replace(entry.options, read=replace(entry.options.read, track=entry.track))
            transcript = self._engine.transcribe(
                self._decoder.open(entry.path, max_duration_s=self._limits.duration_s, watch=copy.add, read=options.read),
                options,
                file=entry.name,
                progress=report,
                on_segment=lambda segment: queue.add_segment(entry.id, segment),
            )
            self._runs.record(transcript, source="page")
            result = Result(transcript=transcript, peaks=column_peaks(copy.peaks()), playback=copy.close())
            recognized_gzip(result)  # kept with it: nobody who selects it waits
            queue.finish(entry.id, result)
            self._keep(page)
        except _StoppedError:
            _log.info("a run was cancelled")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said in the entry's row (failure_of logs it) and the next one runs
            queue.fail(entry.id, failure_of(error))

    def _is_over(self, page: _Page) -> bool:
        """Whether nobody will see what the page's runs bring: it is gone, and they go into no history, or have been waiting too long."""
        unseen_s = self._clock_s() - page.seen_at_s
        if unseen_s <= STOPPED_UNSEEN_S:
            return False
        if page.goes_on is None:
            page.goes_on = self.history is not None and page.owner is not None and self.history.wants_text(page.owner)
        return not page.goes_on or unseen_s > KEPT_UNSEEN_S

    def going_on(self, owner: str) -> tuple[Entry, ...]:
        """What still waits or runs on the owner's pages that are gone."""
        with self._lock:
            gone = [page for page in self._pages.values() if page.goes_on and page.owner == owner]
        return tuple(entry for page in gone for entry in page.queue.entries() if entry.state in ACTIVE)

    def cancel_going_on(self, owner: str) -> None:
        """Cancel what still waits or runs on the owner's pages that are gone."""
        with self._lock:
            gone = [page for page in self._pages.values() if page.goes_on and page.owner == owner]
        for page in gone:
            page.queue.cancel_all()
        self.wake()

    def stop_unseen(self) -> None:
        """Cancel what the pages that are gone still have waiting or running and nobody would see; the others wait as one caller."""
        with self._lock:
            pages = list(self._pages.values())
        for page in [page for page in pages if self._is_over(page)]:
            page.queue.cancel_all()
        if any(page.goes_on is not None for page in pages):
            self.wake()

    def forget_unseen(self) -> None:
        """Drop the queues of pages that have not come back, and their files; cancel what still waits in those that are unseen."""
        self.stop_unseen()
        now_s = self._clock_s()
        with self._lock:
            lost = [page for page in self._pages.values() if not page.tickets and now_s - page.seen_at_s > KEPT_UNSEEN_S]
            for page in lost:
                del self._pages[page.queue.id]
        for page in lost:
            self._keep(page)
            page.queue.delete_files()

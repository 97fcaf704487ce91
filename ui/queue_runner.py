"""Runs the recordings of every page's queue on the engine, a few at a time and in turn, so that nobody waits behind a hundred files.

A page has one run at a time; pages take turns. A page that nobody has looked at for a while (closed, or its connection
lost) stops being worked for; a reload finds its queue again by its id, which only that page knows.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from engine.audio import SAMPLE_RATE_HZ, Waveform
from ui.failures import failure_of
from ui.recording_queue import Entry, RecordingQueue, Result
from ui.run_options import RunOptions
from ui.run_slots import RunSlots
from ui.timeline import column_peaks

if TYPE_CHECKING:
    from engine.pipeline import Engine

_log = logging.getLogger(__name__)

#: Browsers let hidden pages ask once a minute; who has not asked for five is gone, and the engine is free for others.
STOPPED_UNSEEN_S = 300.0
#: Results of a page that does not come back are kept this long.
KEPT_UNSEEN_S = 4 * 3600.0
QUEUE_ID = re.compile(r"[0-9a-f]{32}")


class _StoppedError(Exception):
    """The run is no longer wanted."""


@dataclass
class _Page:
    queue: RecordingQueue
    seen_at_s: float
    busy: bool = False


class QueueRunner:
    """All queues of the server and the threads that work on them; threads exist only while something waits."""

    def __init__(
        self,
        engine: Engine,
        *,
        slots: RunSlots,
        folder: Path,
        workers: int,
        max_duration_s: float | None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._slots, self._folder, self._max_duration_s = engine, slots, folder, max_duration_s
        self._most_workers, self._workers = workers, 0
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._pages: dict[str, _Page] = {}

    def open(self, queue_id: str) -> RecordingQueue:
        """The queue with this id, made if need be; ValueError for an id that no page of ours makes."""
        if not QUEUE_ID.fullmatch(queue_id):
            raise ValueError(f"{queue_id!r} is not 32 hexadecimal digits")
        with self._lock:
            page = self._pages.setdefault(queue_id, _Page(RecordingQueue(queue_id, self._folder / queue_id, probe=self._engine.probe), 0.0))
            page.seen_at_s = self._clock_s()
            return page.queue

    def find(self, queue_id: str) -> RecordingQueue | None:
        """The queue with this id, which is thereby seen; None if there is none."""
        self.forget_unseen()
        with self._lock:
            page = self._pages.get(queue_id)
            if page is None:
                return None
            page.seen_at_s = self._clock_s()
            return page.queue

    def submit(self, queue: RecordingQueue, options: RunOptions) -> tuple[Entry, ...]:
        """Start on everything ready in a queue (see :meth:`RecordingQueue.submit`); OptionError for what cannot be run at all."""
        options.check(self._engine.precisions)
        waiting = queue.submit(options)
        self.wake()
        return waiting

    def wake(self) -> None:
        """Let threads look for waiting entries."""
        with self._lock:
            wanted = sum(page.queue.active and not page.busy for page in self._pages.values())
            missing = min(self._most_workers - self._workers, wanted)
            self._workers += max(missing, 0)
        for _ in range(missing):
            threading.Thread(target=self._work, name="lightvoice-queue", daemon=True).start()

    def length(self) -> int:
        """Recordings that wait or run, over all pages."""
        with self._lock:
            pages = list(self._pages.values())
        return sum(entry.state in ("waiting", "running") for page in pages for entry in page.queue.entries())

    def _work(self) -> None:
        while True:
            with self._slots.held():  # a place for every recording anew, so that others come in between
                found = self._next()
                if found is None:
                    return
                page, entry = found
                try:
                    self._run(page, entry)
                finally:
                    with self._lock:
                        page.busy = False

    def _next(self) -> tuple[_Page, Entry] | None:
        """The next page in turn that has something waiting, now busy, and what it runs; None ends the thread."""
        with self._lock:
            for queue_id, page in list(self._pages.items()):
                if page.busy or self._is_unseen(page):
                    continue
                entry = page.queue.begin()
                if entry is not None:
                    page.busy = True
                    self._pages[queue_id] = self._pages.pop(queue_id)  # to the end: its turn comes last again
                    return page, entry
            self._workers -= 1
            return None

    def _run(self, page: _Page, entry: Entry) -> None:
        queue = page.queue

        def tell(fraction: float, stage: str) -> None:
            if self._is_unseen(page):
                queue.cancel_all()
            if not queue.is_running(entry.id):
                raise _StoppedError
            queue.report(entry.id, fraction, stage)

        try:
            tell(0.0, "decode")
            waveform = self._engine.load(entry.path, max_duration_s=self._max_duration_s)
            options = entry.options
            transcript = self._engine.transcribe(
                waveform,
                language=options.language,
                itn=options.itn,
                ban_emo_unknown=options.ban_emo_unknown,
                vad=options.vad(),
                vad_precision=options.vad_precision,
                file=entry.name,
                progress=tell,
            )
            playback = write_playback(waveform, entry.path.parent.parent / "playback.flac")
            queue.finish(entry.id, Result(transcript=transcript, peaks=column_peaks(waveform.samples), playback=playback))
        except _StoppedError:
            _log.info("a run was cancelled")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said in the entry's row (failure_of logs it) and the next one runs
            queue.fail(entry.id, failure_of(error))

    def _is_unseen(self, page: _Page) -> bool:
        return self._clock_s() - page.seen_at_s > STOPPED_UNSEEN_S

    def forget_unseen(self) -> None:
        """Drop the queues of pages that have not come back, and their files; cancel what still waits in those that are unseen."""
        now_s = self._clock_s()
        with self._lock:
            unseen = [page for page in self._pages.values() if self._is_unseen(page)]
            lost = [page for page in unseen if not page.busy and now_s - page.seen_at_s > KEPT_UNSEEN_S]
            for page in lost:
                del self._pages[page.queue.id]
        for page in unseen:
            page.queue.cancel_all()
        for page in lost:
            page.queue.delete_files()


def write_playback(waveform: Waveform, path: Path) -> Path | None:
    """Write what the browser plays: FLAC, which every browser reads, on the transcript's own time scale whatever came in.

    None where the disk does not take it: a transcript without sound is better than none.
    """
    try:
        soundfile.write(path, np.clip(waveform.samples, -1.0, 1.0), SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    except (OSError, soundfile.LibsndfileError) as error:
        _log.warning("no playback for a recording: %s", error)
        return None
    return path

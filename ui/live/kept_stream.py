"""What of a live stream goes to the history when it is over: its transcript, its drawn sound, and the sound itself if its owner wishes."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path

import numpy as np

from engine.transcript import Transcript
from ui.history.history import History
from ui.scheduling.recording_queue import Result
from ui.text.failures import Failure
from ui.transcribe.playback_copy import PlaybackCopy
from ui.widgets.timeline import column_peaks

_log = logging.getLogger(__name__)

_FULL_SCALE = 32_768
#: How long the end of a stream waits for the history, to say what went wrong with it.
SETTLED_WITHIN_S = 3.0


class KeptStream:
    """The history's part of one stream; ``owner`` is whose history that is."""

    def __init__(self, history: History, owner: str) -> None:
        self._history, self._owner = history, owner
        # Of our own, not the stream's id, which the browser has made: a transcript of the history must not be written over by another.
        self._id = uuid.uuid4().hex
        self._copy: PlaybackCopy | None = None
        self._rate_hz = 0
        self._whole = True

    def add(self, samples: np.ndarray, sample_rate_hz: int) -> None:
        """The next block, (n,) int16. Of a stream whose rate changes the transcript alone is kept."""
        if self._copy is None:
            self._copy, self._rate_hz = PlaybackCopy(self._sound_path(), sample_rate_hz=sample_rate_hz), sample_rate_hz
        self._whole = self._whole and sample_rate_hz == self._rate_hz
        if self._whole:
            self._copy.add(samples.astype(np.float32) / _FULL_SCALE)

    def keep(self, transcript: Transcript) -> None:
        """The stream is over, and something was said in it."""
        copy = self._copy or PlaybackCopy(None)
        path, peaks = copy.close(), copy.peaks()
        if not self._whole and path is not None:
            path.unlink(missing_ok=True)
        result = Result(
            transcript=transcript,
            peaks=column_peaks(peaks) if self._whole and peaks.size else np.zeros(0, np.float32),
            playback=path if self._whole else None,
        )
        self._history.keep(self._owner, self._id, kind="live", name=transcript.file, result=result, is_new=True, owns_sound=True)

    def discard(self) -> None:
        """The stream is over, and nothing was said in it."""
        if self._copy is not None and (path := self._copy.close()) is not None:
            path.unlink(missing_ok=True)

    def failure(self) -> Failure | None:
        """Why the transcript is not in the history; None where it is, or is still on its way."""
        return self._history.settle([self._id], within_s=SETTLED_WITHIN_S)

    def _sound_path(self) -> Path | None:
        """Where the sound is written while somebody speaks; None where it is not to be kept, or cannot be."""
        if not self._history.wants_sound(self._owner):
            return None
        try:
            return self._history.sounds.growing(self._id)
        except OSError as error:
            _log.warning("the sound of a live stream is not kept: %s", error)
            return None

"""What the page plays and draws of a recording, taken while it is read: so that its samples need not be kept."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ

_log = logging.getLogger(__name__)

#: Loudest moments are kept for every millisecond: 14 MB an hour, finer than any column of a drawing.
PEAK_SAMPLES = SAMPLE_RATE_HZ // 1000


class PlaybackCopy:
    """Takes blocks of samples (N,) float32; writes FLAC, which every browser plays, on the transcript's own time scale.

    Without a path only the loudest moments are kept.

    A disk that does not take it costs the sound, not the run: a transcript without sound is better than none.
    """

    def __init__(self, path: Path | None, *, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._path, self._rate_hz = path, sample_rate_hz
        self._file: soundfile.SoundFile | None = None
        self._failed = False
        self._peaks: list[np.ndarray] = []

    def add(self, samples: np.ndarray) -> None:
        """The next block; at 16 kHz its length is a multiple of :data:`PEAK_SAMPLES` but for the last one."""
        self._write(samples)
        moment = PEAK_SAMPLES * self._rate_hz // SAMPLE_RATE_HZ
        padded = np.pad(np.abs(samples), (0, -len(samples) % moment))
        self._peaks.append(padded.reshape(-1, moment).max(axis=1).astype(np.float32))

    def peaks(self) -> np.ndarray:
        """The loudest absolute sample of each millisecond: (T,) float32."""
        return np.concatenate(self._peaks) if self._peaks else np.zeros(0, np.float32)

    def close(self) -> Path | None:
        """Complete the copy: -> where it lies, None where it could not be written."""
        try:
            if self._file is not None:
                self._file.close()
        except soundfile.LibsndfileError as error:
            self._fail(error)
        return self._path if self._path is not None and not self._failed and self._path.is_file() else None

    def _write(self, samples: np.ndarray) -> None:
        if self._failed or self._path is None:
            return
        try:
            if self._file is None:
                self._file = soundfile.SoundFile(self._path, "w", self._rate_hz, channels=1, format="FLAC", subtype="PCM_16")
            self._file.write(np.clip(samples, -1.0, 1.0))
        except (OSError, soundfile.LibsndfileError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failed = True
        _log.warning("no playback for a recording: %s", error)

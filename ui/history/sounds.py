"""The recordings that people chose to keep: one FLAC a transcript, under its id, readable by the server's user alone."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

from engine.errors import AudioNotFoundError, StorageFullError
from ui.scheduling.kept_file import keep_file
from ui.scheduling.storage import Storage

_log = logging.getLogger(__name__)

FOLDER = "recordings"
#: Files without a transcript, such as those of a live stream whose server was killed, are deleted when nobody has written them for so long.
ABANDONED_S = 3600.0
_ID = re.compile(r"[0-9a-f]{32}")


class SoundFolder:
    """Recordings in ``folder``/recordings, at most ``most_mb`` of them together, room left on the disk for others."""

    def __init__(self, folder: Path, *, most_mb: int, clock_s: Callable[[], float] = time.time) -> None:
        self._folder, self._clock_s = folder / FOLDER, clock_s
        self._storage = Storage(self._folder, most_mb=most_mb)

    def path(self, transcript_id: str) -> Path:
        """Where the recording of a transcript lies, if it was kept; ValueError for what is no id."""
        if not _ID.fullmatch(transcript_id):
            raise ValueError(f"{transcript_id!r} is not 32 hexadecimal digits")
        return self._folder / f"{transcript_id}.flac"

    def growing(self, transcript_id: str) -> Path:
        """Where a recording is written while somebody speaks; the folder is made. OSError where it cannot be."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.path(transcript_id).with_suffix(".part")

    def keep(self, transcript_id: str, source: Path) -> bool:
        """Keep a recording beside its transcript; False, and a line in the log, where there is no room or it is gone."""
        target = self.path(transcript_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._storage.room_for(source.stat().st_size):
                target.unlink(missing_ok=True)
                keep_file(source, target)
            target.chmod(0o600)
        except (OSError, StorageFullError, AudioNotFoundError) as error:
            target.unlink(missing_ok=True)
            _log.warning("a recording was not kept in the history: %s", error)
            return False
        return True

    def delete(self, ids: Collection[str]) -> None:
        """Delete the recordings of these transcripts, where there are any."""
        for one in ids:
            self.path(one).unlink(missing_ok=True)

    def delete_abandoned(self, known: Collection[str]) -> None:
        """Delete what belongs to no transcript and is not being written."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            kept = path.suffix == ".flac" and path.stem in known
            if not kept and self._clock_s() - path.stat().st_mtime > ABANDONED_S:
                path.unlink(missing_ok=True)

"""A folder and its subfolders → the recordings in it that have stopped growing.

The folder is looked through again and again rather than asked for events: network folders send none for what other machines write, and
whether a file still grows has to be looked at anyway.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from mimetypes import MimeTypes
from pathlib import Path

from engine.formats import FORMATS

#: A file counts as complete when size and time have stayed the same for so long.
SETTLE_S = 3.0
#: Endings of files that other programs are still writing, and of what is written beside recordings.
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".temp", "~")
RESULTS = (*(f".{output_format}" for output_format in FORMATS), ".csv", ".docx", ".ass", ".lrc", ".md", ".log")
#: What systems and media libraries leave in folders.
_LITTER = (".db", ".ini", ".nfo", ".lnk", ".url", ".cue", ".idx", ".sub")
_MEDIA = ("audio/", "video/")
#: Recordings all the same: Ogg, MXF, and whatever a camera or a phone calls its stream.
_MEDIA_TYPES = frozenset({"application/ogg", "application/mxf", "application/octet-stream", "application/vnd.rn-realmedia"})


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A file as it was seen: its path below the watched folder, with ``/``, its size, and when it was written."""

    path: Path
    name: str
    size_bytes: int
    modified_ns: int


class Arrivals:
    """What lies in ``folder``; ``leave_out`` is a folder in it that is not looked into, such as the one for results."""

    def __init__(
        self, folder: Path, *, leave_out: Path | None = None, settle_s: float = SETTLE_S, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._leave_out = folder, leave_out and leave_out.resolve()
        self._settle_s, self._clock_s = settle_s, clock_s
        #: By name, what was seen of a file, and since when it has been so.
        self._seen: dict[str, tuple[Arrival, float]] = {}
        self.unreadable: list[OSError] = []

    def look(self) -> tuple[list[Arrival], int]:
        """The recordings that are complete, oldest first, and how many may still grow. OSError where the folder itself is gone.

        ``unreadable`` has what of the subfolders could not be looked into.
        """
        now_s = self._clock_s()
        self.unreadable = []
        os.scandir(self._folder).close()
        seen = {}
        for arrival in self._files():
            before, since_s = self._seen.get(arrival.name, (None, now_s))
            seen[arrival.name] = (arrival, since_s if before == arrival else now_s)
        self._seen = seen
        complete = [arrival for arrival, since_s in seen.values() if now_s - since_s >= self._settle_s]
        return sorted(complete, key=lambda one: (one.modified_ns, one.name)), len(seen) - len(complete)

    def _files(self) -> Iterator[Arrival]:
        for folder, folders, names in os.walk(self._folder, onerror=self.unreadable.append):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and not self._is_left_out(Path(folder, name)))
            for name in sorted(names):
                path = Path(folder, name)
                if not is_recording(name):
                    continue
                try:
                    status = path.stat()
                except OSError:
                    continue  # taken away again, or a link to nowhere
                if status.st_size and os.path.isfile(path):  # noqa: PTH113 - a pipe would be waited for
                    below = path.relative_to(self._folder).as_posix()
                    yield Arrival(path=path, name=below, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)

    def _is_left_out(self, folder: Path) -> bool:
        return self._leave_out is not None and folder.resolve() == self._leave_out


def is_recording(name: str) -> bool:
    """Whether a file may be one by its name: endings of sound and film, and those that are not known; not what is hidden or unfinished."""
    lowered = name.lower()
    if name.startswith(".") or lowered.endswith((*UNFINISHED, *RESULTS, *_LITTER)):
        return False
    kind, packed = _kinds().guess_type(f"x{Path(lowered).suffix}")
    return packed is None and (kind is None or kind.startswith(_MEDIA) or kind in _MEDIA_TYPES)


@cache
def _kinds() -> MimeTypes:
    """Python's own table of endings, not the system's: which files are taken must not depend on the machine."""
    return MimeTypes()

"""Is there room? Asked before anything large is written, so that a full disk is an answer and not half a file."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.errors import LightVoiceError
from engine.files.sizes import BYTES_PER_MB
from models.jobs.failure_kind import FailureKind

#: What is left free for everybody else on the disk.
RESERVE_BYTES = 50 * BYTES_PER_MB


class DiskFullError(LightVoiceError):
    """A folder's disk has less room than the next step needs."""

    kind = FailureKind.DISK

    def __init__(self, *, folder: Path, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"{folder} has {free_bytes / BYTES_PER_MB:.0f} MB free where {needed_bytes / BYTES_PER_MB:.0f} MB are needed; "
            "free some, or choose a folder on another disk"
        )


def require_space(folder: Path, needed_bytes: int) -> None:
    """DiskFullError unless the disk of ``folder`` (or of its nearest existing parent) has ``needed_bytes`` and a reserve free."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    needed = needed_bytes + RESERVE_BYTES
    if free < needed:
        raise DiskFullError(folder=place, needed_bytes=needed, free_bytes=free)

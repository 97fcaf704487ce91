"""A temporary folder of a running process: gone when the process is done with it, and removed by the next one where it was killed.

The process holds a lock on its folder, which the system releases however the process ends; a folder without a lock is abandoned.
Where the system has no such locks (Windows), folders of killed processes stay until they are deleted by hand.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def claimed_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder ``prefix…`` in ``parent`` that only this user can read, empty, until the block ends; abandoned ones are removed first."""
    remove_abandoned(parent, prefix)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        claim = _claim(folder)
        if claim is not None and _is_there(folder, claim):
            break
        if claim is not None:  # another process removed it as abandoned before it was claimed
            os.close(claim)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(claim)


def remove_abandoned(parent: Path, prefix: str) -> tuple[Path, ...]:
    """Remove the folders ``prefix…`` in ``parent`` whose processes were killed: -> those that are gone now."""
    if not _can_lock() or not parent.is_dir():
        return ()
    removed = []
    for folder in parent.glob(f"{prefix}*"):
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
            continue
        claim = _claim(folder)
        if claim is None:
            continue  # its process runs
        log.info("removing %s, left by a process that was killed", folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(claim)
        removed.append(folder)
    return tuple(removed)


def _can_lock() -> bool:
    return os.name == "posix"


def _claim(folder: Path) -> int | None:
    """An open, locked handle of the folder; None where another process holds it or it has gone."""
    if not _can_lock():
        return os.open(os.devnull, os.O_RDONLY)
    fcntl = importlib.import_module("fcntl")
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _is_there(folder: Path, claim: int) -> bool:
    if not _can_lock():
        return True
    try:
        return os.path.samestat(folder.stat(), os.fstat(claim))
    except FileNotFoundError:
        return False

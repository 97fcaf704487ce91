"""An upload under a second name in a folder of ours: Gradio and the schedule delete uploads by their age, whoever still waits for one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from engine.errors import AudioNotFoundError

_TRIES = 20


def keep_file(source: Path, target: Path) -> None:
    """Link the file, which costs no room, or copy it where it cannot be linked; ``target``'s folder is made.

    Raises AudioNotFoundError for one that is gone.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _link(source, target)
    except FileNotFoundError as error:
        raise AudioNotFoundError(path=source) from error


def _link(source: Path, target: Path) -> None:
    for _ in range(_TRIES):
        try:
            os.link(source, target)
        except FileNotFoundError:
            # Whoever uploads the same recording puts a new file in its place, and the kernel refuses a link to the one that was there
            # (link(2): ENOENT where the count of links is 0). One that is gone stays gone.
            if not source.exists():
                raise
        except OSError:  # another file system, or one without links
            break
        else:
            return
    shutil.copyfile(source, target)


@contextmanager
def kept_file(source: Path, folder: Path) -> Iterator[Path]:
    """The file, in a folder of its own below ``folder``, until the block ends."""
    target_folder = folder / uuid4().hex
    try:
        keep_file(source, target_folder / source.name)
        yield target_folder / source.name
    finally:
        shutil.rmtree(target_folder, ignore_errors=True)

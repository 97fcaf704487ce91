"""An upload under a second name in a folder of ours: Gradio and the schedule delete uploads by their age, whoever still waits for one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from engine.errors import AudioNotFoundError


def keep_file(source: Path, target: Path) -> None:
    """Link the file, which costs no room, or copy it where it cannot be linked; ``target``'s folder is made.

    Raises AudioNotFoundError for one that is gone.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise AudioNotFoundError(path=source) from error
    except OSError:  # another file system, or one without links
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

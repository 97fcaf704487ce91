"""Files of a model that a person sent to the page → one file or folder for the workshop, kept until its job is over."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from engine.errors import OptionError
from ui.scheduling.kept_file import keep_file

#: What a bundle's name may not hold (models/jobs/workshop.py).
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60
#: The name of a bundle of files whose own names say nothing.
_NAMELESS = "imported"
_ARCHIVES = (".tar.gz", ".tar.bz2", ".tgz", ".tbz2", ".tar", ".zip", ".onnx")


class SameNameError(OptionError):
    """Two of the files that were sent have one name."""

    def __init__(self, *, name: str) -> None:
        super().__init__(f"two of the files are called {name}, and their folders do not come along; pack the folder as a zip and send that")


@dataclass(frozen=True)
class SentFiles:
    """What was sent: the folder that holds it and nothing else, and what the workshop imports."""

    folder: Path
    path: Path
    #: For the bundle, where nobody gave one.
    name: str

    def delete(self) -> None:
        """Delete the files here; the page's own copies are deleted by their age."""
        shutil.rmtree(self.folder, ignore_errors=True)


def keep_sent(files: Sequence[str | Path], place: Path) -> SentFiles:
    """Keep uploads in a folder of their own below ``place``: one archive or graph is imported itself, several files are a folder.

    Raises SameNameError, OptionError where nothing was sent, and AudioNotFoundError for a file that has gone.
    """
    paths = [Path(file) for file in files]
    if not paths:
        raise OptionError("nothing was sent; choose a zip, an .onnx file, or the files of a model together")
    names = [path.name for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SameNameError(name=twice)
    folder = place / uuid4().hex
    try:
        for path in paths:
            keep_file(path, folder / "model" / path.name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    kept = folder / "model"
    alone = len(paths) == 1
    return SentFiles(folder, kept / names[0] if alone else kept, bundle_name(names[0]) if alone else _NAMELESS)


def bundle_name(file_name: str) -> str:
    """A name that a bundle may have, made of a file's."""
    stem = next((file_name[: -len(suffix)] for suffix in _ARCHIVES if file_name.lower().endswith(suffix)), file_name)
    return _OTHER.sub("-", stem).strip("-._")[:_LONGEST_NAME] or _NAMELESS

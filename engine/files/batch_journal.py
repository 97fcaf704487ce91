"""What a batch of recordings has finished, so that the next run of it, after a crash or a full disk, does the rest alone.

One line a finished file in the user's cache, apart from the results. A result counts as finished when its file still is what was
written, and the recording, the weights and every option are those that it was written from.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.audio.piped import STDIN, STDIN_STEM
from engine.errors import OptionError, OutputError
from engine.files.cache_folder import cache_folder
from engine.files.distinct_names import DistinctNames
from engine.files.file_names import LONGEST_NAME_BYTES

log = logging.getLogger(__name__)


def result_paths(folder: Path, files: Sequence[str], output_format: str) -> list[Path]:
    """One output path a file; inputs whose names are one name on some disk get -2, -3, … so that none is lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"cannot make the folder {folder} ({error.strerror or type(error).__name__}); choose another --output-dir"
        ) from error
    names, most_bytes = DistinctNames(), LONGEST_NAME_BYTES - len(f".{output_format}")
    stems = (STDIN_STEM if file == STDIN else Path(file).stem for file in files)
    return [folder / f"{names.take(stem, most_bytes=most_bytes)}.{output_format}" for stem in stems]


class BatchJournal:
    """The finished results of one output folder under one set of options."""

    def __init__(self, folder: Path, *, settings: Mapping[str, Any]) -> None:
        where = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._file = cache_folder() / "batches" / f"{where}.jsonl"
        self._settings = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        self._entries = _read(self._file)

    def is_finished(self, source: Path, target: Path) -> bool:
        """Whether ``target`` is the whole result of ``source`` as it now is, under these settings."""
        entry = self._entries.get(target.name)
        try:
            return entry is not None and entry == self._entry(source, target, target.read_bytes())
        except OSError:
            return False  # either of them is missing or cannot be read: the run reports it

    def write(self, source: Path, target: Path, result: str | bytes) -> None:
        """Write a result, text as UTF-8, whole under its name or not at all, and remember it. Raises OutputError."""
        content = result.encode("utf-8") if isinstance(result, str) else result
        # As short as it is long: the result's own name may be the longest that there may be.
        partial = target.with_name(f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}.partial")
        try:
            partial.write_bytes(content)
            # Before the result has its name: a result that is there is in the journal, whenever this process is killed.
            self._remember(self._entry(source, target, content))
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OutputError(path=target, reason=error.strerror or type(error).__name__) from error

    def _entry(self, source: Path, target: Path, content: bytes) -> dict[str, Any]:
        status = source.stat()
        return {
            "target": target.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": str(source.resolve()),
            "named": str(source),  # as JSON repeats it
            "bytes": status.st_size,
            "modified_ns": status.st_mtime_ns,
            "settings": self._settings,
        }

    def _remember(self, entry: dict[str, Any]) -> None:
        self._entries[entry["target"]] = entry
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps(entry)}")  # the end of line first: one that was torn off spoils itself alone
        except OSError as error:
            log.warning("a later run of this batch will not know that %s is finished: %s", entry["target"], error)


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}  # the first run
    entries = {}
    for line in lines:
        try:
            entry = json.loads(line)
            entries[str(entry["target"])] = entry
        except (ValueError, KeyError, TypeError):
            continue  # empty, or torn by the end of a process: that result is made again
    return entries

"""What a downloads folder holds, noted in it: what is whole already is not asked for again, and needs no network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files.content import sha256_of

RECORD = "fetched.json"


def is_recorded(path: Path, entry: dict[str, Any]) -> bool:
    """Whether a file has the size and the sha256 of its record: a second or two for a gigabyte, against minutes of export."""
    return path.is_file() and path.stat().st_size == entry["bytes"] and sha256_of(path) == entry["sha256"]


@dataclass(frozen=True)
class Record:
    """What a downloads folder holds, by path: bytes and sha256 of each file, and whether the last download was finished."""

    files: dict[str, dict[str, Any]]
    finished: bool


def read_record(folder: Path) -> Record:
    """The record of a folder; an empty one where there is none."""
    try:
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Record(files=dict(values["files"]), finished=bool(values["finished"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Record(files={}, finished=False)  # none yet, or torn: files are checked again


def write_record(folder: Path, record: Record) -> None:
    """Write the record, replaced in one step."""
    partial = folder / f"{RECORD}.partial"
    partial.write_text(json.dumps(vars(record), indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / RECORD)

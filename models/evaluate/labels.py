"""``labels.tsv`` of a folder of recordings: its rows, each with its file checked, and the draws that share recordings out."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from engine.errors import LightVoiceError

LABELS = "labels.tsv"


class RecordingsError(LightVoiceError, ValueError):
    """A folder holds no recordings, or its labels do not fit."""


def labelled_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of a folder's ``labels.tsv``: tab-separated without quotes, UTF-8, with a column ``path``; RecordingsError otherwise, and
    for a row whose file is not there.
    """
    table = folder / LABELS
    try:
        with table.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE, restval=""))
    except UnicodeDecodeError as error:
        raise RecordingsError(f"{table} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    if rows and "path" not in rows[0]:
        raise RecordingsError(f"{table} has no column 'path'; its first line names the columns, separated by tabs")
    missing = [row["path"] for row in rows if not (folder / row["path"]).is_file()]
    if missing:
        raise RecordingsError(f"{table} names {len(missing)} files that are not there, the first is {missing[0]}; fetch the set again")
    return rows


def draw(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, so that a split never moves."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48

"""SOURCE → the recordings of a job: a folder, a manifest, or object storage; what cannot be used is named with its reason.

A manifest is JSONL, CSV, TSV or Parquet with a column ``path`` (or ``file``, ``audio_filepath``, ``url``); paths that are not
absolute count from the manifest's own folder.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from engine.cluster.storage import StoredFile, listing, read_bytes, sizes
from engine.errors import SourceError

MANIFEST_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
PATH_COLUMNS = ("path", "file", "audio_filepath", "url")
#: What a folder's files are taken for recordings by; a manifest may name any file.
AUDIO_SUFFIXES = frozenset(
    (
        *(".wav", ".wave", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".caf", ".au", ".snd", ".flac", ".ogg", ".oga", ".opus", ".spx"),
        *(".mp2", ".mp3", ".aac", ".ac3", ".m4a", ".m4b", ".wma", ".amr", ".awb", ".mka"),
        *(".mp4", ".m4v", ".mkv", ".mov", ".webm", ".avi", ".3gp", ".3g2", ".flv", ".wmv", ".asf", ".ogv"),
        *(".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """What was asked for and cannot be done, and why."""

    name: str
    error: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """As the report writes it."""
        return {"file": self.name, "type": self.error, "message": self.message}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The recordings of a job in the order given, each once; what was named twice; what could not be read."""

    recordings: tuple[StoredFile, ...]
    duplicates: tuple[str, ...]
    refused: tuple[Refused, ...]
    #: Files of a folder whose names are not those of recordings.
    others: int = 0


def read_sources(names: Sequence[str]) -> Sources:
    """List every source; one that cannot be listed is refused and the rest go on."""
    found: dict[str, StoredFile] = {}
    duplicates: list[str] = []
    refused: list[Refused] = []
    others = 0
    for name in names:
        try:
            if PurePosixPath(urlsplit(name).path).suffix.lower() in MANIFEST_SUFFIXES:
                entries = list(_manifest(name, refused))
            else:
                listed = listing(name)
                # A file that is named itself is taken at its word.
                entries = [one for one in listed if _is_recording(one.url) or one.url == name]
                others += len(listed) - len(entries)
        except SourceError as error:
            refused.append(Refused(name=name, error=type(error).__name__, message=str(error)))
            continue
        for entry in entries:
            key = _key(entry.url)
            if key in found:
                duplicates.append(entry.url)
            else:
                found[key] = entry
    return Sources(recordings=tuple(found.values()), duplicates=tuple(duplicates), refused=tuple(refused), others=others)


def _key(url: str) -> str:
    """What two names of one file have in common."""
    return url if urlsplit(url).scheme not in ("", "file") else str(Path(urlsplit(url).path if "://" in url else url).absolute())


def _is_recording(url: str) -> bool:
    name = PurePosixPath(url)
    return name.suffix.lower() in AUDIO_SUFFIXES and not name.name.startswith(".")


def _manifest(url: str, refused: list[Refused]) -> Iterator[StoredFile]:
    """The manifest's recordings; a row without a path is refused by its number."""
    paths = []
    for number, row in enumerate(_rows(url), start=1):
        value = next((row[column] for column in PATH_COLUMNS if isinstance(row, Mapping) and row.get(column)), None)
        if isinstance(value, str) and value.strip():
            paths.append(_absolute(value.strip(), url))
        else:
            message = f"no path in it; a row needs one of the columns {', '.join(PATH_COLUMNS)}"
            refused.append(Refused(name=f"{url} row {number}", error="ManifestRow", message=message))
    for path, size_bytes in zip(paths, sizes(paths), strict=True):
        yield StoredFile(url=path, size_bytes=size_bytes)


def _rows(url: str) -> Iterable[Any]:
    suffix, content = PurePosixPath(urlsplit(url).path).suffix.lower(), read_bytes(url)
    try:
        if suffix == ".parquet":
            from pyarrow import parquet

            rows: list[Any] = parquet.read_table(io.BytesIO(content)).to_pylist()
            return rows
        text = content.decode("utf-8-sig")
        if suffix in (".csv", ".tsv"):
            return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if suffix == ".tsv" else ","))
        return [_json_row(line) for line in text.splitlines() if line.strip()]
    except (ValueError, csv.Error) as error:  # pyarrow's and the decoder's own errors are ValueErrors
        raise SourceError(source=url, reason=f"it is no {suffix[1:]} manifest ({error})") from error


def _json_row(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None  # a row without a path, which is said of it by its number


def _absolute(path: str, manifest: str) -> str:
    if urlsplit(path).scheme or path.startswith("/"):
        return path
    folder = manifest.rpartition("/")[0] if "/" in manifest else "."
    return f"{folder}/{path}"

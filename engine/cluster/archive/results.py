"""A job's folder: one file a content, written once, and from them JSONL, Parquet and subtitles with one row a recording.

``transcripts/<fingerprint>/<first two digits>/<sha256>.json`` is what makes a job resumable: a content that lies there is done.
Only the job's own process writes, and a file gets its name when it is whole: nothing is lost with a worker, nothing is there twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from engine.audio.read_options import Channel
from engine.cluster.job import Job
from engine.cluster.storage import Folder
from engine.files.distinct_names import DistinctNames
from engine.formats import render
from engine.subtitles.options import SubtitleOptions
from engine.transcript import Transcript
from engine.wire import decoded, encoded

JSONL, PARQUET, REPORT = "transcripts.jsonl", "transcripts.parquet", "report.json"
ROWS_A_GROUP = 1_000


@dataclass(frozen=True)
class Done:
    """A recording of the job and the content that it holds."""

    url: str
    sha256: str


class Results:
    """The results of one job in one folder."""

    def __init__(self, folder: Folder, job: Job) -> None:
        self._folder, self._below = folder, f"transcripts/{job.fingerprint}"
        self._apart = job.options.read.channel is Channel.SPLIT
        self._readings = job.options.n_best > 1

    def known(self) -> frozenset[str]:
        """The contents that are done."""
        paths = (PurePosixPath(name) for name in self._folder.names(self._below))
        return frozenset(path.stem for path in paths if path.suffix == ".json" and not path.name.startswith("."))

    def keep(self, sha256: str, transcript: Transcript) -> None:
        """Write one content's transcript; SourceError where the folder refuses it."""
        self._folder.write(self._name(sha256), encoded(transcript).encode())

    def transcript(self, done: Done) -> Transcript:
        """What a recording became, under its own name."""
        transcript: Transcript = decoded(self._folder.read(self._name(done.sha256)), Transcript)
        return replace(transcript, file=done.url)

    def _name(self, sha256: str) -> str:
        return f"{self._below}/{sha256[:2]}/{sha256}.json"

    def write_all(self, files: Sequence[Done], *, formats: Sequence[str], subtitles: SubtitleOptions | None = None) -> None:
        """JSONL, Parquet and one file a recording in each of ``formats``, in the order of the job."""
        with (
            self._folder.output_stream(JSONL) as lines,
            _parquet(self._folder, _schema(apart=self._apart, readings=self._readings)) as table,
        ):
            group: list[dict[str, Any]] = []
            names = DistinctNames()
            for done in files:
                transcript = self.transcript(done)
                row = {**transcript.to_dict(), "sha256": done.sha256}
                lines.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
                group.append(row)
                if len(group) == ROWS_A_GROUP:
                    table(group)
                    group = []
                name = names.take(file_name(done.url))
                for output_format in formats:
                    text = render(transcript, output_format, subtitles=subtitles)
                    self._folder.write(f"{output_format}/{name}.{output_format}", text.encode())
            table(group)

    def write_report(self, values: Mapping[str, Any]) -> None:
        """The job's report, whole."""
        self._folder.write(REPORT, (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode())


def file_name(url: str) -> str:
    """A recording's URL as a relative path that stays inside a folder; different recordings keep different names."""
    parts = urlsplit(url)
    path = f"{parts.netloc}/{unquote(parts.path)}" if parts.scheme else url
    kept = [part if part != ".." else "__" for part in PurePosixPath(path).parts if part not in ("/", ".")]
    return "/".join(kept)


def _schema(*, apart: bool, readings: bool) -> Any:
    """The columns; ``apart``: segments say their channel, ``readings``: and what else they may be read as."""
    import pyarrow as pa

    confidence = pa.struct([(family, pa.float64()) for family in ("language", "emotion", "event")])
    token = pa.struct([("text", pa.string()), ("start_ms", pa.int64()), ("end_ms", pa.int64()), ("confidence", pa.float64())])
    tags = [(family, pa.string()) for family in ("language", "emotion", "event")]
    segment = pa.struct(
        [
            ("start_ms", pa.int64()),
            ("end_ms", pa.int64()),
            *([("channel", pa.int64()), ("speaker", pa.string())] if apart else []),
            ("text", pa.string()),
            *tags,
            ("confidence", confidence),
            ("tokens", pa.list_(token)),
            *([("alternatives", pa.list_(pa.struct([("text", pa.string()), ("probability", pa.float64())])))] if readings else []),
        ]
    )
    timing = pa.struct([(name, pa.float64()) for name in ("decode_s", "features_s", "vad_s", "asr_s", "total_s", "rtf")])
    warning = pa.struct([("type", pa.string()), ("message", pa.string())])
    texts = [(name, pa.string()) for name in ("file", "sha256", "bundle", "precision", "text")]
    return pa.schema(
        [*texts, ("duration_s", pa.float64()), ("segments", pa.list_(segment)), ("timing", timing), ("warnings", pa.list_(warning))]
    )


@contextmanager
def _parquet(folder: Folder, schema: Any) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """A Parquet file of the folder that takes rows of the JSON contract, group by group."""
    import pyarrow as pa
    from pyarrow import parquet

    with folder.output_stream(PARQUET) as stream, parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(list(rows), schema=schema))

"""An archive → its transcripts: rounds of work on many workers, whose results this one process keeps.

A worker that dies costs a retry: its task runs again on another one. A recording that kills every worker it comes to is named after
three rounds; a worker that has not got the bundle hands its recordings on. The rest is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from engine.cluster.archive.joining import Joiner
from engine.cluster.archive.nodes import Node
from engine.cluster.archive.notes import Failed, Known, Recognized, Row, SearchedRecording, Undone
from engine.cluster.archive.pieces import by_size
from engine.cluster.archive.progress import Progress, Reading
from engine.cluster.archive.report import Report, recordings_left
from engine.cluster.archive.results import Results
from engine.cluster.archive.source import Refused, Sources
from engine.cluster.job import Job
from engine.cluster.storage import Folder
from engine.errors import WorkerBundleError
from engine.subtitles.options import SubtitleOptions

ROUNDS = 3
#: Recordings that travel together.
GROUP_BYTES = 64 << 20
GROUP_FILES = 64
#: So many that a worker which had the easier ones finds others to go on with.
GROUPS_A_WORKER = 4
REPORT_EVERY_S = 5.0


class Workers(Protocol):
    """Who does the work: Ray's actors (:mod:`engine.cluster.archive.ray_workers`), or anything that answers like them."""

    @property
    def count(self) -> int:
        """How many recordings are worked on at the same time."""

    def check(self, job: Job) -> list[Node]:
        """The machines, and why some of them get no work."""

    def rows(self, job: Job, groups: Sequence[Mapping[str, Any]], *, known: frozenset[str], nodes: Sequence[Node]) -> Iterator[Row]:
        """What workers say of groups of recordings (``files``, ``urls``), as they say it; not every recording must be in it."""


def transcribe_archive(
    sources: Sources,
    job: Job,
    folder: Folder,
    workers: Workers,
    *,
    formats: Sequence[str] = (),
    subtitles: SubtitleOptions | None = None,
    tell: Callable[[Reading], None] = lambda _: None,
) -> Report:
    """Transcribe every recording into the folder; what an earlier run has left there is not done again.

    ``tell`` hears of the progress every five seconds and at the end. Raises WorkerBundleError where no machine holds the job's
    bundle, and SourceError where the folder cannot be written. Whatever else fails is a line of the report, which lies in the
    folder as well.
    """
    report, results = Report(job=job, sources=sources), Results(folder, job)
    progress = Progress([recording.size_bytes for recording in sources.recordings])
    account = _Account(report, results, progress, Joiner(job))
    told_s = time.monotonic()
    for number in range(ROUNDS):
        left = recordings_left(report)
        if not left:
            break
        report.nodes = workers.check(job)
        if all(node.fault for node in report.nodes):
            raise WorkerBundleError(expected=str(job.identity), got="; ".join(sorted({str(node.fault) for node in report.nodes})))
        # After the first round each recording is by itself, so that one which kills its worker takes no other with it.
        groups = _groups(sources, left, least=GROUPS_A_WORKER * workers.count if number == 0 else len(left))
        for row in workers.rows(job, groups, known=results.known(), nodes=report.nodes):
            account.take(row)
            if time.monotonic() - told_s >= REPORT_EVERY_S:
                told_s = time.monotonic()
                tell(progress.reading())
    account.give_up()
    report.reading = progress.reading()
    tell(report.reading)
    results.write_all(report.finished(), formats=formats, subtitles=subtitles)
    results.write_report(report.to_dict())
    return report


def _groups(sources: Sources, positions: Sequence[int], *, least: int) -> list[dict[str, Any]]:
    """Recordings in groups that travel together: at least so many groups, where there are so many recordings."""
    sizes = [sources.recordings[position].size_bytes for position in positions]
    most_bytes = min(GROUP_BYTES, sum(size or 0 for size in sizes) // least)
    most_files = min(GROUP_FILES, -(-len(positions) // least))
    groups = [[positions[place] for place in group] for group in by_size(sizes, most_bytes=most_bytes, most_files=most_files)]
    return [{"files": group, "urls": [sources.recordings[position].url for position in group]} for group in groups]


class _Account:
    """Takes the rows as they come, keeps what is complete, and writes down what became of each recording."""

    def __init__(self, report: Report, results: Results, progress: Progress, joiner: Joiner) -> None:
        self._report, self._results, self._progress, self._joiner = report, results, progress, joiner
        self._contents: dict[str, float] = {}
        self._holders: dict[str, set[int]] = {}
        self._lost: dict[int, str] = {}

    def take(self, row: Row) -> None:
        """One row of a round."""
        position, note = row.file, row.note
        if position in self._report.done or position in self._report.failed:
            return
        match note:
            case Failed():
                self._fail(position, error=note.error, message=note.message)
            case Undone():
                reason = f"{note.worker}: {note.message}"
                self._report.undone[reason] = self._report.undone.get(reason, 0) + 1
                self._lost[position] = reason
            case Known():
                self._report.known.add(position)
                self._finish(position, note.sha256, audio_s=0.0, worked=False)
            case SearchedRecording() | Recognized():
                self._join(position, note)
            case _:
                raise TypeError(f"a row says {note!r}, which is no result")

    def _join(self, position: int, note: SearchedRecording | Recognized) -> None:
        recording = note if isinstance(note, SearchedRecording) else note.recording
        sha256 = recording.sha256
        if sha256 in self._contents:  # another recording of the same content came first
            self._finish(position, sha256, audio_s=recording.duration_s, worked=True)
            return
        self._holders.setdefault(sha256, set()).add(position)
        transcript = self._joiner.add(note)
        if transcript is not None:
            self._results.keep(sha256, transcript)
            self._contents[sha256] = transcript.duration_s
            for holder in sorted(self._holders.pop(sha256)):
                self._finish(holder, sha256, audio_s=transcript.duration_s, worked=True)

    def _finish(self, position: int, sha256: str, *, audio_s: float, worked: bool) -> None:
        self._report.done[position] = sha256
        self._progress.done(position, audio_s=audio_s, worked=worked)

    def _fail(self, position: int, *, error: str, message: str) -> None:
        name = self._report.sources.recordings[position].url
        self._report.failed[position] = Refused(name=name, error=error, message=message)
        self._progress.done(position, audio_s=0.0, worked=False)

    def give_up(self) -> None:
        """Name what no round has brought to an end."""
        for position in recordings_left(self._report):
            reason = self._lost.get(position)
            message = reason or f"no worker lived to the end of it in {ROUNDS} rounds; look at this recording, and at the workers' memory"
            self._fail(position, error="WorkerAtFault" if reason else "WorkerLost", message=message)

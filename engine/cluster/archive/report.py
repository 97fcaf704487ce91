"""What became of every recording of a job: counted, and each one that failed with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.cluster.archive.nodes import Node
from engine.cluster.archive.progress import JobProgress
from engine.cluster.archive.results import Done
from engine.cluster.archive.source import Refused, Sources
from engine.cluster.job import Job


@dataclass
class Report:
    """The account of one job, filled while it runs."""

    job: Job
    sources: Sources
    nodes: list[Node] = field(default_factory=list)
    #: Position of the recording → the content that it holds.
    done: dict[int, str] = field(default_factory=dict)
    failed: dict[int, Refused] = field(default_factory=dict)
    #: Recordings that an earlier run has left the result of.
    known: set[int] = field(default_factory=set)
    #: What workers said that could not do their work, and how often.
    undone: dict[str, int] = field(default_factory=dict)
    reading: JobProgress | None = None

    @property
    def refused(self) -> list[Refused]:
        """Everything that was asked for and is not in the results, in the job's order; sources and rows first."""
        return [*self.sources.refused, *(self.failed[position] for position in sorted(self.failed))]

    def finished(self) -> list[Done]:
        """The recordings with a result, in the job's order."""
        return [Done(self.sources.recordings[position].url, self.done[position]) for position in sorted(self.done)]

    def to_dict(self) -> dict[str, Any]:
        """As ``report.json`` has it."""
        contents = set(self.done.values())
        reading = self.reading
        return {
            "job": self.job.to_dict(),
            "recordings": len(self.sources.recordings),
            "done": len(self.done),
            "known_before": len(self.known),
            "same_content": len(self.done) - len(contents),
            "named_twice": list(self.sources.duplicates),
            "not_recordings": self.sources.others,
            "failed": len(self.refused),
            "failures": [refused.to_dict() for refused in self.refused],
            "faulty_workers": [node.to_dict() for node in self.nodes if node.fault],
            "undone": [{"reason": reason, "times": times} for reason, times in sorted(self.undone.items())],
            "audio_s": round(reading.audio_s, 3) if reading else 0.0,
            "elapsed_s": round(reading.elapsed_s, 3) if reading else 0.0,
            "speed": round(reading.speed, 2) if reading else 0.0,
        }


def recordings_left(report: Report) -> Sequence[int]:
    """Positions of the recordings that nothing has become of yet."""
    return [position for position in range(len(report.sources.recordings)) if position not in report.done and position not in report.failed]

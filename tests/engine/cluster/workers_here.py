"""The same finder and recognizer in this process, one after the other: what a job does without Ray in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.cluster.archive.nodes import Node, bundle_fault
from engine.cluster.archive.notes import Row
from engine.cluster.archive.piece_recognizer import PieceRecognizer
from engine.cluster.archive.speech_finder import SpeechFinder
from engine.cluster.job import Job


class WorkersHere:
    """Every row in order, or as ``between`` changes what comes of a round; ``rounds`` remembers what was asked."""

    count = 1

    def __init__(self, between: Callable[[int, list[Row]], list[Row]] = lambda _, rows: rows) -> None:
        self._between = between
        self.rounds: list[list[list[int]]] = []

    def check(self, job: Job) -> list[Node]:
        return [Node(node_id="0", host="here", fault=bundle_fault(job))]

    def rows(self, job: Job, groups: Sequence[Mapping[str, Any]], *, known: frozenset[str], nodes: Sequence[Node]) -> Iterator[Row]:
        self.rounds.append([group["files"] for group in groups])
        finder, recognizer = SpeechFinder(job, known), PieceRecognizer(job)
        batches = (batch for group in groups for batch in finder({name: [value] for name, value in group.items()}))
        rows = [Row.of(recognizer({name: values[0] for name, values in batch.items()})) for batch in batches]
        yield from self._between(len(self.rounds), rows)

"""A worker of several threads: one copy of the weights, several segments side by side, the same notes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cluster.archive.notes import Failed, Recognized, Row
from engine.cluster.archive.piece_recognizer import PieceRecognizer
from engine.cluster.archive.speech_finder import SpeechFinder
from engine.cluster.job import Job
from engine.errors import GraphContractError
from engine.speech.span_recognizer import SpanRecognizer
from tests.starter_facts import EXAMPLES
from tests.waiting import until


@pytest.fixture(scope="module")
def pieces(job: Job) -> list[dict]:
    """The rows of a recording of which each piece holds several segments."""
    long = replace(job, piece_s=60.0)
    batch = {"files": [[0]], "urls": [[str(EXAMPLES / "digits-en.flac")]]}
    return [{name: values[0] for name, values in row.items()} for row in SpeechFinder(long, frozenset())(batch)]


def recognized(job: Job, pieces: list[dict], *, threads: int) -> list[object]:
    recognizer = PieceRecognizer(replace(job, threads=threads))
    return [Row.of(recognizer(row)).note for row in pieces]


def test_the_segments_are_those_of_one_thread(job: Job, pieces: list[dict]) -> None:
    one, several = (recognized(job, pieces, threads=threads) for threads in (1, 3))
    assert one
    for first, second in zip(one, several, strict=True):
        assert isinstance(first, Recognized)
        assert isinstance(second, Recognized)
        assert first.segments == second.segments
        assert len(first.segments) > 1


def test_a_segment_that_fails_fails_its_recording_and_leaves_no_slot_taken(
    job: Job, pieces: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = PieceRecognizer(replace(job, threads=3))

    def fail(*_: object) -> None:
        raise GraphContractError(path="asr", reason="broken on purpose")

    with monkeypatch.context() as patched:
        patched.setattr(SpanRecognizer, "segment", fail)
        note = Row.of(recognizer(pieces[0])).note
    assert isinstance(note, Failed)
    assert recognizer._workers.slots.waiting() == 0
    until(lambda: recognizer._workers.slots.running() == 0)
    assert isinstance(Row.of(recognizer(pieces[0])).note, Recognized)

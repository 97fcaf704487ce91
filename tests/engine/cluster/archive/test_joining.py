"""Pieces become a transcript again, whatever order they come in, and however often."""

from __future__ import annotations

import itertools

import pytest

from engine.cluster.archive.joining import Joiner
from engine.cluster.archive.notes import Failed, Known, PieceOf, Recognized, Row, SearchedRecording, Undone
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence

RECORDING = SearchedRecording(sha256="ab" * 32, duration_s=30.0, pieces=3, decode_s=0.1, features_s=0.2, vad_s=0.3)


def piece(number: int) -> Recognized:
    segment = Segment(
        start_ms=number * 10_000,
        end_ms=number * 10_000 + 900,
        text=f"piece {number}",
        language=Language.EN,
        emotion=Emotion.NEUTRAL,
        event=Event.SPEECH,
        confidence=TagConfidence(language=1.0, emotion=1.0, event=1.0),
    )
    return Recognized(recording=RECORDING, number=number, segments=(segment,), asr_s=1.0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_in_which_pieces_come_does_not_matter(job, order):
    joiner = Joiner(job)
    *before, last = [joiner.add(piece(number)) for number in order]
    assert before == [None, None]
    assert last.text == "piece 0 piece 1 piece 2"
    assert last.duration_s == 30.0
    assert last.timing.asr_s == pytest.approx(3.0)
    assert last.timing.total_s == pytest.approx(3.6)


def test_a_piece_that_comes_twice_counts_once(job):
    joiner = Joiner(job)
    assert [joiner.add(piece(number)) for number in (0, 0, 1, 1)] == [None] * 4
    assert len(joiner.add(piece(2)).segments) == 3


def test_silence_is_complete_at_once(job):
    recording = SearchedRecording(sha256="cd" * 32, duration_s=1.0, pieces=0)
    assert Joiner(job).add(recording).segments == ()


@pytest.mark.parametrize(
    "note",
    [
        RECORDING,
        PieceOf(recording=RECORDING, number=1, spans_ms=((0, 900), (1_200, 2_000))),
        piece(2),
        Known(sha256="ab" * 32),
        Failed(error="EmptyAudioError", message="nothing in it"),
        Undone(worker="node-7", message="no bundle"),
    ],
)
def test_every_note_travels_without_loss(note):
    row = Row(file=3, note=note, frames=b"1234")
    assert Row.of(row.to_dict()) == row

"""Pieces → segments: the second stage, which is where the time goes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from engine.cluster.archive.notes import PieceOf, Recognized, Row, Undone, failed
from engine.cluster.archive.opened_bundle import open_models
from engine.cluster.job import Job
from engine.runtime.core_slots import CoreSlots
from engine.runtime.session_pool import SessionSet
from engine.runtime.slot_tasks import SlotTasks, SlotWorkers
from engine.speech.endpointing import SpeechSpan
from engine.speech.features import FBANK_BINS
from engine.speech.span_recognizer import SpanRecognizer, frames_of


class PieceRecognizer:
    """An actor of the second stage; holds one session set, and recognizes as many segments side by side as the job has threads."""

    def __init__(self, job: Job) -> None:
        self._workers = SlotWorkers(CoreSlots(job.threads))
        opened = open_models(job, "asr", "vad", slots=self._workers.slots)
        self._recognizer: SpanRecognizer | Undone
        if isinstance(opened, Undone):
            self._recognizer = opened
        else:
            sessions = SessionSet(job.precision, **opened.sessions)
            self._recognizer = SpanRecognizer(opened.parts, sessions, job.options)
            self._taught = opened.parts.bundle.languages

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A piece's row with its segments in place of its frames; any other row as it came."""
        row = Row.of(values)
        if not isinstance(row.note, PieceOf):
            return row.to_dict()
        if isinstance(self._recognizer, Undone):
            return Row(file=row.file, note=self._recognizer).to_dict()
        try:
            return Row(
                file=row.file, note=_recognized(self._recognizer, self._workers.tasks(), row.note, row.frames, taught=self._taught)
            ).to_dict()
        except Exception as error:  # noqa: BLE001 - whatever one recording does to the network, the others go on; the report names it
            return Row(file=row.file, note=failed(error)).to_dict()


def _recognized(recognizer: SpanRecognizer, tasks: SlotTasks, piece: PieceOf, content: bytes, *, taught: tuple[str, ...]) -> Recognized:
    began = time.perf_counter()
    frames = np.frombuffer(content, np.float32).reshape(-1, FBANK_BINS)
    started, first = [], 0
    for start_ms, end_ms in piece.spans_ms:
        span = SpeechSpan(start_ms, end_ms)
        own = frames_of(span)
        stop = first + own.stop - own.start
        started.append(tasks.start(partial(recognizer.segment, span, frames[first:stop])))
        first = stop
    try:
        found = [one.result() for one in started]
    finally:
        tasks.cancel()
    segments = [replace(segment, channel=piece.channel) for segment in found if segment is not None]
    asr_s = time.perf_counter() - began
    return Recognized(
        recording=piece.recording,
        number=piece.number,
        segments=tuple(segments),
        asr_s=asr_s,
        warnings=recognizer.warnings,
        taught=taught,
    )

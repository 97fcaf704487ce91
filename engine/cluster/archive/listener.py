"""Recordings → pieces: fetch, hash, decode, fbank, VAD over the whole recording, and a cut at its silences.

The frames of a piece are those that the one-machine engine computes, not computed again from a cut-out: so is the text the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine.audio.sandbox.decoder import DecodeLimits, Decoder
from engine.cluster.archive.notes import Heard, Known, PieceOf, Row, Undone, failed
from engine.cluster.archive.opened_bundle import OpenModels, open_models
from engine.cluster.archive.pieces import cut_at_silences
from engine.cluster.job import Job
from engine.cluster.storage import fetched
from engine.speech.detector import SpeechDetector
from engine.speech.features import fbank
from engine.speech.span_recognizer import frames_of

#: Ray gives its workers way to everything else on a machine: what hangs for eight seconds there may only be waiting.
DECODER_STALL_S = 60.0


class Listener:
    """An actor of the first stage; holds the VAD session. ``known`` are the contents whose results an earlier run has left."""

    def __init__(self, job: Job, known: frozenset[str]) -> None:
        self._job, self._known = job, known
        self._opened = open_models(job, "vad")
        self._decoder = Decoder(limits=DecodeLimits(stall_s=DECODER_STALL_S))

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The pieces of a group of recordings: ``files`` and ``urls`` hold one list each."""
        for files, urls in zip(batch["files"], batch["urls"], strict=True):
            for file, url in zip(files, urls, strict=True):
                for row in self._rows(int(file), str(url)):
                    yield {name: [value] for name, value in row.to_dict().items()}

    def _rows(self, file: int, url: str) -> Iterator[Row]:
        if isinstance(self._opened, Undone):
            yield Row(file=file, note=self._opened)
            return
        try:
            yield from self._pieces(file, url, self._opened)
        except Exception as error:  # noqa: BLE001 - whatever one recording does to its decoder, the others go on; the report names it
            yield Row(file=file, note=failed(error))

    def _pieces(self, file: int, url: str, opened: OpenModels) -> Iterator[Row]:
        with fetched(url) as content:
            if content.sha256 in self._known:
                yield Row(file=file, note=Known(sha256=content.sha256))
                return
            waveform = self._decoder.load(content.path)
        began = time.perf_counter()
        frames = fbank(waveform.samples)
        heard_at = time.perf_counter()
        detector = SpeechDetector(opened.sessions["vad"], opened.parts.frontend, silence_ids=opened.parts.bundle.silence_ids)
        spans = detector.detect(waveform, frames, self._job.vad)
        runs = cut_at_silences(spans, piece_s=self._job.piece_s)
        heard = Heard(
            sha256=content.sha256,
            duration_s=waveform.duration_s,
            pieces=len(runs),
            decode_s=waveform.decode_s,
            features_s=heard_at - began,
            vad_s=time.perf_counter() - heard_at,
            warnings=waveform.warnings,
        )
        if not runs:
            yield Row(file=file, note=heard)
        for number, run in enumerate(runs):
            note = PieceOf(heard=heard, number=number, spans_ms=tuple((span.start_ms, span.end_ms) for span in run))
            yield Row(file=file, note=note, frames=np.concatenate([frames[frames_of(span)] for span in run]).tobytes())

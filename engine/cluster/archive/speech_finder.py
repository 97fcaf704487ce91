"""Recordings → pieces: fetch, hash, decode, fbank, VAD, and a cut at the silences.

Frames and spans come the way that the one-machine engine's do (:mod:`engine.speech.channel_speech`): so is the text the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from engine.audio.sandbox.decoder import DecodeLimits, Decoder
from engine.audio.waveform import AudioStream
from engine.cluster.archive.notes import Known, PieceOf, Row, SearchedRecording, Undone, failed
from engine.cluster.archive.opened_bundle import OpenModels, open_models
from engine.cluster.archive.pieces import cut_at_silences
from engine.cluster.job import Job
from engine.cluster.storage import fetched
from engine.speech.channel_speech import ChannelSpeech, StageClock, channels_of, samples_of
from engine.speech.detector import SpeechDetector
from engine.speech.speech_stream import SpanFrames

#: Ray gives its workers way to everything else on a machine: what hangs for eight seconds there may only be waiting.
DECODER_STALL_S = 60.0


class SpeechFinder:
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
        clock = StageClock()
        detector = SpeechDetector(opened.sessions["vad"], opened.parts.frontend, silence_ids=opened.parts.bundle.silence_ids)
        with fetched(url) as content:
            if content.sha256 in self._known:
                yield Row(file=file, note=Known(sha256=content.sha256))
                return
            stream = self._decoder.open(content.path, read=self._job.options.read)
            channels = channels_of(stream, self._job.options)
            spoken = _spoken(stream, channels, detector, clock)
        pieces = [
            (channel, piece)
            for channel, own in zip(channels, spoken, strict=True)
            for piece in cut_at_silences(own, piece_s=self._job.piece_s)
        ]
        recording = SearchedRecording(
            sha256=content.sha256,
            duration_s=stream.duration_s,
            pieces=len(pieces),
            decode_s=stream.decode_s,
            features_s=clock.spent_s["features"],
            vad_s=clock.spent_s["vad"],
            warnings=stream.warnings,
        )
        if not pieces:
            yield Row(file=file, note=recording)
        for number, (channel, piece) in enumerate(pieces):
            spans_ms = tuple((one.span.start_ms, one.span.end_ms) for one in piece)
            note = PieceOf(recording=recording, number=number, spans_ms=spans_ms, channel=channel.number)
            yield Row(file=file, note=note, frames=np.concatenate([one.frames for one in piece]).tobytes())


def _spoken(stream: AudioStream, channels: Sequence[ChannelSpeech], detector: SpeechDetector, clock: StageClock) -> list[list[SpanFrames]]:
    """Read a recording to its end: the spans of each channel with their frames, in time order."""
    spoken: list[list[SpanFrames]] = [[] for _ in channels]
    with closing(stream.blocks()) as blocks:
        for block in blocks:
            for own, (channel, samples) in zip(spoken, samples_of(channels, block), strict=True):
                with clock.stage("features"):
                    new = channel.frames.add(samples)
                with clock.stage("vad"):
                    own.extend(channel.speech.add(new, detector))
    for own, channel in zip(spoken, channels, strict=True):
        with clock.stage("vad"):
            own.extend(channel.speech.finish(detector, duration_ms=channel.frames.duration_ms))
    return spoken

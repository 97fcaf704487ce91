"""Recognized pieces → the transcript of a whole recording, as soon as its last piece has come, in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.cluster.archive.notes import Heard, Recognized
from engine.cluster.job import Job
from engine.transcript import Timing, Transcript


@dataclass
class _Waiting:
    heard: Heard
    pieces: dict[int, Recognized] = field(default_factory=dict)


class Joiner:
    """Collects the pieces of many recordings by content; a piece that comes twice counts once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._waiting: dict[str, _Waiting] = {}

    def add(self, note: Heard | Recognized) -> Transcript | None:
        """Take a piece, or a recording without speech: its transcript once it is complete."""
        heard = note if isinstance(note, Heard) else note.heard
        waiting = self._waiting.setdefault(heard.sha256, _Waiting(heard))
        if isinstance(note, Recognized):
            waiting.pieces.setdefault(note.number, note)
        if len(waiting.pieces) < heard.pieces:
            return None
        del self._waiting[heard.sha256]
        return self._joined(waiting)

    def _joined(self, waiting: _Waiting) -> Transcript:
        heard = waiting.heard
        pieces = [waiting.pieces[number] for number in sorted(waiting.pieces)]
        segments = [segment for piece in pieces for segment in piece.segments]
        asr_s = sum(piece.asr_s for piece in pieces)
        # What it took on all machines together: a recording in ten pieces may be back in a tenth of it.
        total_s = heard.decode_s + heard.features_s + heard.vad_s + asr_s
        timing = Timing(
            decode_s=heard.decode_s,
            features_s=heard.features_s,
            vad_s=heard.vad_s,
            asr_s=asr_s,
            total_s=total_s,
            rtf=total_s / heard.duration_s,
        )
        return Transcript(
            file=heard.sha256,
            duration_s=heard.duration_s,
            bundle=self._job.identity.name,
            precision=self._job.precision,
            segments=tuple(sorted(segments, key=lambda one: (one.start_ms, one.end_ms, one.channel or 0))),
            timing=timing,
            warnings=heard.warnings,
        )

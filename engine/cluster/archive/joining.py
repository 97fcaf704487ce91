"""Recognized pieces → the transcript of a whole recording, as soon as its last piece has come, in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.cluster.archive.notes import Recognized, SearchedRecording
from engine.cluster.job import Job
from engine.speech.text_warnings import text_warnings
from engine.transcript import Segment, Timing, Transcript


@dataclass
class _Waiting:
    recording: SearchedRecording
    pieces: dict[int, Recognized] = field(default_factory=dict)


class Joiner:
    """Collects the pieces of many recordings by content; a piece that comes twice counts once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._waiting: dict[str, _Waiting] = {}

    def add(self, note: SearchedRecording | Recognized) -> Transcript | None:
        """Take a piece, or a recording without speech: its transcript once it is complete."""
        recording = note if isinstance(note, SearchedRecording) else note.recording
        waiting = self._waiting.setdefault(recording.sha256, _Waiting(recording))
        if isinstance(note, Recognized):
            waiting.pieces.setdefault(note.number, note)
        if len(waiting.pieces) < recording.pieces:
            return None
        del self._waiting[recording.sha256]
        return self._joined(waiting)

    def _joined(self, waiting: _Waiting) -> Transcript:
        recording = waiting.recording
        pieces = [waiting.pieces[number] for number in sorted(waiting.pieces)]
        segments = [segment for piece in pieces for segment in piece.segments]
        asr_s = sum(piece.asr_s for piece in pieces)
        # What it took on all machines together: a recording in ten pieces may be back in a tenth of it.
        total_s = recording.decode_s + recording.features_s + recording.vad_s + asr_s
        timing = Timing(
            decode_s=recording.decode_s,
            features_s=recording.features_s,
            vad_s=recording.vad_s,
            asr_s=asr_s,
            total_s=total_s,
            rtf=total_s / recording.duration_s,
        )
        return Transcript(
            file=recording.sha256,
            duration_s=recording.duration_s,
            bundle=self._job.identity.name,
            precision=self._job.precision,
            segments=tuple(sorted(segments, key=lambda one: (one.start_ms, one.end_ms, one.channel or 0))),
            timing=timing,
            warnings=(*recording.warnings, *self._of_the_text(pieces, segments)),
        )

    def _of_the_text(self, pieces: list[Recognized], segments: list[Segment]) -> tuple[ReadingWarning, ...]:
        """What is said of the options, of which every piece says the same, and of the text as a whole: as engine/pipeline.py does."""
        if not pieces:
            return ()
        whole = text_warnings(tuple(segments), taught=pieces[0].taught, asked=self._job.options.language)
        return (*whole, *pieces[0].warnings)

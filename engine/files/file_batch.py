"""Many files transcribed by one command: side by side, answered in their order, and one that fails is said while the rest go on."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.audio.piped import as_file
from engine.audio.sandbox.decoder import Decoder
from engine.audio.tracks import Track
from engine.documents import written
from engine.errors import LightVoiceError, OutputError, first_line
from engine.files.batch_journal import BatchJournal
from engine.files.file_names import printable
from engine.files.in_order import StillWanted, UnwantedError, in_order
from engine.options import TranscribeOptions
from engine.speech_engine import SpeechEngine
from engine.subtitles.options import SubtitleOptions

#: A note for whoever watches, such as a line on stderr.
Say = Callable[[str], None]
#: A file as it was named, and where its result goes: into the file named, or to the reader (None).
Work = tuple[str, Path | None]


@dataclass
class Outcome:
    """What a file gave: what its reader gets, and notes for whoever watches."""

    to_reader: bool
    content: str | bytes = ""
    notes: list[str] = field(default_factory=list)
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class FileBatch:
    """The files of one command: what transcribes them, and as what they are written.

    With a ``journal`` a result that goes into a file is written through it, whichever ends first; JSON is what a failure is told in.
    """

    engine: SpeechEngine
    decoder: Decoder
    options: TranscribeOptions
    output_format: str
    subtitles: SubtitleOptions
    say: Say
    journal: BatchJournal | None = None

    def run(self, work: Sequence[Work]) -> Iterator[Outcome]:
        """Transcribe the files, as many at once as the engine takes: -> what each gave, in their order."""
        if not work:
            return
        self.decoder.warm_up()  # beside what opens the models
        # Opened now: a graph that cannot be opened is no file's fault.
        self.engine.warm_up()
        yield from in_order(work, self._transcribe, at_once=self.engine.recordings_at_once)

    def _transcribe(self, work: Work, still_wanted: StillWanted) -> Outcome:
        file, target = work
        outcome = Outcome(to_reader=target is None)
        try:
            with as_file(file) as path:
                recording = self.decoder.open(path, read=self.options.read)
                name = printable(file)
                transcript = self.engine.transcribe(recording, self.options, file=name, progress=lambda *_: still_wanted())
                outcome.notes += _chosen_track(file, recording.tracks, self.options.read.track)
                outcome.notes += [f"{name}: warning: {warning.message}" for warning in transcript.warnings]
                outcome.content = written(transcript, self.output_format, subtitles=self.subtitles)
                if target is not None and self.journal is not None:
                    self.journal.write(path, target, outcome.content)
                    outcome.notes.append(f"{name} -> {printable(str(target))}")
        except (OutputError, UnwantedError):
            raise  # no recording's fault
        except Exception as error:  # noqa: BLE001 - whatever one file does to us, it is said of that file, and the rest go on
            failure = failure_of_file(file, error, say=self.say)
            outcome.failed = True
            outcome.content = json.dumps({"file": printable(file), **failure}, ensure_ascii=False) + "\n"
            outcome.to_reader &= self.output_format == "json"
        return outcome


def failure_of_file(file: str, error: Exception, *, say: Say) -> dict[str, Any]:
    """What a file that failed is in JSON; a person is told too, and of an error that nobody foresaw where it came from."""
    if not isinstance(error, LightVoiceError):
        say("".join(traceback.format_exception(error)).rstrip())
    message = printable(str(error) if isinstance(error, LightVoiceError) else f"unexpected error ({first_line(error)})")
    say(f"{printable(file)}: {message}")
    return {"error": {"type": type(error).__name__, "message": message}}


def _chosen_track(file: str, tracks: Sequence[Track], chosen: int | None) -> list[str]:
    """Which of several audio tracks was read, where nobody chose one."""
    read = next((track for track in tracks if track.default), None)
    if chosen is not None or read is None or len(tracks) <= 1:
        return []
    said = f"{len(tracks)} audio tracks, of which {read.description!r} was read; --track N reads another, --list-tracks lists them"
    return [f"{printable(file)}: {said}"]

"""Watches a folder: transcribes what arrives, once it is complete, until it is told to stop, or until nothing is left."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.audio.sandbox.decoder import Decoder
from engine.errors import AudioError, DecoderCrashedError, LightVoiceError, OptionError, OutputError, first_line
from engine.files.content import sha256_of
from engine.files.file_names import printable
from engine.options import TranscribeOptions
from engine.speech_engine import SpeechEngine
from engine.transcript import Transcript
from engine.watch.arrivals import SETTLE_S, Arrival, Arrivals
from engine.watch.journal import WatchJournal

_log = logging.getLogger(__name__)

#: The folder is looked through so often, and less often where that takes long: it may have a hundred thousand files.
LOOK_EVERY_S = 1.0
LOOK_SHARE = 0.02
#: What may be over in a moment (no process for the decoder, a cluster that is busy, a file that cannot be read yet) is tried so often, so
#: much later each; a full disk for the results is waited for.
TRIES, TRY_AGAIN_S = 3, 30.0
#: A pause is cut into pieces, after each of which the signal to stop is seen.
_NAP_S = 0.2


class _StoppedError(Exception):
    """The watch is to end."""


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """What is watched, where results go and in which form; with ``once`` what is there is done, and then it is over.

    ``write`` makes the result of a transcript, text or bytes; its format is the ending of the results' names.
    """

    folder: Path
    output: Path
    output_format: str
    write: Callable[[Transcript], str | bytes]
    transcribe: TranscribeOptions
    once: bool = False
    redo: bool = False
    settle_s: float = SETTLE_S


class Watcher:
    """One watch; ``say`` takes lines for a person, ``is_stopping`` is asked again and again."""

    def __init__(
        self,
        engine: SpeechEngine,
        decoder: Decoder,
        options: WatchOptions,
        *,
        say: Callable[[str], None],
        is_stopping: Callable[[], bool],
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine, self._decoder, self._options = engine, decoder, options
        self._say, self._is_stopping, self._clock_s, self._sleep = say, is_stopping, clock_s, sleep
        outside = options.output.resolve() != options.folder.resolve()
        self._arrivals = Arrivals(options.folder, leave_out=options.output if outside else None, settle_s=options.settle_s, clock_s=clock_s)
        #: By name: what failed in passing, how often, and when it is tried again.
        self._failing: dict[str, tuple[Arrival, int, float]] = {}
        #: What this watch has done itself: with ``redo`` the journal's older lines do not count.
        self._finished: dict[str, Arrival] = {}
        self._told: set[str] = set()
        self.failed = 0

    def run(self) -> None:
        """Watch until it is to stop; with ``once`` until everything is done. Raises OptionError for a folder that is not there."""
        folder = self._options.folder
        if not folder.is_dir():
            raise OptionError(f"no folder {folder} to watch; make it first, or check the path")
        journal = WatchJournal(self._options.output, output_format=self._options.output_format)
        with journal.claimed():
            journal.load()
            self._say(f"watching {printable(str(folder))} -> {printable(str(self._options.output))}")
            try:
                while not self._is_stopping():
                    began_s = self._clock_s()
                    is_idle = self._round(journal)
                    if is_idle and self._options.once:
                        return
                    self._rest(max(LOOK_EVERY_S, (self._clock_s() - began_s) / LOOK_SHARE) if is_idle is not None else LOOK_EVERY_S)
            except _StoppedError:
                self._say("stopped; what was being transcribed is done again the next time")

    def _round(self, journal: WatchJournal) -> bool | None:
        """Do all that is complete: -> whether nothing is left; None where the folder cannot be looked into now."""
        try:
            complete, growing = self._arrivals.look()
        except OSError as error:
            self._tell(f"{printable(str(self._options.folder))} cannot be read now ({error.strerror}); it is looked for again")
            return None
        for unreadable in self._arrivals.unreadable:
            self._tell(f"{printable(str(unreadable.filename))} cannot be read ({unreadable.strerror})")
        work = [arrival for arrival in complete if self._is_wanted(journal, arrival)]
        for arrival in work:
            if self._is_stopping():
                raise _StoppedError
            self._do(journal, arrival)
        waiting = any(arrival.name in self._failing for arrival in complete)
        return not work and not growing and not waiting

    def _is_wanted(self, journal: WatchJournal, arrival: Arrival) -> bool:
        if self._finished.get(arrival.name) == arrival:
            return False
        before, _, again_s = self._failing.get(arrival.name, (None, 0, 0.0))
        if before == arrival and self._clock_s() < again_s:
            return False
        try:
            if self._options.redo or not journal.is_done(arrival):
                return True
        except OSError as error:
            self._tell(f"{printable(arrival.name)} cannot be read now ({error.strerror})")
            return False
        self._finished[arrival.name] = arrival
        return False

    def _do(self, journal: WatchJournal, arrival: Arrival) -> None:
        """One recording: its result, or what is said of its failure; one that fails in passing is tried again a few times."""
        try:
            digest = sha256_of(arrival.path)
            target = journal.target(arrival.name)
            result = self._transcribed(arrival)
            status = arrival.path.stat()
            if (status.st_size, status.st_mtime_ns) != (arrival.size_bytes, arrival.modified_ns):
                return  # it went on growing: it is complete another time
            journal.write(arrival, digest, target, result)
        except _StoppedError:
            raise
        except FileNotFoundError:
            self._say(f"{printable(arrival.name)}: taken away before it was transcribed")
        except OutputError as error:
            self._tell(str(error))
            self._later(arrival, tries=0)
        except Exception as error:  # noqa: BLE001 - whatever one recording does to us, it is said of that one, and the others go on
            self._fail(journal, arrival, error)
        else:
            self._finished[arrival.name] = arrival
            self._failing.pop(arrival.name, None)
            self._say(f"{printable(arrival.name)} -> {printable(str(target))}")

    def _transcribed(self, arrival: Arrival) -> str | bytes:
        def check(_fraction: float, _stage: str) -> None:
            if self._is_stopping():
                raise _StoppedError

        options = self._options
        recording = self._decoder.open(arrival.path, read=options.transcribe.read)
        transcript = self._engine.transcribe(recording, options.transcribe, file=printable(arrival.name), progress=check)
        for warning in transcript.warnings:
            self._say(f"{printable(arrival.name)}: warning: {warning.message}")
        return options.write(transcript)

    def _fail(self, journal: WatchJournal, arrival: Arrival, error: Exception) -> None:
        if self._is_stopping():  # Ctrl+C reaches the decoder's process as well: that is no fault of the recording
            raise _StoppedError from error
        tries = self._failing.get(arrival.name, (None, 0, 0.0))[1] + 1
        is_final = isinstance(error, AudioError) and not isinstance(error, DecoderCrashedError)
        if not isinstance(error, LightVoiceError | OSError):
            _log.error("unexpected error", exc_info=error)
        message = printable(str(error) if isinstance(error, LightVoiceError) else f"unexpected error ({first_line(error)})")
        name = printable(arrival.name)
        if not is_final and tries < TRIES:
            self._say(f"{name}: {message}; it is tried again in {TRY_AGAIN_S:.0f} s")
            self._later(arrival, tries=tries)
            return
        self._say(f"{name}: {message}")
        said = json.dumps({"file": name, "error": {"type": type(error).__name__, "message": message}}, ensure_ascii=False)
        try:
            journal.write(arrival, sha256_of(arrival.path), journal.error_target(arrival.name), f"{said}\n", error=type(error).__name__)
        except (OutputError, OSError) as failed:
            self._tell(f"what failed with {name} cannot be written down now ({first_line(failed)})")
            self._later(arrival, tries=0)
            return
        self.failed += 1
        self._failing.pop(arrival.name, None)
        self._finished[arrival.name] = arrival

    def _later(self, arrival: Arrival, *, tries: int) -> None:
        self._failing[arrival.name] = (arrival, tries, self._clock_s() + TRY_AGAIN_S)

    def _tell(self, line: str) -> None:
        """Say what would be said again with every look, once."""
        if line not in self._told:
            self._told.add(line)
            self._say(line)

    def _rest(self, seconds: float) -> None:
        until_s = self._clock_s() + seconds
        while not self._is_stopping() and (left_s := until_s - self._clock_s()) > 0:
            self._sleep(min(left_s, _NAP_S))

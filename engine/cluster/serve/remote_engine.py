"""RemoteEngine: the page's engine where the models run on a cluster. It needs neither Ray nor a model, only HTTP.

What it does not do: live transcription (a stream belongs to one replica's sessions) and opening other bundles (the cluster's
deployment says which one it serves). Lightweight mode chooses the deployment that requests go to, and frees no memory here.
"""

from __future__ import annotations

import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import numpy as np

from engine.audio.waveform import Recording, Waveform
from engine.bundle import Bundle
from engine.cluster.serve.protocol import DESCRIBE, ERROR, PROGRESS, SEGMENT, TRANSCRIBE, TRANSCRIPT, received_error
from engine.cluster.serve.sent_recording import SentRecording, sent_recording
from engine.cluster.wire import segment_from_wire, transcript_from_wire
from engine.compare.compare import Comparison, Contender, Variant, take_turns
from engine.errors import EngineBusyError, EngineUnreachableError, NotOfferedError, OptionError, UnknownPrecisionError
from engine.options import CURRENT, DEFAULT_OPTIONS, TranscribeOptions
from engine.recording_run import OnSegment, no_progress
from engine.runtime.resources import ResourceMeter
from engine.runtime.session import rss_mb
from engine.runtime.session_pool import Precision, ToggleEffects, ToggleReport
from engine.runtime.speed import Speed, SpeedLog
from engine.speech_engine import Progress, SpeechEngine
from engine.transcript import Segment, Transcript

if TYPE_CHECKING:
    from engine.live import LiveStream
    from engine.runtime.bundle_slot import SwitchReport

SCHEME = "ray"
#: How long a request waits for a place before it is given up.
BUSY_WAIT_S = 120.0
#: Times that a request is sent where the connection breaks or the cluster answers that it has lost its way.
ATTEMPTS = 6
LONGEST_SILENCE_S = 600.0
_TOO_BUSY = (429, 503)
_FIRST_SERVER_ERROR = 500
_PAUSE_S = 0.25


class RemoteEngine(SpeechEngine):
    """The engine that a cluster serves at ``ray://HOST:PORT/APPLICATION``, where PORT is that of Serve's HTTP (8000 unless changed)."""

    def __init__(
        self,
        address: str,
        *,
        precision: str | None = None,
        busy_wait_s: float = BUSY_WAIT_S,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme != SCHEME or not parts.hostname:
            raise OptionError(f"{address!r} is no address of a served engine; write {SCHEME}://HOST:PORT/APPLICATION")
        self._address, self._busy_wait_s = address, busy_wait_s
        self._url = f"http://{parts.netloc}{parts.path.rstrip('/')}"
        described = json.loads(self._asked(DESCRIBE))
        self._precisions = tuple(described["precisions"])
        self._bundle = Bundle.elsewhere(described["bundle"], at=address)
        self._full = precision or self._precisions[0]
        if self._full not in self._precisions:
            raise UnknownPrecisionError(precision=precision, known=self._precisions)
        self._lightweight = self._full == Precision.INT8
        self._meter, self._speeds = ResourceMeter(), SpeedLog()
        self._sessions_mb: dict[str, float] = {}
        self._last_rtf: float | None = None

    @property
    def address(self) -> str | None:
        """Where the models run."""
        return self._address

    @property
    def bundle(self) -> Bundle:
        """The bundle that the cluster serves; its files lie there."""
        return self._bundle

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions that are deployed."""
        return self._precisions

    @property
    def precision(self) -> str:
        """The precision of a request that names none."""
        if self._lightweight:
            return Precision.INT8.value
        return self._full if self._full != Precision.INT8 or len(self._precisions) == 1 else self._precisions[0]

    @property
    def lightweight(self) -> bool:
        """Whether requests that name no precision go to INT8."""
        return self._lightweight

    @property
    def toggle_effects(self) -> ToggleEffects | None:
        """None: switching closes nothing."""
        return None

    @property
    def is_open(self) -> bool:
        """Always: a replica takes requests when its models are loaded."""
        return True

    def transcribe(
        self,
        recording: Recording,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        file: str | None = None,
        progress: Progress | None = None,
        on_segment: OnSegment | None = None,
    ) -> Transcript:
        """Transcribe one recording on the cluster; as :meth:`engine.pipeline.Engine.transcribe`, and what :class:`ClusterError` names."""
        chosen = self.precision if options.precision == CURRENT else options.precision
        if chosen not in self._precisions:
            raise UnknownPrecisionError(precision=options.precision, known=(CURRENT, *self._precisions))
        began = time.perf_counter()
        with sent_recording(recording) as sent:
            request = {**options.to_dict(), "precision": chosen, "file": file or sent.name, **sent.about}
            told = _Told(progress, on_segment)
            transcript, values = self._answered(f"{TRANSCRIBE}?options={quote(json.dumps(request))}", sent, told)
        self._sessions_mb[chosen] = values["sessions_mb"]
        self._last_rtf = (time.perf_counter() - began) / transcript.duration_s
        if transcript.segments:
            timing = transcript.timing
            compute_s = timing.decode_s + timing.features_s + timing.vad_s + timing.asr_s
            self._speeds.add(self._bundle.name, chosen, compute_s=compute_s, duration_s=transcript.duration_s)
        return transcript

    def compare(
        self,
        waveform: Waveform,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        left: str | Variant = "fp32",
        right: str | Variant = "int8",
        rounds: int = 1,
        file: str | None = None,
        progress: Progress | None = None,
    ) -> Comparison:
        """Run one recording through two of the cluster's precisions, one after the other; another bundle is not offered."""

        def contender(side: str | Variant) -> Contender:
            variant = side if isinstance(side, Variant) else Variant(side)
            if variant.bundle is not None:
                raise NotOfferedError(what="a comparison with another bundle", remedy="choose two precisions of the one that is served")
            name = self.precision if variant.precision == CURRENT else variant.precision
            own = replace(options, precision=name)

            @contextmanager
            def ready() -> Iterator[float]:
                self.transcribe(Waveform(np.zeros(16_000, np.float32)), TranscribeOptions(precision=name))
                yield self._sessions_mb[name]

            def run(progress: Progress) -> Transcript:
                return self.transcribe(waveform, own, file=file, progress=progress)

            return Contender(ready=ready, run=run, file_mb=self._bundle.size_mb(name))

        return take_turns(contender(left), contender(right), rounds=rounds, progress=progress or no_progress)

    def live(self, options: TranscribeOptions = DEFAULT_OPTIONS) -> LiveStream:
        """Not offered: NotOfferedError."""
        del options
        raise NotOfferedError(what="live transcription", remedy="record, and transcribe the recording")

    def switch(self, bundle: Bundle) -> SwitchReport:
        """Not offered: NotOfferedError."""
        del bundle
        raise NotOfferedError(what="opening another bundle", remedy="deploy the cluster's application with it")

    def set_lightweight(self, on: bool) -> ToggleReport:
        """Choose where requests that name no precision go; UnknownPrecisionError where INT8 is not deployed."""
        if on and Precision.INT8 not in self._precisions:
            raise UnknownPrecisionError(precision=Precision.INT8.value, known=self._precisions)
        self._lightweight = on
        return ToggleReport(precision=self.precision, freed_mb=0.0, rss_mb=rss_mb())

    def speeds(self) -> dict[str, Speed]:
        """How fast the cluster's replicas ran what was asked from here."""
        return self._speeds.read(self._bundle.name)

    def resources(self) -> dict[str, Any]:
        """This process's resources, and the sessions of a replica of each precision that has answered it."""
        sessions = [
            {"model": "asr + vad", "precision": name, "mb": round(mb, 1), "provider": self._address}
            for name, mb in sorted(self._sessions_mb.items())
        ]
        return {**self._meter.read((), last_rtf=self._last_rtf), "sessions": sessions}

    def warm_up(self) -> None:
        """Nothing to do: a replica is warm before it takes requests."""

    def close(self) -> None:
        """Nothing to do: connections last as long as a request."""

    def _answered(self, asked: str, sent: SentRecording, told: _Told) -> tuple[Transcript, dict[str, Any]]:
        """Send a run until it is answered: again where the connection breaks or a replica is lost on the way."""
        for attempt in self._attempts():
            last: dict[str, Any] = {}
            reason: str | None = "the answer broke off"
            try:
                with self._open(asked, sent) as answer:
                    told.begin()
                    for values in map(json.loads, answer):
                        last = values
                        told.take(values)
            except (OSError, http.client.HTTPException) as error:
                reason = _lost(error, self._address)
            # Outside of the block above: an error of ours may be an OSError, and is no lost connection.
            if ERROR in last:
                raise received_error(last[ERROR])
            if TRANSCRIPT in last:
                return transcript_from_wire(last[TRANSCRIPT]), last[TRANSCRIPT]
            attempt(reason)
        raise AssertionError  # the attempts end with an error

    def _asked(self, what: str) -> bytes:
        for attempt in self._attempts():
            try:
                with self._open(what, None) as answer:
                    return bytes(answer.read())
            except (OSError, http.client.HTTPException) as error:
                attempt(_lost(error, self._address))
        raise AssertionError  # likewise

    def _open(self, what: str, sent: SentRecording | None) -> Any:
        request = urllib.request.Request(f"{self._url}/{what}")  # noqa: S310 - always http, see __init__
        if sent is not None:
            request.data = sent.begin()
            request.add_header("content-type", "application/octet-stream")
            request.add_header("content-length", str(sent.size_bytes))
        return urllib.request.urlopen(request, timeout=LONGEST_SILENCE_S)  # noqa: S310 - likewise

    def _attempts(self) -> Iterator[Callable[[str | None], None]]:
        """One attempt after the other; each is told why it failed (None: no place), waits, and ends the series when there were enough."""
        began, broken, pause_s = time.monotonic(), 0, _PAUSE_S

        def failed(reason: str | None) -> None:
            nonlocal broken, pause_s
            waited_s = time.monotonic() - began
            if reason is None and waited_s >= self._busy_wait_s:
                raise EngineBusyError(address=self._address, waited_s=waited_s)
            broken += reason is not None
            if reason is not None and broken >= ATTEMPTS:
                raise EngineUnreachableError(address=self._address, reason=reason)
            time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - so that many clients do not come back together
            pause_s = min(2 * pause_s, 8 * _PAUSE_S)

        while True:
            yield failed


class _Told:
    """Passes progress and segments on; segments of a run that is begun again are passed on once."""

    def __init__(self, progress: Progress | None, on_segment: Callable[[Segment], None] | None) -> None:
        self._progress, self._on_segment = progress, on_segment
        self._passed = self._count = 0

    def begin(self) -> None:
        """A run begins, perhaps not for the first time."""
        self._count = 0

    def take(self, values: dict[str, Any]) -> None:
        """One line of the answer."""
        if PROGRESS in values and self._progress is not None:
            self._progress(*values[PROGRESS])
        if SEGMENT in values:
            self._count += 1
            if self._count > self._passed:
                self._passed = self._count
                if self._on_segment is not None:
                    self._on_segment(segment_from_wire(values[SEGMENT]))


def _lost(error: Exception, address: str) -> str | None:
    """Why an attempt failed; None where there was only no place. EngineUnreachableError for an answer that no second attempt changes."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code in _TOO_BUSY:
            return None
        if error.code < _FIRST_SERVER_ERROR:
            raise EngineUnreachableError(address=address, reason=f"HTTP {error.code}") from error
        return f"HTTP {error.code}"
    return " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__

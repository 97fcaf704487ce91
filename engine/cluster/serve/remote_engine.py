"""RemoteEngine: the page's engine where the models run on a cluster. It needs neither Ray nor a model, only HTTP.

What it does not do: live transcription (a stream belongs to one replica's sessions) and opening other bundles (the cluster's
deployment says which one it serves). Lightweight mode chooses the deployment that requests go to, and frees no memory here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import numpy as np
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential, wait_random

from engine.audio.waveform import Recording, Waveform
from engine.bundle import Bundle
from engine.cluster.serve.protocol import DESCRIBE, TRANSCRIBE, Answer, split_options
from engine.cluster.serve.sent_recording import SentRecording, sent_recording
from engine.compare.compare import Comparison, Contender, Variant, compare_sides
from engine.errors import EngineBusyError, EngineUnreachableError, NotOfferedError, OptionError, UnknownPrecisionError
from engine.options import CURRENT, DEFAULT_OPTIONS, TranscribeOptions
from engine.recording_run import OnSegment, no_progress
from engine.runtime.resources import ResourceMeter
from engine.runtime.session import rss_mb
from engine.runtime.session_pool import Precision, ToggleEffects, ToggleReport
from engine.runtime.speed import Speed, SpeedLog
from engine.speech_engine import Progress, SpeechEngine
from engine.transcript import Segment, Transcript
from engine.wire import decoded

if TYPE_CHECKING:
    from engine.live import LiveStream
    from engine.runtime.bundle_slot import SwitchReport

SCHEME = "ray"
#: How long a request waits for a place before it is given up.
BUSY_WAIT_S = 120.0
#: Times that a request is sent where the connection breaks or the cluster answers with an error of its own.
ATTEMPTS = 6
LONGEST_SILENCE_S = 600.0
_TOO_BUSY = (429, 503)
_PAUSE_S = 0.25

Found = TypeVar("Found")


class _BusyError(Exception):
    """The cluster has no place for the request now."""


class _LostError(Exception):
    """The connection broke, or a replica was lost; the message says how."""


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
        # A connection a request, and as many as the page asks for: the cluster says when it is full.
        self._http = httpx.Client(timeout=LONGEST_SILENCE_S, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))
        described = self._retried(self._describe)
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

    @property
    def recordings_at_once(self) -> int:
        """One: how many replicas there are is the cluster's own affair."""
        return 1

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
            values, head = split_options(options)
            request = {**values, "precision": chosen, "file": file or sent.name, **sent.about}
            relay = _Relay(progress, on_segment)
            asked = f"{TRANSCRIBE}?options={quote(json.dumps(request))}"
            answer = self._retried(lambda: self._run(asked, sent.after(head), relay))
        if answer.transcript is None:
            raise answer.received_error
        transcript = answer.transcript
        self._sessions_mb[chosen] = answer.sessions_mb
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

        return compare_sides(contender(left), contender(right), rounds=rounds, progress=progress or no_progress)

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
        """End the connections."""
        self._http.close()

    def _describe(self) -> dict[str, Any]:
        with self._open("GET", DESCRIBE) as response:
            return dict(json.loads(response.read()))

    def _run(self, asked: str, sent: SentRecording, relay: _Relay) -> Answer:
        """One attempt of a run: its last line, which has the transcript or the error."""
        headers = {"content-type": "application/octet-stream", "content-length": str(sent.size_bytes)}
        last = Answer()
        with self._open("POST", asked, content=sent.blocks(), headers=headers) as response:
            relay.begin()
            for line in response.iter_lines():
                last = decoded(line, Answer)
                relay.take(last)
        if last.transcript is None and last.error is None:
            raise _LostError("the answer broke off")
        return last

    @contextmanager
    def _open(self, method: str, what: str, **request: Any) -> Iterator[httpx.Response]:
        """An answer that is read while it comes. EngineUnreachableError for one that no second attempt changes."""
        try:
            with self._http.stream(method, f"{self._url}/{what}", **request) as response:
                if response.status_code in _TOO_BUSY:
                    raise _BusyError
                if response.is_server_error:
                    raise _LostError(f"HTTP {response.status_code}")
                if not response.is_success:
                    raise EngineUnreachableError(address=self._address, reason=f"HTTP {response.status_code}")
                yield response
        except httpx.TransportError as error:
            raise _LostError(" ".join(str(error).split()) or type(error).__name__) from error

    def _retried(self, attempt: Callable[[], Found]) -> Found:
        """Try again where there is no place, as long as a request may wait, and where the connection breaks, a few times."""
        # Pauses differ from client to client, so that many of them do not come back together.
        pause = wait_exponential(multiplier=_PAUSE_S, max=8 * _PAUSE_S) + wait_random(0, 2 * _PAUSE_S)
        placed = Retrying(retry=retry_if_exception_type(_BusyError), stop=stop_after_delay(self._busy_wait_s), wait=pause, reraise=True)
        again = Retrying(retry=retry_if_exception_type(_LostError), stop=stop_after_attempt(ATTEMPTS), wait=pause, reraise=True)
        try:
            found: Found = again(placed, attempt)
        except _BusyError as error:
            waited_s = time.monotonic() - float(placed.statistics["start_time"])
            raise EngineBusyError(address=self._address, waited_s=waited_s) from error
        except _LostError as error:
            raise EngineUnreachableError(address=self._address, reason=str(error)) from error
        return found


class _Relay:
    """Passes progress and segments on; segments of a run that is begun again are passed on once."""

    def __init__(self, progress: Progress | None, on_segment: Callable[[Segment], None] | None) -> None:
        self._progress, self._on_segment = progress, on_segment
        self._passed = self._count = 0

    def begin(self) -> None:
        """A run begins, perhaps not for the first time."""
        self._count = 0

    def take(self, answer: Answer) -> None:
        """One line of the answer."""
        if answer.progress is not None and self._progress is not None:
            self._progress(*answer.progress)
        if answer.segment is not None:
            self._count += 1
            if self._count > self._passed:
                self._passed = self._count
                if self._on_segment is not None:
                    self._on_segment(answer.segment)

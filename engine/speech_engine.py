"""What the page and the API need of an engine. Two keep this promise: one in this process, and one on a cluster.

:class:`engine.pipeline.Engine` runs the models here; :class:`engine.cluster.serve.remote_engine.RemoteEngine` asks machines elsewhere and
needs no model. Asked for what it cannot do, the latter raises NotOfferedError. Neither reads a file: who calls opens the recording
(:class:`engine.audio.sandbox.decoder.Decoder`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from engine.audio.waveform import Recording, Waveform
from engine.bundle import Bundle
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from engine.recording_run import OnSegment, Progress
from engine.runtime.session_pool import ToggleEffects, ToggleReport
from engine.runtime.speed import Speed
from engine.transcript import Transcript

if TYPE_CHECKING:
    from engine.compare.compare import Comparison, Variant
    from engine.live import LiveStream
    from engine.runtime.bundle_slot import SwitchReport

__all__ = ["OnSegment", "Progress", "SpeechEngine"]


class SpeechEngine(Protocol):
    """An engine; each method is described where it is implemented, in :class:`engine.pipeline.Engine`."""

    @property
    def address(self) -> str | None:
        """Where the models run; None for this process."""

    @property
    def bundle(self) -> Bundle:
        """The bundle that is open."""

    @property
    def precisions(self) -> tuple[str, ...]:
        """The variants that requests may name."""

    @property
    def precision(self) -> str:
        """The precision of a request that names none."""

    @property
    def lightweight(self) -> bool:
        """Whether lightweight mode is on."""

    @property
    def toggle_effects(self) -> ToggleEffects | None:
        """What the last switch of lightweight mode led to."""

    @property
    def is_open(self) -> bool:
        """Whether the models are loaded."""

    @property
    def recordings_at_once(self) -> int:
        """How many recordings to give it at the same time, so that it always has work."""

    def transcribe(
        self,
        recording: Recording,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        file: str | None = None,
        progress: Progress | None = None,
        on_segment: OnSegment | None = None,
    ) -> Transcript:
        """Transcribe one recording."""

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
        """Run one recording through two variants."""

    def live(self, options: TranscribeOptions = DEFAULT_OPTIONS) -> LiveStream:
        """A stream for audio that is still being spoken."""

    def switch(self, bundle: Bundle) -> SwitchReport:
        """Let another bundle take the place of the open one."""

    def set_lightweight(self, on: bool) -> ToggleReport:
        """Switch lightweight mode."""

    def speeds(self) -> dict[str, Speed]:
        """How fast the variants ran."""

    def resources(self) -> dict[str, Any]:
        """CPU, memory, threads, open sessions, last RTF, GPU."""

    def warm_up(self) -> None:
        """Make sure that the first request finds everything ready."""

    def close(self) -> None:
        """Let everything go."""

"""What the page and the API need of an engine. Two keep this promise: one in this process, and one on a cluster.

:class:`engine.pipeline.Engine` runs the models here; :class:`engine.cluster.serve.remote_engine.RemoteEngine` asks machines elsewhere and
needs no model. Asked for what it cannot do, the latter raises NotOfferedError.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.containers import Probe
from engine.audio.read_options import ReadOptions
from engine.audio.waveform import AudioStream, Look, Waveform
from engine.bundle import Bundle
from engine.recording_run import Progress, Recording
from engine.runtime.session_pool import CURRENT, VAD_AS_REQUEST, ToggleEffects, ToggleReport
from engine.runtime.speed import Speed
from engine.speech.endpointing import VadOptions
from engine.transcript import Segment, Transcript

if TYPE_CHECKING:
    from engine.compare.compare import Comparison, Variant
    from engine.live import LiveStream
    from engine.runtime.bundle_slot import SwitchReport

__all__ = ["Progress", "SpeechEngine"]


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

    def load(
        self, source: str | Path, *, max_duration_s: float | None = None, look: Look | None = None, read: ReadOptions | None = None
    ) -> Waveform:
        """Read a recording of anybody's, in a process that may crash."""

    def open_recording(
        self,
        source: str | Path,
        *,
        max_duration_s: float | None = None,
        look: Look | None = None,
        watch: Callable[[NDArray[np.float32]], None] | None = None,
        read: ReadOptions | None = None,
    ) -> AudioStream:
        """The same, read while it is transcribed."""

    def probe(self, source: str | Path) -> Probe | None:
        """What a recording's header says; None for what is no recording."""

    def start_decoder(self) -> None:
        """Start the decoder's process without waiting for it."""

    def transcribe(  # noqa: PLR0913 - the page's options, keyword-only
        self,
        audio: str | Path | Recording,
        *,
        language: str = "auto",
        itn: bool = True,
        precision: str = CURRENT,
        ban_emo_unknown: bool = False,
        vad: VadOptions | None = None,
        vad_precision: str = VAD_AS_REQUEST,
        file: str | None = None,
        progress: Progress | None = None,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        """Transcribe one recording."""

    def compare(  # noqa: PLR0913 - the page's options, keyword-only
        self,
        audio: str | Path | Waveform,
        *,
        language: str = "auto",
        itn: bool = True,
        left: str | Variant = "fp32",
        right: str | Variant = "int8",
        rounds: int = 1,
        ban_emo_unknown: bool = False,
        vad: VadOptions | None = None,
        file: str | None = None,
        progress: Progress | None = None,
    ) -> Comparison:
        """Run one recording through two variants."""

    def live(self, *, language: str = "auto", itn: bool = True, ban_emo_unknown: bool = False, vad: VadOptions | None = None) -> LiveStream:
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

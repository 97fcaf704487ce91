"""How a person wants recordings transcribed: the options of the Transcribe tab, checked once, remembered by the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from engine.audio.read_options import CHANNELS, Channel, parse_channel
from engine.errors import UnknownPrecisionError
from engine.runtime.session_pool import VAD_AS_REQUEST, VAD_OFF
from engine.speech.endpointing import VadOptions
from engine.subtitles.options import SubtitleOptions
from engine.tags import LANGUAGE_CHOICES, parse_language

_VAD = VadOptions()
_SUBTITLES = SubtitleOptions()
MS_PER_S = 1000

#: What the sliders offer: lowest, highest, step. Narrower than the engine's RANGES: the rest is for experiments.
END_SILENCE_MS = (200, 5000, 50)
SPEECH_NOISE_THRESHOLD = (-0.5, 0.95, 0.05)
MAX_SEGMENT_S = (2, 30, 1)
UNSURE_BELOW_PERCENT = (0, 100, 5)
MAX_LINE_WIDTH = (16, 84, 1)
MAX_LINE_COUNT = (1, 3, 1)
MIN_CUE_MS = (300, 3000, 100)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """One run's options; ``vad_precision`` is a variant of the bundle, or VAD_AS_REQUEST or VAD_OFF of the engine."""

    language: str = "auto"
    itn: bool = True
    ban_emo_unknown: bool = False
    channel: str = Channel.AUTO.value
    vad_precision: str = VAD_AS_REQUEST
    end_silence_ms: int = _VAD.max_end_silence_ms
    speech_noise_threshold: float = _VAD.speech_noise_threshold
    max_segment_s: int = _VAD.max_segment_ms // MS_PER_S

    def vad(self) -> VadOptions:
        """The thresholds as the engine takes them; OptionRangeError for one outside its range."""
        return VadOptions(
            max_end_silence_ms=int(self.end_silence_ms),
            speech_noise_threshold=float(self.speech_noise_threshold),
            max_segment_ms=int(self.max_segment_s * MS_PER_S),
        )

    def check(self, precisions: Iterable[str]) -> None:
        """OptionError for a choice that is not on offer: better once, before the first recording, than once a recording."""
        parse_language(self.language)
        parse_channel(self.channel)
        known = (VAD_AS_REQUEST, VAD_OFF, *precisions)
        if self.vad_precision not in known:
            raise UnknownPrecisionError(precision=self.vad_precision, known=known)
        self.vad()


@dataclass(frozen=True, kw_only=True)
class FormOptions(RunOptions):
    """Everything that the form remembers: how to run, below which confidence a word is marked, and how subtitles are cut."""

    unsure_below_percent: int = 50
    max_line_width: int = _SUBTITLES.max_line_width
    max_line_count: int = _SUBTITLES.max_line_count
    min_cue_ms: int = _SUBTITLES.min_cue_ms

    def run_options(self) -> RunOptions:
        """The part that the engine is told."""
        return RunOptions(**{field.name: getattr(self, field.name) for field in fields(RunOptions)})

    def to_dict(self) -> dict[str, Any]:
        """As the browser keeps it."""
        return asdict(self)


def remembered(values: object, *, precisions: Iterable[str]) -> FormOptions:
    """What the browser kept, as far as it is still on offer; the default for everything else, whatever the browser sends."""
    if not isinstance(values, Mapping):
        return FormOptions()
    on_offer: dict[str, Callable[[Any], bool]] = {
        "language": _one_of(LANGUAGE_CHOICES),
        "itn": _is_bool,
        "ban_emo_unknown": _is_bool,
        "channel": _one_of(CHANNELS),
        "vad_precision": _one_of((VAD_AS_REQUEST, VAD_OFF, *precisions)),
        "end_silence_ms": _within(END_SILENCE_MS),
        "speech_noise_threshold": _within(SPEECH_NOISE_THRESHOLD),
        "max_segment_s": _within(MAX_SEGMENT_S),
        "unsure_below_percent": _within(UNSURE_BELOW_PERCENT),
        "max_line_width": _within(MAX_LINE_WIDTH),
        "max_line_count": _within(MAX_LINE_COUNT),
        "min_cue_ms": _within(MIN_CUE_MS),
    }
    return FormOptions(**{name: values[name] for name, fits in on_offer.items() if name in values and fits(values[name])})


def _one_of(known: Iterable[str]) -> Callable[[Any], bool]:
    choices = tuple(known)
    return lambda value: isinstance(value, str) and value in choices


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _within(bounds: tuple[float, float, float]) -> Callable[[Any], bool]:
    lowest, highest, _ = bounds
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= highest

"""The options of the Transcribe tab: what its controls offer, what the browser remembers of them, and what they mean to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.audio.read_options import CHANNELS
from engine.errors import OptionError
from engine.option_fields import flat_fields, parse_fields
from engine.options import VAD_AS_REQUEST, VAD_OFF, TranscribeOptions
from engine.speech.decoding.hotwords import parse_hotwords
from engine.subtitles.options import SubtitleOptions
from engine.tags import LANGUAGE_CHOICES

MS_PER_S = 1000

#: What the sliders offer: lowest, highest, step. Narrower than the engine's RANGES: the rest is for experiments.
END_SILENCE_MS = (200, 5000, 50)
SPEECH_NOISE_THRESHOLD = (-0.5, 0.95, 0.05)
MAX_SEGMENT_S = (2, 30, 1)
UNSURE_BELOW_PERCENT = (0, 100, 5)
READINGS = (1, 5, 1)
MAX_LINE_WIDTH = (16, 84, 1)
MAX_LINE_COUNT = (1, 3, 1)
MIN_CUE_MS = (300, 3000, 100)


@dataclass(frozen=True, kw_only=True)
class FormOptions:
    """Everything that the form remembers: how to transcribe, how subtitles are cut, and below which confidence a word is marked."""

    transcribe: TranscribeOptions = field(default_factory=TranscribeOptions)
    subtitles: SubtitleOptions = field(default_factory=SubtitleOptions)
    unsure_below_percent: int = 50

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> FormOptions:
        """What the controls show, by their names; OptionError for what the engine does not take."""
        max_segment_ms = {"max_segment_ms": values["max_segment_s"] * MS_PER_S} if "max_segment_s" in values else {}
        return parse_fields(cls, {**values, **max_segment_ms})

    def to_dict(self) -> dict[str, Any]:
        """What each control shows, in their order, and what the browser keeps."""
        values = flat_fields(self)
        values["max_segment_s"] = values["max_segment_ms"] // MS_PER_S
        return {name: values[name] for name in CONTROLS}


def _on_offer(precisions: Iterable[str]) -> dict[str, Callable[[Any], bool]]:
    """The form's controls in their order, and whether each of them can show a value."""
    return {
        "language": _one_of(LANGUAGE_CHOICES),
        "itn": _is_bool,
        "hotwords": _are_hotwords,
        "homophones": _is_bool,
        "n_best": _within(READINGS),
        "ban_emo_unknown": _is_bool,
        "channel": _one_of(CHANNELS),
        "vad_precision": _one_of((VAD_AS_REQUEST, VAD_OFF, *precisions)),
        "max_end_silence_ms": _within(END_SILENCE_MS),
        "speech_noise_threshold": _within(SPEECH_NOISE_THRESHOLD),
        "max_segment_s": _within(MAX_SEGMENT_S),
        "unsure_below_percent": _within(UNSURE_BELOW_PERCENT),
        "max_line_width": _within(MAX_LINE_WIDTH),
        "max_line_count": _within(MAX_LINE_COUNT),
        "min_cue_ms": _within(MIN_CUE_MS),
    }


def remembered(values: object, *, precisions: Iterable[str]) -> FormOptions:
    """What the browser kept, as far as it is still on offer; the default for everything else, whatever the browser sends."""
    if not isinstance(values, Mapping):
        return FormOptions()
    kept = {**values, "hotwords": _sound_lines(values.get("hotwords"))}
    return FormOptions.parse({name: kept[name] for name, fits in _on_offer(precisions).items() if name in kept and fits(kept[name])})


def _sound_lines(text: Any) -> Any:
    """A list of hotwords without the lines that are none: it was kept while it was being written."""
    return "\n".join(filter(_are_hotwords, text.splitlines())) if isinstance(text, str) and not _are_hotwords(text) else text


def _one_of(known: Iterable[str]) -> Callable[[Any], bool]:
    choices = tuple(known)
    return lambda value: isinstance(value, str) and value in choices


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _are_hotwords(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse_hotwords(value) is not None
    except OptionError:
        return False


def _within(bounds: tuple[float, float, float]) -> Callable[[Any], bool]:
    lowest, highest, _ = bounds
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= highest


CONTROLS = tuple(_on_offer(()))

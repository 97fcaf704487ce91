"""A Transcript in the shapes that OpenAI's clients expect: json and verbose_json."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Collection
from typing import Any

from engine.speech.endpointing import FRAME_MS
from engine.speech.words import timed_words
from engine.tags import Language
from engine.transcript import Segment, Transcript

MS_PER_S = 1000
DIGITS = 4
#: Of a segment in the JSON contract, what OpenAI's has not.
_OWN_FIELDS = ("channel", "speaker", "language", "emotion", "event", "confidence", "alternatives")


def model_id(transcript: Transcript) -> str:
    """The session set that made a transcript, as the API names models: ``bundle:precision``."""
    return f"{transcript.bundle}:{transcript.precision}"


def plain_json(transcript: Transcript) -> dict[str, Any]:
    """The text alone, and what of the recording could not be read, if anything."""
    return {"text": transcript.text, **said_warnings(transcript)}


def said_warnings(transcript: Transcript) -> dict[str, Any]:
    """The field of what could not be read; none where everything was, so that the answer is OpenAI's."""
    return {"warnings": [warning.to_dict() for warning in transcript.warnings]} if transcript.warnings else {}


def verbose_json(transcript: Transcript, *, granularities: Collection[str]) -> dict[str, Any]:
    """OpenAI's fields, and in each segment the tags with their probabilities; times in seconds.

    ``granularities`` holds "segment" and "word", as far as they are wanted.
    """
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": spoken_language(transcript),
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "model": model_id(transcript),
        "warnings": [warning.to_dict() for warning in transcript.warnings],
    }
    if "segment" in granularities:
        answer["segments"] = [_segment(number, segment) for number, segment in enumerate(transcript.segments)]
    if "word" in granularities:
        answer["words"] = [word for segment in transcript.segments for word in _words(segment)]
    return answer


def spoken_language(transcript: Transcript) -> str:
    """The language that was spoken longest, "nospeech" for silence."""
    spoken_ms: Counter[str] = Counter()
    for segment in transcript.segments:
        spoken_ms[segment.language.value] += segment.end_ms - segment.start_ms
    return spoken_ms.most_common(1)[0][0] if spoken_ms else Language.NOSPEECH.value


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    contract = segment.to_dict()
    probabilities = {
        family: {tag: round(value, DIGITS) for tag, value in values.items()} for family, values in segment.probabilities.items()
    }
    return {
        "id": number,
        "seek": segment.start_ms // FRAME_MS,
        "start": segment.start_ms / MS_PER_S,
        "end": segment.end_ms / MS_PER_S,
        "text": segment.text,
        "tokens": [],  # ids of one bundle's vocabulary mean nothing to a client
        "temperature": 0.0,
        "avg_logprob": _mean_log_confidence(segment),
        "compression_ratio": _compression_ratio(segment.text),
        "no_speech_prob": probabilities.get("language", {}).get(Language.NOSPEECH.value, 0.0),
        **{name: contract[name] for name in _OWN_FIELDS if name in contract},
        "probabilities": probabilities,
    }


def _mean_log_confidence(segment: Segment) -> float:
    logs = [math.log(max(token.confidence, 1e-10)) for token in segment.tokens]
    return round(sum(logs) / len(logs), DIGITS) if logs else 0.0


def _compression_ratio(text: str) -> float:
    """Bytes of the text by bytes of it compressed, as Whisper defines it: high where a text repeats itself."""
    content = text.encode()
    return round(len(content) / len(zlib.compress(content)), DIGITS)


def _words(segment: Segment) -> list[dict[str, Any]]:
    return [
        {
            "word": segment.text[stretch.first : stretch.last],
            "start": stretch.start_ms / MS_PER_S,
            "end": stretch.end_ms / MS_PER_S,
            **({} if segment.speaker is None else {"speaker": segment.speaker}),
        }
        for stretch in timed_words(segment)
    ]

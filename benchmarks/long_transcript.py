"""Transcripts of any length for figures and tests of the page: made up, with words, tokens and tags as the engine gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Timing, Token, Transcript

#: A segment and the pause behind it; words of it begin one every so often.
SEGMENT_MS, PAUSE_MS, WORD_MS = 3_600, 400, 360
_ENGLISH = "so the next thing on our list is what people asked for most a page that keeps up with hours of speech"
_MANDARIN = "接下来我们谈谈大家最想要的功能就是几个小时的录音也能顺畅地显示和编辑"
_EMOTIONS = (Emotion.NEUTRAL, Emotion.NEUTRAL, Emotion.HAPPY, Emotion.EMO_UNKNOWN, Emotion.SAD)


def made_transcript(duration_s: float, *, language: Language = Language.EN, channels: int = 0, file: str = "long talk.wav") -> Transcript:
    """A transcript of so many seconds; with ``channels`` its segments take turns between these speakers."""
    count = int(duration_s * 1000 // (SEGMENT_MS + PAUSE_MS))
    segments = tuple(_segment(number, language, number % channels + 1 if channels else None) for number in range(count))
    timing = Timing(decode_s=1.0, features_s=1.0, vad_s=1.0, asr_s=1.0, total_s=4.0, rtf=4.0 / max(duration_s, 1.0))
    frames = np.abs(np.sin(np.arange(int(duration_s * 100)) / 200)).astype(np.float32)
    return Transcript(
        file=file, duration_s=duration_s, bundle="made", precision="int8", segments=segments, timing=timing, speech_track=frames
    )


def _segment(number: int, language: Language, channel: int | None) -> Segment:
    start_ms = number * (SEGMENT_MS + PAUSE_MS)
    mandarin = language is Language.ZH
    source = list(_MANDARIN) if mandarin else _ENGLISH.split()
    words = [source[(number * 3 + place) % len(source)] for place in range(SEGMENT_MS // WORD_MS)]
    words[0] = "段" if mandarin else f"part{number}"
    tokens = tuple(
        Token(
            text=word if mandarin else f"▁{word}",
            start_ms=start_ms + place * WORD_MS,
            end_ms=start_ms + place * WORD_MS + WORD_MS - 60,
            confidence=0.4 + 0.059 * ((number + place) % 10),
        )
        for place, word in enumerate(words)
    )
    emotion = _EMOTIONS[number % len(_EMOTIONS)]
    return Segment(
        start_ms=start_ms,
        end_ms=start_ms + SEGMENT_MS,
        text=("" if mandarin else " ").join(words),
        language=language,
        emotion=emotion,
        event=Event.SPEECH,
        confidence=TagConfidence(language=0.98, emotion=0.7, event=0.95),
        tokens=tokens,
        channel=channel,
        probabilities={"emotion": {emotion.value: 0.7, "ANGRY": 0.2}, "language": {language.value: 0.98}, "event": {"Speech": 0.95}},
    )


def made_sound(path: Path, duration_s: float) -> Path:
    """Silence of this length as FLAC: -> ``path``."""
    block = np.zeros(60 * SAMPLE_RATE_HZ, np.float32)
    left = int(duration_s * SAMPLE_RATE_HZ)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, channels=1, format="FLAC", subtype="PCM_16") as sound:
        while left > 0:
            sound.write(block[:left])
            left -= len(block)
    return path

"""The page's examples: each there, each named, and none that shows its claim wrongly."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Timing, Transcript
from ui.examples.claims import CLAIMS
from ui.examples.make_examples import FOLDER, read_right
from ui.examples.rendering import Rendering, music
from ui.examples.shown import shown_examples
from ui.text.texts import read_locale


def transcript(
    *texts: str, language: Language = Language.EN, emotion: Emotion = Emotion.NEUTRAL, event: Event = Event.SPEECH
) -> Transcript:
    segments = tuple(
        Segment(
            start_ms=1000 * number,
            end_ms=1000 * number + 900,
            text=text,
            language=language,
            emotion=emotion,
            event=event,
            confidence=TagConfidence(language=1.0, emotion=1.0, event=1.0),
        )
        for number, text in enumerate(texts)
    )
    timing = Timing(decode_s=0.0, features_s=0.0, vad_s=0.0, asr_s=0.0, total_s=0.0, rtf=0.0)
    return Transcript(file="a.flac", duration_s=2.0, bundle="b", precision="fp32", segments=segments, timing=timing)


SENTENCE = Rendering(voice="flite:slt", sentences=("we are going to the park",))


def test_what_the_page_offers_is_there_and_has_a_name_in_both_languages() -> None:
    assert shown_examples()
    for name in shown_examples():
        assert 1 < load_audio(FOLDER / f"{name}.flac").duration_s < 15
        assert name in CLAIMS
        for language in ("en", "zh"):
            assert f"example.{name}" in read_locale(language)


def test_an_example_that_is_read_right_is_taken() -> None:
    assert read_right(CLAIMS["sentence-en"], SENTENCE, transcript("we are going to the park")) is None


@pytest.mark.parametrize(
    ("claim", "heard", "why"),
    [
        ("sentence-en", transcript("we are going to the par k"), "reads"),
        ("sentence-en", transcript("we were gone to the dark"), "reads"),
        ("sentence-en", transcript(), "language is none"),
        ("sentence-en", transcript("we are going to the park", language=Language.ZH), "language is zh"),
        ("emotion", transcript("we are going to the park"), "emotion is NEUTRAL where HAPPY"),
        ("music", transcript("we are going to the park"), "event is Speech where BGM"),
        ("two-languages", transcript("we are going to the park"), "language is en where en, zh"),
    ],
)
def test_an_example_that_shows_its_claim_wrongly_is_refused(claim: str, heard: Transcript, why: str) -> None:
    fault = read_right(CLAIMS[claim], SENTENCE, heard)
    assert fault is not None and why in fault


def test_numbers_are_compared_as_they_are_written() -> None:
    rendering = CLAIMS["digits-en"].renderings[0]
    assert read_right(CLAIMS["digits-en"], rendering, transcript("31415", "92653")) is None
    assert read_right(CLAIMS["digits-en"], rendering, transcript("31415", "99999")) is not None


def test_music_is_two_seconds_of_sound() -> None:
    samples = music()
    assert samples.dtype == np.float32
    assert len(samples) == 2 * SAMPLE_RATE_HZ
    assert np.abs(samples).max() > 0.5


def test_every_voice_is_of_a_synthesizer_that_is_named() -> None:
    voices = {part for claim in CLAIMS.values() for rendering in claim.renderings for part in rendering.voice.split(",")}
    assert {voice.partition(":")[0] for voice in voices} == {"flite", "espeak-ng", "kokoro"}

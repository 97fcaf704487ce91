"""What travels between processes and machines: nothing is lost, and nothing is taken that its type does not state."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from engine.audio.containers import Probe
from engine.audio.read_options import Channel, ReadOptions
from engine.audio.reading.reading_warnings import ReadingWarning
from engine.audio.sandbox.messages import Request
from engine.audio.tracks import LONGEST_TEXT, Track
from engine.audio.waveform import load_audio
from engine.errors import AudioDecodeError, AudioError, AudioTooLongError, UnknownPrecisionError
from engine.pipeline import Engine
from engine.transcript import Transcript
from engine.wire import SentError, decoded, encoded, received_error

EXAMPLES = Path(__file__).resolve().parents[2] / "ui" / "examples"


def test_a_transcript_comes_back_as_it_was(engine: Engine) -> None:
    sent = engine.transcribe(load_audio(EXAMPLES / "digits-en.flac"))
    assert sent.segments[0].probabilities
    received = decoded(encoded(sent), Transcript)
    assert received == sent
    assert np.array_equal(received.speech_track, sent.speech_track)


@pytest.mark.parametrize("value", [object(), np.float32(0.5), Path("a.wav")])
def test_what_is_no_plain_value_is_not_sent(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        encoded({"value": value})


def test_names_that_are_no_utf_8_and_values_that_are_no_numbers_travel_too() -> None:
    request = Request(task="decode", path="/tmp/\udcff.wav", max_duration_s=math.inf, cpu_s=1.0, read=ReadOptions(channel=Channel.SPLIT))
    assert encoded(request).isascii()
    assert decoded(encoded(request), Request) == request


@pytest.mark.parametrize("kind", [Probe, Track, SentError, Request, Transcript, tuple[ReadingWarning, ...]])
@pytest.mark.parametrize("content", ["3", "{}", "[{}]", "null", "no JSON", "[" * 100_000, b"\xff"])
def test_what_is_no_such_value_is_refused(kind: object, content: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's, msgspec's and our own messages
        decoded(content, kind)


@pytest.mark.parametrize("wrong", [{"channels": "2"}, {"default": 1}, {"title": "x" * (LONGEST_TEXT + 1)}, {"number": True}])
def test_a_field_of_another_type_or_length_is_refused(wrong: dict[str, object]) -> None:
    track = Track(number=1, codec="aac", channels=2, sample_rate_hz=8_000)
    assert decoded(encoded(track.to_dict()), Track) == track
    with pytest.raises(ValueError, match=next(iter(wrong))):
        decoded(encoded(track.to_dict() | wrong), Track)


def test_an_error_keeps_its_class_its_message_and_its_values() -> None:
    for error in (
        AudioTooLongError(path=Path("a.wav"), duration_s=7.5, limit_s=3.0),
        UnknownPrecisionError(precision="int4", known=("fp32", "int8")),
    ):
        received = received_error(decoded(encoded(SentError.of(error)), SentError), type(error))
        assert (type(received), str(received)) == (type(error), str(error))
        assert set(received.values) == set(error.values)
    assert received.values == {"precision": "int4", "known": "fp32, int8"}


@pytest.mark.parametrize("name", ["SystemExit", "LightVoiceError", "listed", "__builtins__", "UnknownPrecisionError"])
def test_an_error_of_another_family_is_not_made(name: str) -> None:
    assert received_error(SentError(type=name, message="x", values={}), AudioError) is None
    assert SentError.of(KeyError("x")).values == {}
    assert received_error(SentError.of(AudioDecodeError(path="a", reason="b")), AudioError) is not None

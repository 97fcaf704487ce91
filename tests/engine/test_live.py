"""Live audio: the segments of one pass, text that follows, sessions that come and go, and memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from engine.audio.live_audio import LiveAudio, LiveResampler
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle
from engine.errors import AudioDecodeError, NonFiniteAudioError, SampleRateError, UnknownLanguageError
from engine.live import LATE_S, Final, LiveStream, StreamClock
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.bundle_slot import OpenBundle
from engine.speech.endpointing import VadOptions, find_speech, frame_decibels
from engine.speech.features import fbank
from engine.speech.frame_stream import NewFrames
from engine.speech.speech_stream import SpeechStream
from engine.transcript import Segment
from tests.starter_facts import DIGITS, EXAMPLES

CLIPS = ("digits-en", "sentence-en", "digits-zh")
BLOCK = 4_000  # a quarter of a second


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class LoudIsSpeech:
    """Stands in for a detector: a frame with a high mean is speech; counts what it was given."""

    frames_ahead = 2

    def __init__(self) -> None:
        self.longest = 0

    def silence_between(self, frames: np.ndarray, first: int, stop: int) -> np.ndarray:
        self.longest = max(self.longest, stop - first)
        return (frames[first:stop].mean(axis=1) < 0).astype(np.float32)


@pytest.fixture(scope="module")
def shared(starter_bundle: Path) -> Iterator[Engine]:
    engine = Engine(Bundle.load(starter_bundle))
    yield engine
    engine.close()


def speak(stream: LiveStream, samples: np.ndarray, *, rate: int = SAMPLE_RATE_HZ, block: int = BLOCK) -> list[Final]:
    finals = []
    for start in range(0, len(samples), block):
        finals += stream.add(samples[start : start + block], rate)
    return finals + stream.finish()


def whole_and_live(engine: Engine, clip: str, block: int) -> tuple[tuple[Segment, ...], list[Final]]:
    """The clip's segments in one pass, and those that come while it is spoken in blocks of this many samples."""
    waveform = load_audio(EXAMPLES / f"{clip}.flac")
    return engine.transcribe(waveform).segments, speak(engine.live(), waveform.samples, block=block)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("block", [1_111, BLOCK, 24_000])
def test_a_stream_ends_in_the_segments_of_one_pass(shared: Engine, clip: str, block: int) -> None:
    shared.set_lightweight(False)
    expected, finals = whole_and_live(shared, clip, block)
    assert [said(final.segment) for final in finals] == [said(segment) for segment in expected]
    assert {final.precision for final in finals} == {"fp32"}
    assert finals[0].segment.tokens == expected[0].tokens


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("block", [1_111, BLOCK, 24_000])
def test_int8_moves_a_boundary_by_a_frame_at_most(shared: Engine, clip: str, block: int) -> None:
    """Dynamic quantization scales VAD's input by what else is in the run, and a stream's runs are short."""
    shared.set_lightweight(True)
    expected, finals = whole_and_live(shared, clip, block)
    assert {final.precision for final in finals} == {"int8"}
    for final, segment in zip(finals, expected, strict=True):
        assert abs(final.segment.start_ms - segment.start_ms) <= 10
        assert abs(final.segment.end_ms - segment.end_ms) <= 10
        if (final.segment.start_ms, final.segment.end_ms) == (segment.start_ms, segment.end_ms):
            assert said(final.segment) == said(segment)


def said(segment: Segment) -> tuple[object, ...]:
    return segment.start_ms, segment.end_ms, segment.text, segment.language, segment.emotion, segment.event


@pytest.mark.parametrize(("rate", "channels", "kind"), [(48_000, 1, np.int16), (44_100, 2, np.float32), (8_000, 1, np.int32)])
def test_any_rate_type_and_number_of_channels_gives_the_same_words(shared: Engine, rate: int, channels: int, kind: type) -> None:
    shared.set_lightweight(False)
    there = soxr.resample(load_audio(DIGITS).samples, SAMPLE_RATE_HZ, rate)
    expected = shared.transcribe(Waveform(soxr.resample(there, rate, SAMPLE_RATE_HZ))).segments
    samples = there if kind is np.float32 else (there * np.iinfo(kind).max).astype(kind)
    samples = np.repeat(samples[:, None], channels, axis=1) if channels > 1 else samples
    finals = speak(shared.live(), samples, rate=rate, block=rate // 4)
    assert [final.segment.text for final in finals] == [segment.text for segment in expected]


def test_blocks_are_resampled_without_a_seam() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 44_100).astype(np.float32)
    whole = soxr.resample(samples, 44_100, SAMPLE_RATE_HZ, quality="HQ")
    resampler = LiveResampler()
    parts = [resampler.add(samples[start : start + 777], 44_100) for start in range(0, len(samples), 777)]
    np.testing.assert_allclose(np.concatenate([*parts, resampler.flush()]), whole, atol=1e-4)


def test_a_microphone_that_changes_its_rate_loses_nothing() -> None:
    audio = LiveAudio()
    audio.add(np.zeros(48_000, np.float32), 48_000)
    audio.add(np.zeros(16_000, np.float32), 16_000)
    audio.flush()
    assert audio.duration_ms == 2_000


def test_frames_and_energies_are_those_of_one_pass() -> None:
    samples = np.random.default_rng(2).normal(0, 0.1, 30_000).astype(np.float32)
    audio = LiveAudio()
    pieces = [audio.add(samples[start : start + 333], SAMPLE_RATE_HZ) for start in range(0, len(samples), 333)]
    expected = fbank(samples)
    np.testing.assert_array_equal(np.concatenate([piece.fbank for piece in pieces]), expected)
    decibels = np.concatenate([piece.decibels for piece in pieces])
    np.testing.assert_allclose(decibels, frame_decibels(samples, frames=len(expected)), atol=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_spans_are_those_of_one_pass_wherever_the_blocks_end(seed: int) -> None:
    """Random speech, random blocks, random thresholds: the spans, and the frames that come with them, are equal."""
    chance = np.random.default_rng(seed)
    options = VadOptions(
        max_segment_ms=int(chance.choice([700, 3_000, 30_000])),
        max_end_silence_ms=int(chance.choice([200, 800])),
        lookback_ms=int(chance.choice([0, 200])),
    )
    speech = np.repeat(chance.random(60) < 0.5, chance.integers(1, 120, 60))
    frames = np.where(speech, 1.0, -1.0)[:, None].repeat(80, axis=1).astype(np.float32)
    frames[:, 1] = np.arange(len(frames))  # so that a frame is known by its number
    frames[:, 0] = -frames[:, 1]
    decibels = np.zeros(len(frames), np.float32)
    silence = LoudIsSpeech().silence_between(frames, 0, len(frames))
    expected = find_speech(silence, decibels, options)
    following, detector, found, start = SpeechStream(options), LoudIsSpeech(), [], 0
    while start < len(frames):
        stop = start + int(chance.integers(1, 60))
        found += following.add(NewFrames(frames[start:stop], decibels[start:stop]), detector)
        start = stop
    duration_ms = len(frames) * 10 + 15
    found += following.finish(detector, duration_ms=duration_ms)
    spans = [(spoken.span.start_ms, spoken.span.end_ms) for spoken in found]
    assert spans == [(span.start_ms, duration_ms if span.end_ms == len(frames) * 10 else span.end_ms) for span in expected]
    for spoken in found:
        numbers = spoken.frames[:, 1]
        assert numbers[0] == spoken.span.start_ms // 10
        np.testing.assert_array_equal(np.diff(numbers), 1)
        assert len(numbers) == (spoken.span.end_ms - spoken.span.start_ms) // 10 - 2 or spoken.span.end_ms == duration_ms


def test_an_hour_keeps_no_more_than_a_minute() -> None:
    options, audio_frames = VadOptions(), 100
    following, detector, most, spans = SpeechStream(options), LoudIsSpeech(), 0, 0
    chance = np.random.default_rng(3)
    for second in range(3_600):
        # Ten minutes of each: silence, talk with pauses, one who never pauses.
        talk = (False, chance.random() < 0.7, True)[second // 600 % 3]
        block = np.full((audio_frames, 80), 1.0 if talk else -1.0, np.float32)
        spans += len(following.add(NewFrames(block, np.zeros(audio_frames, np.float32)), detector))
        most = max(most, following.kept_frames)
    assert spans > 60
    longest = options.max_segment_ms // 10
    assert longest / 2 < most <= longest + 2 * audio_frames
    assert detector.longest < 3 * audio_frames


def test_silence_keeps_next_to_nothing(shared: Engine) -> None:
    stream = shared.live()
    for _ in range(40):
        assert stream.add(np.zeros(BLOCK, np.float32), SAMPLE_RATE_HZ) == []
    assert stream.kept_frames < 150
    assert not stream.speaking
    assert stream.duration_s == 10.0
    assert stream.finish() == []


def test_the_text_follows_before_the_segment_ends(shared: Engine) -> None:
    waveform = load_audio(DIGITS)
    stream = shared.live(TranscribeOptions(itn=False))  # in digits a longer text may be shorter
    texts: list[str] = []
    for start in range(0, len(waveform.samples), BLOCK):
        finals = stream.add(waveform.samples[start : start + BLOCK], SAMPLE_RATE_HZ)
        if stream.partial is not None and (not texts or texts[-1] != stream.partial.text):
            assert stream.speaking
            assert stream.partial.end_ms <= stream.duration_s * 1000
            texts.append(stream.partial.text)
        if finals:
            break
    assert len(texts) >= 2
    assert len(texts[-1]) > len(texts[0])
    assert stream.partial is None or stream.partial.start_ms >= finals[0].segment.end_ms
    stream.close()


class SlowRecognizer:
    """Takes a number of seconds for each second of audio, by the test's clock."""

    def __init__(self, clock: Clock, rtf: float) -> None:
        self.clock, self.rtf, self.lengths_s = clock, rtf, []
        self.decoder, self.warnings = None, ()

    def segment(self, span: Any, frames: np.ndarray) -> Segment | None:
        length_s = (span.end_ms - span.start_ms) / 1000
        self.lengths_s.append(length_s)
        self.clock.now_s += self.rtf * length_s
        return None


def heard(monkeypatch: pytest.MonkeyPatch, engine: Engine, *, rtf: float, seconds: float = 12.0) -> list[float]:
    """The lengths in seconds of what is recognized of one who speaks without a pause, then stops."""
    clock = Clock()
    recognizer = SlowRecognizer(clock, rtf)
    monkeypatch.setattr("engine.live.SpanRecognizer", lambda *_, **__: recognizer)
    stream = LiveStream(lambda: engine._slot.current, clock_s=clock)
    talk = np.resize(load_audio(DIGITS).samples[8_000:24_000], int(seconds * SAMPLE_RATE_HZ))
    samples = np.concatenate([talk, np.zeros(2 * SAMPLE_RATE_HZ, np.float32)])
    begun_s = clock.now_s
    for start in range(0, len(samples), BLOCK):
        clock.now_s = max(clock.now_s, begun_s + (start + BLOCK) / SAMPLE_RATE_HZ)  # blocks come in real time, or wait
        stream.add(samples[start : start + BLOCK], SAMPLE_RATE_HZ)
    stream.finish()
    return recognizer.lengths_s


def test_partials_come_often_on_a_fast_machine(shared: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(heard(monkeypatch, shared, rtf=0.01)) > 12


def test_partials_take_half_of_the_time_at_most(shared: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = heard(monkeypatch, shared, rtf=0.2)
    partials = lengths[:-1]
    assert 2 < len(partials) < 12
    assert 0.2 * sum(partials) <= 0.5 * 12 + 0.2 * partials[-1]


def test_a_machine_slower_than_speech_skips_partials_and_no_segment(shared: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = heard(monkeypatch, shared, rtf=1.5)
    assert len(lengths) == 2  # the first try, from which it learns; and the whole
    assert lengths[-1] > 11


@pytest.mark.parametrize(("stall_s", "follows"), [(0.0, True), (LATE_S + 2, False)])
def test_a_late_stream_is_not_made_later(shared: Engine, stall_s: float, follows: bool) -> None:
    clock = Clock()
    stream = LiveStream(lambda: shared._slot.current, clock_s=clock)
    samples = load_audio(DIGITS).samples
    for start in range(0, 2 * SAMPLE_RATE_HZ, BLOCK):
        clock.now_s += 0.25 + (stall_s if start == BLOCK else 0.0)  # once, and never made up for
        stream.add(samples[start : start + BLOCK], SAMPLE_RATE_HZ)
    assert stream.speaking
    assert (stream.partial is not None) is follows
    stream.close()


def test_latency_counts_from_the_end_of_speech(shared: Engine) -> None:
    clock = Clock()
    stream = LiveStream(lambda: shared._slot.current, clock_s=clock)
    samples = load_audio(DIGITS).samples
    for start in range(0, len(samples), BLOCK):
        clock.now_s += 0.25
        for final in stream.add(samples[start : start + BLOCK], SAMPLE_RATE_HZ):
            came_s = (start + BLOCK) / SAMPLE_RATE_HZ
            assert final.latency_s == pytest.approx(came_s - final.segment.end_ms / 1000, abs=0.01)
            assert 0.5 < final.latency_s < 1.2  # the silence that ends a segment, and a block
            stream.close()
            return
    raise AssertionError("no segment ended")


def test_the_clock_forgives_drift_and_not_delay() -> None:
    clock = Clock()
    stream_clock = StreamClock(clock)
    assert stream_clock.since_s(1.0) == 0.0
    for second in range(3_600):
        clock.now_s += 1.0001  # a sound card that is slow by 100 parts in a million
        stream_clock.came(second + 1.0)
    assert stream_clock.since_s(3_600.0) < 0.01
    clock.now_s += 3
    stream_clock.came(3_601.0)
    assert stream_clock.since_s(3_601.0) == pytest.approx(2.0, abs=0.05)


def test_a_running_segment_keeps_its_precision_and_the_next_one_follows_the_switch(engine: Engine) -> None:
    samples = load_audio(DIGITS).samples
    stream, finals, switched = engine.live(), [], False
    for start in range(0, len(samples), BLOCK):
        finals += stream.add(samples[start : start + BLOCK], SAMPLE_RATE_HZ)
        if stream.speaking and not switched:
            engine.set_lightweight(True)
            switched = True
            assert {session["precision"] for session in engine.resources()["sessions"]} == {"fp32"}
    finals += stream.finish()
    assert [final.precision for final in finals] == ["fp32", "int8"]
    assert {session["precision"] for session in engine.resources()["sessions"]} == {"int8"}


def test_a_stream_that_is_closed_lets_its_sessions_go(engine: Engine) -> None:
    samples = load_audio(DIGITS).samples
    stream = engine.live()
    for start in range(0, 2 * SAMPLE_RATE_HZ, BLOCK):
        stream.add(samples[start : start + BLOCK], SAMPLE_RATE_HZ)
    assert stream.speaking
    engine.set_lightweight(True)
    assert engine.resources()["sessions"]
    stream.close()
    assert engine.resources()["sessions"] == []
    stream.close()  # twice does no harm


def test_two_streams_know_nothing_of_each_other(shared: Engine) -> None:
    clips = [load_audio(EXAMPLES / f"{clip}.flac").samples for clip in ("digits-en", "sentence-en")]
    alone = [[final.segment.text for final in speak(shared.live(), samples)] for samples in clips]
    streams = [shared.live(), shared.live()]
    together: list[list[str]] = [[], []]
    for start in range(0, max(map(len, clips)), BLOCK):
        for stream, samples, texts in zip(streams, clips, together, strict=True):
            texts += [final.segment.text for final in stream.add(samples[start : start + BLOCK], SAMPLE_RATE_HZ)]
    for stream, texts in zip(streams, together, strict=True):
        texts += [final.segment.text for final in stream.finish()]
    assert together == alone


def test_what_a_stream_costs_is_counted(shared: Engine) -> None:
    stream = shared.live()
    assert stream.timing().rtf == 0.0
    speak(stream, load_audio(DIGITS).samples)
    timing = stream.timing()
    assert min(timing.features_s, timing.vad_s, timing.asr_s) > 0
    assert timing.total_s == pytest.approx(timing.features_s + timing.vad_s + timing.asr_s)
    assert timing.rtf == pytest.approx(timing.total_s / stream.duration_s)


def test_a_stream_without_a_sample_has_nothing_to_say(shared: Engine) -> None:
    assert shared.live().finish() == []


def test_a_failing_model_keeps_no_sessions_leased(shared: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = shared.live()

    def fail(*_: Any) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr("engine.live.SpeechStream.add", fail)
    with pytest.raises(RuntimeError, match="no more"):
        stream.add(np.zeros(BLOCK, np.float32), SAMPLE_RATE_HZ)
    current: OpenBundle = shared._slot.current
    assert all(entry.leases == 0 for entry in current.pool._entries.values())


def test_what_is_no_audio_is_refused(shared: Engine) -> None:
    with pytest.raises(UnknownLanguageError):
        shared.live(TranscribeOptions(language="zn"))
    stream = shared.live()
    with pytest.raises(SampleRateError):
        stream.add(np.zeros(100, np.float32), 100)
    with pytest.raises(NonFiniteAudioError):
        stream.add(np.full(100, np.nan, np.float32), 16_000)
    with pytest.raises(AudioDecodeError):
        stream.add(np.zeros((2, 2, 2), np.float32), 16_000)
    assert stream.add(np.zeros(BLOCK, np.float32), SAMPLE_RATE_HZ) == []  # and it goes on

"""A recording block by block: the segments of one pass over it, a bounded memory, and an end that fits what was read."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import engine.audio.waveform as audio_module
from engine.audio.sandbox import process
from engine.audio.sandbox.decoder import MOST_WORKERS, DecodeLimits, Decoder
from engine.audio.sandbox.messages import Kind
from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Waveform, load_audio
from engine.bundle import Bundle
from engine.errors import AudioDecodeError, AudioNotFoundError, AudioTooLongError, EmptyAudioError, GraphContractError
from engine.options import VAD_OFF, TranscribeOptions
from engine.pipeline import Engine
from engine.recording_run import RecordingRun
from engine.speech.detector import SpeechDetector
from engine.speech.endpointing import VadOptions
from engine.speech.features import fbank
from engine.speech.frame_stream import FrameStream, NewFrames
from engine.speech.span_recognizer import frames_of
from engine.speech.speech_stream import EqualPieces, SpeechStream
from tests.engine.recordings import examples_apart
from tests.reading import DECODER
from tests.starter_facts import EXAMPLES
from tests.waiting import until


@pytest.fixture(scope="module")
def shared(starter_bundle: Path):
    engine = Engine(Bundle.load(starter_bundle))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def long_recording() -> Waveform:
    """Both examples with pauses of unequal length between them, over a minute."""
    return examples_apart(times=4)


@pytest.mark.usefixtures("short_blocks")
def test_blocks_find_the_segments_of_one_pass(shared: Engine, long_recording: Waveform) -> None:
    assert long_recording.duration_s > 60
    found = shared.transcribe(long_recording)
    spans = shared.detect(long_recording)
    assert len(spans) > 8
    assert {(segment.start_ms, segment.end_ms) for segment in found.segments} <= {(span.start_ms, span.end_ms) for span in spans}
    frames = fbank(long_recording.samples)
    track = 1 - shared._slot.current.parts.detector(_leased(shared)).silence_between(frames, 0, len(frames))
    np.testing.assert_allclose(found.speech_track, track, atol=1e-5)


def _leased(engine: Engine):
    with engine._slot.current.pool.lease() as sessions:
        return sessions


def test_the_length_of_a_block_changes_nothing(shared: Engine, long_recording: Waveform, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for block_s in (1, 7, 1000):
        monkeypatch.setattr(audio_module, "BLOCK_S", block_s)
        answers.append([(one.start_ms, one.end_ms, one.text, one.emotion) for one in shared.transcribe(long_recording).segments])
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.usefixtures("short_blocks")
def test_segments_come_before_the_recording_has_been_read(shared: Engine, long_recording: Waveform, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, long_recording.samples, SAMPLE_RATE_HZ)
    stream = DECODER.open(path)
    read_at_s: list[float] = []
    shared.transcribe(stream, on_segment=lambda _: read_at_s.append(stream.duration_s))
    assert read_at_s[0] < 10
    assert stream.duration_s > 60


@pytest.mark.parametrize("options", [VadOptions(), VadOptions(max_segment_ms=2000)])
def test_a_stream_keeps_no_more_frames_than_a_segment_has(long_recording: Waveform, options: VadOptions, shared: Engine) -> None:
    detector = shared._slot.current.parts.detector(_leased(shared))
    frames, speech, most = FrameStream(), SpeechStream(options), 0
    for start in range(0, len(long_recording.samples), SAMPLE_RATE_HZ):
        speech.add(frames.add(long_recording.samples[start : start + SAMPLE_RATE_HZ]), detector)
        most = max(most, speech.kept_frames)
    assert most <= options.max_segment_ms // 10 + 300


@pytest.mark.parametrize(
    ("duration_ms", "spans"),
    [
        (20, [(0, 20)]),
        (1990, [(0, 1990)]),
        (2000, [(0, 2000)]),
        (2007, [(0, 2000), (2000, 2007)]),
        (5100, [(0, 2000), (2000, 4000), (4000, 5100)]),
    ],
)
@pytest.mark.parametrize("block", [1_600, 1_000_000])
def test_without_vad_the_recording_is_cut_at_the_longest_segment(
    duration_ms: int, spans: list[tuple[int, int]], block: int, shared: Engine
) -> None:
    samples = np.random.default_rng(duration_ms).normal(0, 0.1, duration_ms * 16).astype(np.float32)
    detector: SpeechDetector = shared._slot.current.parts.detector(_leased(shared))
    stream, pieces = FrameStream(), EqualPieces(VadOptions(max_segment_ms=2000))
    found = [one for start in range(0, len(samples), block) for one in pieces.add(stream.add(samples[start : start + block]), detector)]
    found += pieces.finish(detector, duration_ms=stream.duration_ms)
    assert [(one.span.start_ms, one.span.end_ms) for one in found] == spans
    whole = fbank(samples)
    for one in found:
        np.testing.assert_array_equal(one.frames, whole[frames_of(one.span)])


@pytest.mark.usefixtures("short_blocks")
def test_without_vad_blocks_and_one_pass_agree(shared: Engine, long_recording: Waveform) -> None:
    found = shared.transcribe(long_recording, TranscribeOptions(vad_precision=VAD_OFF, vad=VadOptions(max_segment_ms=4000))).segments
    assert all(segment.start_ms % 4000 == 0 for segment in found)
    assert len(found) > 8


def test_a_piece_longer_than_the_positions_is_refused(shared: Engine) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 1_600_000).astype(np.float32)
    with pytest.raises(GraphContractError, match="max_segment_ms"):
        RecordingRun(shared._slot.current.parts, _leased(shared)).warm(fbank(noise), duration_ms=100_000)


# ---- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("name", ["digits-en.flac", "digits-zh.flac"])
def test_a_stream_gives_the_samples_of_the_whole_file(shared: Engine, name: str) -> None:
    told: list[np.ndarray] = []
    stream = DECODER.open(EXAMPLES / name, watch=told.append)
    blocks = list(stream.blocks())
    whole = load_audio(EXAMPLES / name)
    assert [len(block) for block in blocks[:-1]] == [3 * SAMPLE_RATE_HZ] * (len(blocks) - 1)
    np.testing.assert_array_equal(np.concatenate(blocks), whole.samples)
    np.testing.assert_array_equal(np.concatenate(told), whole.samples)
    assert (stream.duration_ms, stream.expected_s) == (whole.duration_ms, pytest.approx(whole.duration_s))


def test_what_is_no_recording_is_said_at_once_and_what_is_empty_when_read(shared: Engine, tmp_path: Path) -> None:
    with pytest.raises(AudioNotFoundError):
        DECODER.open(tmp_path / "lost.wav")
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(AudioDecodeError):
        list(DECODER.open(tmp_path / "text.wav").blocks())
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), SAMPLE_RATE_HZ)
    with pytest.raises(EmptyAudioError):
        list(DECODER.open(tmp_path / "none.wav").blocks())


def test_a_recording_that_is_too_long_is_refused_before_it_is_worked_on(shared: Engine, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(3 * SAMPLE_RATE_HZ, np.float32), SAMPLE_RATE_HZ)
    stream = DECODER.open(tmp_path / "long.wav", max_duration_s=2)
    with pytest.raises(AudioTooLongError):
        next(stream.blocks())
    assert stream.read_samples == 0


def test_what_is_read_once_more_is_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "two.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, 2 * SAMPLE_RATE_HZ).astype(np.float32), SAMPLE_RATE_HZ, subtype="FLOAT")
    whole = load_audio(path).samples
    # One library gave up after 10 000 samples; the other one began anew, in parts of its own length.
    parts = [whole[:10_000], None, whole[:6_000], whole[6_000:18_000], whole[18_000:]]
    messages = [(Kind.START_OVER, b"") if part is None else (Kind.BLOCK, part.tobytes()) for part in parts]
    decoder = Decoder()
    monkeypatch.setattr(decoder, "_messages", lambda *_, **__: iter([*messages, (Kind.DONE, ())]))
    np.testing.assert_array_equal(decoder.load(path).samples, whole)


@pytest.mark.usefixtures("short_blocks")
def test_who_stops_reading_leaves_no_worker_busy(shared: Engine, long_recording: Waveform, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, long_recording.samples, SAMPLE_RATE_HZ)
    for _ in range(MOST_WORKERS + 1):
        blocks = DECODER.open(path).blocks()
        assert len(next(blocks)) == 3 * SAMPLE_RATE_HZ
        blocks.close()
    assert DECODER.load(path).duration_ms == long_recording.duration_ms


@pytest.mark.usefixtures("short_blocks")
def test_a_run_that_fails_closes_its_recording(shared: Engine, long_recording: Waveform) -> None:
    closed: list[bool] = []

    def parts():
        try:
            yield from long_recording.blocks()
        finally:
            closed.append(True)

    def refuse(_: object) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough") as failure:
        shared.transcribe(AudioStream(parts(), name="x"), on_segment=refuse)
    assert closed == [True]
    del failure


class CountedEvent(threading.Event):
    """Counts how often such events are waited for."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        CountedEvent.waits += 1
        return super().wait(timeout)


@pytest.mark.usefixtures("short_blocks")
def test_a_reader_that_is_slower_than_a_stall_is_no_fault_of_the_worker(
    long_recording: Waveform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(long_recording.samples, 3), SAMPLE_RATE_HZ)
    now_s = [0.0]
    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(process, "threading", SimpleNamespace(Event=CountedEvent, Thread=threading.Thread, Lock=threading.Lock))
    decoder = Decoder(limits=DecodeLimits(stall_s=0.02))
    blocks = decoder.open(path).blocks()
    next(blocks)
    now_s[0] += 10_000.0
    before = CountedEvent.waits
    until(lambda: CountedEvent.waits > before + 1)  # the watch has looked at the clock since
    assert sum(len(block) for block in blocks) + 3 * SAMPLE_RATE_HZ == 3 * len(long_recording.samples)
    decoder.close()


def test_no_frames_are_no_reason_to_fail() -> None:
    stream = FrameStream()
    new: NewFrames = stream.add(np.zeros(100, np.float32))
    assert (len(new.fbank), len(new.decibels), stream.duration_ms) == (0, 0, 6)

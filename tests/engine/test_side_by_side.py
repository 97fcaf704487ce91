"""Segments of one recording side by side: the text and the order of one after another, and no end that leaves anything behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Waveform
from engine.bundle import Bundle
from engine.errors import GraphContractError
from engine.options import DEFAULT_OPTIONS, VAD_OFF, TranscribeOptions
from engine.pipeline import Engine
from engine.segment_queue import WAITING_A_CORE
from engine.speech.decoding.hotwords import Hotword
from engine.speech.endpointing import SpeechSpan, VadOptions
from engine.speech.span_recognizer import SpanRecognizer
from engine.transcript import Transcript
from tests.engine.recordings import examples_apart
from tests.waiting import WAIT_S, until

CORES = 3


@pytest.fixture(scope="module")
def cores(starter_bundle: Path) -> Iterator[Engine]:
    """An engine that plans for three cores, however many there are."""
    engine = Engine(Bundle.load(starter_bundle), precision="int8", threads=CORES)
    engine.warm_up()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def one_core(starter_bundle: Path) -> Iterator[Engine]:
    engine = Engine(Bundle.load(starter_bundle), precision="int8", threads=1)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def recording() -> Waveform:
    """Both examples with pauses of unequal length between them."""
    return examples_apart(times=2)


def told(transcript: Transcript) -> list[Any]:
    """All that a transcript says of its segments, to the last digit."""
    return [(one, one.tokens, one.probabilities, one.confidence, one.alternatives) for one in transcript.segments]


CHOICES = [
    DEFAULT_OPTIONS,
    TranscribeOptions(vad_precision=VAD_OFF, vad=VadOptions(max_segment_ms=4000)),
    TranscribeOptions(hotwords=(Hotword("seven"), Hotword("三")), n_best=3),
    TranscribeOptions(precision="fp32", itn=False, language="en"),
]


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("options", CHOICES)
def test_the_segments_are_those_of_one_core_to_the_last_digit(
    cores: Engine, one_core: Engine, recording: Waveform, options: TranscribeOptions
) -> None:
    passed: list[int] = []
    found = cores.transcribe(recording, options, on_segment=lambda segment: passed.append(segment.start_ms))
    assert told(found) == told(one_core.transcribe(recording, options))
    assert passed == sorted(passed) == [segment.start_ms for segment in found.segments]
    assert len(passed) > 3


def stereo(recording: Waveform) -> AudioStream:
    """Two channels that are kept apart: the recording, and itself two seconds later."""
    later = np.concatenate([np.zeros(2 * SAMPLE_RATE_HZ, np.float32), recording.samples])[: len(recording.samples)]
    both = np.stack([recording.samples, later], axis=1)
    return AudioStream((part for part in (both,)), name="both", expected_s=recording.duration_s, columns=2)


@pytest.mark.usefixtures("short_blocks")
def test_channels_that_are_kept_apart_come_in_the_order_of_their_times(cores: Engine, one_core: Engine, recording: Waveform) -> None:
    found = cores.transcribe(stereo(recording))
    assert told(found) == told(one_core.transcribe(stereo(recording)))
    starts = [segment.start_ms for segment in found.segments]
    assert starts == sorted(starts)
    assert {segment.channel for segment in found.segments} == {1, 2}


class Recognition:
    """Stands before the recognizer: counts what is begun, and lets a test hold it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[SpeechSpan] = []
        self.inside = self.most = 0
        self.before: Callable[[SpeechSpan], None] = lambda _: None
        self._lock = threading.Lock()
        recognize = SpanRecognizer.segment

        def segment(recognizer: SpanRecognizer, span: SpeechSpan, frames: Any) -> Any:
            with self._lock:
                self.begun.append(span)
                self.inside += 1
                self.most = max(self.most, self.inside)
            try:
                self.before(span)
                return recognize(recognizer, span, frames)
            finally:
                with self._lock:
                    self.inside -= 1

        monkeypatch.setattr(SpanRecognizer, "segment", segment)


@pytest.fixture
def recognition(monkeypatch: pytest.MonkeyPatch) -> Recognition:
    return Recognition(monkeypatch)


PIECES = TranscribeOptions(vad_precision=VAD_OFF, vad=VadOptions(max_segment_ms=2000))


@pytest.mark.usefixtures("short_blocks")
def test_the_first_segment_has_every_core_and_the_others_come_side_by_side(
    cores: Engine, recording: Waveform, recognition: Recognition
) -> None:
    first_passed, together = threading.Event(), threading.Barrier(CORES)

    def before(span: SpeechSpan) -> None:
        if span.start_ms == 0:
            assert recognition.begun == [span]
        else:
            assert first_passed.is_set()  # nothing is begun before the first segment has been passed on
            if span.start_ms <= 2000 * CORES:
                together.wait(WAIT_S)

    recognition.before = before
    found = cores.transcribe(recording, PIECES, on_segment=lambda _: first_passed.set())
    assert len(recognition.begun) == -(-recording.duration_ms // 2000)
    assert recognition.most == CORES
    assert found.segments[0].start_ms == 0


@pytest.mark.usefixtures("short_blocks")
def test_a_recording_is_read_no_further_than_its_cores_need(cores: Engine, recording: Waveform, recognition: Recognition) -> None:
    hold, read = threading.Event(), list[int]()
    most_read = 3000 + 2000 * (1 + CORES * WAITING_A_CORE + 2)  # a block, and the pieces that may wait

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(recording.samples), 16_000):
            read.append(start // 16)
            yield recording.samples[start : start + 16_000]

    recognition.before = lambda span: assert_set(hold) if span.start_ms else None
    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(cores.transcribe, AudioStream(blocks(), name="x"), PIECES)
        until(lambda: recognition.inside == CORES and len(cores._cores.workers.slots._queue) == 1)
        until(lambda: cores._cores.slots.waiting() >= CORES * (WAITING_A_CORE - 1))
        assert max(read) <= most_read
        hold.set()
        assert len(run.result(WAIT_S).segments) > 1
    assert max(read) > recording.duration_ms - 1001


def assert_set(event: threading.Event) -> None:
    assert event.wait(WAIT_S)


class StoppedError(Exception):
    """Nobody wants the run any more."""


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("by", ["progress", "on_segment"])
def test_a_run_that_is_stopped_leaves_nothing_running(cores: Engine, recording: Waveform, recognition: Recognition, by: str) -> None:
    stop, runs = threading.Event(), cores._cores.slots

    def raise_when_stopped(*_: object) -> None:
        if stop.is_set():
            raise StoppedError

    def before(span: SpeechSpan) -> None:
        if span.start_ms >= 2000 * CORES:
            stop.set()

    recognition.before = before
    callbacks: dict[str, Any] = {by: raise_when_stopped}
    with pytest.raises(StoppedError):
        cores.transcribe(recording, PIECES, **callbacks)
    begun = len(recognition.begun)
    assert (recognition.inside, runs.waiting()) == (0, 0)
    until(lambda: runs.running() == 0)
    assert begun < -(-recording.duration_ms // 2000)
    assert told(cores.transcribe(recording)) != []


@pytest.mark.usefixtures("short_blocks")
def test_a_run_that_waits_for_its_segments_is_stopped_all_the_same(cores: Engine, recording: Waveform, recognition: Recognition) -> None:
    hold, stop = threading.Event(), threading.Event()

    def progress(*_: object) -> None:
        if stop.is_set():
            hold.set()
            raise StoppedError

    def before(span: SpeechSpan) -> None:
        if span.start_ms:
            stop.set()
            assert_set(hold)  # which progress alone sets: it is called while every core computes

    recognition.before = before
    with pytest.raises(StoppedError):
        cores.transcribe(recording, PIECES, progress=progress)
    assert recognition.inside == 0
    until(lambda: cores._cores.slots.running() == 0)


@pytest.mark.usefixtures("short_blocks")
def test_a_segment_that_fails_ends_its_run_after_those_before_it_and_no_other_run(
    cores: Engine, recording: Waveform, recognition: Recognition, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    expected = told(cores.transcribe(recording, PIECES))
    broken = replace(PIECES, vad=VadOptions(max_segment_ms=2001))

    def before(span: SpeechSpan) -> None:
        if span.start_ms == 2 * 2001:
            raise GraphContractError(path="asr", reason="broken on purpose")

    recognition.before = before
    passed: list[int] = []
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(cores.transcribe, recording, PIECES) for _ in range(3)]
        failing = threads.submit(cores.transcribe, recording, broken, on_segment=lambda segment: passed.append(segment.start_ms))
        with pytest.raises(GraphContractError, match="on purpose"):
            failing.result(WAIT_S)
        assert [told(other.result(WAIT_S)) for other in others] == [expected] * 3
    assert passed == [start for start in (0, 2001) if start in passed]
    assert cores._cores.slots.waiting() == 0
    until(lambda: cores._cores.slots.running() == 0)


def test_many_callers_are_all_answered(cores: Engine, recording: Waveform, recognition: Recognition) -> None:
    clip = Waveform(recording.samples[: 3 * SAMPLE_RATE_HZ])
    options = replace(PIECES, vad=VadOptions(max_segment_ms=1500))
    expected = told(cores.transcribe(clip, options))
    with ThreadPoolExecutor(64) as threads:
        runs = [threads.submit(cores.transcribe, clip, options) for _ in range(64)]
        assert all(told(run.result(WAIT_S)) == expected for run in runs)
    assert recognition.most <= CORES


def test_a_short_clip_does_not_wait_for_a_long_recording(cores: Engine, recording: Waveform, recognition: Recognition) -> None:
    long, clip = Waveform(np.tile(recording.samples, 4)), Waveform(recording.samples[:SAMPLE_RATE_HZ])
    begun, hold, long_done = threading.Event(), threading.Event(), threading.Event()

    def before(span: SpeechSpan) -> None:
        if span.start_ms >= 2000 * (CORES + 1):
            begun.set()
            assert_set(hold)

    recognition.before = before
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(cores.transcribe, long, PIECES)
        running.add_done_callback(lambda _: long_done.set())
        assert_set(begun)
        short = threads.submit(cores.transcribe, clip, PIECES)
        until(lambda: len(cores._cores.slots._queue) == 2)  # the long recording's next segments, and the clip
        asked = len(recognition.begun)
        hold.set()
        short.result(WAIT_S)
        assert not long_done.is_set() or len(recognition.begun) > asked
        place = next(index for index, span in enumerate(recognition.begun) if span.end_ms == 1000)
        assert place <= asked + CORES  # a turn of the long recording for each slot at most
        running.result(WAIT_S)

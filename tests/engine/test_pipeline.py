"""The whole way through the embedded bundle: silence, speech, both precisions, many callers, bad requests."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle
from engine.errors import UnknownLanguageError, UnknownPrecisionError
from engine.options import VAD_OFF, TranscribeOptions
from engine.pipeline import Engine
from engine.speech.endpointing import SpeechSpan, VadOptions
from engine.speech.features import fbank, stack_frames
from engine.speech.itn.itn import apply_itn
from engine.tags import Language
from engine.transcript import Segment
from tests.starter_facts import DIGITS, SPOKEN

WAIT_S = 120


@pytest.fixture(scope="module")
def shared(starter_bundle: Path):
    engine = Engine(Bundle.load(starter_bundle))
    yield engine
    engine.close()


@pytest.mark.parametrize("samples", [np.zeros(SAMPLE_RATE_HZ * 3, np.float32), np.zeros(40, np.float32), np.full(5_000, 1e-5, np.float32)])
def test_silence_is_an_answer(shared: Engine, samples: np.ndarray) -> None:
    transcript = shared.transcribe(Waveform(samples))
    assert (transcript.text, transcript.segments) == ("", ())
    assert transcript.duration_s == pytest.approx(len(samples) / SAMPLE_RATE_HZ)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_example_is_transcribed(shared: Engine, precision: str) -> None:
    transcript = shared.transcribe(load_audio(DIGITS), TranscribeOptions(precision=precision, itn=False))
    assert (transcript.file, transcript.bundle, transcript.precision) == ("digits-en.flac", "starter", precision)
    assert transcript.segments
    for segment in transcript.segments:
        assert 0 <= segment.start_ms < segment.end_ms <= transcript.duration_s * 1000 + 1
        assert segment.language is Language.EN
        assert 0 < segment.confidence.language <= 1
        for token in segment.tokens:
            assert segment.start_ms <= token.start_ms <= token.end_ms <= segment.end_ms
    assert [segment.text for segment in transcript.segments] == list(SPOKEN)
    timing = transcript.timing
    assert timing.rtf == pytest.approx(timing.total_s / transcript.duration_s)
    assert timing.decode_s + timing.features_s + timing.vad_s + timing.asr_s <= timing.total_s * 1.01


def test_a_file_and_its_waveform_give_the_same(shared: Engine) -> None:
    assert shared.transcribe(load_audio(DIGITS)).segments == shared.transcribe(load_audio(DIGITS), file="x").segments


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_itn_writes_digits_and_leaves_tokens_and_times(shared: Engine, precision: str) -> None:
    spoken = shared.transcribe(load_audio(DIGITS), TranscribeOptions(precision=precision, itn=False))
    written = shared.transcribe(load_audio(DIGITS), TranscribeOptions(precision=precision))
    assert not re.search(r"\d", spoken.text)
    assert re.search(r"\d{2}", written.text)
    assert written.text == " ".join(apply_itn(segment.text) for segment in spoken.segments)
    assert [segment.tokens for segment in written.segments] == [segment.tokens for segment in spoken.segments]


def test_segments_features_equal_those_of_the_cut_out_samples() -> None:
    """The frames of a span, taken from the whole recording's fbank, are those upstream computes on the cut."""
    waveform = load_audio(DIGITS)
    frames = fbank(waveform.samples)
    span = SpeechSpan(310, 1_480)
    first, last = span.start_ms // 10, (span.end_ms - 25) // 10 + 1
    own = frames[first:last]
    cut = fbank(waveform.cut(span.start_ms, span.end_ms))
    assert own.shape == cut.shape
    np.testing.assert_allclose(stack_frames(own, lfr_m=7, lfr_n=6), stack_frames(cut, lfr_m=7, lfr_n=6), atol=1e-3)


def test_progress_rises_to_one_through_the_stages(shared: Engine) -> None:
    told: list[tuple[float, str]] = []
    shared.transcribe(load_audio(DIGITS), progress=lambda fraction, stage: told.append((fraction, stage)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert list(dict.fromkeys(stage for _, stage in told)) == ["decode", "features", "vad", "asr"]


def test_a_run_that_waits_for_its_sessions_says_so(engine: Engine) -> None:
    first, second = ([], [])
    for told in (first, second):
        engine.transcribe(load_audio(DIGITS), progress=lambda fraction, stage, told=told: told.append((fraction, stage)))
    assert first[:2] == [(0.0, "open"), (0.0, "decode")]
    assert second[0] == (0.0, "decode")


def test_each_segment_is_reported_as_soon_as_it_is_recognized(shared: Engine) -> None:
    told: list[tuple[float, Segment]] = []
    progress = [0.0]
    transcript = shared.transcribe(
        load_audio(DIGITS),
        progress=lambda fraction, _: progress.append(fraction),
        on_segment=lambda segment: told.append((progress[-1], segment)),
    )
    assert [segment for _, segment in told] == list(transcript.segments)
    assert len(told) == 2
    assert told[0][0] < told[1][0] < 1.0


def test_requests_that_cannot_be_met_are_errors(shared: Engine) -> None:
    with pytest.raises(UnknownLanguageError, match="'zn'"):
        shared.transcribe(load_audio(DIGITS), TranscribeOptions(language="zn"))
    with pytest.raises(UnknownPrecisionError, match="'int4'"):
        shared.transcribe(load_audio(DIGITS), TranscribeOptions(precision="int4"))
    with pytest.raises(UnknownPrecisionError, match="'int5'; this bundle holds same, off, fp32"):
        shared.transcribe(load_audio(DIGITS), TranscribeOptions(vad_precision="int5"))
    with pytest.raises(UnknownPrecisionError):
        shared.compare(load_audio(DIGITS), right="int4")


def test_a_comparison_in_lightweight_mode_closes_fp32_again(engine: Engine) -> None:
    engine.set_lightweight(True)
    values = engine.compare(load_audio(DIGITS)).to_dict()
    assert (values["left"]["precision"], values["right"]["precision"]) == ("fp32", "int8")
    assert values["memory"]["left_file_mb"] > values["memory"]["right_file_mb"] > 0
    assert values["time"]["left_s"] > 0
    assert {session["precision"] for session in engine.resources()["sessions"]} == {"int8"}
    assert engine.compare(load_audio(DIGITS), left="int8", right="int8").to_dict()["text"]["equal"]


def test_callers_share_the_sessions_while_the_mode_is_toggled(engine: Engine) -> None:
    expected = {
        precision: engine.transcribe(load_audio(DIGITS), TranscribeOptions(precision=precision)).text for precision in ("fp32", "int8")
    }
    wrong: list[str] = []

    def call() -> None:
        for _ in range(4):
            transcript = engine.transcribe(load_audio(DIGITS))
            if transcript.text != expected[transcript.precision]:
                wrong.append(transcript.text)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for turn in range(10):
        engine.set_lightweight(turn % 2 == 0)
    for caller in callers:
        caller.join(WAIT_S)
        assert not caller.is_alive()
    assert wrong == []


def test_resources_tell_what_is_open(engine: Engine) -> None:
    assert engine.resources()["sessions"] == []
    assert engine.resources()["last_rtf"] is None
    transcript = engine.transcribe(load_audio(DIGITS))
    values = engine.resources()
    assert [(session["model"], session["precision"], session["provider"]) for session in values["sessions"]] == [
        ("asr", "fp32", "CPUExecutionProvider"),
        ("vad", "fp32", "CPUExecutionProvider"),
    ]
    assert 0 < values["last_rtf"] <= transcript.timing.rtf + 1e-5  # opening the sessions is not counted
    assert values["rss_mb"] > 50
    assert values["threads"] >= 1


def test_the_speech_track_has_a_value_a_frame(shared: Engine) -> None:
    track = shared.transcribe(load_audio(DIGITS)).speech_track
    assert len(track) == len(fbank(load_audio(DIGITS).samples))
    assert 0 <= track.min() < 0.3
    assert 0.7 < track.max() <= 1


def test_options_of_one_request_do_not_stay(shared: Engine) -> None:
    before = shared.transcribe(load_audio(DIGITS)).segments
    cut = shared.transcribe(load_audio(DIGITS), TranscribeOptions(vad=VadOptions(max_segment_ms=700))).segments
    assert len(cut) > len(before)
    assert shared.transcribe(load_audio(DIGITS)).segments == before


def test_without_vad_the_whole_recording_is_recognized_in_equal_pieces(shared: Engine) -> None:
    transcript = shared.transcribe(load_audio(DIGITS), TranscribeOptions(vad=VadOptions(max_segment_ms=2000), vad_precision=VAD_OFF))
    duration_ms = int(transcript.duration_s * 1000)
    assert {segment.start_ms for segment in transcript.segments} <= set(range(0, duration_ms, 2000))
    assert all(segment.end_ms in {segment.start_ms + 2000, duration_ms} for segment in transcript.segments)
    assert len(transcript.segments) > 1
    assert transcript.speech_track.size == 0


def test_vad_in_another_precision_finds_that_precisions_speech(shared: Engine) -> None:
    for asr, vad in (("fp32", "int8"), ("int8", "fp32")):
        transcript = shared.transcribe(load_audio(DIGITS), TranscribeOptions(precision=asr, vad_precision=vad))
        assert transcript.precision == asr
        np.testing.assert_array_equal(
            transcript.speech_track, shared.transcribe(load_audio(DIGITS), TranscribeOptions(precision=vad)).speech_track
        )


def test_an_unknown_precision_of_vad_is_refused(shared: Engine) -> None:
    with pytest.raises(UnknownPrecisionError, match="'int3'; this bundle holds same, off, fp32, int8"):
        shared.transcribe(load_audio(DIGITS), TranscribeOptions(vad_precision="int3"))

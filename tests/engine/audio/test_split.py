"""One speaker a channel: every channel as if it were alone, all of them in the order of their times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import engine.audio.waveform as audio_module
from engine.audio.read_options import Channel, ReadOptions
from engine.audio.sandbox.decoder import MOST_SPEAKERS, Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.bundle import Bundle
from engine.errors import OptionRangeError
from engine.formats import render
from engine.options import VAD_AS_REQUEST, VAD_OFF, TranscribeOptions
from engine.pipeline import Engine
from engine.speech.endpointing import VadOptions
from engine.transcript import Segment
from tests.reading import DECODER
from tests.starter_facts import DIGITS, EXAMPLES
from tests.subtitles import read_srt, read_vtt

SPLIT = ReadOptions(channel=Channel.SPLIT)


@pytest.fixture(scope="module")
def shared(starter_bundle: Path) -> Iterator[Engine]:
    engine = Engine(Bundle.load(starter_bundle))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def speakers() -> list[np.ndarray]:
    """Two speakers who talk at the same time, over half a minute."""
    digits, sentence = (load_audio(EXAMPLES / f"{name}.flac").samples for name in ("digits-en", "digits-zh"))
    length = 40 * SAMPLE_RATE_HZ
    first, second = np.zeros(length, np.float32), np.zeros(length, np.float32)
    for start_s in (0, 11, 22, 29):
        first[start_s * SAMPLE_RATE_HZ :][: len(digits)] += digits
        second[round((start_s + 1.5) * SAMPLE_RATE_HZ) :][: len(sentence)] += sentence
    return [first, second]


@pytest.fixture(scope="module")
def call(speakers: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("call") / "call.wav"
    soundfile.write(path, np.stack(speakers, axis=1), SAMPLE_RATE_HZ)
    return path


def alone(segment: Segment) -> tuple[object, ...]:
    return segment.start_ms, segment.end_ms, segment.text, segment.tokens, segment.language


@pytest.mark.parametrize("vad_precision", [VAD_AS_REQUEST, VAD_OFF])
@pytest.mark.parametrize("block_s", [3, 30])
def test_each_channel_gives_what_it_would_give_alone(
    shared: Engine,
    call: Path,
    speakers: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block_s: int,
    vad_precision: str,
) -> None:
    monkeypatch.setattr(audio_module, "BLOCK_S", block_s)
    off = vad_precision == VAD_OFF
    options = TranscribeOptions(vad_precision=vad_precision, vad=VadOptions(max_segment_ms=7_000) if off else VadOptions())
    told: list[Segment] = []
    found = shared.transcribe(DECODER.open(call, read=SPLIT), options, on_segment=told.append)
    for number, samples in enumerate(speakers, start=1):
        soundfile.write(tmp_path / "alone.wav", samples, SAMPLE_RATE_HZ)
        expected = shared.transcribe(load_audio(tmp_path / "alone.wav"), options).segments
        assert [alone(one) for one in found.segments if one.channel == number] == [alone(one) for one in expected]
        assert len(expected) > 3
    times = [(segment.start_ms, segment.end_ms) for segment in found.segments]
    assert times == sorted(times)
    assert tuple(told) == found.segments
    assert found.duration_s == pytest.approx(40, abs=0.01)
    assert len(found.speech_track) == (0 if off else 3_998)  # frames of 25 ms every 10


def test_spans_that_wait_for_batches_keep_their_order(shared: Engine, call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = shared.transcribe(DECODER.open(call, read=SPLIT)).segments
    monkeypatch.setattr("engine.speech.span_recognizer.SpanRecognizer.batches", True)  # as on a GPU, but this graph takes one at a time
    monkeypatch.setattr("engine.speech.span_recognizer.batches_by_length", lambda lengths: [[place] for place in range(len(lengths))])
    told: list[Segment] = []
    batched = shared.transcribe(DECODER.open(call, read=SPLIT), on_segment=told.append).segments
    assert [alone(one)[:3] for one in batched] == [alone(one)[:3] for one in one_by_one]
    assert tuple(told) == batched


def test_speakers_are_named_in_every_format(shared: Engine, call: Path) -> None:
    found = shared.transcribe(DECODER.open(call, read=SPLIT))
    written = found.to_dict()["segments"]
    assert {(one["channel"], one["speaker"]) for one in written} == {(1, "Speaker 1"), (2, "Speaker 2")}
    labels = [segment.speaker for segment in found.segments]
    assert [line.split(": ")[0] for line in render(found, "txt").splitlines()] == labels
    assert [cue.text.split(": ")[0] for cue in read_srt(render(found, "srt"))] == labels
    voices = [line[3:].split(">")[0] for line in render(found, "vtt").splitlines() if line.startswith("<v ")]
    assert voices == labels
    assert len(read_vtt(render(found, "vtt"))) == len(labels)


def test_a_recording_that_is_mixed_names_nobody(shared: Engine, call: Path) -> None:
    found = shared.transcribe(load_audio(call))
    assert all(segment.speaker is None for segment in found.segments)
    assert not any({"channel", "speaker"} & set(one) for one in found.to_dict()["segments"])
    assert "Speaker" not in "".join(render(found, name) for name in ("txt", "srt", "vtt", "json"))


def test_one_channel_is_one_speaker(shared: Engine) -> None:
    path = DIGITS
    found = shared.transcribe(DECODER.open(path, read=SPLIT))
    assert {segment.speaker for segment in found.segments} == {"Speaker 1"}
    assert found.text == shared.transcribe(load_audio(path)).text


@pytest.mark.parametrize("channels", [2, 3, 7])
def test_rows_survive_the_way_out_of_the_worker(tmp_path: Path, channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (20 * SAMPLE_RATE_HZ + 5, channels)).astype(np.float32)
    soundfile.write(tmp_path / "many.wav", samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    decoder, watched = Decoder(), []
    stream = decoder.open(tmp_path / "many.wav", read=SPLIT, watch=watched.append)
    assert stream.columns == channels
    assert np.array_equal(np.concatenate(list(stream.blocks())), samples)
    assert np.allclose(np.concatenate(watched), samples.mean(axis=1), atol=1e-6)  # who plays it hears all
    assert decoder.load(tmp_path / "many.wav", read=SPLIT).samples.ndim == 1
    decoder.close()


def test_other_rates_keep_the_channels_apart(tmp_path: Path) -> None:
    beside = np.stack([np.sin(np.arange(44_100) * 0.05), np.zeros(44_100)], axis=1) * 0.4
    soundfile.write(tmp_path / "cd.wav", beside, 44_100)
    decoder = Decoder()
    samples = np.concatenate(list(decoder.open(tmp_path / "cd.wav", read=SPLIT).blocks()))
    assert samples.shape == (SAMPLE_RATE_HZ, 2)
    assert np.abs(samples[:, 1]).max() < 1e-4 < np.abs(samples[:, 0]).max()
    decoder.close()


def test_more_speakers_than_are_recognized_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "array.wav", np.zeros((100, MOST_SPEAKERS + 1)), SAMPLE_RATE_HZ)
    decoder = Decoder()
    with pytest.raises(OptionRangeError, match=r"channels to be recognized apart is 33; it must lie between 1 and 32"):
        decoder.open(tmp_path / "array.wav", read=SPLIT)
    decoder.close()


def test_the_odd_call_gives_both_speakers_all_their_words(data_dir: Path, shared: Engine) -> None:
    path = data_dir / "odd_files" / "call_two_channels_8k.wav"
    if not path.exists():
        pytest.skip("no odd recordings here")
    found = shared.transcribe(DECODER.open(path, read=SPLIT))
    for number, channel in ((1, Channel.LEFT), (2, Channel.RIGHT)):
        by_itself = shared.transcribe(DECODER.open(path, read=ReadOptions(channel=channel)))
        assert [alone(one) for one in found.segments if one.channel == number] == [alone(one) for one in by_itself.segments]
        assert by_itself.text

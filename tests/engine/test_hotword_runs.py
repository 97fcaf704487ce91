"""Hotwords through the whole engine: one search a run, what a bundle cannot do, live streams, comparisons, archives, the cluster's wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.audio.reading.reading_warnings import WarningType, received_warnings
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform
from engine.bundle import Bundle
from engine.cluster.archive.joining import Joiner
from engine.cluster.archive.notes import Recognized, Row
from engine.cluster.archive.piece_recognizer import PieceRecognizer
from engine.cluster.archive.speech_finder import SpeechFinder
from engine.cluster.job import BundleIdentity, Job
from engine.live import LiveStream
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.speech.decoding.decoder import BeamDecoder
from engine.speech.decoding.hotword_warnings import MOST_NAMED_CHARACTERS, unwritable_warnings
from engine.speech.decoding.hotwords import Hotword
from engine.speech.parts import Parts
from engine.transcript import Transcript
from engine.wire import decoded, encoded
from tests.named_recording import NAME, RIGHT, WRONG, name_said, write_bundle, write_recording

NAMED = TranscribeOptions(hotwords=(Hotword(NAME),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("hotwords") / "bundle")


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    engine = Engine(Bundle.load(folder))
    yield engine
    engine.close()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[TranscribeOptions]:
    """The options of each search that is made."""
    made: list[TranscribeOptions] = []
    whole = Parts.decoder

    def decoder(parts: Parts, options: TranscribeOptions) -> BeamDecoder:
        made.append(options)
        return whole(parts, options)

    monkeypatch.setattr(Parts, "decoder", decoder)
    return made


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_run_searches_once_it_is_asked_to_and_not_before(engine: Engine, built: list[TranscribeOptions], precision: str) -> None:
    twice = Waveform(np.concatenate([name_said(), name_said()]))
    greedy = engine.transcribe(twice, TranscribeOptions(precision=precision))
    assert (greedy.text, built) == (f"{WRONG} {WRONG}", [])
    options = TranscribeOptions(precision=precision, hotwords=NAMED.hotwords)
    found = engine.transcribe(twice, options)
    assert (found.text, built) == (f"{RIGHT} {RIGHT}", [options])
    assert all(segment.alternatives == () for segment in (*greedy.segments, *found.segments))
    assert found.warnings == greedy.warnings == ()


def test_readings_are_in_the_json_where_they_are_asked_for(engine: Engine) -> None:
    waveform = Waveform(name_said())
    [segment] = engine.transcribe(waveform, TranscribeOptions(n_best=2)).segments
    assert [one.text for one in segment.alternatives] == [WRONG, RIGHT]
    written = segment.to_dict()["alternatives"]
    assert [set(one) for one in written] == [{"text", "probability"}] * 2
    assert 0 < written[1]["probability"] < written[0]["probability"] < 1
    [plain] = engine.transcribe(waveform).segments
    assert "alternatives" not in plain.to_dict()


def test_they_travel_between_machines(engine: Engine) -> None:
    transcript = engine.transcribe(Waveform(name_said()), TranscribeOptions(hotwords=(Hotword("王五"),), n_best=2))
    received: Transcript = decoded(encoded(transcript), Transcript)
    assert (received.segments, received.warnings) == (transcript.segments, transcript.warnings)
    assert received.segments[0].alternatives


def test_the_bundle_has_one_speller(engine: Engine) -> None:
    parts = Parts.load(engine.bundle)
    assert parts.speller is parts.speller
    assert not set(vars(Parts.load(engine.bundle))) & {"speller"}  # a run without hotwords makes none


def test_both_sides_of_a_comparison_have_the_hotwords(engine: Engine) -> None:
    for options, text in ((TranscribeOptions(), WRONG), (NAMED, RIGHT)):
        found = engine.compare(Waveform(name_said()), options)
        assert (found.left.transcript.text, found.right.transcript.text) == (text, text)
        assert (found.left.transcript.precision, found.right.transcript.precision) == ("fp32", "int8")


# ---- what cannot be done ---------------------------------------------------------------------------------------------


def test_phrases_that_cannot_be_written_are_named_and_the_rest_works(engine: Engine) -> None:
    found = engine.transcribe(Waveform(name_said()), TranscribeOptions(hotwords=(Hotword("王五"), Hotword(NAME), Hotword("…"))))
    assert found.text == RIGHT
    [warning] = found.warnings
    assert (warning.type, warning.values) == (WarningType.HOTWORDS_UNWRITABLE, {"count": 2, "phrases": "王五, …"})


def test_of_many_such_phrases_the_first_are_named() -> None:
    [warning] = unwritable_warnings([f"名字{number}" for number in range(5_000)])
    assert warning.values["count"] == 5_000
    named = str(warning.values["phrases"])
    assert named.startswith("名字0, 名字1") and named.endswith(", …") and len(named) <= MOST_NAMED_CHARACTERS + 3
    assert unwritable_warnings(()) == ()


def test_an_older_bundle_is_decoded_without_them_and_says_so(tmp_path: Path, built: list[TranscribeOptions]) -> None:
    engine = Engine(Bundle.load(write_bundle(tmp_path / "older", searches=False)))
    try:
        for options in (NAMED, TranscribeOptions(n_best=3)):
            found = engine.transcribe(Waveform(name_said()), options)
            assert (found.text, [warning.type for warning in found.warnings]) == (WRONG, [WarningType.HOTWORDS_LEFT_OUT])
            assert "tones was made before they existed" in found.warnings[0].message
        assert engine.transcribe(Waveform(name_said())).warnings == ()
        assert built == []
    finally:
        engine.close()


@pytest.mark.parametrize(
    "said",
    [
        {"type": "hotwords_unwritable", "values": {"count": "many", "phrases": "x"}},
        {"type": "hotwords_unwritable", "values": {"count": 1, "phrases": "x" * 1_000}},
        {"type": "hotwords_unwritable", "values": {"count": 1}},
        {"type": "hotwords_left_out", "values": {"bundle": ["x"]}},
    ],
)
def test_a_warning_has_text_where_its_type_says_so(said: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"hotwords|Expected"):
        received_warnings([said])


# ---- live, archives, served engine -----------------------------------------------------------------------------------


def speak(stream: LiveStream, samples: np.ndarray, *, block: int = 4_000) -> list[str]:
    finals = [final for first in range(0, len(samples), block) for final in stream.add(samples[first : first + block], SAMPLE_RATE_HZ)]
    return [final.segment.text for final in finals + stream.finish()]


def test_a_live_stream_searches_with_one_search_for_all_its_segments(engine: Engine, built: list[TranscribeOptions]) -> None:
    twice = np.concatenate([name_said(), name_said()])
    assert speak(engine.live(), twice) == [WRONG, WRONG]
    stream = engine.live(TranscribeOptions(hotwords=(Hotword(NAME), Hotword("王五"))))
    assert speak(stream, twice) == [RIGHT, RIGHT]
    assert len(built) == 1
    assert [warning.type for warning in stream.warnings] == [WarningType.HOTWORDS_UNWRITABLE]


def test_a_live_stream_makes_its_search_anew_on_another_bundle(engine: Engine, tmp_path: Path, built: list[TranscribeOptions]) -> None:
    stream = engine.live(NAMED)
    first = [final for start in range(0, 48_000, 4_000) for final in stream.add(name_said()[start : start + 4_000], SAMPLE_RATE_HZ)]
    engine.switch(Bundle.load(write_bundle(tmp_path / "older", searches=False)))
    assert [final.segment.text for final in first] + speak(stream, name_said()) == [RIGHT, WRONG]
    assert len(built) == 1
    assert [warning.type for warning in stream.warnings] == [WarningType.HOTWORDS_LEFT_OUT]


def test_an_archive_has_the_hotwords_and_says_what_had_no_effect(folder: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(folder)
    path = write_recording(tmp_path / "name.wav")
    options = TranscribeOptions(precision="int8", hotwords=(Hotword(NAME), Hotword("王五")), n_best=2)
    job = Job(bundle=str(folder), identity=BundleIdentity.of(bundle), options=options)
    assert job.fingerprint != Job(bundle=str(folder), identity=BundleIdentity.of(bundle)).fingerprint
    recognize, joiner = PieceRecognizer(job), Joiner(job)
    batch = {"files": [np.array([0])], "urls": [np.array([str(path)])]}
    rows = [{name: values[0] for name, values in row.items()} for row in SpeechFinder(job, frozenset())(batch)]
    notes = [Row.of(recognize(row)).note for row in rows]
    assert all(isinstance(note, Recognized) for note in notes), notes
    [transcript] = [found for note in notes if isinstance(note, Recognized) and (found := joiner.add(note))]
    assert transcript.text == RIGHT
    assert [one.text for one in transcript.segments[0].alternatives] == [RIGHT, WRONG]
    assert [warning.type for warning in transcript.warnings] == [WarningType.HOTWORDS_UNWRITABLE]

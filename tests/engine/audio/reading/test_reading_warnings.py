"""What could not be read of a recording, from the decode worker to the transcript in every form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.reading.reading_warnings import MESSAGES, ReadingWarning, WarningType, received_warnings
from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.cluster.archive.notes import PieceOf, Row, SearchedRecording
from engine.cluster.serve.protocol import received
from engine.pipeline import Engine
from engine.transcript import Transcript
from engine.wire import decoded, encoded
from tests.reading import DECODER
from ui.text.texts import Texts, read_locale

EARLY = ReadingWarning(type=WarningType.ENDS_EARLY, values={"promised_s": 10.0, "read_s": 2.5})


@pytest.fixture
def cut_wav(tmp_path: Path) -> Path:
    path = tmp_path / "cut.wav"
    soundfile.write(path, np.zeros(4 * SAMPLE_RATE_HZ, np.float32), SAMPLE_RATE_HZ, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + SAMPLE_RATE_HZ])
    return path


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def test_every_type_has_its_sentence_in_both_languages_with_the_same_values() -> None:
    assert set(MESSAGES) == set(WarningType)
    for kind, english in MESSAGES.items():
        names = dict.fromkeys(part.split("}")[0] for part in english.split("{")[1:])
        values = {name: number for number, name in enumerate(names, start=101)}
        for language in ("en", "zh"):
            said = Texts(language)(f"warning.{kind.value}", **values)
            assert all(str(value) in said for value in values.values())
        assert str(ReadingWarning(type=kind, values=values).message)
    assert {key for key in read_locale("en") if key.startswith("warning.")} == {f"warning.{kind.value}" for kind in WarningType}


def test_warnings_come_out_of_the_worker_with_the_samples(decoder: Decoder, cut_wav: Path) -> None:
    loaded = decoder.load(cut_wav)
    [warning] = loaded.warnings
    assert (warning.type, warning.values) == (WarningType.ENDS_EARLY, {"promised_s": 4.0, "read_s": 0.5})
    stream = decoder.open(cut_wav)
    assert stream.warnings == ()  # nothing has been read yet
    assert sum(len(block) for block in stream.blocks()) == SAMPLE_RATE_HZ // 2
    assert stream.warnings == loaded.warnings


def test_a_transcript_says_them_and_a_whole_recording_has_none(engine: Engine, cut_wav: Path, tmp_path: Path) -> None:
    said = engine.transcribe(load_audio(cut_wav)).to_dict()["warnings"]
    assert [one["type"] for one in said] == ["ends_early"]
    assert said[0]["message"] == "it ends early: its header promises 4.0 s, and it holds 0.5 s"
    assert said[0]["values"] == {"promised_s": 4.0, "read_s": 0.5}
    soundfile.write(tmp_path / "whole.wav", np.zeros(SAMPLE_RATE_HZ, np.float32), SAMPLE_RATE_HZ)
    assert engine.transcribe(load_audio(tmp_path / "whole.wav")).to_dict()["warnings"] == []


@pytest.mark.parametrize(
    "said",
    [3, {}, [{}], [{"type": "exec", "values": {}}], [{"type": "ends_early", "values": {"promised_s": "<b>", "read_s": 1}}],
     [{"type": "ends_early", "values": {"promised_s": True, "read_s": 1}}], [{"type": "ends_early", "values": {"read_s": 1}}]],
)  # fmt: skip
def test_what_a_worker_makes_up_is_no_answer(said: object) -> None:
    for take in (received_warnings, lambda values: decoded(encoded(values), tuple[ReadingWarning, ...])):
        with pytest.raises(ValueError, match=r"Expected|required|Invalid|ends_early"):
            take(said)


def test_no_text_of_a_worker_is_passed_on() -> None:
    [warning] = received_warnings([{**EARLY.to_dict(), "message": "<script>"}])
    assert warning == EARLY
    assert "script" not in warning.message


def test_they_travel_between_machines(engine: Engine, cut_wav: Path) -> None:
    transcript = engine.transcribe(load_audio(cut_wav))
    assert decoded(encoded(transcript), Transcript).warnings == transcript.warnings
    recording = SearchedRecording(sha256="00", duration_s=1.0, pieces=1, warnings=(EARLY,))
    for note in (recording, PieceOf(recording=recording, number=0, spans_ms=((0, 10),))):
        row = Row(file=0, note=note)
        assert Row.of(row.to_dict()) == row
    sent = {"file": "a.wav", "samples": True, "decode_s": 0.1, "warnings": [EARLY.to_dict()]}
    with received(json.loads(json.dumps(sent)), np.zeros(10, "<f4").tobytes(), decoder=DECODER) as request:
        assert request.recording.warnings == (EARLY,)

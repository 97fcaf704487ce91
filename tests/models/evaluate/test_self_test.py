"""The self-test's verdict goes both ways, names what it lacks, and survives a variant that cannot be run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from engine.options import TranscribeOptions

pytest.importorskip("jiwer")

from engine.audio.waveform import Waveform
from engine.bundle import Bundle
from engine.errors import NotQuantizedError
from engine.pipeline import Engine
from engine.speech.endpointing import SpeechSpan
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Timing, Transcript
from models.benchmark.machine import this_machine
from models.evaluate import self_test as module
from models.evaluate.self_test import KNOWN_SEGMENTS_MS, KNOWN_TEXTS, RecordingsMissingError, character_error_rate, examine, self_test
from models.evaluate.self_test_report import SelfTestReport

STEMS = ("zh", "en", "yue", "ja", "ko", "vad_example")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Noise under the names of the official examples, in folders as the hubs have them."""
    folder = tmp_path / "downloads"
    for index, stem in enumerate(STEMS):
        place = folder / ("vad" if stem == "vad_example" else "asr") / "example"
        place.mkdir(parents=True, exist_ok=True)
        noise = 0.05 * np.random.default_rng(index).standard_normal(16_000)
        soundfile.write(place / f"{stem}.wav", noise.astype(np.float32), 16_000)
    return folder


def transcript(text: str, language: str, *, name: str = "") -> Transcript:
    sure = TagConfidence(language=1.0, emotion=1.0, event=1.0)
    tags = {"language": Language(language), "emotion": Emotion.NEUTRAL, "event": Event.SPEECH, "confidence": sure}
    segment = Segment(start_ms=0, end_ms=900, text=text, **tags)
    timing = Timing(decode_s=0, features_s=0, vad_s=0, asr_s=0, total_s=0, rtf=0)
    return Transcript(file=name, duration_s=1.0, bundle="fake", precision="fp32", segments=(segment,) if text else (), timing=timing)


class FakeEngine:
    """Answers each recording with its known text, except where told otherwise."""

    def __init__(self, **answers: tuple[str, str] | Exception) -> None:
        self.answers = {known.stem: (known.texts[-1], known.language) for known in KNOWN_TEXTS} | answers
        self.spans = [SpeechSpan(*segment) for segment in KNOWN_SEGMENTS_MS]
        self.closed = 0

    def transcribe(self, audio: Waveform, options: TranscribeOptions) -> Transcript:
        assert options == TranscribeOptions(itn=False, precision=options.precision)
        answer = self.answers[Path(audio.name).stem]
        if isinstance(answer, Exception):
            raise answer
        return transcript(*answer)

    def detect(self, audio: Waveform, options: TranscribeOptions) -> tuple[SpeechSpan, ...]:
        assert Path(audio.name).stem == "vad_example"
        return tuple(self.spans)

    def close(self) -> None:
        self.closed += 1


def report_of(engine: FakeEngine, recordings: Path, *, variants: tuple[str, ...] = ("fp32",)) -> SelfTestReport:
    texts, vad = examine(lambda _: engine, variants, module.find_recordings([recordings]))
    return SelfTestReport(version="1", bundle="fake 1", source="nowhere", machine=this_machine(), threads=2, texts=texts, vad=vad)


def failed(report: SelfTestReport) -> list[str]:
    return [row.recording for row in report.texts if not row.passed] + ["vad" for row in report.vad if not row.passed]


def test_the_known_answers_pass_in_every_variant(recordings: Path) -> None:
    engine = FakeEngine()
    report = report_of(engine, recordings, variants=("fp32", "int8"))
    assert report.passed and failed(report) == []
    assert [(row.variant, row.recording) for row in report.texts] == [(v, k.stem) for v in ("fp32", "int8") for k in KNOWN_TEXTS]
    assert engine.closed == 2
    assert report.to_markdown().startswith("### LightVoice self-test: passed (12 of 12)\n")
    assert report.verdict == "self-test passed: 12 of 12 results of fp32, int8 are as published"


def test_any_of_the_published_texts_will_do(recordings: Path) -> None:
    japanese = next(known for known in KNOWN_TEXTS if known.stem == "ja")
    assert len(japanese.texts) > 1
    for text in japanese.texts:
        row = next(row for row in report_of(FakeEngine(ja=(f" {text}。", "ja")), recordings).texts if row.recording == "ja")
        assert (row.cer, row.expected, row.passed) == (0.0, text, True)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"zh": ("开放时间早上九点至下午五点", "zh")}, []),  # one character of 13, as published runs differ
        ({"zh": ("开放时间晚上九点至下午五点", "zh")}, ["zh"]),
        ({"zh": ("开饭时间早上九点至下午五点", "yue")}, ["zh"]),
        ({"en": ("", "en")}, ["en"]),
        ({"ko": ("조 금만 생각 을 하 면서 살 면 훨씬 편할 거야", "ko")}, []),  # its pieces part words
        ({"yue": ("呢几个字都表达唔到我想讲嘅意思", "zh"), "ja": ("ありがとう", "ja")}, ["yue", "ja"]),
    ],
)
def test_text_and_language_decide(answers, expected, recordings: Path) -> None:
    report = report_of(FakeEngine(**answers), recordings)
    assert failed(report) == expected
    assert report.passed is (not expected)


def test_cer_is_that_of_characters() -> None:
    assert character_error_rate("fifty pieces of gold", "Fifty pieces of good.") == pytest.approx(1 / 17)
    assert character_error_rate("开饭时间", "") == 1.0


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        (lambda spans: [SpeechSpan(span.start_ms + 30, span.end_ms - 30) for span in spans], True),
        (lambda spans: [*spans[:-1], SpeechSpan(spans[-1].start_ms, spans[-1].end_ms - 40)], False),
        (lambda spans: spans[1:], False),
        (lambda spans: [], False),
    ],
)
def test_boundaries_decide(change, passes: bool, recordings: Path) -> None:
    engine = FakeEngine()
    engine.spans = change(engine.spans)
    report = report_of(engine, recordings)
    assert report.passed is passes and failed(report) == ([] if passes else ["vad"])


def test_a_variant_that_cannot_be_run_fails_its_rows_alone(recordings: Path) -> None:
    broken = NotQuantizedError(path="asr.int8.onnx", integer=0, floating=40)

    def open_engine(variant: str) -> FakeEngine:
        if variant == "int8":
            raise broken
        return FakeEngine(ko=broken) if variant == "int8-static" else FakeEngine()

    texts, vad = examine(open_engine, ("fp32", "int8", "int8-static"), module.find_recordings([recordings]))
    assert {(row.variant, row.recording) for row in texts if row.error} == {("int8", k.stem) for k in KNOWN_TEXTS} | {("int8-static", "ko")}
    assert [row.passed for row in vad] == [True, False, True]
    report = SelfTestReport(version="1", bundle="b", source="", machine=this_machine(), threads=1, texts=texts, vad=vad)
    assert not report.passed and "runs 40 weight MatMuls in float" in report.to_markdown()


def test_the_markdown_is_a_table_of_whole_rows(recordings: Path) -> None:
    text = report_of(FakeEngine(en=("a|b\nc", "en"), zh=("x", "ja")), recordings).to_markdown()
    rows = [line for line in text.splitlines() if line.startswith("| fp32")]
    assert [line.count("|") for line in rows] == [8] * 5 + [5]
    assert "| fp32 | en | en |" in text and "a/b c" in text
    assert "ja (not zh)" in text and text.count("**failed**") == 2
    assert "LightVoice 1, bundle fake 1 (nowhere)" in text and "2 threads" in text and "ONNX Runtime" in text


def test_no_rows_are_no_pass() -> None:
    assert not SelfTestReport(version="1", bundle="b", source="", machine=this_machine(), threads=1, texts=(), vad=()).passed


def test_a_real_engine_is_asked_in_every_variant(tiny_bundle: Path, recordings: Path) -> None:
    report = self_test(tiny_bundle, recordings=recordings)
    assert {row.variant for row in report.texts} == {row.variant for row in report.vad} == {"fp32", "int8"}
    assert not report.passed  # it was not trained on the official recordings
    assert [row.error for row in (*report.texts, *report.vad)] == [""] * 12
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["passed"] is False and plain["bundle"] == "tiny 1" and len(plain["texts"]) == 10
    assert plain["version"][0].isdigit() and {"cpu", "flags", "onnxruntime"} <= set(plain["machine"])


def test_missing_recordings_are_named(tiny_bundle: Path, recordings: Path) -> None:
    (recordings / "asr" / "example" / "yue.wav").unlink()
    (recordings / "vad" / "example" / "vad_example.wav").unlink()
    with pytest.raises(RecordingsMissingError, match=r"lacks yue\.mp3, vad_example\.wav \(looked in .*\).*iic/SenseVoiceSmall"):
        self_test(tiny_bundle, recordings=recordings)


def test_downloads_are_searched_by_default(tiny_bundle: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecordingsMissingError, match=r"lacks zh\.mp3, en\.mp3, yue\.mp3, ja\.mp3, ko\.mp3, vad_example\.wav"):
        self_test(tiny_bundle)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    kept = tmp_path / "home" / "lightvoice" / "downloads"
    shutil.copytree(recordings, kept / "another")
    shutil.copytree(recordings / "asr", kept / "tiny")
    found = module.find_recordings(module.downloads("tiny"))
    assert {stem: path.relative_to(kept).parts[0] for stem, path in found.items()} == dict.fromkeys(STEMS, "tiny") | {
        "vad_example": "another"
    }


@pytest.mark.weights
def test_the_real_vad_passes(data_dir: Path, starter_bundle: Path, recordings: Path, tmp_path: Path) -> None:
    from models.bundle.manifest import read_manifest, write_manifest

    bundle = Path(shutil.copytree(starter_bundle, tmp_path / "bundle"))
    shutil.copyfile(data_dir / "fsmn-vad" / "model.onnx", bundle / "vad.fp32.onnx")
    shutil.copyfile(data_dir / "fsmn-vad" / "am.mvn", bundle / "vad.mvn")
    fields = read_manifest(bundle)
    fields["variants"] = {"fp32": fields["variants"]["fp32"]}
    write_manifest(bundle, {key: value for key, value in fields.items() if key not in ("files", "format")})
    shutil.copyfile(data_dir / "fsmn-vad" / "vad_example.wav", recordings / "vad" / "example" / "vad_example.wav")
    report = self_test(bundle, recordings=recordings)
    assert [(row.found, row.passed) for row in report.vad] == [(12, True)]
    golden = json.loads((data_dir / "fsmn-vad" / "golden_segments_ms.json").read_text(encoding="utf-8"))
    assert [list(segment) for segment in KNOWN_SEGMENTS_MS[:-1]] == golden[:-1]
    engine = Engine(Bundle.load(bundle))
    assert engine.detect(load_audio(recordings / "vad" / "example" / "vad_example.wav"))[-1].end_ms == KNOWN_SEGMENTS_MS[-1][1]
    engine.close()

"""Calibration sets: features by the engine's own frontend, the same on every pass, with a report that counts right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from engine.bundle import Bundle
from engine.pipeline import Parts
from engine.speech.features import fbank
from models.evaluate.datasets import Purpose, read_recordings
from models.evaluate.labels import RecordingsError
from models.quantize.augmentation import Condition
from models.quantize.calibration import LONGEST_S, CalibrationSet
from models.quantize.ranges import CalibrationError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve labelled recordings of six speakers, one of them long."""
    rows = ["path\ttext\tspeaker\tlanguage\tduration_s"]
    rng = np.random.default_rng(0)
    for index in range(12):
        seconds = 12.0 if index == 3 else 1.0
        soundfile.write(tmp_path / f"{index}.wav", 0.1 * rng.standard_normal(int(seconds * 16_000)), 16_000)
        rows.append(f"{index}.wav\tTEXT {index}\tspeaker{index % 6}\t{'en' if index % 2 else 'zh'}\t{seconds}")
    (tmp_path / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def test_clean_features_are_the_engines(bundle: Bundle, folder: Path) -> None:
    recording = read_recordings(folder)[0]
    clips = CalibrationSet(bundle, [(recording, Condition.CLEAN)])
    frontend, frames = Parts.load(bundle).frontend, fbank(load_audio(recording.path).samples)
    np.testing.assert_array_equal(next(iter(clips.asr_features())), frontend.asr_features(frames))
    np.testing.assert_array_equal(next(iter(clips.vad_features())), frontend.vad_features(frames))


def test_every_pass_gives_the_same(bundle: Bundle, folder: Path) -> None:
    clips = CalibrationSet.build(bundle, folder, count=15)
    for first, second in zip(clips.asr_features(), clips.asr_features(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_prompts_alternate_through_all_rows(bundle: Bundle, folder: Path) -> None:
    recording = read_recordings(folder)[0]
    count = 2 * len(bundle.language_rows)
    feeds = list(CalibrationSet(bundle, [(recording, Condition.CLEAN)] * count).asr_feeds())
    asked = {(int(feed["language"][0]), int(feed["textnorm"][0])) for feed in feeds}
    assert asked == {(row, norm) for row in bundle.language_rows.values() for norm in bundle.textnorm_rows.values()}


def test_long_recordings_are_cut(bundle: Bundle, folder: Path) -> None:
    recording = next(entry for entry in read_recordings(folder) if entry.duration_s > LONGEST_S)
    clips = CalibrationSet(bundle, [(recording, Condition.SLOW)])
    assert len(next(iter(clips.vad_features()))) <= 100 * LONGEST_S
    assert clips.texts() == [""]  # what is cut away was said too


def test_coverage_counts_the_recognized_tags(bundle: Bundle, folder: Path) -> None:
    first, second = read_recordings(folder)[:2]
    plan = [(first, Condition.CLEAN), (second, Condition.QUIET), (second, Condition.MUSIC)]
    coverage = CalibrationSet(bundle, plan).coverage()
    assert [coverage[name] for name in ("clips", "recordings", "speakers", "seconds")] == [3, 2, 2, 3.0]
    assert coverage["languages"] == {"en": 1, "zh": 1}  # nobody speaks in the music
    assert coverage["conditions"] == {"clean": 1, "music": 1, "quiet": 1}
    assert "applause" in coverage["missing"] and "clean" not in coverage["missing"]


def test_calibration_and_tuning_share_no_speaker(bundle: Bundle, folder: Path) -> None:
    sets = {
        purpose: CalibrationSet.build(bundle, folder, count=20, purpose=purpose, varied=False).content_sums()
        for purpose in (Purpose.CALIBRATION, Purpose.TUNING)
    }
    assert sets[Purpose.CALIBRATION] and sets[Purpose.TUNING]
    assert not set(sets[Purpose.CALIBRATION]) & set(sets[Purpose.TUNING])


def test_without_data_the_examples_stand_in(bundle: Bundle) -> None:
    clips = CalibrationSet.build(bundle, None, count=40)
    assert len(clips) == 40 and set(clips.coverage()["sources"]) == {"examples"}
    assert set(clips.coverage()["conditions"]) == {str(condition) for condition in Condition}


def test_bad_requests_are_named(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="0 clips"):
        CalibrationSet.build(bundle, None, count=0)
    with pytest.raises(RecordingsError, match="nowhere"):
        CalibrationSet.build(bundle, tmp_path / "nowhere", count=3)
    with pytest.raises(CalibrationError, match="no recording"):
        CalibrationSet(bundle, [])

"""The copy that the page plays, and the loudest moments that it draws, taken block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ui.transcribe.sound_copy import PEAK_SAMPLES, SoundCopy


def blocks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(-0.5, 0.5, size).astype(np.float32) for size in (1_600, 3_200, 1_605)]


def test_the_copy_is_the_recording_and_every_millisecond_has_its_peak(tmp_path: Path) -> None:
    copy = SoundCopy(tmp_path / "playback.flac")
    for block in blocks():
        copy.add(block)
    assert copy.close() == tmp_path / "playback.flac"
    whole = np.concatenate(blocks())
    played, rate = soundfile.read(tmp_path / "playback.flac", dtype="float32")
    assert rate == 16_000
    np.testing.assert_allclose(played, whole, atol=1 / 32_000)
    expected = [np.abs(whole[start : start + PEAK_SAMPLES]).max() for start in range(0, len(whole), PEAK_SAMPLES)]
    np.testing.assert_array_equal(copy.peaks(), np.array(expected, np.float32))


def test_samples_beyond_full_scale_are_clipped_and_not_wrapped(tmp_path: Path) -> None:
    copy = SoundCopy(tmp_path / "playback.flac")
    copy.add(np.full(1_600, 1.7, np.float32))
    copy.close()
    assert soundfile.read(tmp_path / "playback.flac")[0].min() > 0.99
    assert copy.peaks().max() == pytest.approx(1.7)


def test_a_folder_that_is_gone_costs_the_copy_and_not_the_peaks(tmp_path: Path) -> None:
    copy = SoundCopy(tmp_path / "gone" / "playback.flac")
    for block in blocks():
        copy.add(block)
    assert copy.close() is None
    assert len(copy.peaks()) == 401


def test_an_empty_transcript_has_no_copy_button(tmp_path: Path) -> None:
    copy = SoundCopy(tmp_path / "playback.flac")
    assert copy.close() is None
    assert copy.peaks().size == 0

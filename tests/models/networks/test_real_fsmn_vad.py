"""The real FSMN-VAD weights in INT8: the same frames as in FP32, the golden segments within the bars."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks.fsmn_vad import FAR_MS, measure, to_markdown


@pytest.mark.weights
@pytest.mark.slow
def test_int8_finds_the_speech_that_fp32_finds(data_dir: Path, tmp_path: Path) -> None:
    if not (data_dir / "fsmn-vad" / "vad_example.wav").is_file():
        pytest.skip(f"no FSMN-VAD in {data_dir}")
    figures = measure(data_dir, tmp_path / "bundle", recipes=("dynamic", "static"), clips=12, recordings=60)
    assert figures["rows"]["fp32"]["golden_worst_ms"] == 0
    for recipe in ("dynamic", "static"):
        row = figures["rows"][recipe]
        assert row["frame_f1_against_fp32"] >= 0.99, recipe
        assert row["golden_within_10_ms"] >= 0.9, recipe
        assert row["golden_worst_ms"] <= FAR_MS, recipe
        assert row["kB"] < 0.35 * figures["rows"]["fp32"]["kB"]
    assert to_markdown(figures).count("\n") == 4

"""The other forms of a graph answer alike, and the benchmark of their opening counts what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from benchmarks.opening import FORMS, measure, write_form


def answer(path: Path) -> list[np.ndarray]:
    speech = np.random.default_rng(3).standard_normal((1, 30, 560)).astype(np.float32)
    feeds = {"speech": speech, "language": np.zeros(1, np.int32), "textnorm": np.full(1, 15, np.int32)}
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["token_ids", "log_probs"], feeds)


@pytest.mark.parametrize("packed", [False, True])
def test_another_form_answers_alike(starter_bundle: Path, tmp_path: Path, *, packed: bool) -> None:
    source, target = starter_bundle / "asr.int8.onnx", tmp_path / "asr.onnx"
    write_form(source, target, packed=packed)
    (ids, log_probs), (expected_ids, expected_log_probs) = answer(target), answer(source)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_allclose(log_probs, expected_log_probs, atol=1e-4)


def test_every_form_is_measured_in_processes_of_its_own(starter_bundle: Path, tmp_path: Path) -> None:
    figures = measure(starter_bundle / "asr.int8.onnx", tmp_path, rounds=1)
    assert tuple(figures) == FORMS
    assert all(value > 0 for one in figures.values() for value in (one["open_s"], one["first_run_s"], one["rss_mb"]))
    assert figures["packed"]["disk_mb"] > 1.3 * figures["as shipped"]["disk_mb"]

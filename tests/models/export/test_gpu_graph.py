"""The masked graph: a batch of unequal lengths answers as its rows do one by one, and the engine runs it too."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.options import TranscribeOptions

torch = pytest.importorskip("torch")

from engine.audio.waveform import Waveform  # noqa: E402 - torch decides whether this file runs
from engine.bundle import Bundle  # noqa: E402
from engine.options import VAD_OFF  # noqa: E402
from engine.pipeline import Engine  # noqa: E402
from engine.runtime.session import Session  # noqa: E402
from engine.speech.endpointing import VadOptions  # noqa: E402
from engine.transcript import Segment  # noqa: E402
from models.export.assemble import assemble  # noqa: E402
from models.export.export import AsrGraph  # noqa: E402
from models.export.gpu_graph import check_batch, unequal_batch  # noqa: E402
from models.export.graph_file import ExportError  # noqa: E402
from models.networks.weights import sensevoice_of  # noqa: E402
from tests.models.export.graphs import session_of  # noqa: E402


@pytest.fixture(scope="module")
def bundle(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(random_checkpoint, tmp_path_factory.mktemp("gpu") / "bundle", gpu=True)


def test_a_batch_equals_its_rows(bundle: Path) -> None:
    feeds = unequal_batch(560)
    batch, alone = session_of(bundle / "asr.fp32-batch.onnx"), session_of(bundle / "asr.fp32.onnx")
    ids, log_probs, tags = batch.run(["token_ids", "log_probs", "tag_probs"], feeds)
    for row, length in enumerate(feeds["speech_lengths"]):
        one = {name: feeds[name][row : row + 1] for name in ("speech", "language", "textnorm")}
        one["speech"] = one["speech"][:, :length]
        expected_ids, expected_log_probs, expected_tags = alone.run(["token_ids", "log_probs", "tag_probs"], one)
        np.testing.assert_array_equal(ids[row, : length + 4], expected_ids[0])
        np.testing.assert_allclose(log_probs[row, : length + 4], expected_log_probs[0], atol=1e-4)
        np.testing.assert_allclose(tags[row], expected_tags[0], atol=1e-5)


def test_a_graph_without_a_mask_would_not_pass(bundle: Path) -> None:
    feeds = unequal_batch(560)
    open_lengths = feeds | {"speech_lengths": np.full(len(feeds["speech"]), feeds["speech"].shape[1], np.int32)}
    session = session_of(bundle / "asr.fp32-batch.onnx")
    masked, unmasked = (session.run(["log_probs"], given)[0][2, :27] for given in (feeds, open_lengths))
    assert np.abs(masked - unmasked).max() > 1e-3


def test_other_weights_are_refused(bundle: Path) -> None:
    network = sensevoice_of(bundle / "asr.fp32.onnx")
    with torch.no_grad():
        network.ctc.ctc_lo.bias[7] += 50.0
    with pytest.raises(ExportError, match=r"differently than alone|one by one"):
        check_batch(AsrGraph(network, [1, 2]).eval(), bundle / "asr.fp32-batch.onnx")


def test_the_engine_runs_the_masked_graph(bundle: Path) -> None:
    rng = np.random.default_rng(1)
    audio = Waveform((0.1 * rng.standard_normal(32_000)).astype(np.float32))
    engine = Engine(Bundle.load(bundle))
    try:
        full, batch = (engine.transcribe(audio, TranscribeOptions(precision=name)) for name in ("fp32", "fp32-batch"))
    finally:
        engine.close()
    assert batch.precision == "fp32-batch"
    assert [segment.text for segment in batch.segments] == [segment.text for segment in full.segments]


def test_the_bundle_names_what_it_holds(bundle: Path, tmp_path: Path) -> None:
    files = Bundle.load(bundle).variant("fp32-batch")
    assert (files.asr, files.vad) == ("asr.fp32-batch.onnx", "vad.fp32.onnx")
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "asr.fp32-batch.onnx.data").unlink()
    with pytest.raises(Exception, match=r"asr\.fp32-batch\.onnx\.data"):
        Bundle.load(copy)


def test_on_a_device_spans_share_runs_and_come_in_order(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's way on a GPU, on the CPU: bound inputs, batches by length, the segments of one at a time."""
    samples = np.random.default_rng(3).normal(0, 0.1, 70 * 16_000).astype(np.float32)
    options = TranscribeOptions(vad_precision=VAD_OFF, vad=VadOptions(max_segment_ms=900))
    engine = Engine(Bundle.load(bundle), precision="fp32-batch")
    expected = engine.transcribe(Waveform(samples), options).segments
    monkeypatch.setattr(Session, "on_cpu", False)
    told: list[Segment] = []
    runs: list[int] = []
    run = Session.run

    def counted(session: Session, names: object, feeds: dict[str, np.ndarray], **more: object) -> list[np.ndarray]:
        runs.append(len(feeds["speech"]))
        return run(session, names, feeds, **more)

    monkeypatch.setattr(Session, "run", counted)
    found = engine.transcribe(Waveform(samples), options, on_segment=told.append).segments
    engine.close()
    assert sum(runs) >= len(found) > 40
    assert len(runs) < 8
    assert list(found) == told
    assert [(one.start_ms, one.end_ms, one.text, one.language) for one in found] == [
        (one.start_ms, one.end_ms, one.text, one.language) for one in expected
    ]

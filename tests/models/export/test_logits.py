"""The logits folder: the network's logits, sherpa-onnx's metadata, and both other runtimes decode it to our tokens.

The runtimes live in a Python of their own (funasr-onnx pins an old numpy and another build of ONNX Runtime):
LIGHTVOICE_PEERS_PYTHON names it, ``python -m venv … && pip install -r benchmarks/requirements.txt`` makes it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import sentencepiece  # noqa: E402 - torch decides whether this file runs
import soundfile  # noqa: E402

from engine.audio.waveform import load_audio  # noqa: E402
from engine.speech.features import Cmvn, FrameStack, fbank  # noqa: E402
from models.export.assemble import assemble  # noqa: E402
from models.export.graph_file import ExportError, open_for_check  # noqa: E402
from models.export.logits import BPE_MODEL, LogitsGraph, check_logits  # noqa: E402
from models.networks.weights import sensevoice_of  # noqa: E402

DECODE = Path(__file__).with_name("peer_decode.py")
PROMPT = 4


@pytest.fixture(scope="module")
def bundle(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(random_checkpoint, tmp_path_factory.mktemp("logits") / "bundle", logits=True)


def test_the_logits_give_what_the_bundle_answers(bundle: Path) -> None:
    speech = np.random.default_rng(3).standard_normal((1, 50, 560)).astype(np.float32)
    row, norm = np.array([4], np.int32), np.array([15], np.int32)
    logits, length = open_for_check(bundle / "logits" / "model.onnx").run(
        None, {"x": speech, "x_length": np.array([50], np.int32), "language": row, "text_norm": norm}
    )
    ids = open_for_check(bundle / "asr.fp32.onnx").run(["token_ids"], {"speech": speech, "language": row, "textnorm": norm})[0]
    assert length.tolist() == [54]
    np.testing.assert_array_equal(logits.argmax(-1), ids)


def test_the_metadata_is_what_sherpa_onnx_reads(bundle: Path) -> None:
    metadata = open_for_check(bundle / "logits" / "model.onnx").get_modelmeta().custom_metadata_map
    expected = {"model_type": "sense_voice_ctc", "lfr_window_size": "7", "lfr_window_shift": "6", "normalize_samples": "0"}
    expected |= {"vocab_size": "400", "lang_auto": "0", "lang_zh": "3", "lang_en": "4", "lang_yue": "7", "lang_ja": "11", "lang_ko": "12"}
    expected |= {"with_itn": "14", "without_itn": "15"}
    assert {key: metadata[key] for key in expected} == expected
    cmvn = Cmvn.load(bundle / "asr.mvn", expected_dim=560)
    for key, values in (("neg_mean", cmvn.shift), ("inv_stddev", cmvn.scale)):
        np.testing.assert_allclose(np.array(metadata[key].split(","), np.float32), values, rtol=1e-6)


def test_the_bundles_own_graphs_say_the_same_of_themselves(bundle: Path) -> None:
    logits = open_for_check(bundle / "logits" / "model.onnx").get_modelmeta().custom_metadata_map
    own = open_for_check(bundle / "asr.fp32.onnx").get_modelmeta().custom_metadata_map
    for key in ("lfr_window_size", "lfr_window_shift", "neg_mean", "inv_stddev", "lang_zh", "with_itn", "vocab_size"):
        assert own[key] == logits[key]
    vad = open_for_check(bundle / "vad.fp32.onnx").get_modelmeta().custom_metadata_map
    assert (vad["lfr_window_size"], vad["lfr_window_shift"], len(vad["neg_mean"].split(","))) == ("5", "1", 400)


def test_other_weights_are_refused(bundle: Path) -> None:
    network = sensevoice_of(bundle / "asr.fp32.onnx")
    with torch.no_grad():
        network.ctc.ctc_lo.bias[3] += 1.0
    with pytest.raises(ExportError, match="logits differ"):
        check_logits(LogitsGraph(network).eval(), bundle / "logits" / "model.onnx", lengths=(5,))


@pytest.fixture(scope="module")
def peers_python() -> str:
    python = os.environ.get("LIGHTVOICE_PEERS_PYTHON")
    if not python:
        pytest.skip("LIGHTVOICE_PEERS_PYTHON names no Python with sherpa-onnx and funasr-onnx (benchmarks/requirements.txt)")
    return python


def decode(python: str, runtime: str, folder: Path, wav: Path) -> dict[str, Any]:
    command = [python, str(DECODE), runtime, str(folder), str(wav)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def our_ids(bundle: Path, wav: Path) -> tuple[list[int], np.ndarray]:
    """Collapsed token ids of our CPU graph on our features, and the raw frames they come from."""
    stack = FrameStack(7, 6, Cmvn.load(bundle / "asr.mvn", expected_dim=560))
    speech = stack(fbank(load_audio(wav).samples))
    feeds = {"speech": speech[None], "language": np.array([4], np.int32), "textnorm": np.array([15], np.int32)}
    ids = open_for_check(bundle / "asr.fp32.onnx").run(["token_ids"], feeds)[0][0]
    changes = np.concatenate([[True], np.diff(ids[PROMPT:]) != 0])
    return [int(index) for index in ids[PROMPT:][changes] if index != 0], ids


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a voice-like sweep with noise, 16 kHz."""
    seconds = np.arange(48_000) / 16_000
    sweep = 0.2 * np.sin(2 * np.pi * (150 + 90 * seconds) * seconds) + 0.1 * np.sin(2 * np.pi * 700 * seconds) * np.sin(9 * seconds)
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(seconds))
    path = tmp_path_factory.mktemp("wav") / "sweep.wav"
    soundfile.write(path, (sweep + noise).astype(np.float32), 16_000, subtype="PCM_16")
    return path


def test_sherpa_onnx_decodes_it_to_our_tokens(bundle: Path, wav: Path, peers_python: str) -> None:
    heard = decode(peers_python, "sherpa-onnx", bundle / "logits", wav)
    ids, _ = our_ids(bundle, wav)
    pieces = [line.rsplit(" ", 1)[0] for line in (bundle / "tokens.txt").read_text(encoding="utf-8").splitlines()]
    expected = [pieces[index].replace("▁", " ") for index in ids]
    assert len(expected) > 3
    assert [token.replace("▁", " ") for token in heard["tokens"]] == expected


def test_funasr_onnx_decodes_it_to_our_tokens(bundle: Path, wav: Path, peers_python: str) -> None:
    heard = decode(peers_python, "funasr-onnx", bundle / "logits", wav)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(bundle / "logits" / BPE_MODEL))
    _, frames = our_ids(bundle, wav)
    changes = np.concatenate([[True], np.diff(frames) != 0])
    ids = [int(index) for index in frames[changes] if index != 0]  # funasr-onnx keeps the four prompt positions in front
    assert len(ids) > 3
    assert heard["text"] == processor.decode(ids)

"""The frontend against FunASR's own, and stacking against a loop written here."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.waveform import load_audio
from engine.errors import BundleFileMissingError, BundleFormatError, CmvnShapeError
from engine.speech.features import FBANK_BINS, Cmvn, FrameStack, Frontend, fbank, stack_frames
from tests.tiny_graphs import write_cmvn


def naive_stack(frames: np.ndarray, lfr_m: int, lfr_n: int) -> np.ndarray:
    """FunASR's description word by word: pad the front with the first frame, the end with the last, step by lfr_n."""
    total = -(-len(frames) // lfr_n)
    padded = [frames[0]] * ((lfr_m - 1) // 2) + list(frames) + [frames[-1]] * (lfr_m + lfr_n)
    return np.stack([np.concatenate(padded[row * lfr_n : row * lfr_n + lfr_m]) for row in range(total)])


@settings(max_examples=150, deadline=None)
@given(length=st.integers(1, 60), lfr_m=st.integers(1, 9), lfr_n=st.integers(1, 8), data=st.data())
def test_stacking_equals_the_loop(length: int, lfr_m: int, lfr_n: int, data: st.DataObject) -> None:
    frames = np.arange(length * 3, dtype=np.float32).reshape(length, 3)
    expected = naive_stack(frames, lfr_m, lfr_n)
    np.testing.assert_array_equal(stack_frames(frames, lfr_m=lfr_m, lfr_n=lfr_n), expected)
    start = data.draw(st.integers(0, len(expected)))
    stop = data.draw(st.integers(start, len(expected) + 3))
    np.testing.assert_array_equal(stack_frames(frames, lfr_m=lfr_m, lfr_n=lfr_n, start=start, stop=stop), expected[start:stop])


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98)])
def test_frames_are_counted_as_kaldi_does(samples: int, frames: int) -> None:
    assert fbank(np.zeros(samples, np.float32)).shape == (frames, FBANK_BINS)


def test_no_frames_give_no_features() -> None:
    assert stack_frames(np.zeros((0, 80), np.float32), lfr_m=7, lfr_n=6).shape == (0, 560)


def test_feeding_in_pieces_changes_nothing() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000 * 25).astype(np.float32)
    whole = fbank(samples)
    np.testing.assert_allclose(whole[1500:1600], fbank(samples[1500 * 160 : 1600 * 160 + 240]), atol=1e-3)


@pytest.mark.weights
@pytest.mark.parametrize(("model", "lfr_m", "lfr_n"), [("sensevoice-small", 7, 6), ("fsmn-vad", 5, 1)])
@pytest.mark.parametrize("recording", ["BAC009S0764W0121.wav", "sensevoice_example_en.mp3", "jfk.flac"])
def test_features_equal_funasr(data_dir: Path, model: str, lfr_m: int, lfr_n: int, recording: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch")
        wav_frontend = pytest.importorskip("funasr.frontends.wav_frontend")
    mvn = data_dir / model / "am.mvn"
    samples = load_audio(data_dir / "real" / recording).samples
    theirs = wav_frontend.WavFrontend(cmvn_file=str(mvn), n_mels=80, window="hamming", lfr_m=lfr_m, lfr_n=lfr_n, dither=0.0)
    expected, _ = theirs(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    stack = FrameStack(lfr_m=lfr_m, lfr_n=lfr_n, cmvn=Cmvn.load(mvn, expected_dim=80 * lfr_m))
    frontend = Frontend(asr=stack, vad=stack)
    ours = frontend.asr_features(fbank(samples)) if lfr_n == 6 else frontend.vad_features(fbank(samples))
    assert ours.shape == tuple(expected.shape[1:])
    np.testing.assert_allclose(ours, expected[0].numpy(), atol=1e-3)


def test_cmvn_shifts_then_scales(tmp_path: Path) -> None:
    write_cmvn(tmp_path / "am.mvn", dim=4, shift=-2.0, scale=0.5)
    cmvn = Cmvn.load(tmp_path / "am.mvn", expected_dim=4)
    np.testing.assert_allclose(cmvn.apply(np.full((3, 4), 6.0, np.float32)), np.full((3, 4), 2.0))


def test_a_bad_cmvn_is_named(tmp_path: Path) -> None:
    path = tmp_path / "am.mvn"
    with pytest.raises(BundleFileMissingError, match=r"am\.mvn"):
        Cmvn.load(path, expected_dim=4)
    write_cmvn(path, dim=3)
    with pytest.raises(CmvnShapeError, match="normalizes 3 features where 4"):
        Cmvn.load(path, expected_dim=4)
    path.write_text("<Nnet>\n", encoding="utf-8")
    with pytest.raises(BundleFormatError, match="AddShift"):
        Cmvn.load(path, expected_dim=4)
    path.write_text("<AddShift> 1 1\n[ one ]\n<Rescale> 1 1\n[ 1 ]\n", encoding="utf-8")
    with pytest.raises(BundleFormatError, match="not a number"):
        Cmvn.load(path, expected_dim=1)
    path.write_text("<AddShift> 1 1\n[ nan ]\n<Rescale> 1 1\n[ 1 ]\n", encoding="utf-8")
    with pytest.raises(BundleFormatError, match="NaN"):
        Cmvn.load(path, expected_dim=1)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleFormatError, match="cannot be read"):
        Cmvn.load(path, expected_dim=1)

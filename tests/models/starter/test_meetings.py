"""Meetings: turns become frames, frames a score, and the score a threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from models.evaluate.metrics import vad_scores  # noqa: E402 - torch decides whether this file runs
from models.starter.corpus import CorpusError  # noqa: E402 - torch decides whether this file runs
from models.starter.meetings import Meeting, read_meetings, turns  # noqa: E402

TURNS = (("trn00", 0.5, 1.0, "A"), ("trn00", 1.2, 0.5, "B"), ("other", 0.0, 9.0, "A"))
RTTM = "".join(f"SPEAKER {name} 1 {start} {length} <NA> <NA> {speaker} <NA> <NA>\n" for name, start, length, speaker in TURNS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rttm").mkdir()
    (tmp_path / "rttm" / "debug.rttm").write_text(RTTM, encoding="utf-8")
    for name in ("trn00.wav", "dev00.wav", "other.wav"):
        soundfile.write(tmp_path / name, np.zeros(32_000, np.float32), 16_000)
    (tmp_path / "labels.tsv").write_text("path\tlabel\ntrn00.wav\t-\ndev00.wav\t-\nother.wav\t-\n", encoding="utf-8")
    return tmp_path


def test_turns_of_one_recording_are_joined(folder: Path) -> None:
    truth = turns(folder / "rttm" / "debug.rttm", "trn00", 200)
    assert np.flatnonzero(np.diff(truth.astype(int))).tolist() == [49, 169]


def test_only_named_extracts_with_turns_are_read(folder: Path) -> None:
    meetings = read_meetings(folder, ("trn", "dev"))
    assert [int(meeting.truth.sum()) for meeting in meetings] == [120]
    assert meetings[0].waveform.duration_s == pytest.approx(2.0)


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="pyannote"):
        read_meetings(tmp_path, ("trn",))


def test_the_score_counts_frames() -> None:
    truth, guess = np.array([1, 1, 1, 0, 0, 0, 0], bool), np.array([0, 1, 1, 1, 0, 0, 0], bool)
    got = vad_scores(truth, guess)
    assert (got.f1, got.miss_rate, got.false_alarm_rate, got.frames) == pytest.approx((2 / 3, 1 / 3, 1 / 4, 7))


def test_the_bias_that_serves_the_meetings_best_is_found() -> None:
    """A network that is too shy by one and a half: its silence logit must be lowered."""
    from engine.audio.waveform import Waveform
    from engine.speech.features import fbank
    from models.starter.train_vad import best_bias

    rng = np.random.default_rng(0)
    samples = np.zeros(48_000, np.float32)
    samples[8_000:32_000] = 0.1 * rng.standard_normal(24_000)
    truth = np.zeros(300, bool)
    truth[50:200] = True
    frames = fbank(samples)

    class Shy(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            loud = torch.from_numpy(frames.mean(axis=1) > 0).float()
            return torch.stack([1.5 + 1.6 - 3.2 * loud + 0.0 * features[0, :, 0], torch.zeros(len(loud))], dim=-1)[None]

    class Store:
        means, deviations = np.zeros(80), np.ones(80)

    bias, reached = best_bias(Shy(), Store(), [Meeting(Waveform(samples), truth)])  # type: ignore[arg-type]
    assert -2.0 < bias < 0  # as little as does it
    assert reached.f1 > 0.85  # the machine waits 0.8 s before it ends a span

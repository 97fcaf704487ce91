"""Meeting extracts with the turns of their speakers, for tuning and testing the VAD: recordings, and speech or not per frame."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.audio.waveform import Waveform, load_audio
from models.starter.corpus import CorpusError

TUNING = ("trn", "dev")
TESTING = ("tst", "sample")
_FRAMES_PER_S = 100
_SPEAKER_FIELDS = 5


@dataclass(frozen=True)
class Meeting:
    """One extract and its truth: (T,) bool, a frame every 10 ms."""

    waveform: Waveform
    truth: np.ndarray


def turns(rttm: Path, recording: str, frames: int) -> np.ndarray:
    """Speech or not per 10 ms frame from an RTTM file's turns: (frames,) bool."""
    truth = np.zeros(frames, bool)
    for line in rttm.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if len(fields) >= _SPEAKER_FIELDS and fields[0] == "SPEAKER" and fields[1] == recording:
            start, length = float(fields[3]), float(fields[4])
            truth[round(start * _FRAMES_PER_S) : round((start + length) * _FRAMES_PER_S)] = True
    return truth


def _recordings(rttm: Path) -> set[str]:
    return {line.split()[1] for line in rttm.read_text(encoding="utf-8").splitlines() if line.startswith("SPEAKER")}


def read_meetings(folder: Path, names: Sequence[str]) -> list[Meeting]:
    """The extracts whose name begins with one of ``names`` and whose turns are known; CorpusError where the set is not there."""
    table = folder / "labels.tsv"
    if not table.is_file():
        raise CorpusError(f"no {table}; fetch pyannote's test extracts into {folder}, or leave the meetings out")
    with table.open(encoding="utf-8", newline="") as handle:
        paths = [row["path"] for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)]
    rttms = {rttm: _recordings(rttm) for rttm in sorted((folder / "rttm").glob("*.rttm"))}
    meetings = []
    for path in paths:
        stem = Path(path).stem
        rttm = next((rttm for rttm, recordings in rttms.items() if stem in recordings), None)
        if rttm is not None and stem.startswith(tuple(names)):
            waveform = load_audio(folder / path)
            meetings.append(Meeting(waveform, turns(rttm, stem, int(waveform.duration_s * _FRAMES_PER_S))))
    return meetings

"""What the teacher says of every recording, computed once and kept: Whisper's frames at the rate of an LFR row.

Whisper answers 50 times a second, the student 16.7 times. Row i of the student lies at 60 ms · i, so the teacher's row is the mean of its
three frames around that place. Two rows are kept of each: what enters Whisper's first block (the student's first blocks learn to say
that), and what its last layer answers.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from models.starter.corpus import CorpusError
from models.starter.whisper import WIDTH, WhisperEncoder

log = logging.getLogger(__name__)
ROWS_FILE, INDEX_FILE = "teacher.f16", "teacher.jsonl"
#: Whisper was taught with 30 s windows: with some silence behind it an utterance is encoded as well as in a full one.
SILENCE_BEHIND_S = 2.0
LONGEST_S = 28.0
FRAMES_A_ROW = 3


def rows_of(frames: Tensor, count: int) -> Tensor:
    """Means of three frames around every third: (T, D) -> (count, D); zeros stand where the frames end."""
    behind = max(0, FRAMES_A_ROW * count + 1 - frames.shape[0])
    padded = functional.pad(frames.T[None], (1, behind))
    return functional.avg_pool1d(padded, FRAMES_A_ROW, FRAMES_A_ROW)[0].T[:count]


def lfr_rows(frames: int) -> int:
    """How many LFR rows ``frames`` fbank frames make."""
    return math.ceil(frames / 6)


class TeacherRows:
    """The kept rows: ``rows.of(path) -> (T, 2, 512) float16``, or None for a recording that the teacher was not asked about."""

    def __init__(self, work: Path) -> None:
        self._places = {path: (first, count) for path, first, count in read_index(work)}
        size = (work / ROWS_FILE).stat().st_size if self._places else 0
        self._rows = np.memmap(work / ROWS_FILE, np.float16, "r").reshape(-1, 2, WIDTH) if size else np.zeros((0, 2, WIDTH), np.float16)
        if self._places and max(first + count for first, count in self._places.values()) > len(self._rows):
            raise CorpusError(f"{work / ROWS_FILE} is shorter than {work / INDEX_FILE} says; delete both and run `distil` again")

    def __len__(self) -> int:
        return len(self._places)

    def of(self, path: str) -> np.ndarray | None:
        """The rows of one recording."""
        if path not in self._places:
            return None
        first, count = self._places[path]
        return np.asarray(self._rows[first : first + count])

    def deviations(self, *, every: int = 997) -> tuple[float, float]:
        """Standard deviations of what enters Whisper's blocks and of its output, over one row in ``every``."""
        some = self._rows[::every].astype(np.float32)
        return float(some[:, 0].std()), float(some[:, 1].std())


def read_index(work: Path) -> list[tuple[str, int, int]]:
    """Which rows belong to which recording: (path, first row, count); a last line that a stop cut off is left out."""
    path = work / INDEX_FILE
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            name, first, count = json.loads(line)
            entries.append((name, first, count))
    return entries


def ask(paths: Iterable[tuple[str, int]], work: Path, encoder: WhisperEncoder, *, load: Callable[[Path], Any] = load_audio) -> int:
    """Ask the teacher about the recordings that are not kept yet, (path, fbank frames) each; a stop loses one recording at the most.

    Returns how many were asked.
    """
    known = read_index(work)
    have, end = {name for name, _, _ in known}, max((first + count for _, first, count in known), default=0)
    wanted = [(name, frames) for name, frames in dict(paths).items() if name not in have and frames <= 100 * LONGEST_S]
    if not wanted:
        return 0
    rows_path, index_path = work / ROWS_FILE, work / INDEX_FILE
    with rows_path.open("ab") as handle:
        handle.truncate(end * 2 * WIDTH * 2)
    index_path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in known), encoding="utf-8")
    with rows_path.open("ab") as rows, index_path.open("a", encoding="utf-8") as index:
        for name, frames in tqdm(wanted, desc="teacher", unit="clip", mininterval=10):
            count = lfr_rows(frames)
            samples = np.pad(load(Path(name)).samples, (0, round(SILENCE_BEHIND_S * SAMPLE_RATE_HZ)))
            pair = torch.stack([rows_of(frames_, count) for frames_ in encoder.encode(samples)], dim=1)
            rows.write(pair.to(torch.float16).cpu().numpy().tobytes())
            rows.flush()
            index.write(json.dumps([name, end, count], ensure_ascii=False) + "\n")
            index.flush()
            end += count
    os.sync()
    return len(wanted)

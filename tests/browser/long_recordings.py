"""Half an hour of speech put together from short recordings, for pictures of the page; nothing of it is kept."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from ui.widgets.recording_form import EXAMPLES_FOLDER

LENGTH_S, PAUSE_S = 1_800, 1.0
#: What the repository has itself, by language.
OWN = {"en": ("sentence-en", "digits-en"), "zh": ("sentence-zh",)}


def clips(language: str, folder: Path | None) -> list[Path]:
    """The recordings that a folder's ``labels.tsv`` names by ``path`` and ``language``, speakers in turn; without a folder our examples."""
    if folder is None:
        return [EXAMPLES_FOLDER / f"{name}.flac" for name in OWN[language]]
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["language"].startswith(language)]
    of_each: dict[str, int] = {}
    turns = []
    for row in rows:
        of_each[row["speaker"]] = of_each.get(row["speaker"], 0) + 1
        turns.append((of_each[row["speaker"]], folder / row["path"]))
    return [path for _, path in sorted(turns, key=lambda turn: turn[0])]


def write_long_recording(path: Path, sources: list[Path]) -> Path:
    """The sources one after another with a pause between, again and again, until it is half an hour: -> ``path``."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, channels=1, format="FLAC", subtype="PCM_16") as sound:
        for samples in _within(LENGTH_S * SAMPLE_RATE_HZ, sources):
            sound.write(samples)
    return path


def _within(left: int, sources: list[Path]) -> Iterator[np.ndarray]:
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    for source in cycle(sources):
        samples = np.concatenate([load_audio(source).samples, pause])
        left -= len(samples)
        if left < 0:
            return
        yield samples

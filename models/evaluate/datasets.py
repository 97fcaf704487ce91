"""Folders of recordings → Recording lists, each set aside for calibration, tuning or test.

What a recording is for depends on a hash of its speaker alone (of its file where a set has one speaker, or names none):
it never moves when recordings are added, and no speaker both calibrates and tests a model.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from engine.audio.waveform import load_audio
from models.evaluate.labels import LABELS, RecordingsError, draw, labelled_rows

if TYPE_CHECKING:
    from models.starter.corpus import Utterance

AUDIO_SUFFIXES = frozenset({".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".opus", ".wav", ".webm"})
CALIBRATION_SHARE = 0.3
TUNING_SHARE = 0.2
#: Where the speakers are named that the starter bundle (``models.starter``) was not trained on.
STARTER_CONFIG = Path(__file__).resolve().parent.parent / "starter" / "config.yaml"

_TONED_SYLLABLES = re.compile(r"[a-zü:]+[1-5]( [a-zü:]+[1-5])*")
_SPOKEN = re.compile(r"(?:^|;)text=([^;]+)")


class Purpose(StrEnum):
    """What a recording may be used for."""

    CALIBRATION = "calibration"
    TUNING = "tuning"
    TEST = "test"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One audio file and what is known of it; None or "" where that is unknown."""

    path: Path
    source: str
    text: str | None
    speaker: str
    language: str
    label: str | None
    duration_s: float
    condition: str | None = None
    #: Recordings of one group share a purpose: ``source/speaker``, or ``source/file`` where speakers tell nothing apart.
    group: str = ""
    #: Set where something else than the group decides, as the starter's held-out speakers do.
    purpose: Purpose | None = None


def read_recordings(folder: Path) -> list[Recording]:
    """The recordings of a folder with ``labels.tsv``, of a folder of such folders, or else every audio file below it.

    ``labels.tsv`` is tab-separated without quotes, ``path`` first; ``text``, ``label``, ``speaker``, ``language``, ``notes``,
    ``condition`` and ``duration_s`` are read where present. Raises RecordingsError for a folder without recordings and for
    labels that name a missing file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RecordingsError(f"no folder of recordings {folder}; name a folder with audio files or with {LABELS}")
    if (folder / LABELS).is_file():
        found = _labelled(folder)
    else:
        parts = [part for part in sorted(folder.iterdir()) if (part / LABELS).is_file()]
        found = [recording for part in parts for recording in _labelled(part)] if parts else _unlabelled(folder)
    if not found:
        raise RecordingsError(f"no recordings in {folder}; put audio files (wav, flac, mp3, ogg, m4a …) or folders with {LABELS} there")
    return found


def _labelled(folder: Path) -> list[Recording]:
    rows = labelled_rows(folder)
    has_turns = (folder / "rttm").is_dir()  # its labels point at the turns
    return _grouped(_recording(folder, row, has_turns=has_turns) for row in rows)


def _recording(folder: Path, row: dict[str, str], *, has_turns: bool) -> Recording:
    path = folder / row["path"]
    language = row.get("language", "").strip()
    text, label = _text_and_label(row, language)
    try:
        duration_s = float(row.get("duration_s") or _duration_s(path))
    except ValueError as error:
        raise RecordingsError(f"{folder / LABELS}: duration_s of {row['path']} is {row['duration_s']!r}; write seconds") from error
    return Recording(
        path=path,
        source=folder.resolve().name,
        text=text,
        speaker=row.get("speaker", "").strip(),
        language=language,
        label=None if has_turns else label,
        duration_s=duration_s,
        condition=row.get("condition", "").strip() or None,
    )


def _text_and_label(row: dict[str, str], language: str) -> tuple[str | None, str | None]:
    """The transcript and the class: a ``label`` is the transcript, unless ``text`` or the notes have that, or there is no speech."""
    label = row.get("label", "").strip() or None
    spoken = _SPOKEN.search(row.get("notes", ""))
    if "text" in row:
        return row["text"].strip() or None, label
    if spoken is not None:
        return spoken.group(1).strip(), label
    if not language:
        return None, label
    toned = label is not None and _TONED_SYLLABLES.fullmatch(label)  # no text that a recognizer writes
    return (None if toned else label), None


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(str(path)).duration)
    except soundfile.LibsndfileError:
        return load_audio(path).duration_s  # a container that FFmpeg reads


def _unlabelled(folder: Path) -> list[Recording]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())
    return _grouped(
        Recording(
            path=path,
            source=folder.resolve().name,
            text=None,
            speaker=path.relative_to(folder).as_posix(),
            language="",
            label=None,
            duration_s=_duration_s(path),
        )
        for path in paths
    )


def _grouped(recordings: Iterable[Recording]) -> list[Recording]:
    """One source's recordings with the group that decides their purpose."""
    found = list(recordings)
    several = len({recording.speaker for recording in found} - {""}) > 1
    return [
        replace(recording, group=f"{recording.source}/{recording.speaker if several and recording.speaker else recording.path.name}")
        for recording in found
    ]


def purpose_of(recording: Recording) -> Purpose:
    """What a recording may be used for: 30 % of the groups calibrate, 20 % tune, 50 % test."""
    if recording.purpose is not None:
        return recording.purpose
    drawn = draw(recording.group or f"{recording.source}/{recording.speaker or recording.path.name}")
    if drawn < CALIBRATION_SHARE:
        return Purpose.CALIBRATION
    return Purpose.TUNING if drawn < CALIBRATION_SHARE + TUNING_SHARE else Purpose.TEST


def starter_recordings(data: Path) -> dict[Purpose, list[Recording]]:
    """The recordings for the starter bundle: what it was trained on may calibrate it, only speakers and words that are new to it test it.

    Of the sets it was trained on, the training part calibrates and the held-out part tunes and tests; sets that are new to it are
    shared out as for any bundle. Sets that are not there are left out. Raises RecordingsError as :func:`read_recordings`.
    """
    import yaml

    from models.starter.corpus import CorpusError
    from models.starter.public_sets import READERS, read_corpus

    config = yaml.safe_load(STARTER_CONFIG.read_text(encoding="utf-8"))
    recordings = read_recordings(Path(data).resolve())
    root = Path(data).resolve().parent if (Path(data) / LABELS).is_file() else Path(data).resolve()  # one set alone, or a folder of them
    absent = set(READERS) - {recording.source for recording in recordings}
    try:
        trained_on = {utterance.path: utterance for utterance in read_corpus(root, config, without=absent)}
    except CorpusError as error:
        raise RecordingsError(str(error)) from error
    shared: dict[Purpose, list[Recording]] = {purpose: [] for purpose in Purpose}
    by_file = _drawn_by_file(recordings, trained_on)
    for recording in recordings:
        utterance = trained_on.get(recording.path)
        if utterance is not None:
            known = replace(recording, text=utterance.text or None)
            recording = _as_learnt(known, held_out=utterance.split == "test", by_file=recording.group in by_file)  # noqa: PLW2901 - the same one, with what the corpus knows of it
        elif recording.source in READERS:
            continue  # too long, or a text its units cannot write: neither trained on nor held out
        shared[purpose_of(recording)].append(recording)
    return shared


def _drawn_by_file(recordings: Iterable[Recording], trained_on: Mapping[Path, Utterance]) -> set[str]:
    """Groups that cannot be shared out whole: voices that were trained on too (words were held out), and a set's only held-out voice."""
    trained: set[str] = set()
    held_out: dict[str, set[str]] = defaultdict(set)
    for recording in recordings:
        utterance = trained_on.get(recording.path)
        if utterance is not None and utterance.split == "train":
            trained.add(recording.group)
        elif utterance is not None:
            held_out[recording.source].add(recording.group)
    return trained.union(*(groups for groups in held_out.values() if len(groups) == 1))


def _as_learnt(recording: Recording, *, held_out: bool, by_file: bool) -> Recording:
    group = f"{recording.source}/{recording.path.name}" if by_file else recording.group
    if not held_out:
        return replace(recording, group=group, purpose=Purpose.CALIBRATION)
    tunes = draw(group) < TUNING_SHARE / (1 - CALIBRATION_SHARE)
    return replace(recording, group=group, purpose=Purpose.TUNING if tunes else Purpose.TEST)


def select(recordings: Sequence[Recording], purpose: Purpose, *, limit: int | None = None, seed: int = 9527) -> list[Recording]:
    """The recordings set aside for a purpose, at most ``limit``: sources in rotation, and within each its languages and labels.

    The order is drawn from the seed and each recording's name: the same folder always gives the same list.
    """
    if limit is not None and limit < 1:
        raise RecordingsError(f"a limit of {limit} recordings leaves none; choose at least 1")
    strata: dict[str, dict[tuple[str, str], list[Recording]]] = defaultdict(lambda: defaultdict(list))
    for recording in recordings:
        if purpose_of(recording) is purpose:
            strata[recording.source][recording.language, recording.label or ""].append(recording)
    for labels in strata.values():
        for stratum in labels.values():
            stratum.sort(key=lambda recording: draw(f"{seed}/{recording.source}/{recording.path.name}"))
    chosen = _in_rotation([_in_rotation([labels[name] for name in sorted(labels)]) for _, labels in sorted(strata.items())])
    return chosen[:limit]


def _in_rotation(queues: Sequence[Sequence[Recording]]) -> list[Recording]:
    """The first of every queue, then the second of every one, …"""
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]

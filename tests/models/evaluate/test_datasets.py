"""Recordings from folders: what is read, who is set aside for what, and that nobody is on two sides."""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.files.content import sha256_of
from models.evaluate.datasets import (
    Purpose,
    Recording,
    purpose_of,
    read_recordings,
    select,
    starter_recordings,
)
from models.evaluate.labels import RecordingsError

RATE_HZ = 16_000


def in_several(sets: dict[Purpose, list[Recording]]) -> set[str]:
    """Contents and groups that occur in more than one of the sets."""
    owners: dict[str, set[Purpose]] = {}
    for purpose, recordings in sets.items():
        for one in recordings:
            for key in (sha256_of(one.path), one.group):
                owners.setdefault(key, set()).add(purpose)
    return {key for key, purposes in owners.items() if len(purposes) > 1}


def write_audio(path: Path, *, seconds: float = 0.1, seed: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(str(path).encode()) if seed is None else seed)
    soundfile.write(str(path), noise.normal(0, 0.1, int(seconds * RATE_HZ)), RATE_HZ)
    return path


def write_set(folder: Path, rows: list[dict[str, str]]) -> Path:
    columns = list(rows[0])
    for row in rows:
        write_audio(folder / row["path"])
    lines = ["\t".join(columns), *("\t".join(row[column] for column in columns) for row in rows)]
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def recording(name: str, *, source: str = "set", speaker: str = "", **changes: object) -> Recording:
    fields = {"path": Path(name), "source": source, "text": None, "speaker": speaker, "language": "en", "label": None, "duration_s": 1.0}
    return Recording(**{**fields, "group": f"{source}/{speaker or name}", **changes})


def test_each_kind_of_labels_is_understood(tmp_path: Path) -> None:
    write_set(tmp_path / "read", [{"path": "a.wav", "text": "WE CALL IT BEAR", "speaker": "01", "language": "en", "duration_s": "2.58"}])
    columns = ("path", "label", "speaker", "language", "notes")
    rows = [
        ("a.wav", "设定二十九度", "S1", "zh", ""),
        ("b.wav", "zhong1 guo2", "S1", "zh", ""),
        ("c.wav", "dog bark", "", "", "fold=1"),
        ("d.wav", "angry", "07", "en", "intensity=normal;text=Kids are talking by the door;rep=01"),
    ]
    write_set(tmp_path / "many", [dict(zip(columns, row, strict=True)) for row in rows])
    found = {(r.source, r.path.name): r for r in read_recordings(tmp_path)}
    assert {key: (r.text, r.label, r.language) for key, r in found.items()} == {
        ("read", "a.wav"): ("WE CALL IT BEAR", None, "en"),
        ("many", "a.wav"): ("设定二十九度", None, "zh"),
        ("many", "b.wav"): (None, None, "zh"),
        ("many", "c.wav"): (None, "dog bark", ""),
        ("many", "d.wav"): ("Kids are talking by the door", "angry", "en"),
    }
    assert found["read", "a.wav"].duration_s == 2.58
    assert found["many", "a.wav"].duration_s == pytest.approx(0.1)
    assert [r.path.name for r in read_recordings(tmp_path / "read")] == ["a.wav"]


def test_without_labels_every_audio_file_is_read(tmp_path: Path) -> None:
    write_audio(tmp_path / "one.wav", seconds=0.5)
    write_audio(tmp_path / "deep" / "two.flac")
    (tmp_path / "notes.txt").write_text("no audio", encoding="utf-8")
    found = read_recordings(tmp_path)
    assert {(r.speaker, r.text, r.language, r.duration_s) for r in found} == {("one.wav", None, "", 0.5), ("deep/two.flac", None, "", 0.1)}


@pytest.mark.parametrize("make", [lambda folder: folder / "nowhere", lambda folder: folder])
def test_a_folder_without_recordings_is_named(tmp_path: Path, make) -> None:
    with pytest.raises(RecordingsError, match=r"no (folder of )?recordings") as caught:
        read_recordings(make(tmp_path))
    assert str(make(tmp_path)) in str(caught.value)


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "labels.tsv"
    table.write_text("path\tlabel\nlost.wav\thello\n", encoding="utf-8")
    with pytest.raises(RecordingsError, match=r"1 files .* lost\.wav"):
        read_recordings(tmp_path)
    table.write_text("file\tlabel\nlost.wav\thello\n", encoding="utf-8")
    with pytest.raises(RecordingsError, match="no column 'path'"):
        read_recordings(tmp_path)
    write_audio(tmp_path / "a.wav")
    table.write_text("path\tduration_s\na.wav\tlong\n", encoding="utf-8")
    with pytest.raises(RecordingsError, match="'long'"):
        read_recordings(tmp_path)
    table.write_bytes(b"path\tlabel\na.wav\t\xff\xfe\n")
    with pytest.raises(RecordingsError, match="UTF-8"):
        read_recordings(tmp_path)


def test_speakers_are_shared_out_whole_and_as_announced() -> None:
    many = [recording(f"{index}.wav", speaker=str(index % 2000)) for index in range(4000)]
    purposes: dict[str, set[Purpose]] = {}
    for one in many:
        purposes.setdefault(one.speaker, set()).add(purpose_of(one))
    assert all(len(found) == 1 for found in purposes.values())
    shares = Counter(next(iter(found)) for found in purposes.values())
    assert shares[Purpose.CALIBRATION] / 2000 == pytest.approx(0.3, abs=0.04)
    assert shares[Purpose.TUNING] / 2000 == pytest.approx(0.2, abs=0.04)
    assert shares[Purpose.TEST] / 2000 == pytest.approx(0.5, abs=0.04)


def test_one_speaker_alone_is_shared_out_by_recording(tmp_path: Path) -> None:
    rows = [{"path": f"{index}.wav", "label": "hello", "speaker": "LJ", "language": "en"} for index in range(40)]
    found = read_recordings(write_set(tmp_path / "lj", rows))
    assert {purpose_of(one) for one in found} == set(Purpose)
    assert in_several({purpose: select(found, purpose) for purpose in Purpose}) == set()
    again = read_recordings(tmp_path)
    assert [purpose_of(one) for one in again] == [purpose_of(one) for one in found]


def test_two_speakers_are_not_divided(tmp_path: Path) -> None:
    rows = [{"path": f"{index}.wav", "label": "hello", "speaker": "ab"[index % 2], "language": "en"} for index in range(20)]
    found = read_recordings(write_set(tmp_path / "pair", rows))
    assert len({(one.speaker, purpose_of(one)) for one in found}) == 2


def test_a_choice_is_spread_and_stays_the_same() -> None:
    fixed = {"purpose": Purpose.TEST}
    pool = [recording(f"big{index}.wav", source="big", **fixed) for index in range(100)]
    pool += [recording(f"s{index}.wav", source="small", label=("angry", "happy")[index % 2], **fixed) for index in range(6)]
    pool += [recording(f"zh{index}.wav", source="other", language=("zh", "en")[index > 0], **fixed) for index in range(6)]
    pool += [recording("never.wav", source="big", purpose=Purpose.CALIBRATION)]
    chosen = select(pool, Purpose.TEST, limit=12)
    assert Counter(one.source for one in chosen) == {"big": 4, "small": 4, "other": 4}
    assert Counter(one.label for one in chosen if one.source == "small") == {"angry": 2, "happy": 2}
    assert Counter(one.language for one in chosen if one.source == "other") == {"zh": 1, "en": 3}
    assert select(pool[::-1], Purpose.TEST, limit=12) == chosen
    assert select(pool, Purpose.TEST, limit=12, seed=1) != chosen
    assert len(select(pool, Purpose.TEST)) == 112
    with pytest.raises(RecordingsError, match="limit of 0"):
        select(pool, Purpose.TEST, limit=0)


def test_the_starter_is_evaluated_on_actors_it_was_not_trained_on(tmp_path: Path) -> None:
    columns = ("path", "label", "speaker", "language", "notes", "duration_s")
    rows = [
        (f"{actor}-{take}.wav", "angry", actor, "en", "text=Dogs are sitting by the door", "3.0")
        for actor in ("01", "02", "17", "18")
        for take in range(3)
    ]
    write_set(tmp_path / "ravdess", [dict(zip(columns, row, strict=True)) for row in rows])
    write_set(
        tmp_path / "mine", [{"path": f"{index}.wav", "text": "hello", "speaker": f"s{index}", "language": "en"} for index in range(30)]
    )
    shared = starter_recordings(tmp_path)
    heard = {purpose: {one.speaker for one in found if one.source == "ravdess"} for purpose, found in shared.items()}
    assert heard[Purpose.CALIBRATION] == {"01", "02"}
    assert heard[Purpose.TUNING] | heard[Purpose.TEST] == {"17", "18"} and not heard[Purpose.TUNING] & heard[Purpose.TEST]
    assert all("mine" in {one.source for one in found} for found in shared.values())
    assert all(purpose_of(one) is purpose for purpose, found in shared.items() for one in found)
    assert in_several(shared) == set()
    alone = starter_recordings(tmp_path / "ravdess")
    assert {one.speaker for one in alone[Purpose.CALIBRATION]} == {"01", "02"}


@pytest.mark.weights
def test_the_starters_sets_at_hand_are_disjoint(data_dir: Path) -> None:
    shared = starter_recordings(data_dir)
    assert {"speechocean762", "fsdd", "ravdess", "aishell_sample"} <= {one.source for one in shared[Purpose.TEST]}
    assert in_several(shared) == set()

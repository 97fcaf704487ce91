"""A whole job in one process: identical text, resuming, bad input, workers that cannot work. Ray is in ../test_on_ray.py."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.cluster.archive.archive import ROUNDS, transcribe_archive
from engine.cluster.archive.notes import Failed, Recognized, Row, Undone
from engine.cluster.archive.results import file_name
from engine.cluster.archive.source import read_sources
from engine.cluster.archive.speech_finder import SpeechFinder
from engine.cluster.job import BundleIdentity
from engine.cluster.storage import Folder
from engine.errors import WorkerBundleError
from engine.options import TranscribeOptions
from tests.engine.cluster.conftest import EXAMPLES, spoken
from tests.engine.cluster.workers_here import WorkersHere
from tests.reading import DECODER
from tests.subtitles import read_srt

pytestmark = pytest.mark.usefixtures("arrow")


def run(source: Path, job, output: Path, *, workers=None, formats=()):
    return transcribe_archive(read_sources([str(source)]), job, Folder(str(output)), workers or WorkersHere(), formats=formats)


def lines(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "transcripts.jsonl").read_text().splitlines()]


def test_the_text_is_that_of_the_one_machine_engine(archive, job, expected, tmp_path):
    workers = WorkersHere(between=lambda _, rows: rows[::-1])  # as late pieces come first
    report = run(archive, job, tmp_path, workers=workers)
    rows = {row["file"]: spoken(row) for row in lines(tmp_path)}
    assert rows == expected
    assert len(rows[f"{archive}/long/talk.flac"]["segments"]) > 4
    assert (len(report.done), report.refused) == (5, [])


def test_the_long_recording_really_went_in_pieces(archive, job, tmp_path):
    seen: list[Row] = []
    run(archive / "long", job, tmp_path, workers=WorkersHere(between=lambda _, rows: seen.extend(rows) or rows))
    assert len([row for row in seen if isinstance(row.note, Recognized)]) > 2


def test_parquet_and_subtitles_say_the_same_as_jsonl(archive, job, tmp_path):
    from pyarrow import parquet

    run(archive, job, tmp_path, formats=["srt"])
    rows = lines(tmp_path)
    for row in rows:  # what a message is made of has other names for each type, and no column
        row["warnings"] = [{"type": one["type"], "message": one["message"]} for one in row["warnings"]]
    assert any(row["warnings"] for row in rows)
    assert parquet.read_table(tmp_path / "transcripts.parquet").to_pylist() == rows
    talk = f"{archive}/long/talk.flac"
    subtitles = (tmp_path / "srt" / f"{file_name(talk)}.srt").read_text()
    [row] = [row for row in rows if row["file"] == talk]
    assert "".join("".join(cue.text.split()) for cue in read_srt(subtitles)) == "".join(row["text"].split())


@pytest.mark.parametrize("channel", ["left", "split"])
def test_channels_are_chosen_as_on_one_machine(job, engine, tmp_path, channel):
    from pyarrow import parquet

    samples = load_audio(EXAMPLES / "digits-en.flac").samples
    call = tmp_path / "call.wav"
    soundfile.write(call, np.stack([np.tile(samples, 2), np.roll(np.tile(samples, 2), 24_000)], axis=1), SAMPLE_RATE_HZ)
    options = TranscribeOptions.parse({"precision": "fp32", "channel": channel, "itn": False, "max_end_silence_ms": 400})
    run(call, replace(job, options=options), tmp_path / "out")
    [row] = lines(tmp_path / "out")
    expected = engine.transcribe(DECODER.open(call, read=options.read), options).to_dict()
    assert spoken(row) == spoken(expected)
    assert ("speaker" in row["segments"][0]) == (channel == "split")
    assert parquet.read_table(tmp_path / "out" / "transcripts.parquet").to_pylist() == [row]


def test_recordings_whose_names_are_one_on_some_disk_get_subtitles_of_their_own(archive, job, tmp_path):
    for name in ("Talk.flac", "talk.flac"):
        (tmp_path / "in").mkdir(exist_ok=True)
        shutil.copy(archive / "digits-en.wav", tmp_path / "in" / name)
    if len(list((tmp_path / "in").iterdir())) < 2:
        pytest.skip("this disk takes both for one name already")
    run(tmp_path / "in", job, tmp_path / "out", formats=["txt"])
    assert sorted(path.name for path in (tmp_path / "out" / "txt").rglob("*.txt")) == ["Talk.flac.txt", "talk.flac-2.txt"]


def test_a_second_run_does_nothing_again(archive, job, tmp_path):
    run(archive, job, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "transcripts").rglob("*.json")}
    shutil.rmtree(tmp_path / "transcripts" / job.fingerprint / next(iter(before)).parent.name)
    gone = len(before) - len(list((tmp_path / "transcripts").rglob("*.json")))
    first = lines(tmp_path)
    report = run(archive, job, tmp_path)
    assert len(report.known) == 5 - gone > 0
    assert [spoken(row) for row in lines(tmp_path)] == [spoken(row) for row in first]
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "transcripts").rglob("*.json")}
    assert sum(after[path] == before[path] for path in before) == 5 - gone


def test_other_options_are_another_job_in_the_same_folder(archive, job, tmp_path):
    run(archive / "long", job, tmp_path)
    report = run(archive / "long", replace(job, options=TranscribeOptions.parse({"precision": "fp32", "itn": False})), tmp_path)
    assert report.known == set()
    assert len(list((tmp_path / "transcripts").iterdir())) == 2


def test_where_and_how_it_runs_is_no_other_job(job):
    assert replace(job, threads=8, piece_s=60.0, device="cuda", bundle="elsewhere").fingerprint == job.fingerprint
    assert replace(job, options=TranscribeOptions.parse({"precision": "fp32", "language": "en"})).fingerprint != job.fingerprint


def test_bad_recordings_are_named_with_their_reason_and_the_rest_is_done(archive, job, expected, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(archive, source)
    shutil.copy(source / "digits-en.wav", source / "again.wav")  # the same content
    (source / "junk.mp3").write_bytes(b"no recording")
    (source / "empty.wav").touch()
    manifest = source / "list.csv"
    names = [path.relative_to(source).as_posix() for path in sorted(source.rglob("*.*")) if path != manifest]
    manifest.write_text("path\n" + "\n".join([*names, "gone.wav", "digits-en.wav"]) + "\n")
    output = tmp_path / "output"
    report = run(manifest, job, output)
    told = json.loads((output / "report.json").read_text())
    assert told == report.to_dict()
    reasons = {Path(failure["file"]).name: failure["type"] for failure in told["failures"]}
    assert reasons == {"junk.mp3": "AudioDecodeError", "empty.wav": "EmptyAudioError", "gone.wav": "FileNotFoundError"}
    assert (told["recordings"], told["done"], told["failed"], told["same_content"]) == (9, 6, 3, 1)
    assert told["named_twice"] == [f"{source}/digits-en.wav"]
    assert len(list((output / "transcripts").rglob("*.json"))) == 5
    texts = {Path(row["file"]).name: row["text"] for row in lines(output)}
    assert texts == {Path(name).name: row["text"] for name, row in expected.items()} | {"again.wav": texts["digits-en.wav"]}


def test_an_error_that_nobody_thought_of_is_one_recordings_own(archive, job, tmp_path, monkeypatch):
    def explode(_decoder, path, **_):
        raise MemoryError("9 GB") if "talk" in str(path) else ZeroDivisionError

    monkeypatch.setattr("engine.cluster.archive.speech_finder.Decoder.open", explode)
    report = run(archive / "long", job, tmp_path)
    assert [(refused.error, refused.message) for refused in report.refused] == [("MemoryError", "9 GB")]


def test_what_a_round_loses_is_done_in_the_next_one_each_recording_by_itself(archive, job, expected, tmp_path):
    workers = WorkersHere(between=lambda number, rows: rows[:3] if number == 1 else rows)
    report = run(archive, job, tmp_path, workers=workers)
    assert len(report.done) == 5
    assert all(len(group) == 1 for group in workers.rounds[1])
    assert {row["file"]: spoken(row) for row in lines(tmp_path)} == expected


def test_a_recording_that_kills_every_worker_is_named(archive, job, tmp_path):
    talk = [recording.url for recording in read_sources([str(archive)]).recordings].index(f"{archive}/long/talk.flac")
    workers = WorkersHere(between=lambda _, rows: [row for row in rows if row.file != talk])
    report = run(archive, job, tmp_path, workers=workers)
    [refused] = report.refused
    assert (refused.name, refused.error) == (f"{archive}/long/talk.flac", "WorkerLost")
    assert len(workers.rounds) == ROUNDS
    assert len(report.done) == 4


def test_work_that_a_faulty_worker_hands_back_is_done_by_another(archive, job, expected, tmp_path):
    fault = Undone(worker="node-7", message="BundleFileMissingError: gone")
    workers = WorkersHere(between=lambda number, rows: [Row(file=row.file, note=fault) for row in rows] if number == 1 else rows)
    report = run(archive, job, tmp_path, workers=workers)
    assert {row["file"]: spoken(row) for row in lines(tmp_path)} == expected
    assert list(report.undone) == ["node-7: BundleFileMissingError: gone"]
    assert report.to_dict()["undone"][0]["times"] >= 5


def test_a_worker_with_another_version_of_the_bundle_hands_its_work_back(archive, job):
    other = replace(job, identity=BundleIdentity(name="starter", version="0.1.0", sha256="0" * 64))
    [batch] = SpeechFinder(other, frozenset())({"files": [[0]], "urls": [[f"{archive}/digits-en.wav"]]})
    note = Row.of({name: values[0] for name, values in batch.items()}).note
    assert isinstance(note, Undone)
    assert "0.1.0" in note.message and job.identity.version in note.message


def test_no_machine_with_the_bundle_is_an_error_before_anything_is_done(archive, job, tmp_path):
    with pytest.raises(WorkerBundleError, match="gone"):
        run(archive, replace(job, bundle=str(tmp_path / "gone")), tmp_path / "output")
    assert not (tmp_path / "output").exists()


def test_failed_says_what_kind_of_error_it_was(archive, job):
    [batch] = SpeechFinder(job, frozenset())({"files": [[3]], "urls": [["nowhere://bucket/a.wav"]]})
    row = Row.of({name: values[0] for name, values in batch.items()})
    assert row.file == 3
    assert isinstance(row.note, Failed) and row.note.error == "SourceError"


@pytest.mark.parametrize(
    ("url", "name"),
    [("/data/a b.wav", "data/a b.wav"), ("s3://bucket/x/../y.wav", "bucket/x/__/y.wav"), ("../up.wav", "__/up.wav"), ("a.wav", "a.wav")],
)
def test_the_name_of_a_result_stays_inside_its_folder(url, name):
    assert file_name(url) == name

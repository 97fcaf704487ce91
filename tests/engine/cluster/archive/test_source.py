"""What a job is made of: folders, manifests, and what cannot be used, by name."""

from __future__ import annotations

import json

import pytest

from engine.cluster.archive.source import read_sources
from engine.cluster.storage import place
from engine.errors import SourceError

pytestmark = pytest.mark.usefixtures("arrow")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("a.wav", "b/c.MP3", "notes.txt", ".hidden.wav"):
        (tmp_path / name).write_bytes(b"12345")
    return tmp_path


def urls(sources):
    return [recording.url for recording in sources.recordings]


def test_a_folder_is_read_with_all_below_it(folder):
    sources = read_sources([str(folder)])
    assert urls(sources) == [f"{folder}/a.wav", f"{folder}/b/c.MP3"]
    assert [recording.size_bytes for recording in sources.recordings] == [5, 5]
    assert (sources.others, sources.refused) == (2, ())


def test_whatever_the_engine_reads_is_a_recording_by_its_name(tmp_path):
    names = {"a.caf", "a.w64", "a.TS", "a.flv", "a.mka", "a.m4b", "a.au", "a.awb", "a.ac3", "a.3g2", "a.mpg", "a.wmv", "a.aifc"}
    for name in names:
        (tmp_path / name).write_bytes(b"12345")
    assert {url.rpartition("/")[2] for url in urls(read_sources([str(tmp_path)]))} == names


def test_a_file_that_is_named_is_taken_at_its_word(folder):
    assert urls(read_sources([f"{folder}/notes.txt"])) == [f"{folder}/notes.txt"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_manifests_name_paths_from_their_own_folder(folder, suffix):
    rows = [{"path": "a.wav"}, {"path": f"{folder}/b/c.MP3"}, {"path": "gone.wav"}]
    manifest = folder / f"list.{suffix}"
    if suffix == "jsonl":
        manifest.write_text("\n".join(json.dumps(row) for row in rows))
    elif suffix == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(rows), manifest)
    else:
        between = "\t" if suffix == "tsv" else ","
        manifest.write_text("".join(f"{row['path']}{between}x\n" for row in [{"path": "path"}, *rows]))
    sources = read_sources([str(manifest)])
    assert urls(sources) == [f"{folder}/a.wav", f"{folder}/b/c.MP3", f"{folder}/gone.wav"]
    assert [recording.size_bytes for recording in sources.recordings] == [5, 5, None]


def test_rows_without_a_path_are_refused_by_number(folder):
    manifest = folder / "list.jsonl"
    manifest.write_text('{"audio_filepath": "a.wav"}\nnot json\n[1]\n{"duration": 3}\n')
    sources = read_sources([str(manifest)])
    assert urls(sources) == [f"{folder}/a.wav"]
    assert [refused.name for refused in sources.refused] == [f"{manifest} row {number}" for number in (2, 3, 4)]


def test_what_is_named_twice_is_done_once(folder):
    sources = read_sources([str(folder), f"file://{folder}/a.wav", f"{folder}/a.wav"])
    assert len(sources.recordings) == 2
    assert sources.duplicates == (f"file://{folder}/a.wav", f"{folder}/a.wav")


@pytest.mark.parametrize(
    ("name", "said"), [("gone", "no such file"), ("broken.parquet", "no parquet manifest"), ("binary.csv", "no csv manifest")]
)
def test_a_source_that_cannot_be_read_is_refused_and_the_rest_goes_on(folder, name, said):
    (folder / "broken.parquet").write_bytes(b"PAR1 no")
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00")
    sources = read_sources([f"{folder}/{name}", f"{folder}/a.wav"])
    assert urls(sources) == [f"{folder}/a.wav"]
    [refused] = sources.refused
    assert said in refused.message


def test_a_scheme_that_nothing_opens_is_named():
    with pytest.raises(SourceError, match="nowhere://bucket"):
        place("nowhere://bucket/x.wav")

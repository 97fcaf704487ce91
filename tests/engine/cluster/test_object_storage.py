"""Archives in object storage, against a server on this machine that speaks S3: read, written, resumed, refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cluster.archive.archive import transcribe_archive
from engine.cluster.archive.source import read_sources
from engine.cluster.storage import Folder, _filesystem
from tests.engine.cluster.conftest import needs, spoken
from tests.engine.cluster.workers_here import WorkersHere
from tests.free_port import free_port
from tests.waiting import until

START_S = 120


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether the server answers already."""
    assert process.poll() is None, f"the S3 server ended with {process.returncode}"
    try:
        urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server."""
    needs("pyarrow")
    python = os.environ.get("LIGHTVOICE_S3_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import moto, flask_cors"], capture_output=True, check=False).returncode:
        pytest.skip("no S3 server: LIGHTVOICE_S3_PYTHON names a Python with tests/engine/cluster/requirements.txt")
    port = free_port()
    # -W: moto's own warnings are not ours to judge
    process = subprocess.Popen([python, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(address, process), within_s=START_S)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def s3(server, monkeypatch) -> Iterator[str]:
    """A bucket in an empty store, with the environment that leads to it."""
    from pyarrow import fs

    for name, value in {"AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    _filesystem.cache_clear()
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=30).close()
    fs.S3FileSystem(endpoint_override=server.removeprefix("http://"), scheme="http", allow_bucket_creation=True).create_dir("speech")
    yield "s3://speech"
    _filesystem.cache_clear()


def _answer_unsigned(server: str, times: str) -> None:
    """How many more requests the server answers whoever signs them; then it wants users that exist."""
    url, plain = f"{server}/moto-api/reset-auth", {"content-type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(url, data=times.encode(), headers=plain, method="POST"), timeout=30).close()


def put(s3: str, folder: Path) -> None:
    bucket = Folder(s3)
    for path in folder.rglob("*.*"):
        bucket.write(f"in/{path.relative_to(folder).as_posix()}", path.read_bytes())


def test_a_bucket_is_transcribed_into_a_bucket_and_resumed(s3, archive, job, expected):
    put(s3, archive)
    output = Folder(f"{s3}/out")
    report = transcribe_archive(read_sources([f"{s3}/in"]), job, output, WorkersHere(), formats=["txt"])
    assert (len(report.done), report.refused) == (5, [])
    rows = [json.loads(line) for line in output.read("transcripts.jsonl").decode().splitlines()]
    wanted = {f"{s3}/in/{Path(name).relative_to(archive).as_posix()}": row for name, row in expected.items()}
    assert {row["file"]: spoken(row) for row in rows} == wanted
    assert output.read("txt/speech/in/digits-en.wav.txt").decode().strip()
    again = transcribe_archive(read_sources([f"{s3}/in"]), job, output, WorkersHere())
    assert again.known == {0, 1, 2, 3, 4}


def test_a_manifest_of_this_machine_names_objects(s3, archive, job, tmp_path):
    put(s3, archive)
    manifest = tmp_path / "list.jsonl"
    names = [f"{s3}/in/digits-en.wav", f"{s3}/in/gone.wav", "s3://no-such-bucket/a.wav"]
    manifest.write_text("\n".join(json.dumps({"path": name}) for name in names))
    report = transcribe_archive(read_sources([str(manifest)]), job, Folder(str(tmp_path / "out")), WorkersHere())
    assert len(report.done) == 1
    assert [refused.name for refused in report.refused] == names[1:]


def test_a_bucket_that_refuses_is_named_and_the_rest_is_done(s3, server, archive, job, tmp_path):
    put(s3, archive)
    _answer_unsigned(server, "0")
    try:
        manifest = tmp_path / "list.csv"
        manifest.write_text(f"path\n{s3}/in/digits-en.wav\n{archive}/digits-en.wav\n")
        sources = read_sources([f"{s3}/in", str(manifest)])
        report = transcribe_archive(sources, job, Folder(str(tmp_path / "out")), WorkersHere())
    finally:
        _answer_unsigned(server, "inf")
    assert len(report.done) == 1
    bucket, recording = report.refused
    assert (bucket.name, bucket.error) == (f"{s3}/in", "SourceError")
    assert recording.name == f"{s3}/in/digits-en.wav"
    assert all("ACCESS_DENIED" in one.message or "403" in one.message for one in report.refused), report.refused

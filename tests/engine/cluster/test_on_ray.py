"""On a real cluster: a job with a worker killed and a machine without the bundle, and the engine served to fifty callers.

One file, for the files of a run go to processes of their own, and two clusters on one machine starve each other.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from engine.audio.waveform import load_audio
from engine.bundle import Bundle
from engine.cluster.archive import ray_workers
from engine.cluster.archive.archive import transcribe_archive
from engine.cluster.archive.notes import PieceOf, Recognized, Row
from engine.cluster.archive.piece_recognizer import PieceRecognizer
from engine.cluster.archive.source import read_sources
from engine.cluster.job import BundleIdentity, Job
from engine.cluster.storage import Folder
from engine.errors import NotOfferedError, UnknownLanguageError, UnknownPrecisionError
from engine.options import TranscribeOptions
from tests.engine.cluster.conftest import spoken
from tests.free_port import free_port
from tests.reading import DECODER
from tests.starter_facts import DIGITS
from tests.waiting import until

#: A cluster's processes start within this.
START_S = 300.0
CALLERS = 50
pytestmark = pytest.mark.slow


def notes() -> Path:
    """A folder that this test and the processes of the cluster share."""
    return Path(os.environ["LIGHTVOICE_BUNDLES"]) / "notes"


class WaitingRecognizer(PieceRecognizer):
    """Stops in the middle of a recording, saying which process it is, until a worker has been killed."""

    def __call__(self, values):
        note = Row.of(values).note
        if isinstance(note, PieceOf) and note.number:
            (notes() / f"{os.getpid()}.waits").touch()
            until((notes() / "killed").exists)
        return super().__call__(values)


class KillingWorkers(ray_workers.RayWorkers):
    """Ends the process of the first recognizer that waits; remembers every row."""

    def __init__(self) -> None:
        super().__init__(workers=2, recognizer=WaitingRecognizer)
        self.killed: list[int] = []
        self._killing = threading.Thread(target=self._kill, daemon=True)
        self.seen: list[Row] = []

    def rows(self, *arguments, **options) -> Iterator[Row]:
        if self._killing.ident is None:
            self._killing.start()
        for row in super().rows(*arguments, **options):
            self.seen.append(row)
            yield row

    def _kill(self) -> None:
        waiting = until(lambda: sorted(notes().glob("*.waits")), within_s=START_S)
        self.killed.append(int(waiting[0].stem))
        os.kill(self.killed[0], signal.SIGKILL)
        (notes() / "killed").touch()


def test_a_killed_worker_and_a_machine_without_the_bundle_cost_nothing_but_time(
    ray_cluster, bundles, archive, expected, tmp_path, monkeypatch
):
    monkeypatch.setenv("LIGHTVOICE_BUNDLES", str(bundles))
    monkeypatch.setattr(ray_workers, "BLOCK_BYTES", 64 << 10)  # a piece a block: both recognizers have a share of the long recording
    shutil.rmtree(notes(), ignore_errors=True)
    notes().mkdir()
    identity = BundleIdentity.of(Bundle.load(bundles / "travelling"))
    job, workers = Job(bundle="travelling", identity=identity, piece_s=4.0), KillingWorkers()
    report = transcribe_archive(read_sources([str(archive)]), job, Folder(str(tmp_path)), workers)
    assert len(workers.killed) == 1
    rows = [json.loads(line) for line in (tmp_path / "transcripts.jsonl").read_text().splitlines()]
    assert {row["file"]: spoken(row) for row in rows} == {name: {**row, "bundle": "travelling"} for name, row in expected.items()}
    assert (len(rows), report.refused) == (5, [])
    assert len([row for row in workers.seen if isinstance(row.note, Recognized)]) > 5
    healthy, faulty = sorted(report.nodes, key=lambda node: node.fault is not None)
    assert healthy.fault is None
    assert "travelling" in faulty.fault
    assert report.to_dict()["faulty_workers"] == [faulty.to_dict()]


@pytest.fixture(scope="module")
def address(ray_cluster) -> str:
    """A served engine: two replicas of FP32, the one precision, so that each caller meets the one that is killed."""
    from engine.cluster.serve.serving import app, start_serving, stop_serving

    port = free_port()
    application = app({"precisions": "fp32", "min_replicas": 2, "max_replicas": 2, "cpus": 0.5})
    start_serving(application, name="speech", host="127.0.0.1", port=port, proxies="HeadOnly")
    yield f"ray://127.0.0.1:{port}/speech"
    stop_serving()


@pytest.fixture
def remote(address):
    from engine.cluster.serve.remote_engine import RemoteEngine

    return RemoteEngine(address)


def test_fifty_callers_and_a_killed_replica_no_request_fails(remote, engine):
    expected = spoken(engine.transcribe(DECODER.open(DIGITS)).to_dict())
    answered: list[dict] = []
    killed: list[int] = []

    def call(number: int) -> None:
        segments: list[str] = []
        transcript = remote.transcribe(DECODER.open(DIGITS), on_segment=lambda segment: segments.append(segment.text))
        assert segments == [segment.text for segment in transcript.segments]  # each once, whatever was begun again
        answered.append(spoken(transcript.to_dict()))
        if number == 5:
            [victim, _] = [
                one for one in psutil.process_iter(["cmdline"]) if "ServeReplica:speech:fp32" in " ".join(one.info["cmdline"] or ())
            ]
            victim.send_signal(signal.SIGKILL)
            killed.append(victim.pid)

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(call, range(CALLERS)))
    assert len(killed) == 1
    assert answered == [expected] * CALLERS


def test_a_decoded_recording_gives_the_same_as_its_file(remote, engine):
    here, there = engine.transcribe(DECODER.open(DIGITS)), remote.transcribe(load_audio(DIGITS))
    assert there.segments == here.segments
    assert (there.speech_track == here.speech_track).all()
    assert remote.bundle.name == "starter"
    assert remote.resources()["sessions"][0]["mb"] > 0
    assert set(remote.speeds()) == {"fp32"}


def test_an_error_over_there_is_the_error_it_would_be_here(remote, tmp_path):
    (tmp_path / "junk.wav").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"cannot read junk\.wav as audio") as raised:
        remote.transcribe(DECODER.open(tmp_path / "junk.wav"))
    assert type(raised.value).__name__ == "AudioDecodeError"
    with pytest.raises(UnknownPrecisionError, match="int8"):
        remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(precision="int8"))
    with pytest.raises(UnknownLanguageError):
        remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(language="xx"))


def test_what_is_not_offered_says_so(remote):
    for ask in (remote.live, lambda: remote.switch(remote.bundle)):
        with pytest.raises(NotOfferedError, match="not offered"):
            ask()

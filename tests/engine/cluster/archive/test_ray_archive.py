"""A whole job on a real cluster of two machines, one of them without the bundle, with a worker killed in the middle."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.bundle import Bundle
from engine.cluster.archive import ray_workers
from engine.cluster.archive.archive import transcribe_archive
from engine.cluster.archive.notes import PieceOf, Recognized, Row
from engine.cluster.archive.piece_recognizer import PieceRecognizer
from engine.cluster.archive.source import read_sources
from engine.cluster.job import BundleIdentity, Job
from engine.cluster.storage import Folder
from tests.engine.cluster.conftest import spoken
from tests.waiting import until


def killed_note() -> Path:
    """The file that says, to the processes of the cluster too, that a worker has been killed."""
    return Path(os.environ["LIGHTVOICE_BUNDLES"]) / "killed"


class WaitingRecognizer(PieceRecognizer):
    """Recognizes the first piece of each recording, and the others once a worker has been killed."""

    def __call__(self, values):
        note = Row.of(values).note
        if isinstance(note, PieceOf) and note.number:
            until(killed_note().exists)
        return super().__call__(values)


class KillingWorkers(ray_workers.RayWorkers):
    """Ends one recognizer's process as soon as the first piece has come back; remembers every row."""

    def __init__(self) -> None:
        super().__init__(workers=2, recognizer=WaitingRecognizer)
        self.killed: list[int] = []
        self.seen: list[Row] = []

    def rows(self, *arguments, **options) -> Iterator[Row]:
        for row in super().rows(*arguments, **options):
            self.seen.append(row)
            if not self.killed:
                processes = [one for one in psutil.process_iter(["cmdline"]) if _is_recognizer(one)]
                processes[0].send_signal(signal.SIGKILL)
                self.killed.append(processes[0].pid)
                killed_note().touch()
            yield row


def _is_recognizer(process: psutil.Process) -> bool:
    return "WaitingRecognizer" in " ".join(process.info["cmdline"] or ())


@pytest.mark.slow
def test_a_killed_worker_and_a_machine_without_the_bundle_cost_nothing_but_time(
    ray_cluster, bundles, archive, expected, tmp_path, monkeypatch
):
    monkeypatch.setenv("LIGHTVOICE_BUNDLES", str(bundles))
    monkeypatch.setattr(ray_workers, "BLOCK_BYTES", 64 << 10)  # a piece a block: both recognizers have a share of the long recording
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

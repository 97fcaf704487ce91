"""A whole job on a real cluster of two machines, one of them without the bundle, with a worker killed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

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

#: A cluster's processes start within this.
START_S = 300.0


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


@pytest.mark.slow
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

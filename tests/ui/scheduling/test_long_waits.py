"""Whoever waits long keeps the recording: the schedule and Gradio delete uploads by their age, and know of nobody who waits."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import httpx
import pytest

from engine.errors import AudioNotFoundError
from tests.servers import metrics
from tests.ui.conftest import RunningPage
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from tests.waiting import WAIT_S, until
from ui.compare.actions import CompareActions
from ui.limits import Limits
from ui.models.state import ModelState
from ui.scheduling.kept_file import kept_file
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.server_folders import ServerFolders
from ui.scheduling.storage import DELETE_AFTER_S

gradio_client = pytest.importorskip("gradio_client")

Sweep = Callable[[], object]


def waiting(page: RunningPage) -> float:
    return metrics(page.address)["lightvoice_runs_waiting"]


def files_of(page: RunningPage) -> list[Path]:
    return [path for path in page.files.rglob("*") if path.is_file()]


def grow_old(page: RunningPage) -> None:
    old = time.time() - DELETE_AFTER_S - 1
    for path in files_of(page):
        os.utime(path, (old, old))


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> list[Sweep]:
    """The page's sweep, to be called when the test says so."""
    found: list[Sweep] = []

    async def never(sweep: Sweep) -> None:
        found.append(sweep)

    monkeypatch.setattr("ui.web_app.sweep_on_schedule", never)
    return found


def test_an_upload_of_the_api_outlasts_an_hour_in_the_line(run_page, sweeps: list[Sweep], two_words: Path) -> None:
    def ask() -> httpx.Response:
        return httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": two_words.read_bytes()}, timeout=WAIT_S)

    with run_page(limits=Limits(concurrent_runs=1)) as page, ThreadPoolExecutor(2) as pool:
        page.engine.hold.clear()
        asked = [pool.submit(ask) for _ in range(2)]
        until(lambda: waiting(page) == 1)
        assert len(files_of(page)) == 2
        grow_old(page)
        sweeps[0]()
        page.engine.hold.set()
        assert [one.result().status_code for one in asked] == [200, 200]
        until(lambda: files_of(page) == [])


@pytest.mark.parametrize("name", ["/transcribe", "/compare"])
def test_an_upload_of_an_endpoint_outlasts_an_hour_in_the_line(run_page, sweeps: list[Sweep], two_words: Path, name: str) -> None:
    with run_page(limits=Limits(concurrent_runs=1)) as page, ThreadPoolExecutor(1) as pool:
        client = gradio_client.Client(page.address, verbose=False)
        page.engine.hold.clear()
        first = pool.submit(
            lambda: httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": two_words.read_bytes()}, timeout=WAIT_S)
        )
        until(lambda: page.engine.calls != [])
        job = client.submit(audio=gradio_client.handle_file(str(two_words)), api_name=name)
        until(lambda: waiting(page) == 1)
        grow_old(page)
        sweeps[0]()
        requests = page.files / "requests"
        assert all(path.is_relative_to(requests) for path in files_of(page))  # the upload itself is gone
        page.engine.hold.set()
        assert first.result().status_code == 200
        assert job.result(timeout=WAIT_S)["duration_s"] == 3.0
        client.close()
        until(lambda: files_of(page) == [])


def test_the_recording_of_a_comparison_outlasts_an_hour_in_the_line(tmp_path: Path, two_words: Path, monkeypatch) -> None:
    monkeypatch.setattr("ui.compare.actions.has_left", lambda _: False)
    engine, slots = FakeEngine(), RunSlots(1)
    models, folders = ModelState(engine, None), ServerFolders(tmp_path)
    actions = CompareActions(engine=engine, decoder=InProcessDecoder(), models=models, slots=slots, limits=Limits(), folders=folders)
    monkeypatch.setattr(actions.choices, "find", lambda value, *, others: value)
    upload = tmp_path / "upload" / "talk.wav"
    upload.parent.mkdir()
    shutil.copy(two_words, upload)
    request = gr.Request(session_hash="page", headers={})
    ahead = slots.ask("somebody")
    answers: list[list[object]] = []
    arguments = (request, lambda *_, **__: None, str(upload), "fp32", "int8", "", "auto", True, "", False, "auto", None)
    run = threading.Thread(target=lambda: answers.append(actions.comparer(1)(*arguments)))
    run.start()
    until(lambda: slots.waiting() == 1)
    upload.unlink()
    slots.leave(ahead)
    run.join(WAIT_S)
    assert len(answers) == 1
    assert list((tmp_path / "requests").iterdir()) == []


def test_a_file_is_kept_until_its_block_ends_and_one_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    source = tmp_path / "talk.wav"
    source.write_bytes(b"sound")
    with kept_file(source, tmp_path / "requests") as kept:
        source.unlink()
        assert (kept.name, kept.read_bytes()) == ("talk.wav", b"sound")
    assert list((tmp_path / "requests").iterdir()) == []
    with pytest.raises(AudioNotFoundError), kept_file(source, tmp_path / "requests"):
        pass
    assert list((tmp_path / "requests").iterdir()) == []


def test_a_disk_without_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    source = tmp_path / "talk.wav"
    source.write_bytes(b"sound")
    with kept_file(source, tmp_path / "requests") as kept:
        assert kept.read_bytes() == b"sound"

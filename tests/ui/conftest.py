"""The page on a port of its own, in this process, over the fake engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

gradio = pytest.importorskip("gradio", reason="the page needs gradio")

import numpy as np  # noqa: E402 - after the skip
import soundfile  # noqa: E402
import uvicorn  # noqa: E402

from tests.ui.fake_engine import FakeEngine, InProcessDecoder  # noqa: E402
from tests.ui.queue_client import OURS, QueueClient, wait  # noqa: E402
from tests.waiting import until  # noqa: E402
from ui.limits import Limits  # noqa: E402
from ui.scheduling.queue_runner import QueueRunner  # noqa: E402
from ui.scheduling.recording_queue import RecordingQueue  # noqa: E402
from ui.scheduling.run_slots import RunSlots  # noqa: E402
from ui.serve import build_app  # noqa: E402


@dataclass(frozen=True)
class RunningPage:
    """A page that answers."""

    address: str
    engine: FakeEngine
    files: Path
    slots: RunSlots

    def reset(self) -> None:
        """Let what runs come to its end, and make the engine as good as new."""
        self.engine.hold.set()
        self.engine.between.set()
        until(lambda: not (self.slots.running() or self.slots.waiting()))
        vars(self.engine).clear()
        self.engine.__init__()  # type: ignore[misc]


@contextmanager
def running(files: Path, *, engine: Any = None, **options: Any) -> Iterator[RunningPage]:
    """Serve a page over an engine, a fresh fake one unless given, until the block ends; GRADIO_TEMP_DIR must name ``files``."""
    engine = engine or FakeEngine()
    app = build_app(engine, files=files, decoder=InProcessDecoder(), **options)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, server_header=False, proxy_headers=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield RunningPage(f"http://127.0.0.1:{port}", engine, files, app.state.slots)
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def run_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """``with run_page(limits=…, managing=…) as page``: serve a page over a fresh fake engine until the block ends."""

    @contextmanager
    def run(**options: Any) -> Iterator[RunningPage]:
        files = tmp_path / "files"
        files.mkdir(exist_ok=True)
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(files))
        with running(files, **options) as page:
            yield page

    return run


def serve_module(tmp_path_factory: pytest.TempPathFactory, **options: Any) -> Iterator[RunningPage]:
    """A page for all tests of a file, for fixtures of its scope: to build one takes a second."""
    files = tmp_path_factory.mktemp("page") / "files"
    files.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(files))
        with running(files, **options) as page:
            yield page


@pytest.fixture(scope="module")
def shared_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """The page behind :func:`page`."""
    yield from serve_module(tmp_path_factory)


@pytest.fixture
def page(shared_page: RunningPage) -> Iterator[RunningPage]:
    """A page over a fake engine that no test has used yet; its counters and its files are those of the whole file of tests."""
    yield shared_page
    shared_page.reset()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[QueueRunner]:
    """Queues over a fresh fake engine, one run at a time."""
    runner = QueueRunner(FakeEngine(), InProcessDecoder(), slots=RunSlots(1), folder=tmp_path / "queues", limits=Limits())
    yield runner
    wait(runner.open(OURS))


@pytest.fixture
def queue(runner: QueueRunner) -> RecordingQueue:
    """The page's own queue."""
    return runner.open(OURS)


@pytest.fixture
def ask(runner: QueueRunner) -> QueueClient:
    """``ask("/…")``: what the page's script is answered."""
    return QueueClient(runner)


@pytest.fixture(scope="session")
def two_words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds with two loud stretches, which the fake engine calls segments."""
    path = tmp_path_factory.mktemp("audio") / "two words.wav"
    samples = np.zeros(48_000, np.float32)
    for start in (8_000, 30_000):
        samples[start : start + 10_000] = 0.3 * np.sin(np.arange(10_000) * 0.2)
    soundfile.write(path, samples, 16_000)
    return path

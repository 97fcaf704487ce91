"""The page with finished transcripts in a queue, on a port of its own in this process: for its figures and for tests of the browser."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import uvicorn

from engine.audio.sandbox.decoder import Decoder
from engine.options import TranscribeOptions
from engine.speech_engine import SpeechEngine
from engine.transcript import Transcript
from ui.history.options import HistoryOptions
from ui.scheduling.recording_queue import Entry, RecordingQueue, Result
from ui.serve import build_app
from ui.transcribe.viewer_data import recognized_gzip

QUEUE_ID = "f" * 32
#: Puts the page on that queue before its scripts run.
OPEN_THE_QUEUE = f"sessionStorage.setItem('lightvoice-queue', '{QUEUE_ID}')"
START_WITHIN_S = 120.0
_COLUMNS = 1_000


@dataclass(frozen=True)
class Shown:
    """Where the page answers, and the queue that it shows."""

    address: str
    queue: RecordingQueue

    def add(self, transcript: Transcript, playback: Path | None = None) -> Entry:
        """Put a transcript into the queue as a recording that was just recognized."""
        source = self.queue._folder.parent / "source.wav"  # noqa: SLF001 - a file of the server's own
        source.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(source, np.zeros(1_600, np.float32), 16_000)
        peaks = np.abs(np.sin(np.arange(_COLUMNS) / 7)).astype(np.float32)
        result = Result(transcript=transcript, peaks=peaks, playback=playback)
        recognized_gzip(result)  # as a run does; first, for the server ends what runs in the queue of a page that was closed
        entry = self.queue.add(source, transcript.file)
        self.queue.submit(TranscribeOptions())
        self.queue.begin()
        self.queue.finish(entry.id, result)
        return entry


@contextmanager
def shown_transcripts(
    engine: SpeechEngine, decoder: Decoder, files: Path, transcripts: Sequence[Transcript] = (), *, history: HistoryOptions | None = None
) -> Iterator[Shown]:
    """Serve the page until the block ends; ``files`` is a folder of its own."""
    made: list[tuple[uvicorn.Server, RecordingQueue]] = []

    def run() -> None:  # all of it in one thread: building the page needs an event loop that nobody else has
        app = build_app(engine, files=files, decoder=decoder, history=history)
        config = uvicorn.Config(app, port=0, log_config=None, server_header=False, proxy_headers=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        made.append((server, app.state.recordings.open(QUEUE_ID)))
        server.run()

    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        deadline_s = time.monotonic() + START_WITHIN_S
        while not (made and made[0][0].started):
            if time.monotonic() > deadline_s or not thread.is_alive():
                raise TimeoutError(f"the page did not come up within {START_WITHIN_S:g} s")
            time.sleep(0.05)
        server, queue = made[0]
        shown = Shown(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", queue)
        for transcript in transcripts:
            shown.add(transcript)
        yield shown
    finally:
        for server, _ in made:
            server.should_exit = True
        thread.join(20)
        if before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = before

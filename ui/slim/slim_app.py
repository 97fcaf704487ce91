"""The slim page's web application: one WAV file at a time goes in as it is, the transcript comes back. No Gradio, no other format."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import CancelCheck
from engine.errors import OnlyWavError
from engine.options import TranscribeOptions
from engine.runtime.session import release_memory, rss_mb
from ui.api.errors import STOPPED_FOR_S
from ui.http.access.credentials import Credentials
from ui.http.callers import caller_of
from ui.http.middleware import add_middleware_layers, checks
from ui.http.reach import Reach
from ui.limits import Limits
from ui.scheduling.run_slots import LineFullError, RunSlots, StoppingError
from ui.scheduling.slot_run import CallerLeftError, hung_up, run_in_slot
from ui.scheduling.storage import Storage, StorageGuard
from ui.slim.document_process import DocumentError, document, document_source
from ui.slim.memory_probe import ProbeError, Saving, measure_saving
from ui.slim.slim_html import (
    document_html,
    failure_html,
    not_measured_html,
    not_written_html,
    saving_html,
    state_html,
    too_large_html,
    transcript_html,
)
from ui.status.health import Health
from ui.status.metrics import Metrics
from ui.status.run_log import RunLog
from ui.text.failures import failure_of
from ui.text.texts import Texts, preferred_language
from ui.transcribe.exports import MEDIA_TYPES, TEXT_DOWNLOADS, download, file_stem
from ui.widgets.subtitle_fields import subtitle_options

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

FAVICON = Path(__file__).parent.parent / "assets" / "favicon.svg"
#: libsndfile's names for RIFF WAVE, with its extensible header and its 64-bit sizes among them.
WAV_FORMATS = frozenset({"WAV", "WAVEX", "RF64"})
#: Other pages can make a browser send forms here, but not these types.
SOUND, COMMAND = "application/octet-stream", "application/json"
#: What nginx calls a request whose client has left: nobody reads the answer.
CLIENT_LEFT = 499
#: Recordings that may wait for a slot, beside the one that runs.
MOST_WAITING = 16

#: The transcript of a day is smaller.
MOST_SOURCE_BYTES = 16_000_000
_log = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Response]]


def slim_app(
    engine: SpeechEngine,
    decoder: Decoder,
    *,
    files: Path,
    limits: Limits,
    credentials: Credentials | None = None,
    show_text: bool = False,
    reach: Reach | None = None,
) -> Starlette:
    """The application; ``files`` is a folder of this server's own, which holds an upload for as long as it is read."""
    slots = RunSlots(1, most_waiting=MOST_WAITING)  # a second run would need its own buffers
    health = Health(engine, slots)
    metrics = Metrics(
        {
            "runs_running": ("Runs that hold a queue slot.", slots.running),
            "runs_waiting": ("Callers that wait for a queue slot.", slots.waiting),
            "lightweight": ("1 while lightweight mode is on.", lambda: float(engine.lightweight)),
            "ready": ("1 once the models are loaded.", lambda: float(health.is_loaded())),
        }
    )
    page = _SlimPage(engine, decoder, files / "uploads", limits, slots, RunLog(count=metrics.count_run, show_text=show_text))

    def said(answer: Answer, media_type: str) -> Answer:
        async def guarded(request: Request) -> Response:
            return await answer(request) if request.headers.get("content-type") == media_type else Response(status_code=415)

        return guarded

    app = Starlette(
        routes=[
            Route("/", page.document),
            Route("/favicon.svg", page.favicon),
            Route("/state", page.state),
            Route("/transcribe", said(page.transcribe, SOUND), methods=["POST"]),
            Route("/lightweight", said(page.lightweight, COMMAND), methods=["POST"]),
            Route("/measure", said(page.measure, COMMAND), methods=["POST"]),
            Route("/document", said(page.document_of, COMMAND), methods=["POST"]),
            *(Route(path, answer) for path, answer in checks(metrics, health).items()),
        ],
    )
    app.add_middleware(StorageGuard, storage=Storage(files, most_mb=limits.stored_mb), most_upload_bytes=limits.upload_bytes)
    add_middleware_layers(app, credentials=credentials or Credentials(), metrics=metrics, reach=reach or Reach())
    app.state.slots = slots
    return app


class _SlimPage:
    """What each route answers."""

    def __init__(self, engine: SpeechEngine, decoder: Decoder, uploads: Path, limits: Limits, slots: RunSlots, runs: RunLog) -> None:
        self._engine, self._decoder, self._uploads = engine, decoder, uploads
        self._limits, self._slots, self._runs = limits, slots, runs
        self._measuring = threading.Lock()
        self._writing = asyncio.Lock()  # a process at a time
        self._savings: dict[tuple[str, str], Saving] = {}

    async def document(self, request: Request) -> Response:
        """The page."""
        return HTMLResponse(document_html(self._engine.bundle, _texts(request)))

    async def favicon(self, _: Request) -> Response:
        """The page's sign."""
        return FileResponse(FAVICON)

    async def state(self, request: Request) -> Response:
        """Lightweight mode and memory."""
        return JSONResponse(self._state(_texts(request)))

    async def lightweight(self, request: Request) -> Response:
        """Switch lightweight mode for the whole server: ``{"on": true}``."""
        wanted = await request.json()
        if not isinstance(wanted, dict) or not isinstance(wanted.get("on"), bool):
            return Response(status_code=400)
        await run_in_threadpool(self._engine.set_lightweight, wanted["on"])
        return JSONResponse(self._state(_texts(request)))

    async def transcribe(self, request: Request) -> Response:
        """A recording, the body; ``name``, ``language``, ``channel``, ``itn`` and the subtitles' options in the query: HTML and files."""
        texts, name = _texts(request), request.query_params.get("name", "recording.wav")
        folder = self._uploads / uuid.uuid4().hex
        try:
            path = folder / f"{file_stem(name)}.wav"
            await run_in_threadpool(partial(folder.mkdir, parents=True))
            if not await self._received(request, path):
                return JSONResponse({"failure": too_large_html(self._limits.upload_mb, texts)}, status_code=413)
            run = partial(self._transcribed, path, name, dict(request.query_params), texts)
            answer = await run_in_slot(self._slots, caller_of(request), hung_up(request), run)
        except (CallerLeftError, ClientDisconnect):
            return Response(status_code=CLIENT_LEFT)
        except LineFullError as error:
            return _come_back(error, status=429, wait_s=error.wait_s, texts=texts)
        except StoppingError as error:
            return _come_back(error, status=503, wait_s=STOPPED_FOR_S, texts=texts)
        except Exception as error:  # noqa: BLE001 - the page's last line: whatever it is, it is said, or logged with a number (failure_of)
            return JSONResponse({"failure": failure_html(failure_of(error), texts)}, status_code=400)
        finally:
            await run_in_threadpool(partial(shutil.rmtree, folder, ignore_errors=True))
        return JSONResponse(answer)

    async def measure(self, request: Request) -> Response:
        """What the slim page saves on this machine with the bundle and the precision in force."""
        texts = _texts(request)
        try:
            return JSONResponse({"html": await run_in_threadpool(self._saving, texts)})
        except ProbeError as error:
            return JSONResponse({"failure": not_measured_html(str(error), texts)}, status_code=500)

    async def document_of(self, request: Request) -> Response:
        """The DOCX document of the transcript that the page got with ``source``, the body."""
        source = bytearray()
        async for piece in request.stream():
            source += piece
            if len(source) > MOST_SOURCE_BYTES:
                return Response(status_code=413)
        try:
            async with self._writing:
                content = await run_in_threadpool(document, bytes(source))
        except DocumentError as error:
            _log.warning("no document: %s", error)
            return JSONResponse({"failure": not_written_html(str(error), _texts(request))}, status_code=400)
        return Response(content, media_type=MEDIA_TYPES["docx"], headers={"cache-control": "no-store"})

    async def _received(self, request: Request, path: Path) -> bool:
        size = 0
        with path.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > self._limits.upload_bytes:
                    return False
                await run_in_threadpool(file.write, piece)  # a disk that is slow is waited for by this upload alone
        return True

    def _transcribed(self, path: Path, name: str, query: dict[str, str], texts: Texts, cancel_check: CancelCheck) -> dict[str, object]:
        if (found := self._decoder.probe(path)) is None or found.container not in WAV_FORMATS:
            raise OnlyWavError(path=name)
        subtitles = subtitle_options(query)
        options = TranscribeOptions.parse({option: query.get(option) for option in ("language", "channel", "itn")})
        transcript = self._engine.transcribe(
            self._decoder.open(path, max_duration_s=self._limits.duration_s, cancel_check=cancel_check, read=options.read),
            options,
            file=Path(name).name,
            progress=lambda _fraction, _stage: cancel_check(),
        )
        release_memory()
        self._runs.record(transcript, source="slim")
        files = {output_format: download(transcript, output_format, subtitles=subtitles) for output_format in TEXT_DOWNLOADS}
        return {
            "html": transcript_html(transcript, texts),
            "downloads": {name: {"name": file, "text": content.decode("utf-8")} for name, (file, content) in files.items()},
            "document": {"name": f"{file_stem(transcript.file)}.docx", "source": document_source(transcript)},
            "state": self._state(texts),
        }

    def _state(self, texts: Texts) -> dict[str, object]:
        precision = self._engine.precision
        return {"on": self._engine.lightweight, "html": state_html(precision, rss_mb(), texts)}

    def _saving(self, texts: Texts) -> str:
        bundle, precision = self._engine.bundle, self._engine.precision
        with self._measuring:  # once for everybody who asks
            saving = self._savings.get((str(bundle.folder), precision))
            if saving is None:
                saving = self._savings[(str(bundle.folder), precision)] = measure_saving(bundle.folder, precision)
        return saving_html(saving, precision, texts)


def _come_back(error: Exception, *, status: int, wait_s: int, texts: Texts) -> Response:
    """An answer that says when to try again."""
    said = {"failure": failure_html(failure_of(error), texts)}
    return JSONResponse(said, status_code=status, headers={"retry-after": str(wait_s)})


def _texts(request: Request) -> Texts:
    return Texts(preferred_language(request.headers.get("accept-language", "")))

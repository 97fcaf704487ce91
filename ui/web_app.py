"""The page as a web application: Gradio's Blocks, the API and the scripts' routes behind the middleware; ui/serve.py puts it on a port."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from fastapi import FastAPI

from engine.audio.sandbox.decoder import Decoder
from ui.api.endpoints import add_endpoints
from ui.api.http_api import ANYTHING_ELSE, http_api
from ui.history.history import History
from ui.history.options import HistoryOptions
from ui.history.routes import history_routes
from ui.http.access.credentials import Credentials
from ui.http.access.managing import Managing
from ui.http.forwarded import GradioAddress
from ui.http.gradio_guard import GradioGuard
from ui.http.methods import AllowedMethods
from ui.http.middleware import add_middleware_layers, checks
from ui.http.reach import Reach
from ui.limits import Limits
from ui.live.routes import live_routes
from ui.live.sessions import LiveSessions
from ui.loading.page_loading import PageHtml, PageLoading
from ui.models.state import ModelState
from ui.page import build_page
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.server_folders import ServerFolders
from ui.scheduling.storage import Storage, StorageGuard, sweep_on_schedule
from ui.status.health import Health
from ui.status.metrics import Metrics
from ui.status.run_log import RunLog
from ui.status.server_state import ServerState
from ui.text.texts import browser_translations
from ui.theme import FAVICON, STYLE_SHEETS, build_theme, head
from ui.transcribe.queue_routes import queue_routes
from ui.widgets.recording_form import EXAMPLES_FOLDER

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

_SESSIONS_KEPT = 200
#: A label among the components' values, as ui.text.texts.label() writes it.
_LABEL = re.compile(r'"key\\*": \\*"([\w.-]+)')


def page_app(  # noqa: PLR0913 - the command line's options, keyword-only
    engine: SpeechEngine,
    decoder: Decoder,
    *,
    files: Path,
    host: str,
    port: int,
    limits: Limits,
    managing: Managing | None,
    credentials: Credentials,
    show_text: bool,
    reach: Reach,
    history: HistoryOptions | None,
) -> FastAPI:
    """The page at ``/``, the API, what the page's scripts ask, and ``GET /healthz``; arguments as those of ``ui.serve.build_app``."""
    managing = managing or Managing()
    slots = RunSlots(limits.concurrent_runs, most_waiting=limits.waiting_runs)
    state, health = ServerState(engine), Health(engine, slots)
    metrics = Metrics(
        {
            "runs_running": ("Runs that hold a queue slot.", slots.running),
            "runs_waiting": ("Callers that wait for a queue slot.", slots.waiting),
            "recordings_waiting": ("Recordings and requests that wait or run, over all pages and programs.", state.queue_length),
            "live_streams": ("Live streams that run.", lambda: live.running()),  # noqa: PLW0108 - live is made later: it counts its runs here
            "lightweight": ("1 while lightweight mode is on.", lambda: float(engine.lightweight)),
            "ready": ("1 once the models are loaded.", lambda: float(health.is_loaded())),
        }
    )
    kept = None if history is None else History(history)
    runs = RunLog(count=metrics.count_run, show_text=show_text)
    live = LiveSessions(engine, max_duration_s=limits.duration_s, slots=RunSlots(limits.concurrent_live), runs=runs, history=kept)
    folders = ServerFolders(files)
    models = ModelState(engine, managing.workshop, managers=managing.managers(host))
    recordings = QueueRunner(engine, decoder, slots=slots, folder=folders.recordings, limits=limits, runs=runs, history=kept)
    state.add_queue(recordings.length)

    storage = Storage(files, most_mb=limits.stored_mb)

    def sweep() -> None:
        recordings.forget_unseen()
        storage.sweep(
            keep=(folders.recordings, folders.requests, folders.sent_models)
        )  # which lie there as long as their page, or their request

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweep_on_schedule(sweep))
        forgetting = asyncio.create_task(_forget_on_schedule(kept))
        yield
        sweeping.cancel()
        forgetting.cancel()
        live.close()  # whoever still speaks holds the models open
        if kept is not None:
            await asyncio.to_thread(kept.close)

    async def build() -> FastAPI:
        # ui/api/docs.py has its own documentation: FastAPI's asks another machine
        app = FastAPI(title="LightVoice", docs_url=None, redoc_url=None, lifespan=lifespan)
        for path, answer in checks(metrics, health).items():
            app.add_api_route(path, answer, methods=["GET"], response_model=None)
        routes = list(app.routes)
        api = http_api(
            engine=engine,
            decoder=decoder,
            state=state,
            models=models,
            limits=limits,
            slots=slots,
            runs=runs,
            requests=folders.requests,
        )
        own = [] if kept is None else [history_routes(kept, recordings)]
        for router in (queue_routes(recordings), live_routes(live), *own, api):
            app.include_router(router)
            routes += [route for route in router.routes if getattr(route, "path", None) != ANYTHING_ELSE]
        page = build_page(
            engine=engine,
            decoder=decoder,
            state=state,
            limits=limits,
            models=models,
            recordings=recordings,
            slots=slots,
            folders=folders,
            add_endpoints=partial(
                add_endpoints,
                engine=engine,
                decoder=decoder,
                state=state,
                limits=limits,
                slots=slots,
                runs=runs,
                requests=folders.requests,
            ),
        )
        loading = PageLoading(page)
        app.include_router(loading.routes())
        _mount(page, app, limits, host=host, port=port)
        app.add_middleware(PageHtml, change=loading.html)
        app.add_middleware(GradioAddress)
        app.add_middleware(AllowedMethods, routes=routes)
        app.add_middleware(GradioGuard, files=files, examples=EXAMPLES_FOLDER)
        app.add_middleware(StorageGuard, storage=storage, most_upload_bytes=limits.upload_bytes)
        add_middleware_layers(app, credentials=credentials, metrics=metrics, reach=reach)
        app.state.slots, app.state.recordings = slots, recordings
        return app

    # Gradio opens an event loop for every lock that it makes outside of one, and never closes it: make them inside of one.
    return asyncio.run(build())


async def _forget_on_schedule(history: History | None) -> None:
    """Forget what is too old when the server starts, and then again and again, whether anybody asks or not."""
    if history is not None:
        await asyncio.to_thread(history.forget)
        await sweep_on_schedule(history.forget)


def _labels(blocks: gr.Blocks) -> set[str]:
    """The keys of the labels on a page: other texts are written by the server, and need not go to the browser."""
    return set(_LABEL.findall(json.dumps([block.get_config() for block in blocks.blocks.values()], default=str)))


def _mount(blocks: gr.Blocks, app: FastAPI, limits: Limits, *, host: str, port: int) -> None:
    """Put the page under whatever the application does not answer itself."""
    blocks.state_session_capacity = _SESSIONS_KEPT
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=host,
        server_port=port,
        footer_links=[],
        run_history=False,
        allowed_paths=[str(EXAMPLES_FOLDER)],
        favicon_path=str(FAVICON),
        show_error=False,
        max_file_size=limits.upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        i18n=browser_translations(_labels(blocks)),
        theme=build_theme(),
        css_paths=list(STYLE_SHEETS),
        head=head(),
    )
    # Mounting, unlike launch(), leaves this unset, and with it unset Gradio does not check that a path which a client sends is
    # one that it uploaded: any file of this machine could be named (tests/ui/test_serve.py).
    blocks.has_launched = True

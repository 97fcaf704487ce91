"""The page as a web application: Gradio's Blocks, the API and the scripts' routes in one; ui/serve.py puts it on a port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from fastapi import FastAPI

from ui.context import PageContext
from ui.http_api import http_api
from ui.limits import Limits
from ui.live_routes import live_routes
from ui.live_sessions import LiveSessions
from ui.managing import Managing
from ui.model_state import ModelState
from ui.page import build_page
from ui.queue_routes import queue_routes
from ui.queue_runner import QueueRunner
from ui.recording_form import EXAMPLES_FOLDER
from ui.run_slots import RunSlots
from ui.security_headers import SecurityHeaders
from ui.server_state import ServerState
from ui.storage import BYTES_PER_MB, Storage, StorageGuard, sweep_on_schedule
from ui.texts import browser_translations
from ui.theme import FAVICON, STYLE_SHEETS, build_theme, head

if TYPE_CHECKING:
    from engine.pipeline import Engine

_SESSIONS_KEPT = 200


def page_app(engine: Engine, *, files: Path, host: str, port: int, limits: Limits, managing: Managing | None) -> FastAPI:
    """The page at ``/``, the API, what the page's scripts ask, and ``GET /healthz``; arguments as those of ``ui.serve.build_app``."""
    managing = managing or Managing()
    slots = RunSlots(limits.concurrent_runs)
    context = PageContext(
        engine=engine,
        state=ServerState(engine),
        exports=files / "exports",
        limits=limits,
        models=ModelState(engine, managing.workshop),
        recordings=QueueRunner(
            engine, slots=slots, folder=files / "recordings", workers=limits.concurrent_runs, max_duration_s=limits.duration_s
        ),
        slots=slots,
        managers=managing.managers(host),
    )
    context.state.add_queue(context.recordings.length)

    async def build() -> FastAPI:
        return _mounted(build_page(context), context, files, host=host, port=port)

    # Gradio opens an event loop for every lock that it makes outside of one, and never closes it: make them inside of one.
    return asyncio.run(build())


def _mounted(blocks: gr.Blocks, context: PageContext, files: Path, *, host: str, port: int) -> FastAPI:
    """The page as a web application, with the headers, the health check and the queue's routes around it."""
    engine, limits = context.engine, context.limits
    live = LiveSessions(engine, max_duration_s=limits.duration_s)

    storage = Storage(files, most_mb=limits.stored_mb)

    def sweep() -> None:
        context.recordings.forget_unseen()
        storage.sweep(keep=files / "recordings")  # which lie there as long as their page

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweep_on_schedule(sweep))
        yield
        sweeping.cancel()
        live.close()  # whoever still speaks holds the models open

    # ui/api_docs.py has its own: FastAPI's asks another machine
    app = FastAPI(title="LightVoice", docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "bundle": engine.bundle.name, "precision": engine.precision}

    app.include_router(queue_routes(context.recordings))
    app.include_router(live_routes(live))
    app.include_router(http_api(context, folder=files / "requests"))
    app.add_middleware(StorageGuard, storage=storage, most_upload_bytes=limits.upload_mb * BYTES_PER_MB)
    app.add_middleware(SecurityHeaders)
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
        max_file_size=f"{limits.upload_mb}mb",
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        i18n=browser_translations(),
        theme=build_theme(),
        css_paths=list(STYLE_SHEETS),
        head=head(),
    )
    # Mounting, unlike launch(), leaves this unset, and with it unset Gradio does not check that a path which a client sends is
    # one that it uploaded: any file of this machine could be named (tests/ui/test_serve.py).
    blocks.has_launched = True
    return app

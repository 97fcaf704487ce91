"""Puts the page on a port: one process, one port, nothing asked of any other machine; ``build_app`` is the same without a port."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import OptionError, PortUnavailableError
from ui.context import Limits, PageContext
from ui.http_api import http_api
from ui.live_routes import live_routes
from ui.live_sessions import LiveSessions
from ui.managing import Managing
from ui.model_state import ModelState
from ui.page import build_page
from ui.queue_routes import queue_routes
from ui.queue_runner import QueueRunner
from ui.recording_form import EXAMPLES_FOLDER
from ui.run_slots import RunSlots
from ui.server_state import ServerState
from ui.texts import browser_translations
from ui.theme import FAVICON, STYLE_SHEETS, build_theme, head

if TYPE_CHECKING:
    from engine.pipeline import Engine

_log = logging.getLogger(__name__)

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860
GRACEFUL_STOP_S = 3
_SESSIONS_KEPT = 200
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on

#: The browser itself refuses to fetch anything from another machine, whatever a future Gradio puts into its page.
#: Gradio compiles its templates in the browser ('unsafe-eval') and styles elements inline.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class SecurityHeaders:
    """ASGI middleware that adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; headers are added as an answer starts."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", ())}
                added = [(name, value) for name, value in _HEADERS if name not in present]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def build_app(
    engine: Engine,
    *,
    files: Path,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    limits: Limits | None = None,
    managing: Managing | None = None,
) -> FastAPI:
    """The web application: the page at ``/`` and ``GET /healthz``.

    ``files`` is a folder of this server's own, for uploads and downloads; Gradio reads its place from the environment, which
    :func:`serve` sets while it runs. ``managing`` brings the workshop and says who may use it.
    """
    limits, managing = limits or Limits(), managing or Managing()
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
    app = FastAPI(title="LightVoice", docs_url=None, redoc_url=None)  # ui/api_docs.py has its own: FastAPI's asks another machine

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "bundle": engine.bundle.name, "precision": engine.precision}

    app.include_router(queue_routes(context.recordings))
    app.include_router(live_routes(live))
    app.state.live = live
    app.include_router(http_api(context, folder=files / "requests"))
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


def serve(  # noqa: PLR0913 - the command line's options, keyword-only
    engine: Engine,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    ssl_certfile: str | Path | None = None,
    ssl_keyfile: str | Path | None = None,
    ssl_self_signed: bool = False,
    limits: Limits | None = None,
    managing: Managing | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until SIGINT or SIGTERM; the engine stays open and belongs to the caller.

    ``port`` 0 takes a free one. ``on_ready`` is called with the page's address once it answers. HTTPS is served with the files
    of a certificate, or with ``ssl_self_signed`` one of our own. Raises PortUnavailableError when the port cannot be listened on.
    """
    if ssl_self_signed:
        ssl_certfile = _own_certificate(host, given=ssl_certfile or ssl_keyfile)
    with _private_files() as files, _listening(host, port) as listener:
        number = int(listener.getsockname()[1])
        app = build_app(engine, files=files, host=host, port=number, limits=limits, managing=managing)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
            timeout_graceful_shutdown=GRACEFUL_STOP_S,
        )
        _load(config)
        scheme = "https" if config.is_ssl else "http"
        address = f"{scheme}://{_reachable(host)}:{number}"
        server = _Server(config, ready=lambda: on_ready(address) if on_ready else None)
        try:
            with server.stopped_by_signals():
                server.run(sockets=[listener])
        finally:
            app.state.live.close()  # whoever still speaks holds the models open


def _own_certificate(host: str, *, given: str | Path | None) -> Path:
    """A self-signed certificate for all that this machine answers to."""
    if given:
        raise OptionError(f"--ssl-self-signed makes a certificate, and {given} is given as well; leave one of them out")
    from ui.certificates import names_of_this_machine, self_signed  # noqa: PLC0415 - 15 MB that plain HTTP does without

    names = names_of_this_machine() | (set() if host in _EVERY_ADDRESS else {host})
    made = self_signed(names)
    _log.info("self-signed certificate %s, until %s; SHA-256 %s", made.path, made.expires_at.date(), made.fingerprint)
    return made.path


def _load(config: uvicorn.Config) -> None:
    """Read the certificate now, while a wrong one can still be said in one line."""
    if not config.is_ssl:
        return
    files = f"{config.ssl_certfile} and {config.ssl_keyfile}"
    remedy = "give --ssl-certfile and --ssl-keyfile as PEM files"
    if not config.ssl_certfile:
        raise OptionError(f"cannot serve HTTPS with {files} (a key without a certificate); {remedy}")
    try:
        config.load()
    except OSError as error:
        raise OptionError(f"cannot serve HTTPS with {files} ({error.strerror}); {remedy}") from error


class _Server(uvicorn.Server):
    """Uvicorn that says when it answers, and that ends quietly: its own handlers raise the signal again, past our clean-up."""

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop the server while this is open; a second one does not wait for requests."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.force_exit = self.should_exit
            self.should_exit = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _private_files() -> Iterator[Path]:
    """A folder for uploads and downloads that only this user can read and that is gone when the server stops."""
    folder = Path(tempfile.mkdtemp(prefix="lightvoice-", dir=os.environ.get("GRADIO_TEMP_DIR")))
    before = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED")}
    os.environ.update(GRADIO_TEMP_DIR=str(folder), GRADIO_ANALYTICS_ENABLED="False")
    try:
        yield folder
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise PortUnavailableError(host=host, port=port, reason=error.strerror or str(error)) from error
    with listener:
        yield listener


def _reachable(host: str) -> str:
    """The name under which a browser on this machine finds the page."""
    if host in _EVERY_ADDRESS:
        return "localhost"
    return f"[{host}]" if ":" in host else host

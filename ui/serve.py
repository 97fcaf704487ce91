"""Puts the page on a port: one process, one port, nothing asked of any other machine; ``build_app`` is the same without a port."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette

from engine.audio.sandbox.decoder import MOST_WORKERS, DecodeLimits, Decoder
from engine.errors import OptionError
from engine.files.claimed_folder import claimed_folder
from ui.command_line import DEFAULT_HOST, DEFAULT_PORT
from ui.history.options import HistoryOptions
from ui.http.access.credentials import AUTH_VARIABLE, Credentials
from ui.http.callers import is_loopback
from ui.http.lean_gradio import without_stubs
from ui.http.listening import EVERY_ADDRESS, listening
from ui.http.reach import Reach
from ui.limits import Limits
from ui.scheduling.run_slots import RunSlots

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine
    from ui.http.access.managing import Managing

_log = logging.getLogger(__name__)

#: Once nothing runs any more, answers that are on their way get this long, and streams to open pages end.
GRACEFUL_STOP_S = 3
#: Longer than clients keep an idle connection for its next request. With uvicorn's 5 s, which are httpx's as well, one request of 2 500
#: met a connection that was just being closed.
KEEP_ALIVE_S = 75
FILES_PREFIX = "lightvoice-files-"
#: The slim page is there to save memory: its decoder's 30 MB are given back as soon as nobody sends files.
SLIM_IDLE_S = 10.0
#: Runs get this long to end when the server is asked to stop.
RUNS_END_WITHIN_S = 30.0


def build_app(  # noqa: PLR0913 - the command line's options, keyword-only
    engine: SpeechEngine,
    *,
    files: Path,
    decoder: Decoder | None = None,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    limits: Limits | None = None,
    managing: Managing | None = None,
    slim: bool = False,
    credentials: Credentials | None = None,
    show_text: bool = False,
    reach: Reach | None = None,
    history: HistoryOptions | None = None,
) -> Starlette:
    """The web application: the page at ``/``, behind the middleware, and ``/healthz``, ``/readyz`` and ``/metrics``.

    ``files`` is a folder of this server's own, for uploads and downloads; Gradio reads its place from the environment, which
    :func:`serve` sets while it runs. ``decoder`` reads the recordings (None: one of the page's own). ``managing`` brings the
    workshop and says who may use it. ``slim`` is the page that does without Gradio: only what is served is imported.
    ``credentials`` are who may come in (None: everybody); ``show_text`` puts recognized text into the log; ``reach`` says below
    which path a proxy shows the page, and which other sites may use ``/v1``.
    ``app.state.slots`` holds the queue slots, ``app.state.recordings`` the queues of the full page.
    """
    limits, credentials, reach = limits or Limits(), credentials or Credentials(), reach or Reach()
    decoder = decoder or _decoder(limits, slim=slim)
    if slim:
        from ui.slim.slim_app import slim_app  # noqa: PLC0415 - see above

        if reach.origins:
            raise OptionError("--allow-origin lets other sites use /v1, which the slim page has not; leave --slim or --allow-origin out")
        return slim_app(engine, decoder, files=files, limits=limits, credentials=credentials, show_text=show_text, reach=reach)
    with without_stubs():
        from ui.web_app import page_app  # noqa: PLC0415 - see above

    return page_app(
        engine,
        decoder,
        files=files,
        host=host,
        port=port,
        limits=limits,
        managing=managing,
        credentials=credentials,
        show_text=show_text,
        reach=reach,
        history=history,
    )


def serve(  # noqa: PLR0913 - the command line's options, keyword-only
    engine: SpeechEngine,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    ssl_certfile: str | Path | None = None,
    ssl_keyfile: str | Path | None = None,
    ssl_self_signed: bool = False,
    limits: Limits | None = None,
    managing: Managing | None = None,
    slim: bool = False,
    credentials: Credentials | None = None,
    show_text: bool = False,
    reach: Reach | None = None,
    history: HistoryOptions | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until SIGINT or SIGTERM; the engine stays open and belongs to the caller.

    The first signal lets what runs come to its end, for at most ``RUNS_END_WITHIN_S``; a second one does not wait.

    ``port`` 0 takes a free one. ``on_ready`` is called with the page's address once it answers. HTTPS is served with the files
    of a certificate, or with ``ssl_self_signed`` one of our own. Raises PortUnavailableError when the port cannot be listened on.
    """
    host = host.removeprefix("[").removesuffix("]")  # as an address has an IPv6 host
    if ssl_self_signed:
        ssl_certfile = _own_certificate(host, given=ssl_certfile or ssl_keyfile)
    limits = limits or Limits()
    with _private_files() as files, listening(host, port) as listeners, closing(_decoder(limits, slim=slim)) as decoder:
        decoder.warm_up()  # beside what loads the page
        number = int(listeners[0].getsockname()[1])
        app = build_app(
            engine,
            files=files,
            decoder=decoder,
            host=host,
            port=number,
            limits=limits,
            managing=managing,
            slim=slim,
            credentials=credentials,
            show_text=show_text,
            reach=reach,
            history=history,
        )
        _warn_without_password(host, credentials or Credentials())
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # ui/http/forwarded.py reads them
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
            timeout_graceful_shutdown=GRACEFUL_STOP_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        _load(config)
        scheme = "https" if config.is_ssl else "http"
        address = f"{scheme}://{_reachable(host)}:{number}"
        server = _Server(config, slots=app.state.slots, ready=lambda: on_ready(address) if on_ready else None)
        with server.stopped_by_signals():
            server.run(sockets=listeners)


def _decoder(limits: Limits, *, slim: bool) -> Decoder:
    """What reads a server's recordings."""
    duration_s = DecodeLimits.duration_s if limits.duration_s is None else limits.duration_s
    idle_s = SLIM_IDLE_S if slim else DecodeLimits.idle_s
    return Decoder(limits=DecodeLimits(duration_s=duration_s, idle_s=idle_s), at_once=max(MOST_WORKERS, limits.concurrent_runs))


def _own_certificate(host: str, *, given: str | Path | None) -> Path:
    """A self-signed certificate for all that this machine answers to."""
    if given:
        raise OptionError(f"--ssl-self-signed makes a certificate, and {given} is given as well; leave one of them out")
    from ui.http.certificates import names_of_this_machine, self_signed  # noqa: PLC0415 - 15 MB that plain HTTP does without

    names = names_of_this_machine() | (set() if host in EVERY_ADDRESS else {host})
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
        raise OptionError(f"cannot serve HTTPS with {files} ({error.strerror or type(error).__name__}); {remedy}") from error


def _warn_without_password(host: str, credentials: Credentials) -> None:
    """Warn where other machines can reach a page that asks for no password."""
    if is_loopback(host) or credentials.for_page:
        return
    _log.warning(
        "listening on %s without a password: whoever reaches this port can use the page; "
        "give --auth FILE (lines NAME:PASSWORD) or %s, or leave --host out",
        host,
        AUTH_VARIABLE,
    )


class _Server(uvicorn.Server):
    """Uvicorn that says when it answers, lets what runs come to its end, and ends quietly.

    Its own handlers raise the signal again, past our clean-up.
    """

    def __init__(self, config: uvicorn.Config, *, slots: RunSlots, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._slots, self._ready = slots, ready
        self._asked_to_stop = False
        self._stop_at_s: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: begin to stop where that was asked for, and stop once nothing runs any more."""
        if self._asked_to_stop and not self.should_exit:
            if self._stop_at_s is None:
                # Not in the signal's handler: it interrupts whoever holds the lock of the slots.
                self._slots.close()
                self._stop_at_s = time.monotonic() + RUNS_END_WITHIN_S
                _log.info("stopping: %d runs come to their end first", self._slots.running())
            self.should_exit = not self._slots.running() or time.monotonic() > self._stop_at_s
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop the server while this is open; a second one does not wait for anything."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_number: int, _frame: FrameType | None) -> None:
            if self._asked_to_stop:
                self.force_exit = self.should_exit
                self.should_exit = True
            self._asked_to_stop = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _private_files() -> Iterator[Path]:
    """A folder for uploads and downloads that only this user can read and that is gone when the server stops.

    What a server that was killed left behind is removed as well.
    """
    parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    with claimed_folder(parent, FILES_PREFIX) as folder, _told_to_gradio(folder):
        yield folder


@contextmanager
def _told_to_gradio(folder: Path) -> Iterator[None]:
    """Gradio reads the place of its files from the environment."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = before


def _reachable(host: str) -> str:
    """The name under which a browser on this machine finds the page."""
    if host in EVERY_ADDRESS:
        return "localhost"
    return f"[{host}]" if ":" in host else host

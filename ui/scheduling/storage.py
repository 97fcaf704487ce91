"""What visitors' recordings may take of this server's disk: a bound on all together, room left for the machine, deleted on a schedule."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from markupsafe import escape
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.errors import StorageFullError
from engine.files.sizes import BYTES_PER_MB
from ui.api.errors import error_answer

_log = logging.getLogger(__name__)

#: Left free on the disk for everybody else.
RESERVE_BYTES = 16 * BYTES_PER_MB
#: Files that no page holds any more are deleted after an hour; looked for every ten minutes.
SWEEP_EVERY_S = 600.0
DELETE_AFTER_S = 3600.0
#: Where recordings come in: the page, the API, the slim page.
SLIM_PATH = "/transcribe"
UPLOAD_PATHS = frozenset({"/gradio_api/upload", "/v1/audio/transcriptions", "/v1/audio/tracks", SLIM_PATH})


class Storage:
    """The folder of one server's uploads, recordings and downloads."""

    def __init__(self, folder: Path, *, most_mb: int, clock_s: Callable[[], float] = time.time) -> None:
        self._folder, self._most_bytes, self._clock_s = folder, most_mb * BYTES_PER_MB, clock_s
        self._lock = threading.Lock()
        self._coming_bytes = 0

    def used_bytes(self) -> int:
        """What lies in the folder; a file under two names counts once, for that is how it takes space."""
        return sum({(status.st_dev, status.st_ino): status.st_size for _, status in self._files()}.values())

    @contextmanager
    def room_for(self, size_bytes: int) -> Iterator[None]:
        """Set so much aside while it comes in; StorageFullError where there is no room."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            wanted = self._coming_bytes + size_bytes
            if self.used_bytes() + wanted > self._most_bytes:
                raise StorageFullError(reason=f"{self._most_bytes // BYTES_PER_MB} MB are set aside for recordings, and they are in use")
            if shutil.disk_usage(self._folder).free < wanted + RESERVE_BYTES:
                raise StorageFullError(reason="its disk is full")
            self._coming_bytes = wanted
        try:
            yield
        finally:
            with self._lock:
                self._coming_bytes -= size_bytes

    def sweep(self, *, keep: Collection[Path]) -> int:
        """Delete files that have lain for an hour, those below the folders ``keep`` excepted: -> how many."""
        deleted = 0
        for path, status in list(self._files()):
            if any(path.is_relative_to(folder) for folder in keep) or self._clock_s() - status.st_mtime < DELETE_AFTER_S:
                continue
            path.unlink(missing_ok=True)
            with suppress(OSError):  # other files are in it
                path.parent.rmdir()
            deleted += 1
        if deleted:
            _log.info("deleted %d files of recordings that have lain for an hour", deleted)
        return deleted

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):  # it was deleted meanwhile
                    yield path, path.lstat()


async def sweep_on_schedule(sweep: Callable[[], object], *, every_s: float = SWEEP_EVERY_S) -> None:
    """Call ``sweep`` in a thread, again and again, until this is cancelled."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await asyncio.to_thread(sweep)
        except OSError as error:
            _log.warning("old recordings could not be deleted: %s", error)


def _refusal(path: str, error: StorageFullError) -> Response:
    """The refusal as whoever asked shows it: Gradio's page takes text, the slim page HTML in JSON, programs OpenAI's object."""
    if path.startswith("/v1/"):
        return error_answer(error)
    if path == SLIM_PATH:
        return JSONResponse({"failure": escape(str(error))}, status_code=507)
    return PlainTextResponse(str(error), status_code=507)


class StorageGuard:
    """ASGI middleware that asks for room before an upload is read, and refuses with 507 where there is none."""

    def __init__(self, app: ASGIApp, *, storage: Storage, most_upload_bytes: int) -> None:
        self._app, self._storage, self._most_upload_bytes = app, storage, most_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let everything else pass."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in UPLOAD_PATHS:
            await self._app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"")
        size = min(int(stated), self._most_upload_bytes) if stated.isdigit() else self._most_upload_bytes
        room = self._storage.room_for(size)
        try:
            await asyncio.to_thread(room.__enter__)
        except StorageFullError as error:
            await _refusal(scope["path"], error)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            room.__exit__(None, None, None)

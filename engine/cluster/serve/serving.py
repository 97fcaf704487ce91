"""The engine on Ray Serve: one autoscaled deployment a precision, and a front that knows them all.

``serve run engine.cluster.serve.serving:app bundle=starter`` or ``python -m engine.cluster serve``; the page and its ``/v1`` are clients of
it (:mod:`engine.cluster.serve.remote_engine`). Requests and answers are those of :mod:`engine.cluster.serve.protocol`.

A replica that is lost in the middle of a run costs a retry: the front runs it again on another one, and leaves out the segments
that it has passed on already. Where every replica has its queue full, the front answers 503, and the client comes back later.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from engine.audio.sandbox.decoder import Decoder
from engine.bundle import MANIFEST
from engine.cluster.job import installed
from engine.cluster.serve.protocol import DESCRIBE, MEDIA_TYPE, TRANSCRIBE, Answer, error_line, received
from engine.errors import UnknownPrecisionError
from engine.options import CURRENT
from engine.pipeline import Engine

log = logging.getLogger(__name__)

PRECISIONS = ("fp32", "int8")
#: Runs that a replica takes at a time beside one a thread: the next one has been received when one of them ends.
RUNS_BESIDE = 1
#: Runs that may wait at the front for each precision; more are asked to come back.
MOST_WAITING = 64
#: Times that a run is begun, on one replica after another.
ATTEMPTS = 5
BUSY = 503


class _LeftError(Exception):
    """The client of a run has left."""


class Replica:
    """One precision of one bundle in a process of its own."""

    def __init__(self, bundle: str, precision: str, device: str, threads: int) -> None:
        self._engine = Engine(installed(bundle), precision=precision, device=device, threads=threads)
        self._precision, self._decoder = precision, Decoder()
        self._engine.warm_up()

    def transcribe(self, content: bytes, values: Mapping[str, Any]) -> Iterator[str]:
        """The lines of one answer, as they come; stops the run when the client stops reading."""
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        left = threading.Event()
        threading.Thread(target=self._run, args=(content, values, lines.put, left), daemon=True).start()
        try:
            while (answer_line := lines.get()) is not None:
                yield answer_line
        finally:
            left.set()  # the run ends at its next step; closing a generator does not wait for it

    def _run(self, content: bytes, values: Mapping[str, Any], put: Any, left: threading.Event) -> None:
        def report(fraction: float, stage: str) -> None:
            if left.is_set():
                raise _LeftError
            put(Answer(progress=(round(fraction, 4), stage)).line())

        try:
            with received(values, content, decoder=self._decoder) as request:
                transcript = self._engine.transcribe(
                    request.recording,
                    replace(request.options, precision=self._precision),
                    file=request.file,
                    progress=report,
                    on_segment=lambda segment: put(Answer(segment=segment).line()),
                )
            resources = self._engine.resources()
            put(Answer(transcript=transcript, sessions_mb=sum(one["mb"] for one in resources["sessions"])).line())
        except _LeftError:
            log.info("stopped a run whose client has left")
        except Exception as error:  # noqa: BLE001 - any error becomes the last line of the answer
            put(error_line(error))
        finally:
            put(None)

    def check_health(self) -> None:
        """Called by Serve: a process that answers is healthy."""


class Front:
    """The HTTP endpoint: describes the engine, and passes runs on to the replicas of their precision."""

    def __init__(self, manifest: Mapping[str, Any], **replicas: Any) -> None:
        self._manifest, self._replicas = manifest, replicas

    async def __call__(self, request: Request) -> Response:
        """``GET …/engine`` and ``POST …/transcribe``."""
        asked = request.url.path.rsplit("/", 1)[-1]
        if request.method == "GET" and asked == DESCRIBE:
            return JSONResponse({"bundle": self._manifest, "precisions": list(self._replicas)})
        if request.method != "POST" or asked != TRANSCRIBE:
            return JSONResponse({"error": f"there is no {request.method} {request.url.path}"}, status_code=404)
        try:
            values = dict(json.loads(request.query_params["options"]))
        except (KeyError, ValueError, TypeError):
            return JSONResponse({"error": "options is no JSON object; see engine/cluster/serve/protocol.py"}, status_code=400)
        precision = values.get("precision", CURRENT)
        precision = next(iter(self._replicas)) if precision == CURRENT else precision
        if precision not in self._replicas:
            return Response(error_line(UnknownPrecisionError(precision=precision, known=self._replicas)), media_type=MEDIA_TYPE)
        return await self._passed_on(precision, await request.body(), values)

    async def _passed_on(self, precision: str, content: bytes, values: Mapping[str, Any]) -> Response:
        from ray.serve.exceptions import BackPressureError

        lines = self._lines(self._replicas[precision], content, values)
        try:
            first = await anext(lines)  # before the status is sent
        except BackPressureError:
            return JSONResponse({"error": "every replica is busy"}, status_code=BUSY, headers={"retry-after": "1"})
        return StreamingResponse(_rest(first, lines), media_type=MEDIA_TYPE)

    async def _lines(self, replicas: Any, content: bytes, values: Mapping[str, Any]) -> AsyncIterator[str]:
        from ray.exceptions import RayActorError

        passed = 0
        for attempt in range(1, ATTEMPTS + 1):
            count = 0
            try:
                async for answer_line in replicas.options(stream=True).transcribe.remote(content, values):
                    if answer_line.startswith('{"segment"'):
                        count += 1
                        if count <= passed:
                            continue
                        passed = count
                    yield answer_line
            except RayActorError as error:
                log.warning("lost a replica in the middle of a run (%s), attempt %d", type(error).__name__, attempt)
                if attempt == ATTEMPTS:
                    raise
            else:
                return


async def _rest(first: str, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for answer_line in lines:
        yield answer_line


def app(arguments: Mapping[str, Any]) -> Any:
    """The application for ``serve run`` and for a RayService.

    Arguments, all optional: ``bundle`` (starter), ``precisions`` ("fp32,int8", the first is the default), ``device`` (cpu),
    ``threads`` (1, and as many runs side by side), ``cpus`` (as threads) and ``gpus`` (0) of each replica, ``min_replicas`` (1),
    ``max_replicas`` (4).
    Raises BundleError and UnknownPrecisionError before anything is started.
    """
    from ray import serve

    name = str(arguments.get("bundle", "starter"))
    bundle = installed(name)
    precisions = [one.strip() for one in str(arguments.get("precisions", ",".join(PRECISIONS))).split(",")]
    variants = {precision: bundle.variant(precision) for precision in precisions}
    threads, device = int(arguments.get("threads", 1)), str(arguments.get("device", "cpu"))
    runs = threads + RUNS_BESIDE
    placement = {"num_cpus": float(arguments.get("cpus", threads)), "num_gpus": float(arguments.get("gpus", 0))}
    scaling = {
        "min_replicas": int(arguments.get("min_replicas", 1)),
        "max_replicas": int(arguments.get("max_replicas", 4)),
        "target_ongoing_requests": runs,
    }
    replicas = {
        precision: serve.deployment(Replica, name=precision)
        .options(
            autoscaling_config=scaling,
            ray_actor_options=placement,
            max_ongoing_requests=runs,
            max_queued_requests=MOST_WAITING,
        )
        .bind(name, precision, device, threads)
        for precision in precisions
    }
    manifest = json.loads(bundle.path(MANIFEST).read_text(encoding="utf-8"))
    manifest["variants"] = {precision: manifest["variants"][precision] for precision in variants}
    # It only passes on: a core of its own would be one that a replica lacks.
    front = serve.deployment(Front, name="front").options(ray_actor_options={"num_cpus": 0}, max_ongoing_requests=4 * MOST_WAITING)
    return front.bind(manifest, **replicas)


def start_serving(application: Any, *, name: str, host: str, port: int, proxies: str = "EveryNode") -> None:
    """Deploy an application on the cluster that this process has joined; returns once it answers at ``http://host:port/name``.

    ``proxies``: which machines listen, ``EveryNode`` with a replica or ``HeadOnly``.
    """
    from ray import serve

    serve.start(proxy_location=proxies, http_options={"host": host, "port": port})
    serve.run(application, name=name, route_prefix=f"/{name}")


def stop_serving() -> None:
    """Take every application down."""
    from ray import serve

    serve.shutdown()

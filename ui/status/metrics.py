"""What the server counts, for Prometheus: ``GET /metrics``. Numbers of requests, runs, waits and memory; nothing of what was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from engine.transcript import Transcript

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_ROUTES = frozenset(
    [
        "v1",
        "recordings",
        "live",
        "gradio_api",
        "healthz",
        "readyz",
        "metrics",
        "docs",
        "transcribe",
        "lightweight",
        "measure",
        "state",
        "config",
    ]
)
_REQUEST_BUCKETS_S = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_RUN_BUCKETS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """One server's figures; ``gauges`` are read when somebody asks: name -> (what it is, how it is read)."""

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("lightvoice_requests", "Answered requests.", ["method", "route", "status"], registry=self._registry)
        self._request_s = Histogram(
            "lightvoice_request_seconds",
            "From request to answer, waiting included.",
            ["route"],
            buckets=_REQUEST_BUCKETS_S,
            registry=self._registry,
        )
        self._runs = Counter(
            "lightvoice_runs",
            "Finished transcriptions by the session set that made them.",
            ["source", "bundle", "precision"],
            registry=self._registry,
        )
        self._run_s = Histogram(
            "lightvoice_run_seconds", "Compute time of a transcription.", ["precision"], buckets=_RUN_BUCKETS_S, registry=self._registry
        )
        self._audio_s = Counter("lightvoice_audio_seconds", "Recognized audio in seconds.", registry=self._registry)
        for name, (said, read) in gauges.items():
            Gauge(f"lightvoice_{name}", said, registry=self._registry).set_function(read)

    def count_request(self, method: str, path: str, status: int, seconds: float | None) -> None:
        """Count an answer; ``seconds`` None for a stream. Unknown words become ``other``: clients cannot add labels."""
        route = path.lstrip("/").split("/", 1)[0]
        route = route if route in _ROUTES else ("page" if not route else "other")
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        if seconds is not None:
            self._request_s.labels(route).observe(seconds)

    def count_run(self, transcript: Transcript, source: str) -> None:
        """Count a finished transcription."""
        self._runs.labels(source, transcript.bundle, transcript.precision).inc()
        self._run_s.labels(transcript.precision).observe(transcript.timing.total_s)
        self._audio_s.inc(transcript.duration_s)

    def answer(self) -> Response:
        """Everything, as Prometheus reads it."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

"""The middleware around every page, from the outside in: the proxy's headers, the request's id and log, security headers,
compression, the check of origins, authentication.

The full and the slim page have the same; what only the Gradio page needs is in ``gradio_guard.py``.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from ui.http.access.authentication import Authentication
from ui.http.access.credentials import Credentials
from ui.http.chosen_language import ChosenLanguage
from ui.http.compression import Compression
from ui.http.forwarded import Forwarded
from ui.http.reach import Reach
from ui.http.request_log import RequestLog
from ui.http.same_origin import SameOrigin
from ui.http.security_headers import SecurityHeaders
from ui.status.health import Health
from ui.status.metrics import Metrics


def checks(metrics: Metrics, health: Health) -> dict[str, Callable[[Request], Response]]:
    """What every page answers to who runs the server, by path."""

    def healthz(request: Request) -> Response:
        """Say whether the server is alive, with its bundle and precision."""
        return health.alive()

    def readyz(request: Request) -> Response:
        """Say whether the models are loaded: 200, or 503; the first question begins to load them."""
        return health.ready()

    def figures(request: Request) -> Response:
        """Give the server's figures to Prometheus."""
        return metrics.answer()

    return {"/healthz": healthz, "/readyz": readyz, "/metrics": figures}


def add_middleware_layers(app: Starlette, *, credentials: Credentials, metrics: Metrics, reach: Reach) -> None:
    """Add the middleware to an application; what was added before is inside of it."""
    # The last one added is the outermost.
    if credentials.for_programs:
        app.add_middleware(Authentication, credentials=credentials)
    # Outside of authentication: a browser asks without credentials whether it may ask, and the page that it asks for may read a refusal.
    app.add_middleware(SameOrigin, reach=reach)
    app.add_middleware(ChosenLanguage)
    app.add_middleware(Compression)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, count=metrics.count_request)
    app.add_middleware(Forwarded, root_path=reach.root_path)

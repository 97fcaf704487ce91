"""Our figures beside those of others."""

import engine  # noqa: F401 - before any library that is measured: it stops their reports (engine/runtime/telemetry.py)

"""The weights and the workshop that makes them."""

import engine  # noqa: F401 - before any library of the workshop: it stops their reports (engine/runtime/telemetry.py)

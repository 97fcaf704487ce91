"""What one server takes on, whichever page it serves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server takes on."""

    upload_mb: int = 500
    #: All uploads, recordings and downloads together; more are refused until older ones are deleted.
    stored_mb: int = 5_000
    #: Longer recordings are refused with AudioTooLongError; None for no limit.
    duration_s: float | None = 4 * 3600.0
    #: Runs of the engine at the same time; the others wait in the queue. Two let a short clip pass a long recording;
    #: more only cost memory, for each run uses every core.
    concurrent_runs: int = 2

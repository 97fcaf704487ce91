"""What one server takes on, whichever page it serves."""

from __future__ import annotations

from dataclasses import dataclass

from engine.files.sizes import BYTES_PER_MB


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server takes on."""

    upload_mb: int = 500
    #: All uploads, recordings and downloads together; more are refused until older ones are deleted.
    stored_mb: int = 5_000
    #: Longer recordings are refused with AudioTooLongError; None for no limit.
    duration_s: float | None = 4 * 3600.0
    #: Runs of the engine at the same time; the others wait in the queue. Two let a short clip pass a long recording; on more cores
    #: than one there are as many as run side by side, and one that is read meanwhile (``Engine.recordings_at_once``).
    concurrent_runs: int = 2
    #: Of these, how many a page may have: with one, short recordings would leave cores idle while nobody else is there.
    runs_a_page: int = 1
    #: Callers that may wait for a run; more get an error with the expected wait.
    waiting_runs: int = 64
    #: Recordings that may wait in the queues of all pages together.
    waiting_recordings: int = 1000
    #: Live streams that are worked on at the same time, beside the runs: a long recording must not silence who speaks.
    concurrent_live: int = 2

    @property
    def upload_bytes(self) -> int:
        """The largest upload in bytes."""
        return self.upload_mb * BYTES_PER_MB

"""What is kept of a run: a line in the log and the figures that are counted. Never a word of what was said, unless that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.transcript import Transcript

_log = logging.getLogger(__name__)


class RunLog:
    """Notes finished runs; ``show_text`` puts the recognized text into the log, for who debugs on recordings of their own."""

    def __init__(self, *, count: Callable[[Transcript, str], None] | None = None, show_text: bool = False) -> None:
        self._count, self._show_text = count, show_text

    def record(self, transcript: Transcript, *, source: str) -> None:
        """Note a run that ``source`` (page, api, endpoint, slim, live) asked for."""
        fields: dict[str, object] = {
            "source": source,
            "bundle": transcript.bundle,
            "precision": transcript.precision,
            "duration_s": round(transcript.duration_s, 3),
            "segments": len(transcript.segments),
            "total_s": round(transcript.timing.total_s, 3),
            "rtf": round(transcript.timing.rtf, 4),
        }
        if self._show_text:
            fields["text"] = transcript.text
        _log.info("transcribed", extra={"fields": fields})
        if self._count is not None:
            self._count(transcript, source)

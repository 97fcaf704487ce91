"""Spans → segments side by side, given out in the order in which the spans came."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from functools import partial

from engine.runtime.slot_tasks import SlotTasks
from engine.runtime.stop_signal import StopSignal
from engine.speech.channel_speech import ChannelSpeech
from engine.speech.span_recognizer import SpanRecognizer
from engine.speech.speech_stream import SpanFrames
from engine.transcript import Segment

#: Spans that wait for each core: what the cores go on with while the next block is read and searched. A span takes a megabyte at most.
WAITING_A_CORE = 3


@dataclass(frozen=True)
class _Pending:
    channel: ChannelSpeech
    start_ms: int
    segment: Future[Segment | None]


class SegmentQueue:
    """One recording's spans that are being recognized; for the one thread that reads the recording."""

    def __init__(self, recognizer: SpanRecognizer, tasks: SlotTasks, stop: StopSignal) -> None:
        """``stop`` is the one that ``recognizer`` was made with."""
        self._recognizer, self._tasks, self._stop = recognizer, tasks, stop
        self._pending: deque[_Pending] = deque()

    def __len__(self) -> int:
        """How many spans have been added whose segments were not taken."""
        return len(self._pending)

    @property
    def most(self) -> int:
        """As many may wait before the recording is read on."""
        return WAITING_A_CORE * self._tasks.side_by_side

    @property
    def earliest_ms(self) -> int | None:
        """Where the first span begins whose segment was not taken; None where there is none."""
        return min((one.start_ms for one in self._pending), default=None)

    def add(self, channel: ChannelSpeech, spoken: SpanFrames) -> None:
        """Have a span recognized."""
        segment = self._tasks.start(partial(self._recognizer.segment, spoken.span, spoken.frames))
        self._pending.append(_Pending(channel, spoken.span.start_ms, segment))

    def take(self) -> list[Segment]:
        """The next segments in order, as far as they are complete; raises what recognizing one has raised."""
        taken = []
        while self._pending and self._pending[0].segment.done():
            done = self._pending.popleft()
            segment = done.segment.result()
            if segment is not None:
                taken.append(replace(segment, channel=done.channel.number))
        return taken

    def wait(self, within_s: float) -> None:
        """Wait until the next segment is complete, no longer than ``within_s``."""
        if self._pending:
            wait_for([self._pending[0].segment], within_s)

    def close(self) -> None:
        """Leave what was not taken: what runs ends at its next operator, and nothing of it runs afterwards."""
        if self._pending:
            self._stop.stop()
            self._tasks.cancel()
            self._pending.clear()

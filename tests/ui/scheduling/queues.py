"""Pages' queues as the tests of their threads use them: three ids, a clock that a test moves, and what became of the recordings."""

from __future__ import annotations

from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.recording_queue import RecordingQueue

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def idle(runner: QueueRunner) -> bool:
    return all(not page.tickets for page in runner._pages.values())


def states(queue: RecordingQueue) -> list[str]:
    return [entry.state.value for entry in queue.entries()]

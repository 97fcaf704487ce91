"""One ``python -m models …`` in a process of its own, with progress, log and cancel: a command that dies takes nothing with it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from engine.errors import LightVoiceError
from models.jobs.failure_kind import FailureKind
from models.jobs.progress import JSON_MODE, VARIABLE, Check, Progress, parse_check, parse_failure, parse_progress, parse_result

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
LOG_LINES = 500
LINE_CHARACTERS = 4_000
#: What a command is given to end by itself before it is killed.
GRACE_S = 5.0


class JobStartError(LightVoiceError):
    """The system starts no process for a job."""

    def __init__(self, *, program: str, reason: str) -> None:
        super().__init__(f"cannot start {program}: {reason}; end something that runs on this machine, then try again")


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job:
    """One command, begun at once; its properties may be read from any thread. JobStartError where no process can be started."""

    def __init__(self, command: Sequence[str], *, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._cancelled = False
        self._result: Path | None = None
        self._failure: FailureKind | None = None
        self.state = JobState.RUNNING
        #: The last step reported; None before the first.
        self.progress: Progress | None = None
        #: What the self-test found; None where there was none.
        self.check: Check | None = None
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                cwd=ROOT,
                env={**os.environ, VARIABLE: JSON_MODE, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
                start_new_session=True,
            )
        except OSError as error:
            raise JobStartError(program=command[0], reason=error.strerror or type(error).__name__) from error
        self._threads = [threading.Thread(target=self._follow, name="workshop: follow a job", daemon=True)]
        self._threads[0].start()

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines the command wrote, without its progress."""
        with self._lock:
            return tuple(self._lines)

    @property
    def result(self) -> Path | None:
        """The bundle it made or changed, once the job is done."""
        return self._result if self.state is JobState.DONE else None

    @property
    def failure(self) -> FailureKind | None:
        """Why it failed, as far as it said so; None for a job that did not fail."""
        return (self._failure or FailureKind.OTHER) if self.state is JobState.FAILED else None

    @property
    def error(self) -> str | None:
        """The last line of a failed command, which names the reason; None for any other."""
        if self.state is not JobState.FAILED:
            return None
        last = next((line for line in reversed(self.log) if line.strip()), "it wrote nothing")
        code = self._process.returncode
        return last if code >= 0 else f"ended by signal {-code}; last line: {last}"

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the job is over; False when ``timeout_s`` passed first."""
        return self._over.wait(timeout_s)

    def cancel(self) -> None:
        """End the command and all it started: politely, and after the grace period by force. Returns at once."""
        with self._lock:
            if self._cancelled or self._over.is_set():
                return
            self._cancelled = True
            self._threads.append(threading.Thread(target=self._end, name="workshop: end a job", daemon=True))
            self._threads[-1].start()

    def close(self) -> None:
        """Cancel, and wait until the command and the threads of this job have ended: at most about the grace period."""
        self.cancel()
        for thread in self._threads:
            thread.join()

    def _end(self) -> None:
        self._signal(signal.SIGTERM)
        if not self._over.wait(self._grace_s):
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _follow(self) -> None:
        """Read what the command writes until it has ended."""
        with self._process as process:
            output = process.stdout
            if output is not None:
                for line in iter(lambda: output.readline(LINE_CHARACTERS), ""):
                    self._take(line.rstrip("\n"))
            # Reaped here and nowhere else: until then its number belongs to no other process, and its group may be signalled.
            code = process.wait()
        ended = JobState.CANCELLED if self._cancelled else JobState.FAILED
        self.state = JobState.DONE if code == 0 else ended
        self._over.set()

    def _take(self, line: str) -> None:
        if (step := parse_progress(line)) is not None:
            self.progress = step
        elif (place := parse_result(line)) is not None:
            self._result = place
        elif (check := parse_check(line)) is not None:
            self.check = check
        elif (kind := parse_failure(line)) is not None:
            self._failure = kind
        else:
            with self._lock:
                self._lines.append(line)

    def _signal(self, number: int) -> None:
        """Signal the command and everything it started, unless it was reaped."""
        if self._process.returncode is not None:
            return
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.terminate()
        except ProcessLookupError:
            log.info("the command had ended already")

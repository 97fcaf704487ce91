"""``python -m models …`` for the page: one command at a time in a process of its own, with progress, log and cancel.

Knows nothing of Gradio and nothing of torch: ``app.py`` hands a Workshop to the page, and a command that dies takes nothing with it.
What a person typed reaches the command as a list of arguments, never through a shell (:mod:`models.jobs.commands`).
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

from engine.errors import LightVoiceError
from models.jobs.commands import WorkshopCommand
from models.jobs.progress import JSON_MODE, VARIABLE, Progress, parse_progress, parse_result

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
LOG_LINES = 500
LINE_CHARACTERS = 4_000
REMEMBERED_JOBS = 20
#: What a command is given to end by itself before it is killed.
GRACE_S = 5.0


class WorkshopClosedError(LightVoiceError):
    """A job for a workshop that was closed."""

    def __init__(self) -> None:
        super().__init__("the workshop is closed because the server stops; start it again")


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class Job:
    """One command from the moment it is asked for; its properties may be read from any thread."""

    def __init__(self, command: WorkshopCommand, *, grace_s: float = GRACE_S) -> None:
        self.command = command
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._state = JobState.QUEUED
        self._progress: Progress | None = None
        self._result = command.result
        self._exit_code: int | None = None
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False
        self._killer: threading.Timer | None = None

    @property
    def state(self) -> JobState:
        """Where the job stands."""
        return self._state

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines the command wrote, without its progress."""
        with self._lock:
            return tuple(self._lines)

    @property
    def progress(self) -> Progress | None:
        """The last step reported; None before the first."""
        return self._progress

    @property
    def exit_code(self) -> int | None:
        """The command's exit code (negative: the signal that ended it); None while it has none."""
        return self._exit_code

    @property
    def result(self) -> Path | None:
        """Where the result lies, once the job is done."""
        return self._result if self._state is JobState.DONE else None

    @property
    def error(self) -> str | None:
        """The last line of a failed command, which names the reason; None for any other."""
        if self._state is not JobState.FAILED:
            return None
        last = next((line for line in reversed(self.log) if line.strip()), "it said nothing")
        return last if self._exit_code is None or self._exit_code >= 0 else f"ended by signal {-self._exit_code}; last line: {last}"

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the job is over; False when ``timeout_s`` passed first."""
        return self._over.wait(timeout_s)

    def cancel(self) -> None:
        """End the command and all it started: politely, and after the grace period by force. Returns at once."""
        with self._lock:
            if self._state.over or self._cancelled:
                return
            self._cancelled = True
            if self._process is None:  # it never began, and its thread will see so
                self._finish(JobState.CANCELLED)
                return
            _signal_group(self._process, signal.SIGTERM)
            self._killer = threading.Timer(self._grace_s, _signal_group, (self._process, getattr(signal, "SIGKILL", signal.SIGTERM)))
            self._killer.daemon = True
            self._killer.start()

    def run(self, prefix: Sequence[str]) -> None:
        """Run the command to its end; for the workshop's thread."""
        try:
            process = self._launch(prefix)
        except OSError as error:
            self._lines.append(f"cannot start {prefix[0]}: {error.strerror or type(error).__name__}")
            self._finish(JobState.FAILED)
            return
        if process is None:
            return
        with process:
            output = process.stdout
            if output is not None:
                for line in iter(lambda: output.readline(LINE_CHARACTERS), ""):
                    self._take(line.rstrip("\n"))
            # Reaped here and nowhere else: until then its number belongs to no other process, and its group may be signalled.
            self._exit_code = process.wait()
        with self._lock:  # whoever cancels may be setting it at this moment
            killer = self._killer
        if killer is not None:
            killer.cancel()
            killer.join()
        ended = JobState.CANCELLED if self._cancelled else JobState.FAILED
        self._finish(JobState.DONE if self._exit_code == 0 else ended)

    def _launch(self, prefix: Sequence[str]) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._cancelled:
                return None
            self._process = subprocess.Popen(
                [*prefix, *self.command.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                cwd=ROOT,
                env={**os.environ, VARIABLE: JSON_MODE, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
                start_new_session=True,
            )
            self._state = JobState.RUNNING
            return self._process

    def _take(self, line: str) -> None:
        step, place = parse_progress(line), parse_result(line)
        if step is not None:
            self._progress = step
        elif place is not None:
            self._result = place
        else:
            with self._lock:
                self._lines.append(line)

    def settle(self) -> None:
        """Nobody waits for a job whose thread has ended."""
        if not self._state.over:
            self._finish(JobState.FAILED)

    def _finish(self, state: JobState) -> None:
        self._state = state
        self._over.set()


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    """Signal a process that nobody has reaped yet, and everything it started."""
    if process.returncode is not None:
        return
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.terminate()
    except ProcessLookupError:
        log.info("the command had ended already")


class Workshop:
    """Runs commands one after the other, in the order they were asked for; each has a thread that reads what it writes.

    ``prefix`` is what stands before a command's arguments; tests pass a program of their own.
    """

    def __init__(self, *, prefix: Sequence[str] | None = None, grace_s: float = GRACE_S) -> None:
        self._prefix = tuple(prefix) if prefix is not None else (sys.executable, "-m", "models")
        self._grace_s = grace_s
        self._turn = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._jobs: deque[Job] = deque(maxlen=REMEMBERED_JOBS)
        self._threads: list[threading.Thread] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The last jobs, the newest last."""
        with self._turn:
            return tuple(self._jobs)

    def start(self, command: WorkshopCommand) -> Job:
        """Run a command, after those that were asked for before it; WorkshopClosedError after :meth:`close`."""
        with self._turn:
            if self._closed:
                raise WorkshopClosedError
            job = Job(command, grace_s=self._grace_s)
            self._waiting.append(job)
            self._jobs.append(job)
            thread = threading.Thread(target=self._work, args=(job,), name=f"workshop {command.arguments[0]}", daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()]
            self._threads.append(thread)
            thread.start()
        return job

    def close(self) -> None:
        """Cancel everything and wait until it has ended, at most about the grace period; nothing can be started any more."""
        with self._turn:
            self._closed = True
            jobs, threads = tuple(self._waiting), tuple(self._threads)
        for job in jobs:
            job.cancel()
        for thread in threads:
            thread.join()

    def _work(self, job: Job) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._waiting[0] is job)
        try:
            job.run(self._prefix)
        finally:
            job.settle()
            with self._turn:
                self._waiting.remove(job)
                self._turn.notify_all()

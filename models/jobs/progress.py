"""How far a command is, on stderr: in words for a person, as one line of JSON a step for the page.

With ``LIGHTVOICE_PROGRESS=json`` in the environment a step is ``@progress {"text": "model.pt 412 / 936 MB", "fraction": 0.41,
"eta_s": 65}``, the place of what was made is ``@result {"path": "…"}``, what the self-test found ``@check {"passed": 6, "tested": 6}`` and
why the command failed ``@failure {"kind": "disk"}``; :mod:`models.jobs.job` reads them. Without it a person reads lines, few enough to
leave the log readable.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar, cast

import msgspec

from engine.files.typed_values import converted
from models.jobs.failure_kind import FailureKind

VARIABLE = "LIGHTVOICE_PROGRESS"
JSON_MODE = "json"
PROGRESS_MARK, RESULT_MARK, CHECK_MARK, FAILURE_MARK = "@progress ", "@result ", "@check ", "@failure "
#: A person on a terminal sees a step twice a second, a log file one in five seconds.
TERMINAL_PAUSE_S, LOG_PAUSE_S = 0.5, 5.0
#: Machine-readable steps may come faster, but a download that reports every block shall not fill a pipe.
JSON_PAUSE_S, JSON_STEP = 0.1, 0.01
_CLEAR_LINE = "\r\x1b[2K"


Item = TypeVar("Item")
Note = TypeVar("Note", bound=msgspec.Struct)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One step: what is being done, and the share done in [0, 1] and the seconds left where they are known."""

    text: str
    fraction: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    eta_s: Annotated[float, msgspec.Meta(ge=0)] | None = None

    def __str__(self) -> str:
        share = "" if self.fraction is None else f" {100 * self.fraction:.0f} %"
        left = "" if self.eta_s is None else f", {_duration(self.eta_s)} left"
        return f"{self.text}{share}{left}"


def report(fraction: float | None, text: str, eta_s: float | None = None) -> None:
    """Report how far the command is: ``fraction`` in [0, 1], or None where unknown. Cheap: may be called for every block of a file."""
    share = None if fraction is None else min(1.0, max(0.0, fraction))
    _writer().write(Progress(text=" ".join(text.split()), fraction=share, eta_s=eta_s))


def track(items: Iterable[Item], total: int, text: str) -> Iterator[Item]:
    """Pass items on, reporting how many of ``total`` went by."""
    for index, item in enumerate(items):
        report(index / total if total else None, text)
        yield item


class Result(msgspec.Struct, frozen=True):
    """Where what a command made lies."""

    path: str


def report_result(path: Path) -> None:
    """Name what the command made, where a program reads it; a person reads it in the log."""
    if _for_programs():
        _write_line(f"{RESULT_MARK}{_json(Result(str(path.absolute())))}\n")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What the self-test found: of so many texts and segmentations, how many are as published."""

    passed: Annotated[int, msgspec.Meta(ge=0)]
    tested: Annotated[int, msgspec.Meta(ge=1)]


class _Failure(msgspec.Struct, frozen=True):
    kind: FailureKind


def report_check(check: Check) -> None:
    """Name what the self-test found, where a program reads it."""
    if _for_programs():
        _write_line(f"{CHECK_MARK}{_json(check)}\n")


def report_failure(kind: FailureKind) -> None:
    """Name why the command failed, where a program reads it; a person reads the error's own words."""
    if _for_programs():
        _write_line(f"{FAILURE_MARK}{_json(_Failure(kind))}\n")


def parse_progress(line: str) -> Progress | None:
    """A line of stderr -> the step it reports; None for a line that is no well-formed step."""
    return _parsed(line, PROGRESS_MARK, Progress)


def parse_result(line: str) -> Path | None:
    """A line of stderr -> the place it names; None for any other line."""
    found = _parsed(line, RESULT_MARK, Result)
    return None if found is None else Path(found.path)


def parse_check(line: str) -> Check | None:
    """A line of stderr -> what the self-test found; None for any other line."""
    return _parsed(line, CHECK_MARK, Check)


def parse_failure(line: str) -> FailureKind | None:
    """A line of stderr -> why the command failed; None for any other line."""
    found = _parsed(line, FAILURE_MARK, _Failure)
    return None if found is None else found.kind


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def _parsed(line: str, mark: str, kind: type[Note]) -> Note | None:
    if not line.startswith(mark):
        return None
    try:
        return cast("Note", converted(msgspec.json.decode(line[len(mark) :]), kind))
    except (msgspec.DecodeError, RecursionError):
        return None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _for_programs() -> bool:
    return os.environ.get(VARIABLE) == JSON_MODE


def _write_line(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


class ProgressWriter:
    """Writes steps to ``sys.stderr``, leaving out those that come too soon after another; the last step (1.0) is always written."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._written_at_s = -math.inf
        self._last: Progress | None = None

    def write(self, step: Progress) -> None:
        """Write a step, or leave it out."""
        with self._lock:
            if step == self._last or not self._due(step):
                return
            self._written_at_s, self._last = self._clock(), step
            _write_line(self._line(step))

    def _due(self, step: Progress) -> bool:
        if step.fraction == 1.0:
            return True
        waited_s = self._clock() - self._written_at_s
        if _for_programs():
            return waited_s >= JSON_PAUSE_S or self._has_moved(step)
        return waited_s >= (TERMINAL_PAUSE_S if sys.stderr.isatty() else LOG_PAUSE_S)

    def _has_moved(self, step: Progress) -> bool:
        if self._last is None or step.fraction is None or self._last.fraction is None:
            # What comes after a download is said at once, not after the last of its steps has been shown for a while.
            return self._last is not None and step.fraction is not self._last.fraction
        return abs(step.fraction - self._last.fraction) >= JSON_STEP

    def _line(self, step: Progress) -> str:
        if _for_programs():
            return f"{PROGRESS_MARK}{_json(step)}\n"
        if not sys.stderr.isatty():
            return f"{step}\n"
        return f"{_CLEAR_LINE}{step}" + ("\n" if step.fraction == 1.0 else "")


@functools.cache
def _writer() -> ProgressWriter:
    return ProgressWriter()

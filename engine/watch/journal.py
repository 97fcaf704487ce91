"""What of a watched folder is done, so that nothing is done twice, whoever starts the watching again and when.

One line a recording in ``.lightvoice-watch.jsonl`` in the results' folder. A recording is done when a line has its name, its size and
its time; where only the time differs, as after a copy that did not keep it, its content decides. The result itself need not be
there any more: whoever takes results away has had them.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import OptionError, OutputError
from engine.files.content import sha256_of
from engine.files.distinct_names import name_key
from engine.files.file_names import LONGEST_NAME_BYTES, shortened
from engine.watch.arrivals import Arrival

FILE = ".lightvoice-watch.jsonl"
#: What is written beside the results for a recording that could not be transcribed.
ERROR_ENDING = ".error.json"


@dataclass(frozen=True, kw_only=True)
class Done:
    """A recording, and what became of it: the file that was written, and the name of the error where it is one."""

    source: str
    bytes: int
    modified_ns: int
    sha256: str
    format: str
    target: str
    error: str | None = None


class WatchJournal:
    """The results in ``folder`` that come from one watched folder, in one format."""

    def __init__(self, folder: Path, *, output_format: str) -> None:
        self._folder, self._format, self._file = folder, output_format, folder / FILE
        self._done: dict[str, Done] = {}
        self._taken: dict[str, str] = {}

    def load(self) -> None:
        """Read what earlier watches have noted, once the folder is claimed. OptionError where it cannot be read."""
        for entry in self._read():
            partial = _partial(self._folder / entry.target, entry.sha256)
            if partial.exists():  # the process was killed before the result had its name
                partial.unlink()
            else:
                self._note(entry)

    def is_done(self, arrival: Arrival) -> bool:
        """Whether the recording, as it now is, was transcribed or has failed. OSError where it cannot be read."""
        entry = self._done.get(arrival.name)
        if entry is None or entry.bytes != arrival.size_bytes:
            return False
        return entry.modified_ns == arrival.modified_ns or entry.sha256 == sha256_of(arrival.path)

    def target(self, name: str) -> Path:
        """Where the result of a recording goes: its subfolder and name, numbered where another recording's result has that name."""
        below = Path(name)
        ending = f".{self._format}"
        number = 1
        while True:
            suffix = ending if number == 1 else f"-{number}{ending}"
            stem = shortened(below.stem, LONGEST_NAME_BYTES - len(suffix))
            target = below.with_name(f"{stem}{suffix}").as_posix()
            if self._taken.get(name_key(target), name) == name:
                return self._folder / target
            number += 1

    def error_target(self, name: str) -> Path:
        """Where it is said that a recording failed."""
        below = Path(name)
        return self._folder / below.with_name(shortened(below.name, LONGEST_NAME_BYTES - len(ERROR_ENDING)) + ERROR_ENDING)

    def write(self, arrival: Arrival, digest: str, target: Path, result: str | bytes, *, error: str | None = None) -> None:
        """Write a result, text as UTF-8, or what is said of a failure, whole under its name or not at all. Raises OutputError."""
        content = result.encode("utf-8") if isinstance(result, str) else result
        entry = Done(
            source=arrival.name,
            bytes=arrival.size_bytes,
            modified_ns=arrival.modified_ns,
            sha256=digest,
            format=self._format,
            target=target.relative_to(self._folder).as_posix(),
            error=error,
        )
        partial = _partial(target, digest)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            self._append(entry)  # before the result has its name: see load()
            partial.replace(target)
            if error is None:
                self.error_target(arrival.name).unlink(missing_ok=True)
        except OSError as failed:
            partial.unlink(missing_ok=True)
            raise OutputError(path=target, reason=failed.strerror or type(failed).__name__) from failed
        self._note(entry)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """One process at a time writes into the folder; OptionError for a second one."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._file, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OptionError(f"cannot write into {self._folder} ({reason}); choose another --output") from error
        try:
            if os.name == "posix":
                fcntl = importlib.import_module("fcntl")
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise OptionError(f"another watch writes into {self._folder}; stop it, or choose another --output") from error
            yield
        finally:
            os.close(handle)

    def _note(self, entry: Done) -> None:
        if entry.format == self._format:
            self._done[entry.source] = entry
        self._taken.setdefault(name_key(entry.target), entry.source)

    def _append(self, entry: Done) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(asdict(entry))}")  # the end of line first: one that was torn off spoils itself alone

    def _read(self) -> Iterator[Done]:
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise OptionError(f"cannot read {self._file} ({error.strerror}); choose another --output") from error
        for line in lines:
            try:
                yield Done(**json.loads(line))
            except (ValueError, TypeError):
                continue  # empty, or torn by the end of a process: that recording is done again


def _partial(target: Path, digest: str) -> Path:
    """The name of a result while it is written."""
    return target.with_name(f".{digest[:32]}.partial")

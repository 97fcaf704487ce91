"""A recording that comes through a pipe → a file, for decoders read the end of some files before their beginning."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.errors import AudioDecodeError, OptionError
from engine.files.claimed_folder import claimed_folder
from engine.files.sizes import BYTES_PER_MB

#: How a command line names standard input, and what its results are called.
STDIN, STDIN_STEM = "-", "stdin"
#: A pipe may never end: at most so many bytes are kept, and at most this share of the free disk space.
MOST_BYTES, MOST_SHARE = 32 << 30, 0.5
CHUNK_BYTES = 1 << 20
#: Where names stand for what this process has open, which another process cannot open by the same name.
_OWN = ("/dev/stdin", "/dev/fd/", "/proc/")


def is_piped(file: str) -> bool:
    """Whether a recording comes from standard input, a pipe or a device instead of lying in a file."""
    if file == STDIN or str(Path(file).absolute()).startswith(_OWN):
        return True
    try:
        mode = Path(file).stat().st_mode
    except (OSError, ValueError):
        return False  # opening it raises the right error
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_once(files: list[str]) -> None:
    """OptionError where standard input is asked for twice, or is a terminal."""
    if files.count(STDIN) > 1:
        raise OptionError("standard input (-) can be read once; name it once")
    if STDIN in files and sys.stdin.isatty():
        raise OptionError("- reads a recording from standard input, which is a terminal; pipe a recording in, or name a file")


@contextmanager
def as_file(file: str) -> Iterator[Path]:
    """The path of a recording; what is piped lies in a file until the block ends. AudioDecodeError for a pipe that cannot be kept."""
    if not is_piped(file):
        yield Path(file)
        return
    stem = STDIN_STEM if file == STDIN else Path(file).name
    with ExitStack() as lasting:
        try:
            path = lasting.enter_context(claimed_folder(Path(tempfile.gettempdir()), "lightvoice-piped-")) / stem
            source = sys.stdin.buffer if file == STDIN else lasting.enter_context(Path(file).open("rb"))
            _keep(source, path)
        except OSError as error:
            raise AudioDecodeError(path=stem, reason=f"keeping what it brings failed: {error.strerror or type(error).__name__}") from error
        yield path


def _keep(source: BinaryIO, path: Path) -> None:
    most = min(MOST_BYTES, int(shutil.disk_usage(path.parent).free * MOST_SHARE))
    kept = 0
    with path.open("wb") as target:
        while chunk := source.read(CHUNK_BYTES):
            kept += len(chunk)
            if kept > most:
                raise AudioDecodeError(path=path, reason=f"more than {most // BYTES_PER_MB} MB came, which is all that there is room for")
            target.write(chunk)

"""A zip or tar archive of a model: the files that an import needs, unpacked, and nothing else of it.

People carry models by hand: sherpa-onnx's releases are ``.tar.bz2``, browsers pack folders into zips. Names that lead out of the folder,
links and encrypted files are refused; pictures, recordings and whatever else lies in the archive stay in it.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from engine.bundle import MANIFEST
from engine.errors import first_line
from models.bundle.disk import require_space
from models.export.graph_file import ExportError

NEEDED_SUFFIXES = (".onnx", ".data", ".onnx_data", ".model", ".mvn", ".pt")
NEEDED_NAMES = ("tokens.txt", "tokens.json", "config.yaml", "vad.yaml", MANIFEST)
#: The largest model there is holds 2.4 GB with FP32 and INT8.
MOST_BYTES = 6_000_000_000
MOST_FILES = 200
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, NotImplementedError)


@dataclass(frozen=True)
class _Member:
    """One file of an archive: its name as stated there, its size, and whether it is an ordinary, readable file."""

    name: str
    size: int
    fault: str | None
    content: IO[bytes] | None


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive by name and content; a PyTorch checkpoint is a zip too, and none for us."""
    if path.suffix.lower() == ".pt":
        return False
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def unpack(path: Path, folder: Path) -> list[Path]:
    """Unpack the files of a model into ``folder``, their folders kept: -> what was written.

    Raises ExportError for an archive that is damaged, encrypted, too large or leads out of the folder, and DiskFullError.
    """
    written: list[Path] = []
    total = 0
    try:
        members = _zip_members(path, folder) if zipfile.is_zipfile(path) else _tar_members(path)
        for member in members:
            parts = _parts(path, member.name)
            if not _is_needed(parts):
                continue
            if member.fault is not None or member.content is None:
                raise ExportError(f"{path}: {member.name} {member.fault or 'cannot be read'}; unpack it by hand and import the folder")
            total += member.size
            target = folder.joinpath(*parts)
            if total > MOST_BYTES or len(written) >= MOST_FILES or target.exists():
                raise ExportError(f"{path} holds more than a model (over {MOST_BYTES / 1e9:.0f} GB, {MOST_FILES} files, or a name twice)")
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.content as reading, target.open("wb") as writing:
                shutil.copyfileobj(reading, writing, 1 << 20)
            written.append(target)
    except _DAMAGED as error:
        if getattr(error, "errno", None) is not None:
            raise  # the disk, not the archive
        raise ExportError(f"{path} is damaged ({first_line(error)[:120]}); fetch it again") from error
    if not written:
        raise ExportError(
            f"{path} holds no model: no .onnx file and no model.pt; pack model.int8.onnx and tokens.txt, or name another file"
        )
    return written


def _parts(path: Path, name: str) -> tuple[str, ...]:
    """The folders and the name of a member; ExportError where they lead out of the folder."""
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or any(":" in part or "\0" in part for part in plain.parts):
        raise ExportError(f"{path} is not unpacked: it names {name!r}, which leads out of its folder")
    return plain.parts


def _is_needed(parts: tuple[str, ...]) -> bool:
    if not parts or parts[0] == "__MACOSX" or parts[-1].startswith("."):
        return False
    return parts[-1] in NEEDED_NAMES or parts[-1].endswith(NEEDED_SUFFIXES)


def _zip_members(path: Path, folder: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        sizes = [info.file_size for info in infos if _is_needed(PurePosixPath(info.filename).parts)]
        require_space(folder, min(sum(sizes), MOST_BYTES))
        for info in infos:
            mode, fault = info.external_attr >> 16, None
            if stat.S_ISLNK(mode):
                fault = "is a link"
            elif info.flag_bits & 1:
                fault = "is encrypted"
            # Names that are not needed are looked at too: an archive with one that leads out is not trusted.
            needed = fault is None and _is_needed(PurePosixPath(info.filename).parts)
            yield _Member(info.filename, info.file_size, fault, archive.open(info) if needed else None)


def _tar_members(path: Path) -> Iterator[_Member]:
    with tarfile.open(path, "r:*") as archive:
        for info in archive:
            if info.isdir():
                continue
            fault = None if info.isfile() else "is a link"
            content = archive.extractfile(info) if fault is None else None
            yield _Member(info.name, info.size, fault, content)

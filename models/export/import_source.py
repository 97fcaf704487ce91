"""What a person hands to `import` → the folder with SenseVoice's files, and the one with FSMN-VAD's where there is one.

A folder may hold the files itself or some levels down (Hugging Face's cache keeps them in ``snapshots/<revision>/``), an archive is
unpacked first, and a single ``.onnx`` file stands for the folder that it lies in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.bundle import MANIFEST
from engine.files.claimed_folder import claimed_folder
from models.export.archive import is_archive, unpack
from models.export.graph_file import ExportError
from models.export.logits_graph import ports_of
from models.export.ready_frontend import config_of
from models.export.ready_made import Graphs, is_official, unknown_layout

GRAPH_SUFFIX = ".onnx"
#: ``models--owner--name/snapshots/<revision>`` is two levels below the folder that people know.
DEPTH = 3


@dataclass(frozen=True)
class ImportSource:
    """SenseVoice's folder, its graphs where one file alone was named, and FSMN-VAD's folder where it was found beside."""

    folder: Path
    graphs: Graphs | None = None
    vad: Path | None = None


@contextmanager
def opened(path: Path, place: Path) -> Iterator[ImportSource]:
    """The models of a folder, an archive (unpacked below ``place`` until the block ends) or an ``.onnx`` file.

    Raises ExportError where there is no SenseVoice, and DiskFullError.
    """
    if path.is_dir():
        yield _inside(path)
    elif path.is_file() and path.suffix.lower() == GRAPH_SUFFIX:
        yield ImportSource(path.parent, graphs=Graphs.of_file(path))
    elif path.is_file() and is_archive(path):
        with claimed_folder(place, ".unpacked-") as folder:
            unpack(path, folder)
            yield _inside(folder, named=path)
    elif path.is_file():
        hint = "; name its folder, with config.yaml and am.mvn beside it" if path.suffix == ".pt" else ""
        raise ExportError(f"{path} is no folder, no archive (zip, tar.bz2, tar.gz) and no {GRAPH_SUFFIX} file{hint}")
    else:
        raise ExportError(f"there is no folder or file {path}; check the path")


def _inside(folder: Path, *, named: Path | None = None) -> ImportSource:
    """The models of a folder and of the folders in it, the nearest first; ``named`` is what a person calls it."""
    if (folder / MANIFEST).is_file() or _kind(folder) is not None:
        return ImportSource(folder)  # a VAD alone is told from SenseVoice where it is opened
    found: dict[str, Path] = {}
    for place in _below(folder):
        if (place / MANIFEST).is_file():
            raise unknown_layout(place, named=named)
        kind = _kind(place)
        if kind is not None:
            found.setdefault(kind, place)
    if "asr" not in found:
        raise unknown_layout(folder, named=named)
    return ImportSource(found["asr"], vad=found.get("vad"))


def _below(folder: Path) -> list[Path]:
    """The folders in a folder, the nearest first, none behind a symbolic link."""
    found, level = [], [folder]
    for _ in range(DEPTH):
        level = [path for place in level for path in sorted(place.iterdir()) if path.is_dir() and not path.is_symlink()]
        found += level
    return found


def _kind(folder: Path) -> str | None:
    """``"asr"`` or ``"vad"`` for a folder with a model, None for any other."""
    if is_official(folder):
        return "vad" if (config_of(folder) or {}).get("encoder") == "FSMN" else "asr"
    graphs = Graphs.of(folder)
    if not graphs.paths:
        return None
    _, header = graphs.header()
    return "vad" if ports_of(header) is None else "asr"

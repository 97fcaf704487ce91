"""Recordings and weights in pieces that travel: to a GPU machine that starts bare, reaches no network and takes so many MB at a time.

    python -m models.starter pack   --data DATA --output PIECES [--piece-mb 56]     # here: recordings and labels, 16 kbit/s as they lie
    python -m models.starter unpack PIECES --output DATA                            # there, once all pieces have come; in any order
    python -m models.starter pack   --file WORK/asr.averaged.pt --output PIECES --piece-mb 14
    python -m models.starter unpack PIECES --output WORK                            # here again

Each piece is a tar archive of its own or a slice of a file, and names its content's sha256: a piece that is missing or damaged is named.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.files.content import sha256_of
from engine.files.sizes import BYTES_PER_MB
from models.starter.corpus import CorpusError

INDEX = "pieces.json"


def _groups(files: Sequence[Path], most_bytes: int) -> Iterator[list[Path]]:
    """Files in order, together as long as they fit; tar adds up to 1 kB to each."""
    group: list[Path] = []
    size = 0
    for file in files:
        own = file.stat().st_size + 1_024
        if group and size + own > most_bytes:
            yield group
            group, size = [], 0
        group.append(file)
        size += own
    if group:
        yield group


def pack_folders(data: Path, names: Sequence[str], output: Path, *, piece_mb: float) -> list[Path]:
    """Recordings and labels of the sets ``names`` below ``data`` as tar pieces; CorpusError for a set that is not there."""
    missing = [name for name in names if not (data / name / "labels.tsv").is_file()]
    if missing:
        raise CorpusError(f"{data} lacks {', '.join(missing)}; fetch the sets that models/starter/README.md names, or leave them out")
    files = [path for name in names for path in sorted((data / name).rglob("*")) if path.is_file()]
    output.mkdir(parents=True, exist_ok=True)
    pieces = []
    for number, group in enumerate(_groups(files, int(piece_mb * BYTES_PER_MB))):
        piece = output / f"piece-{number:03d}.tar"
        with tarfile.open(piece, "w") as archive:
            for path in group:
                archive.add(path, arcname=str(path.relative_to(data)), recursive=False)
        pieces.append(piece)
    _write_index(output, "folders", pieces)
    return pieces


def pack_file(path: Path, output: Path, *, piece_mb: float) -> list[Path]:
    """One file in slices; FileNotFoundError where it is absent."""
    output.mkdir(parents=True, exist_ok=True)
    pieces: list[Path] = []
    with path.open("rb") as handle:
        while content := handle.read(int(piece_mb * BYTES_PER_MB)):
            piece = output / f"piece-{len(pieces):03d}.bin"
            piece.write_bytes(content)
            pieces.append(piece)
    _write_index(output, path.name, pieces)
    return pieces


def _write_index(output: Path, what: str, pieces: Sequence[Path]) -> None:
    sums = {piece.name: sha256_of(piece) for piece in pieces}
    (output / INDEX).write_text(json.dumps({"what": what, "pieces": sums}, indent=1) + "\n", encoding="utf-8")


def unpack(pieces: Path, output: Path) -> None:
    """Put together what was packed; CorpusError names a piece that is missing or damaged, and nothing is written then."""
    if not (pieces / INDEX).is_file():
        raise CorpusError(f"no {pieces / INDEX}; it travels with the first piece")
    index = json.loads((pieces / INDEX).read_text(encoding="utf-8"))
    for name, digest in index["pieces"].items():
        if not (pieces / name).is_file():
            raise CorpusError(f"{name} of {len(index['pieces'])} pieces has not come to {pieces}; send it")
        if sha256_of(pieces / name) != digest:
            raise CorpusError(f"{pieces / name} is damaged; send it again")
    output.mkdir(parents=True, exist_ok=True)
    if index["what"] == "folders":
        for name in index["pieces"]:
            with tarfile.open(pieces / name) as archive:
                archive.extractall(output, filter="data")
        return
    partial = output / f"{Path(index['what']).name}.partial"
    with partial.open("wb") as handle:
        for name in index["pieces"]:
            handle.write((pieces / name).read_bytes())
    partial.replace(output / Path(index["what"]).name)
